"""The list of somebody's notices, told in words: what, of which case, and when."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from db.codes import NoticeKind, TimerKind, WaitingFor
from lib.messages.queries import NoticeLine
from lib.shared.assets import asset
from lib.shared.calendar import moment
from lib.ui.components import loader
from lib.ui.labels import code_label, label, when

TONES = {
    NoticeKind.OVERDUE: ("late", "late"),
    NoticeKind.ESCALATION: ("late", "late"),
    NoticeKind.NOBODY_THERE: ("late", "late"),
    NoticeKind.NOBODY_FREE: ("late", "late"),
    NoticeKind.WARNING: ("soon", "clock"),
    NoticeKind.PROMISE_DUE: ("soon", "clock"),
    NoticeKind.CALLBACK_DUE: ("soon", "phone"),
    NoticeKind.NO_DATA: ("soon", "warning"),
    NoticeKind.REMINDER: ("", "clock"),
    NoticeKind.SALES_NOTICE: ("", "bell"),
}
"""Colour and drawing of a kind; the words beside them say the same."""

_list = st.components.v2.component("desk_notices", js=loader("notices.js"))


def show(lines: list[NoticeLine], *, read: Callable[[int], None], opens_cases: bool) -> int | None:
    """Draw the list; `read` is called with a receipt to be marked. Answers the ticket that was clicked in this run."""
    key = "messages.notices.list"

    shown = {line.receipt_id for line in lines}

    def mark(name: str) -> Callable[[], None]:
        def marked() -> None:
            receipt_id = st.session_state[key].get(name)
            if receipt_id in shown:
                read(receipt_id)

        return marked

    answer = _list(
        key=key,
        data={
            "rows": [_row(line, opens_cases) for line in lines],
            "words": {name: label(f"notices.{name}") for name in ("read", "unread", "caption")},
            "style": asset("notices.css").address,
        },
        on_opened_change=mark("opened"),
        on_read_change=mark("read"),
    )
    tickets = {line.receipt_id: line.ticket_id for line in lines}
    return tickets.get(answer.opened) if answer.opened else None


def _row(line: NoticeLine, opens_cases: bool) -> dict[str, Any]:
    tone, drawing = TONES[line.kind]
    return {
        "id": line.receipt_id,
        "kind": code_label(line.kind),
        "tone": tone,
        "drawing": drawing,
        "number": line.number,
        "link": f"/tickets_detail?ticket={line.ticket_id}" if line.number and opens_cases else "",
        "customer": line.customer,
        "text": words_of(line),
        "at": when(line.at),
        "unread": line.read_at is None,
        "withdrawn": label("notices.withdrawn") if line.withdrawn_at else "",
    }


def words_of(line: NoticeLine) -> str:
    """What the notice says, in one sentence."""
    details = line.details
    timer = code_label(line.timer_kind or TimerKind.PROMISE)
    due = when(moment(details["due"])) if "due" in details else ""
    match line.kind:
        case NoticeKind.WARNING:
            return label("notices.warning", timer=timer, percent=details["percent"], due=due)
        case NoticeKind.OVERDUE:
            return label("notices.overdue", timer=timer, due=due)
        case NoticeKind.ESCALATION:
            return label("notices.escalation", timer=timer, due=due)
        case NoticeKind.PROMISE_DUE:
            return label("notices.promise_due", due=due)
        case NoticeKind.REMINDER:
            return label("notices.reminder", reason=code_label(WaitingFor(details["waiting_for"])))
        case NoticeKind.NOBODY_THERE:
            return label("notices.nobody_there", kind=code_label(NoticeKind(details["kind"])))
        case NoticeKind.NO_DATA:
            return label("notices.no_data", year=details["year"])
        case NoticeKind.SALES_NOTICE:
            return label("notices.sales_notice")
        case NoticeKind.NOBODY_FREE:
            return label("notices.nobody_free")
        case NoticeKind.CALLBACK_DUE:
            return label("notices.callback_due", due=when(line.at))
