"""The clocks of a case: facts in, timers and verdicts out. Nothing here is stored or reads the time.

Every write that adds a fact recomputes the whole case from its facts; pushing a stored due forward
would lose pauses (rules 1, 2).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.codes import TimerKind, TimerPhase, Verdict, WaitingFor
from lib.shared.calendar import NoDue, WorkingCalendar, epoch, moment

MINUTE, HOUR = 60, 3600
TARGETS: Mapping[TimerKind, int] = {
    TimerKind.FIRST_RESPONSE: 30 * MINUTE,
    TimerKind.RESOLUTION: 27 * HOUR,
}
"""Working seconds per timer, until policies per contract and level come."""

PAUSING = frozenset({WaitingFor.CUSTOMER, WaitingFor.PARTS, WaitingFor.APPRAISAL})
"""Waiting for the maker never stops the customer's clock (Q-15)."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A waiting state, [started_at, ended_at); open while ended_at is None."""

    started_at: datetime
    ended_at: datetime | None
    waiting_for: WaitingFor


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened to one case, each at the instant it happened, in any order.

    contacts: outbound contacts by a human, never automatic replies or changes of status (rule 12).
    ended_at: closed or cancelled; ends every timer that still runs.
    """

    received_at: datetime
    contacts: tuple[datetime, ...] = ()
    completed: tuple[datetime, ...] = ()
    reopened: tuple[datetime, ...] = ()
    pauses: tuple[Pause, ...] = ()
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimerState:
    """One timer of one cycle, as the facts leave it.

    due_at: when the target has been counted; None while paused before it, or if never within five years.
    remaining_seconds: working seconds left while paused before the due, else None.
    """

    kind: TimerKind
    cycle: int
    started_at: datetime
    phase: TimerPhase
    due_at: datetime | None
    remaining_seconds: int | None = None
    stopped_at: datetime | None = None


def timers_of(
    facts: Facts, calendar: WorkingCalendar, targets: Mapping[TimerKind, int] = TARGETS
) -> list[TimerState]:
    """Every timer of a case, by kind and cycle; the same facts always give the same timers (rule 1)."""
    timers = []
    for kind, target in targets.items():
        if kind is TimerKind.FIRST_RESPONSE:
            first_contact = min(facts.contacts, default=None)
            spans: Iterable[Cycle] = [Cycle(1, facts.received_at, first_contact)]
            pauses: tuple[Pause, ...] = ()
        else:
            spans = cycles(facts)
            pauses = tuple(pause for pause in facts.pauses if pause.waiting_for in PAUSING)
        timers += [_timer(kind, cycle, target, pauses, facts.ended_at, calendar) for cycle in spans]
    return timers


def verdict(timer: TimerState, now: datetime) -> Verdict:
    """Met, missed, or still open, comparing instants and never counted durations (rules 2, 5, 11)."""
    judged_at = timer.stopped_at or now
    if timer.due_at is not None and judged_at > timer.due_at:
        return Verdict.MISSED
    return {
        TimerPhase.STOPPED: Verdict.MET,
        TimerPhase.CANCELLED: Verdict.CANCELLED,
        TimerPhase.PAUSED: Verdict.PAUSED,
        TimerPhase.RUNNING: Verdict.RUNNING,
    }[timer.phase]


@dataclass(frozen=True, slots=True)
class Overrun:
    """How far past its due a timer is or was: in working seconds, pauses not deducted, and on the wall."""

    working_seconds: int
    wall: timedelta


def overrun(timer: TimerState, calendar: WorkingCalendar, now: datetime) -> Overrun | None:
    """None unless missed; a stop outside hours may be missed with no working overrun (rule 5)."""
    if timer.due_at is None or verdict(timer, now) is not Verdict.MISSED:
        return None
    until = timer.stopped_at or now
    return Overrun(calendar.seconds_between(timer.due_at, until), until - timer.due_at)


@dataclass(frozen=True, slots=True)
class Cycle:
    """From the receipt or a reopening to the first completion after it.

    pauses_from: the completion before; it ended every pause that was open then (rule 9).
    """

    number: int
    started_at: datetime
    stopped_at: datetime | None
    pauses_from: datetime | None = None


def cycles(facts: Facts) -> Iterator[Cycle]:
    """A reopening after a completion starts a new cycle; the gap between belongs to none (rule 13).

    Of several completions in a cycle the earliest counts (rule 21); a reopening of an open case is none.
    """
    number, started, before = 1, facts.received_at, None
    stopped: datetime | None = None
    steps = [(at, False) for at in facts.completed] + [(at, True) for at in facts.reopened]
    for at, is_reopening in sorted(steps):
        if not is_reopening:
            stopped = stopped or at
        elif stopped:
            yield Cycle(number, started, stopped, before)
            number, started, before, stopped = number + 1, at, stopped, None
    yield Cycle(number, started, stopped, before)


def _timer(
    kind: TimerKind,
    cycle: Cycle,
    target: int,
    pauses: tuple[Pause, ...],
    ended_at: datetime | None,
    calendar: WorkingCalendar,
) -> TimerState:
    end = cycle.stopped_at
    phase = TimerPhase.STOPPED if end else TimerPhase.RUNNING
    if end is None and ended_at is not None:
        phase, end = TimerPhase.CANCELLED, max(ended_at, cycle.started_at)
    if cycle.pauses_from is not None:
        pauses = tuple(pause for pause in pauses if pause.started_at >= cycle.pauses_from)
    start = epoch(cycle.started_at)
    stop = None if end is None else epoch(end)
    begin = calendar.counted_until(start)
    paused = 0
    remaining = None
    try:
        due: int | None = calendar.due_second(start, target)
        for opens, closes in _union(pauses, start, stop):
            before_due = due is not None and opens < due
            if closes is None:
                phase = TimerPhase.PAUSED
                if before_due:
                    remaining = target + begin + paused - calendar.counted_until(opens)
                    due = None
                break
            if not before_due:
                continue
            paused += calendar.counted_until(closes) - calendar.counted_until(opens)
            due = calendar.due_second(start, target + paused)
    except NoDue:
        due = None
    return TimerState(
        kind,
        cycle.number,
        moment(start),
        phase,
        None if due is None else moment(due),
        remaining,
        None if stop is None else moment(stop),
    )


def _union(pauses: tuple[Pause, ...], start: int, stop: int | None) -> list[tuple[int, int | None]]:
    """The pauses within [start, stop) in epoch seconds, overlaps joined; a stop ends open ones (rule 9)."""
    spans = []
    for pause in pauses:
        opens = max(epoch(pause.started_at), start)
        closes = None if pause.ended_at is None else epoch(pause.ended_at)
        if stop is not None:
            closes = stop if closes is None else min(closes, stop)
        if closes is None or closes > opens:
            spans.append((opens, closes))
    joined: list[tuple[int, int | None]] = []
    for opens, closes in sorted(spans, key=lambda span: span[0]):
        if not joined:
            joined.append((opens, closes))
            continue
        last_opens, last_closes = joined[-1]
        if last_closes is None:
            break
        if opens > last_closes:
            joined.append((opens, closes))
        else:
            joined[-1] = (last_opens, None if closes is None else max(closes, last_closes))
    return joined
