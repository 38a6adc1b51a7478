"""The timers of one case as chips that tick in the browser, by the server's time."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from db.codes import TimerPhase, Verdict
from lib.shared.assets import asset
from lib.shared.calendar import epoch
from lib.tickets.explain import TimerMarks
from lib.tickets.queries import TimerRow
from lib.ui.components import loader
from lib.ui.labels import code_label, label, when

_chips = st.components.v2.component("desk_timers", js=loader("timers.js"))


def show(
    key: str, timers: Sequence[TimerRow], now: datetime, marks: TimerMarks
) -> tuple[str, int] | None:
    """Draw the timers; nothing goes to the server while they tick. Kind and cycle of one that was opened."""
    result = _chips(
        key=key,
        data={
            "at": epoch(now),
            "rows": [_row(timer, marks) for timer in timers],
            "words": {
                name: label(f"timer.{name}")
                for name in ("left", "overdue", "outside", "days", "explain")
            },
            "style": asset("timers.css").address,
        },
        on_opened_change=lambda: None,
    )
    opened = result.opened
    known = {(str(timer.kind), timer.cycle) for timer in timers}
    if isinstance(opened, list | tuple) and tuple(opened) in known:
        kind, cycle = opened
        return str(kind), int(cycle)
    return None


def _row(timer: TimerRow, marks: TimerMarks) -> dict[str, object]:
    overdue = timer.verdict is Verdict.MISSED and timer.phase is TimerPhase.RUNNING
    ended = timer.stopped_at is not None
    shown = timer.stopped_at if ended else timer.due_at
    key = (timer.kind, timer.cycle)
    told = label("timer.ended_at" if ended else "timer.due_at", at=when(shown)) if shown else ""
    if key in marks.expected:
        told = label("timer.expected_at", at=when(marks.expected[key]))
    if key in marks.provisional:
        told = f"{told} · {label('timer.provisional')}"
    if not ended and timer.phase is TimerPhase.RUNNING and timer.due_at is None:
        told = label("timer.unreachable")
    return {
        "id": [str(timer.kind), timer.cycle],
        "kind": code_label(timer.kind),
        "verdict": timer.verdict,
        "state": f"{code_label(timer.verdict)} · {label('timer.late_entry')}"
        if timer.late_entry
        else code_label(timer.verdict),
        "overdue": overdue,
        "outside": timer.outside_hours,
        "due": None if timer.due_at is None else epoch(timer.due_at),
        "remaining": timer.remaining_seconds,
        "when": told,
    }
