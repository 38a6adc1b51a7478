"""The queue table: a page of open cases that ticks and changes in place, with its views, filters and paging."""

from typing import Any

import streamlit as st

from db.codes import Priority, TicketStatus
from lib.shared.assets import asset, words_asset
from lib.tickets.live import board
from lib.tickets.queue import (
    NOBODY,
    OPEN_STATUSES,
    SENT_FIELDS,
    Key,
    QueueFilter,
    QueuePage,
    QueueView,
    sent,
)
from lib.ui import doors
from lib.ui.components import loader, queue_commands
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
    QueueView.ALL,
)
ASKABLE = ("view", "status", "priority", "technician", "after", "before")
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
    asked = st.query_params
    technician = asked.get("technician", "")
    chosen = NOBODY if technician == "none" else _whole(technician)
    return QueueFilter(
        view=_code(QueueView, asked.get("view")) or QueueView.ALL,
        status=_code(TicketStatus, asked.get("status")),
        priority=_code(Priority, asked.get("priority")),
        technician=chosen,
        text=_asked_words(),
    )


def asked_place(name: str) -> Key | None:
    """The place `after` or `before` which the page lies, from its address, e.g. "1795500000.42"."""
    due_at, _, ticket_id = st.query_params.get(name, "").partition(".")
    due, ticket = _whole(due_at), _whole(ticket_id)
    return None if due is None or ticket is None else (due, ticket)


def last_address() -> dict[str, str]:
    """The queue's filters as this tab last saw them, for the way back to it."""
    kept: dict[str, str] = st.session_state.get(f"{KEY}.address", {})
    return kept


def show(page: QueuePage, *, may_enter: bool, may: list[str]) -> str | None:
    """Draw the table, with the commands of `may`. Answers the ticket to open, "new" for a new case, or None."""
    remembered = f"{KEY}.token"
    st.session_state[f"{KEY}.address"] = {
        name: value for name, value in st.query_params.items() if name in ASKABLE
    }
    view = board.show_queue(
        st.session_state.get(remembered), session_id=doors.session_row() or 0, page=page
    )
    st.session_state[remembered] = view.token
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
            "page": {"previous": _previous(page), "next": _next(page)},
            "views": STRIP,
            "where": _told(page.where),
            "statuses": OPEN_STATUSES,
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
    return opened if isinstance(opened, str) and _whole(opened) is not None else None


def _take_request() -> None:
    """Put what the table asks for into the address; nothing a browser sends is trusted."""
    request: Any = st.session_state[KEY].get("request")
    if not isinstance(request, dict):
        return
    queue_commands.forget_results()
    serial = request.get("serial")
    if isinstance(serial, int):
        st.session_state[f"{KEY}.acknowledged"] = serial
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
    if wanted.get("view") == QueueView.ALL:
        del wanted["view"]
    st.query_params.from_dict(wanted)


def _take_command() -> None:
    queue_commands.take_command(st.session_state[KEY].get("command"))


def _told(where: QueueFilter) -> dict[str, str]:
    nobody = where.technician == NOBODY
    technician = "" if where.technician is None else str(where.technician)
    return {
        "view": where.view,
        "status": where.status or "",
        "priority": where.priority or "",
        "technician": "none" if nobody else technician,
        "q": _asked_words(),
    }


def _asked_words() -> str:
    words: str = st.session_state.get(f"{KEY}.words", "")
    return words


def _previous(page: QueuePage) -> str | None:
    return _place(page.lines[0].key) if page.lines and page.low is not None else None


def _next(page: QueuePage) -> str | None:
    return _place(page.lines[-1].key) if page.lines and page.high is not None else None


def _place(key: Key) -> str:
    return f"{key[0]}.{key[1]}"


def _code(kind: Any, value: str | None) -> Any:
    return kind(value) if value in set(kind) else None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else None
