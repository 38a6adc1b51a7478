"""Ready texts: a reply that fills in the case, and may change fields of it in the same step."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select

from db.codes import FaultCode, Priority, Role, Verdict, WaitingFor
from db.models.tickets import Macro, Ticket
from lib.customers.rules import search_key
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Look, Work, permit
from lib.tickets import rules
from lib.tickets.actions import add_note, change_ticket, log_contact, start_waiting
from lib.tickets.queries import find_ticket, list_timers

PLACEHOLDERS = ("number", "company", "contact", "due", "agent")
PLACE = re.compile(r"\{([^{}]*)\}")
NAME_LENGTH = 60
WORDS_LENGTH = 2000
MOST_HOURS = 720
USERS = (Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR)


class How(StrEnum):
    """What a filled text is written down as; never stored."""

    CONTACT = "contact"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class MacroRow:
    """A ready text. `search`: its name and pinyin initials, as one types them."""

    id: int
    version: int
    name: str
    words: str
    priority: Priority | None
    fault: FaultCode | None
    waiting_for: WaitingFor | None
    waiting_hours: int | None
    active: bool
    initials: str


@permit(Role.SUPERVISOR)
def save_macro(
    work: Work,
    *,
    macro_id: int | None,
    version: int | None,
    name: str,
    words: str,
    priority: Priority | None = None,
    fault: FaultCode | None = None,
    waiting_for: WaitingFor | None = None,
    waiting_hours: int | None = None,
) -> int:
    """Write a new ready text, or another wording of one. Answers its id.

    Refuses `macro_placeholder` for an unknown one, `macro_name_taken`, `macro_hours` where a wait has no expected
    end, and words that are missing or too long.
    """
    told_name = rules.ensure_words(name, limit=NAME_LENGTH)
    told = rules.ensure_words(words, limit=WORDS_LENGTH)
    ensure_placeholders(told)
    if waiting_for is not None and not (waiting_hours and 0 < waiting_hours <= MOST_HOURS):
        raise Refusal("macro_hours", most=MOST_HOURS)
    same = select(Macro.id).where(Macro.name == told_name, Macro.id != (macro_id or 0))
    if work.session.scalar(same) is not None:
        raise Refusal("macro_name_taken", name=told_name)
    wanted = {
        "priority": priority,
        "fault": fault,
        "waiting_for": waiting_for,
        "waiting_hours": waiting_hours if waiting_for is not None else None,
    }
    changes = {field: value for field, value in wanted.items() if value is not None}
    if macro_id is None:
        macro = Macro(made_by_id=work.actor.person_id, created_at=work.now, active=True)
        work.session.add(macro)
    else:
        macro = work.get(Macro, macro_id, version=version)
    macro.name, macro.words, macro.changes = told_name, told, changes
    work.session.flush()
    work.record("macro.saved", macro, fields=sorted(changes))
    return macro.id


@permit(Role.SUPERVISOR)
def set_macro_active(work: Work, *, macro_id: int, version: int, active: bool) -> None:
    """Offer a ready text on the cases, or no longer; it stays for the record."""
    macro = work.get(Macro, macro_id, version=version)
    macro.active = active
    work.record("macro.activated" if active else "macro.deactivated", macro)


@permit(*USERS)
def apply_macro(
    work: Work, *, ticket_id: int, version: int, macro_id: int, words: str, how: How
) -> None:
    """Write the text down, as it was read and perhaps edited, with what the macro changes: all of it or nothing.

    Refuses `macro_inactive`, `words_missing`, and what the single steps refuse.
    """
    macro = work.get(Macro, macro_id)
    if not macro.active:
        raise Refusal("macro_inactive")
    ticket = work.get(Ticket, ticket_id, version=version)
    told = rules.ensure_words(words)
    changes = _changes(macro)
    fields = {
        name: changes[name] for name in ("priority", "fault") if changes.get(name) is not None
    }
    if fields:
        change_ticket(work, ticket_id=ticket_id, version=version, **fields)
    if how is How.CONTACT:
        log_contact(work, ticket_id=ticket_id, version=ticket.version, words=told)
    else:
        add_note(work, ticket_id=ticket_id, words=told)
    waiting_for = changes.get("waiting_for")
    if waiting_for is not None and ticket.waiting_for is not waiting_for:
        start_waiting(
            work,
            ticket_id=ticket_id,
            version=None,
            waiting_for=waiting_for,
            words=macro.name,
            until_at=work.now + timedelta(hours=changes["waiting_hours"]),
        )
    work.record("ticket.macro_applied", ticket, macro_id=macro.id)


def ensure_placeholders(words: str) -> None:
    """Refuse `macro_placeholder` for a place that nothing is put into, and for a lone brace."""
    for name in PLACE.findall(words):
        if name not in PLACEHOLDERS:
            raise Refusal("macro_placeholder", name=name[:30])
    rest = PLACE.sub("", words)
    if "{" in rest or "}" in rest:
        raise Refusal("macro_placeholder", name="{" if "{" in rest else "}")


def fill(words: str, values: Mapping[str, str]) -> str:
    """The text with its places filled in, once: what is put in is not looked at again."""
    return PLACE.sub(lambda found: values.get(found[1], found[0]), words)


def list_macros(look: Look, *, only_active: bool = False) -> list[MacroRow]:
    """The ready texts by name."""
    query = select(Macro).order_by(func.lower(Macro.name), Macro.id)
    if only_active:
        query = query.where(Macro.active)
    return [_row(macro) for macro in look.session.scalars(query)]


def find_places(look: Look, *, ticket_id: int) -> dict[str, str]:
    """What the case puts into the places of a text. Refuses `ticket_not_found`."""
    ticket = find_ticket(look, ticket_id=ticket_id)
    dues = [
        timer.due_at
        for timer in list_timers(look, ticket_id=ticket_id)
        if timer.due_at is not None and timer.verdict is Verdict.RUNNING
    ]
    due = min(dues, default=None)
    return {
        "number": ticket.number,
        "company": ticket.company,
        "contact": ticket.contact.name if ticket.contact else "",
        "due": _shown(due),
        "agent": look.actor.name,
    }


def _shown(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def _row(macro: Macro) -> MacroRow:
    changes = _changes(macro)
    keys = [key for key in search_key(macro.name, limit=200).split("|") if key.isascii() and key]
    return MacroRow(
        macro.id,
        macro.version,
        macro.name,
        macro.words,
        changes.get("priority"),
        changes.get("fault"),
        changes.get("waiting_for"),
        changes.get("waiting_hours"),
        macro.active,
        min(keys, key=len, default=""),
    )


def _changes(macro: Macro) -> dict[str, Any]:
    told = macro.changes or {}
    kinds: dict[str, Any] = {"priority": Priority, "fault": FaultCode, "waiting_for": WaitingFor}
    return {name: kinds[name](value) if name in kinds else value for name, value in told.items()}
