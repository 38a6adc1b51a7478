"""The time grid of all technicians' visits of a day, beside the cases that want one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import streamlit as st

from db.codes import VisitStatus
from lib.shared.assets import asset
from lib.shared.clock import SHANGHAI
from lib.ui.components import loader
from lib.ui.labels import code_label, label
from lib.visits.queries import TechnicianDay, Unplanned, UnplannedRow, VisitBar

FROM, UNTIL = 7 * 60, 19 * 60
"""Minutes after midnight that the grid shows; what lies outside stands at its edge with its times."""

FULL_DAY = 8 * 60
WORDS = ("unplanned", "nothing", "technician", "grid", "nobody", "change")
MARKS = {VisitStatus.ON_THE_WAY: "car", VisitStatus.ARRIVED: "place", VisitStatus.DONE: "ok"}

_schedule = st.components.v2.component("desk_schedule", js=loader("schedule.js"))


@dataclass(frozen=True)
class Slot:
    """A place in the grid: a technician and minutes after midnight."""

    technician_id: int
    start: int
    minutes: int


def show(
    key: str,
    days: Sequence[TechnicianDay],
    unplanned: Unplanned,
    *,
    may_plan: bool,
    ticket_id: int | None,
    slot: Slot | None,
    midnight: datetime,
    now: datetime,
    on_choose: Callable[[int], None],
    on_slot: Callable[[int, int, int | None], None],
) -> int | None:
    """Draw list and grid. Answers the id of the ticket to open.

    `on_choose(ticket_id)` and `on_slot(technician_id, start, dragged_ticket_id)` run as callbacks.
    """

    def choose() -> None:
        asked = st.session_state[key].get("chosen")
        if isinstance(asked, dict) and isinstance(asked.get("ticket"), int):
            on_choose(asked["ticket"])

    def place() -> None:
        asked = st.session_state[key].get("slot")
        if not isinstance(asked, dict):
            return
        technician_id, start, dragged = (
            asked.get(name) for name in ("technician", "start", "ticket")
        )
        if isinstance(technician_id, int) and isinstance(start, int) and FROM <= start < UNTIL:
            on_slot(technician_id, start, dragged if isinstance(dragged, int) else None)

    minute = int((now - midnight).total_seconds()) // 60
    answer = _schedule(
        key=key,
        data={
            "from": FROM,
            "until": UNTIL,
            "now": minute if 0 <= minute < 24 * 60 else None,
            "may_plan": may_plan,
            "rows": [_row(day, slot, ticket_id, midnight) for day in days],
            "cards": [_card(row, ticket_id) for row in unplanned.rows],
            "total": unplanned.total,
            "words": {word: label(f"visits.schedule.{word}") for word in WORDS},
            "style": asset("schedule.css").address,
        },
        on_chosen_change=choose,
        on_slot_change=place,
        on_opened_change=lambda: None,
    )
    return answer.opened if isinstance(answer.opened, int) else None


def _row(
    day: TechnicianDay, slot: Slot | None, ticket_id: int | None, midnight: datetime
) -> dict[str, Any]:
    here = slot is not None and slot.technician_id == day.person_id
    return {
        "id": day.person_id,
        "name": day.name,
        "load": label("visits.schedule.load", hours=f"{day.minutes / 60:g}", of=FULL_DAY // 60),
        "full": day.minutes >= FULL_DAY,
        "chosen": here,
        "slot": [slot.start, slot.start + slot.minutes] if slot is not None and here else None,
        "bars": [_bar(bar, ticket_id, midnight) for bar in day.visits],
    }


def _bar(bar: VisitBar, ticket_id: int | None, midnight: datetime) -> dict[str, Any]:
    start, end = (
        int((moment.astimezone(SHANGHAI) - midnight).total_seconds()) // 60
        for moment in (bar.starts_at, bar.ends_at)
    )
    over = bar.status is not VisitStatus.DONE and not bar.ticket_open
    state, word, mark = str(bar.status), code_label(bar.status), MARKS.get(bar.status)
    if over:
        state, word, mark = "void", label("visits.schedule.void"), "warning"
    elif bar.late:
        state, word, mark = "late", label("visits.late"), "late"
    return {
        "id": bar.id,
        "ticket": bar.ticket_id,
        "number": bar.number,
        "title": f"{bar.priority.upper()} {code_label(bar.fault)}",
        "customer": bar.customer_name,
        "state": state,
        "state_word": word,
        "mark": mark,
        "start": max(0, start),
        "end": end,
        "movable": bar.status in (VisitStatus.PLANNED, VisitStatus.ON_THE_WAY),
        "chosen": bar.ticket_id == ticket_id and bar.status is not VisitStatus.DONE,
    }


def _card(row: UnplannedRow, ticket_id: int | None) -> dict[str, Any]:
    status = code_label(row.waiting_for) if row.waiting_for else code_label(row.status)
    return {
        "ticket": row.ticket_id,
        "number": row.number,
        "priority": str(row.priority),
        "priority_word": code_label(row.priority),
        "fault": code_label(row.fault),
        "customer": row.customer_name,
        "status": status,
        "chosen": row.ticket_id == ticket_id,
    }
