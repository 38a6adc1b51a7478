"""The queue table: a page of open cases that ticks and changes in place, with its views, filters and paging."""

from dataclasses import replace
from typing import Any

import streamlit as st

from db.codes import Priority
from lib.shared.assets import asset, words_asset
from lib.tickets.closed import MOST_LOOKED_AT
from lib.tickets.live import board
from lib.tickets.queue import QueuePage
from lib.tickets.queue_filter import (
    ORDERS,
    SENT_FIELDS,
    Key,
    Place,
    QueueFilter,
    QueueLine,
    QueueView,
    Scope,
    sent,
)
from lib.tickets.rules import ENDED_STATUSES, OPEN_STATUSES
from lib.tickets.views import ASKED, QUEUE_ROLES, SavedList, address_of, filter_of, whole
from lib.ui import doors
from lib.ui.components import loader, queue_commands, queue_lists
from lib.ui.labels import language

COLUMNS = (
    "priority",
    "due",
    "number",
    "company",
    "contact",
    "fault",
    "warranty",
    "status",
    "technician",
)
STRIP = (
    QueueView.NEXT_BREACH,
    QueueView.MINE,
    QueueView.UNASSIGNED,
    QueueView.WAITING_PARTS,
    QueueView.RETURN_CALLS,
    QueueView.FOLLOW_UP,
    QueueView.NOT_MOVED,
    QueueView.ALL,
)
ASKABLE = (*ASKED, "after", "before")
LONGEST_VALUE = 60
NEW = "new"
KEY = "tickets.queue"

_table = st.components.v2.component(
    "desk_queue", html='<div class="queue"></div>\n', js=loader("queue.js")
)


def asked_filter() -> QueueFilter:
    """The filter that the address of the page tells; what it does not know, it leaves out.

    Searched words name people and phones: they stay in the session and never come into an address.
    """
    return replace(filter_of(st.query_params), text=_asked_words())


def asked_place(name: str) -> Place | None:
    """The place `after` or `before` which the page lies, from its address: "1795500000.42", or ".42"."""
    value, _, ticket_id = st.query_params.get(name, "").partition(".")
    ticket = whole(ticket_id)
    if ticket is None or (value and whole(value) is None):
        return None
    return whole(value), ticket


def last_address() -> dict[str, str]:
    """The queue's filters as this tab last saw them, for the way back to it."""
    kept: dict[str, str] = st.session_state.get(f"{KEY}.address", {})
    return kept


def show(page: QueuePage, saved: list[SavedList], *, may_enter: bool, may: list[str]) -> str | None:
    """Draw the table, with the saved lists and the commands of `may`.

    Answers the ticket to open, "new" for a new case, or None.
    """
    remembered = f"{KEY}.token"
    st.session_state[f"{KEY}.address"] = {
        name: value for name, value in st.query_params.items() if name in ASKABLE
    }
    view = board.show_queue(
        st.session_state.get(remembered),
        session_id=doors.session_row() or 0,
        page=page,
        saved=queue_lists.counted(page, saved),
    )
    st.session_state[remembered] = view.token
    is_open = page.where.scope is Scope.OPEN
    answer = _table(
        key=KEY,
        data={
            "token": view.token,
            "generation": view.generation,
            "number": page.number,
            "acknowledged": st.session_state.get(f"{KEY}.acknowledged", 0),
            "columns": ("select", *COLUMNS) if may else COLUMNS,
            "fields": SENT_FIELDS,
            "rows": [sent(line) for line in page.lines],
            "counts": page.tally.counts(page.where),
            "total": page.total,
            "page": {
                "previous": _previous(page),
                "next": _next(page),
                "further": not is_open and page.low is not None,
            },
            "refused": "" if page.refusal is None else doors.words_of(page.refusal, plain=True),
            "cut_short": MOST_LOOKED_AT if page.cut_short else 0,
            "sort": {
                "by": page.where.sort,
                "falling": page.where.descending,
                "order": ORDERS.get(page.where.sort),
            },
            "saved": queue_lists.told(page, saved),
            "answer": queue_lists.answer(),
            "shareable": QUEUE_ROLES,
            "viewers": view.others,
            "views": STRIP,
            "where": _told(page.where),
            "statuses": OPEN_STATUSES if is_open else OPEN_STATUSES + ENDED_STATUSES,
            "priorities": list(Priority),
            "technicians": page.technicians,
            "may_enter": may_enter,
            "may": may,
            "results": queue_commands.results(),
            "by_phone": page.where.by_phone,
            "ticket_page": "/tickets_detail",
            "stream": "/desk/live",
            "language": language().replace("_", "-"),
            "words": words_asset(language()).address,
            "style": asset("queue.css").address,
        },
        on_request_change=_take_request,
        on_command_change=_take_command,
    )
    request = answer.request
    opened = request.get("open") if isinstance(request, dict) else None
    if opened == NEW and may_enter:
        return NEW
    return opened if isinstance(opened, str) and whole(opened) is not None else None


def _take_request() -> None:
    """Put what the table asks for into the address; nothing a browser sends is trusted."""
    request: Any = st.session_state[KEY].get("request")
    if not isinstance(request, dict):
        return
    queue_commands.forget_results()
    serial = request.get("serial")
    if isinstance(serial, int):
        st.session_state[f"{KEY}.acknowledged"] = serial
    if isinstance(request.get("saved"), dict):
        queue_lists.take(serial, request["saved"], asked_filter())
        return
    where = request.get("where")
    if not isinstance(where, dict):
        return
    wanted = {
        name: value[:LONGEST_VALUE]
        for name in ASKABLE
        if isinstance(value := where.get(name), str) and value.strip() and value.isprintable()
    }
    words = where.get("q")
    st.session_state[f"{KEY}.words"] = words[:LONGEST_VALUE] if isinstance(words, str) else ""
    # What is as usual stands in no address.
    places: dict[str, str] = {name: wanted[name] for name in ("after", "before") if name in wanted}
    st.query_params.from_dict(address_of(filter_of(wanted)) | places)


def _take_command() -> None:
    queue_commands.take_command(st.session_state[KEY].get("command"))


def _told(where: QueueFilter) -> dict[str, str]:
    usual = {"view": QueueView.ALL, "scope": Scope.OPEN}
    return usual | address_of(where) | {"q": _asked_words()}


def _asked_words() -> str:
    words: str = st.session_state.get(f"{KEY}.words", "")
    return words


def _previous(page: QueuePage) -> str | None:
    if page.where.scope is not Scope.OPEN or not page.lines or page.low is None:
        return None
    return _place(page.where, page.lines[0])


def _next(page: QueuePage) -> str | None:
    return _place(page.where, page.lines[-1]) if page.lines and page.high is not None else None


def _place(where: QueueFilter, line: QueueLine) -> str:
    value, ticket = (line.received_at, line.id)
    if where.scope is Scope.OPEN:
        key: Key = where.key_of(line)
        value, ticket = ("" if isinstance(key[0], str) else key[0]), key[1]  # type: ignore[assignment]
    return f"{value}.{ticket}"
