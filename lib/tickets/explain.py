"""The explainer: for any timer, each stretch of time from its start, counted or not, why, and the running total."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from sqlalchemy import select

from db.codes import TimerKind, WaitingFor
from db.models.tickets import Ticket, TicketEvent
from lib.shared.calendar import Shut, WorkingCalendar, epoch, moment
from lib.shared.errors import Refusal
from lib.shared.work import Look
from lib.tickets import rules
from lib.tickets.actions import FACT_COLUMNS
from lib.tickets.policies import matter_of, rulebook
from lib.tickets.queries import visible_to
from lib.tickets.timers import Facts, Pause, TimerState, pauses_told, timers_of


class Why(StrEnum):
    """Why a stretch counts, or does not."""

    COUNTED = "counted"
    OUTSIDE_HOURS = "outside_hours"
    DAY_OFF = "day_off"
    WEEKEND = "weekend"
    PAUSED = "paused"


SHUT = {Shut.HOURS: Why.OUTSIDE_HOURS, Shut.DAY_OFF: Why.DAY_OFF, Shut.WEEKEND: Why.WEEKEND}


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch [start_at, end_at); total_seconds: counted from the timer's start to its end."""

    start_at: datetime
    end_at: datetime
    why: Why
    waiting_for: WaitingFor | None
    total_seconds: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a due came about; `provisional`: it lies in a year whose official days are not known (rule 6)."""

    timer: TimerState
    lines: list[Line]
    provisional: bool


def explain_timer(look: Look, *, ticket_id: int, kind: TimerKind, cycle: int) -> Explanation:
    """The table of one timer, up to its due, its stop or now. Refuses `ticket_not_found`, `no_such_timer`."""
    ticket = look.session.scalars(
        select(Ticket).where(Ticket.id == ticket_id, visible_to(look.actor))
    ).first()
    if ticket is None:
        raise Refusal("ticket_not_found")
    rows = look.session.execute(
        select(*FACT_COLUMNS)
        .where(TicketEvent.ticket_id == ticket_id)
        .order_by(TicketEvent.at, TicketEvent.id)
    )
    told = (rules.Fact(*row) for row in rows)
    facts = rules.facts_of(ticket.received_at, told, matter_of(ticket))
    for timer in timers_of(facts, rulebook(look.session)):
        if (timer.kind, timer.cycle) == (kind, cycle) and timer.target is not None:
            return explained(timer, facts, look.now)
    raise Refusal("no_such_timer")


def explained(timer: TimerState, facts: Facts, now: datetime) -> Explanation:
    """The table of a timer with a target, up to the later of its due and its stop, at the latest now."""
    assert timer.target is not None
    calendar = timer.target.parts(epoch(timer.started_at))[0][0]
    ends = [each for each in (timer.due_at, timer.stopped_at) if each is not None]
    end = max(ends, default=now) if timer.stopped_at or timer.due_at else now
    lines, total = [], 0
    for start, until, why, pause in _stretches(
        timer, facts, calendar, epoch(timer.started_at), epoch(end)
    ):
        total += until - start if why is Why.COUNTED else 0
        waiting_for = None if pause is None else pause.waiting_for
        lines.append(Line(moment(start), moment(until), why, waiting_for, total))
    provisional = timer.due_at is not None and timer.target.calendar.is_provisional(
        epoch(timer.due_at)
    )
    return Explanation(timer, lines, provisional)


def _stretches(
    timer: TimerState, facts: Facts, calendar: WorkingCalendar | None, start: int, end: int
) -> Iterator[tuple[int, int, Why, Pause | None]]:
    """The calendar's stretches cut where pauses begin and end; a pause of shut time changes nothing."""
    due = None if timer.due_at is None else epoch(timer.due_at)
    spans = []
    for pause in pauses_told(timer.kind, facts):
        opens = max(epoch(pause.started_at), start)
        closes = end if pause.ended_at is None else min(epoch(pause.ended_at), end)
        # A pause that starts at the due or later takes nothing out (rule 9).
        if opens < closes and (due is None or opens < due):
            spans.append((opens, closes, pause))
    cuts = sorted({at for opens, closes, _ in spans for at in (opens, closes)})
    found = [(start, end, Why.COUNTED)]
    if calendar is not None:
        found = [
            (part.start, part.end, Why.COUNTED if part.shut is None else SHUT[part.shut])
            for part in calendar.stretches(start, end)
        ]
    for opens, closes, why in found:
        edges = [opens, *(at for at in cuts if opens < at < closes), closes]
        for begins, stops in pairwise(edges):
            held = next((each for a, b, each in spans if a <= begins < b), None)
            is_paused = held is not None and why is Why.COUNTED
            yield begins, stops, Why.PAUSED if is_paused else why, held if is_paused else None
