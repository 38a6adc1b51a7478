"""Somebody else changed a case meanwhile: by field what it was, what it is now, and what was to be saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Any

import streamlit as st

from lib.tickets.queries import TicketDetail
from lib.ui.labels import code_label, label

Values = Mapping[str, Any]
"""Codes, names and words of a case by field; a status comes with whom it waits for."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A field that changed since it was seen; `mine` is None when it was not to be changed here."""

    field: str
    before: Any
    theirs: Any
    mine: Any = None

    @property
    def collides(self) -> bool:
        """Whether both changed it, each to something else."""
        return self.mine is not None and self.mine != self.theirs


def values_of(ticket: TicketDetail) -> dict[str, Any]:
    """What of a case is compared."""
    return {
        "status": (ticket.status, ticket.waiting_for),
        "priority": ticket.priority,
        "fault": ticket.fault,
        "technician": ticket.technician,
        "owner": ticket.owner,
        "contact_id": ticket.contact.name if ticket.contact else "",
        "site_id": ticket.site.name if ticket.site else "",
        "item_id": ticket.item.name if ticket.item else "",
        "words": ticket.words,
    }


def clashes_of(seen: Values, ticket: TicketDetail, mine: Values) -> list[Clash]:
    """The fields that are not as they were seen."""
    return [
        Clash(field, seen[field], value, mine.get(field))
        for field, value in values_of(ticket).items()
        if field in seen and seen[field] != value
    ]


def show(clashes: list[Clash]) -> None:
    """A table of both values; nothing when no shown field changed."""
    if not clashes:
        return
    heads = "".join(
        f'<th scope="col">{escape(label(f"clash.{name}"))}</th>'
        for name in ("field", "before", "theirs", "mine")
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(label(f"ticket.field.{clash.field}"))}</th>'
        f"<td>{_words(clash.before)}</td><td>{_words(clash.theirs)}</td>"
        f'<td class="{"collides" if clash.collides else ""}">{_words(clash.mine)}</td></tr>'
        for clash in clashes
    )
    st.html(
        f'<section class="desk-card desk-clash"><h2>{escape(label("clash.title"))}</h2>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        f"<p>{escape(label('clash.how'))}</p></section>"
    )


def _words(value: Any) -> str:
    if value is None:
        return f"<i>{escape(label('clash.untouched'))}</i>"
    if isinstance(value, tuple):
        return escape(" · ".join(code_label(each) for each in value if each is not None))
    if isinstance(value, StrEnum):
        return escape(code_label(value))
    return escape(value).replace("\n", "<br>") or "—"
