"""The explainer: for any timer, each stretch of time from its start, counted or not, why, and the running total."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise

from sqlalchemy import select

from db.codes import DayKind, DaySource, EventKind, TimerKind, TimerPhase, Verdict, WaitingFor
from db.models.calendars import Calendar, CalendarDay
from db.models.people import Person
from db.models.tickets import Policy, Ticket, TicketEvent
from lib.shared.calendar import NoDue, Shut, WorkingCalendar, epoch, moment
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Look
from lib.tickets.open_cases import facts_of_tickets
from lib.tickets.policies import matter_now, rulebook_of
from lib.tickets.queries import find_visible
from lib.tickets.targets import Amount, Target
from lib.tickets.timers import (
    Facts,
    Overrun,
    Pause,
    TimerState,
    expected_due,
    overrun,
    pauses_told,
    reached_at,
    timers_of,
    verdict,
)

MOST_LINES = 400


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
    """A stretch [start_at, end_at); total_seconds: counted from the timer's start to its end.

    pause_at: when the pause began that holds it.
    """

    start_at: datetime
    end_at: datetime
    why: Why
    waiting_for: WaitingFor | None
    total_seconds: int
    pause_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a due came about; `provisional`: it lies in a year whose official days are not known (rule 6).

    amount: the part of "the earlier of two" that decides, else the target. unreachable: no due within five years
    (rule 6). overrun: how far past its due it is or was; None unless missed.
    """

    timer: TimerState
    lines: list[Line]
    provisional: bool
    verdict: Verdict = Verdict.RUNNING
    amount: Amount | None = None
    target_seconds: int = 0
    unreachable: bool = False
    overrun: Overrun | None = None


@dataclass(frozen=True, slots=True)
class PauseRow:
    """Who let the case wait, and what was said."""

    by: str
    words: str


@dataclass(frozen=True, slots=True)
class DayNote:
    """What is special about a day: its kind and its name, or the reason of the one who set it."""

    kind: DayKind
    name: str


@dataclass(frozen=True, slots=True)
class TimerSheet:
    """An explanation with all that its page says beside it.

    expected_due_at: if the pause ends when it is expected to; a guess. promised: the instant was told, nothing
    is counted (rule 28).
    """

    ticket_id: int
    number: str
    explanation: Explanation
    promised: bool
    clause: str
    calendar: str
    calendar_version: int | None
    expected_due_at: datetime | None
    pauses: Mapping[datetime, PauseRow]
    days: Mapping[date, DayNote]


def explain_timer(look: Look, *, ticket_id: int, kind: TimerKind, cycle: int) -> TimerSheet:
    """The table of one timer, up to its due, or to now while it has none.

    Refuses `ticket_not_found` and `no_such_timer`.
    """
    ticket = find_visible(look, ticket_id)
    facts = facts_of_tickets(look.session, [ticket])[ticket.id]
    for timer in timers_of(facts, rulebook_of(look)):
        if (timer.kind, timer.cycle) == (kind, cycle):
            return _sheet(look, ticket, timer, facts)
    raise Refusal("no_such_timer")


def _sheet(look: Look, ticket: Ticket, timer: TimerState, facts: Facts) -> TimerSheet:
    target = timer.target
    if target is None:
        told = Explanation(timer, [], False, verdict(timer, look.now))
        promised = timer.kind is TimerKind.PROMISE
        return TimerSheet(ticket.id, ticket.number, told, promised, "", "", None, None, {}, {})
    told = explained(timer, facts, look.now)
    policy = None if target.policy_id is None else look.session.get(Policy, target.policy_id)
    calendar = (
        None if target.calendar_id is None else look.session.get(Calendar, target.calendar_id)
    )
    expected = None
    if timer.phase is TimerPhase.PAUSED and ticket.waiting_until is not None:
        expected = _expected(timer, max(ticket.waiting_until, look.now))
    return TimerSheet(
        ticket.id,
        ticket.number,
        told,
        False,
        "" if policy is None else policy.clause,
        "" if calendar is None else calendar.name,
        target.calendar_version,
        expected,
        _pauses(look, ticket.id),
        _days(look, told.lines, target),
    )


def _expected(timer: TimerState, ends_at: datetime) -> datetime | None:
    try:
        return expected_due(timer, ends_at)
    except NoDue:
        return None


def _pauses(look: Look, ticket_id: int) -> dict[datetime, PauseRow]:
    rows = look.session.execute(
        select(TicketEvent.at, Person.name, TicketEvent.words)
        .outerjoin(Person, Person.id == TicketEvent.actor_id)
        .where(TicketEvent.ticket_id == ticket_id, TicketEvent.kind == EventKind.WAITING_STARTED)
        .order_by(TicketEvent.id)
    )
    return {at: PauseRow(name or "", words) for at, name, words in rows}


def _days(look: Look, lines: list[Line], target: Target) -> dict[date, DayNote]:
    """What the exceptions among the days are called; those by hand that the version does not know are left out."""
    if not lines or target.calendar_id is None:
        return {}
    first, last = (at.astimezone(SHANGHAI).date() for at in (lines[0].start_at, lines[-1].end_at))
    rows = look.session.execute(
        select(CalendarDay.on_day, CalendarDay.kind, CalendarDay.name, CalendarDay.source)
        .where(
            CalendarDay.calendar_id == target.calendar_id,
            CalendarDay.on_day.between(first, last),
        )
        .order_by(CalendarDay.source, CalendarDay.on_day)
    )
    found: dict[date, DayNote] = {}
    for on, kind, name, source in rows:
        is_closed = not target.calendar.is_working_day(on)
        if is_closed is not (kind is DayKind.CLOSED):
            continue
        if source is DaySource.OFFICIAL or on not in found:
            found[on] = DayNote(kind, name)
    return found


def explained(timer: TimerState, facts: Facts, now: datetime) -> Explanation:
    """The table of a timer with a target: up to its due; without one up to its stop, at the latest now."""
    assert timer.target is not None
    start = epoch(timer.started_at)
    judged = verdict(timer, now)
    amount, seconds, calendar = _decides(timer, timer.target, start, facts)
    if amount is None:
        return Explanation(timer, [], False, judged, timer.target.amount, 0, True)
    end = timer.due_at or timer.stopped_at or now
    cuts = [epoch(each) for each in (timer.stopped_at, now) if each is not None]
    lines: list[Line] = []
    total = 0
    stretches = _stretches(timer, facts, calendar, start, epoch(end), cuts)
    for begins, until, why, pause in stretches:
        total += until - begins if why is Why.COUNTED else 0
        waiting_for = None if pause is None else pause.waiting_for
        pause_at = None if pause is None else pause.started_at
        lines.append(Line(moment(begins), moment(until), why, waiting_for, total, pause_at))
    provisional = timer.due_at is not None and timer.target.calendar.is_provisional(
        epoch(timer.due_at)
    )
    return Explanation(
        timer,
        lines,
        provisional,
        judged,
        amount,
        seconds,
        False,
        overrun(timer, timer.target.calendar, now),
    )


def _decides(
    timer: TimerState, target: Target, start: int, facts: Facts
) -> tuple[Amount | None, int, WorkingCalendar | None]:
    """The amount that is reached first, its seconds and what they are counted by; None when none ever is."""
    found = []
    for amount in (target.amount, target.second):
        if amount is None:
            continue
        part = replace(target, amount=amount, second=None)
        try:
            [(calendar, seconds)] = part.parts(start)
        except NoDue:
            continue
        due = reached_at(timer, part, start, facts)
        if due is None and timer.remaining_seconds is None:
            continue
        found.append((due is None, due or 0, amount, seconds, calendar))
    if not found:
        return None, 0, None
    _, _, amount, seconds, calendar = min(found, key=lambda each: each[:2])
    return amount, seconds, calendar


def _stretches(
    timer: TimerState,
    facts: Facts,
    calendar: WorkingCalendar | None,
    start: int,
    end: int,
    cut_at: list[int],
) -> Iterator[tuple[int, int, Why, Pause | None]]:
    """The calendar's stretches cut where pauses begin and end, what counts also at `cut_at`.

    A pause of shut time changes nothing.
    """
    due = None if timer.due_at is None else epoch(timer.due_at)
    spans = []
    for pause in pauses_told(timer.kind, facts):
        opens = max(epoch(pause.started_at), start)
        closes = end if pause.ended_at is None else min(epoch(pause.ended_at), end)
        # A pause that starts at the due or later takes nothing out (rule 9).
        if opens < closes and (due is None or opens < due):
            spans.append((opens, closes, pause))
    cuts = sorted({at for opens, closes, _ in spans for at in (opens, closes)})
    found = [(start, end, Why.COUNTED)] if start < end else []
    if calendar is not None:
        found = [
            (part.start, part.end, Why.COUNTED if part.shut is None else SHUT[part.shut])
            for part in calendar.stretches(start, end)
        ]
    for opens, closes, why in found:
        edges = [opens, *(at for at in cuts if opens < at < closes), closes]
        for begins, stops in pairwise(edges):
            held = next((each for a, b, each in spans if a <= begins < b), None)
            if why is not Why.COUNTED:
                yield begins, stops, why, None
            elif held is not None:
                yield begins, stops, Why.PAUSED, held
            else:
                parts = [begins, *sorted({at for at in cut_at if begins < at < stops}), stops]
                yield from ((one, other, why, None) for one, other in pairwise(parts))


@dataclass(frozen=True, slots=True)
class TimerMarks:
    """What the timers of a case say beside their dues.

    provisional: due in a year without data (rule 6). expected: when a paused one would be due if its pause ends as
    expected; a guess (rule 9). no_target: kinds that no policy gives a target for (rule 29).
    """

    provisional: frozenset[tuple[TimerKind, int]]
    expected: Mapping[tuple[TimerKind, int], datetime]
    no_target: tuple[TimerKind, ...]


OF_CASES = (
    TimerKind.FIRST_RESPONSE,
    TimerKind.NEXT_REPLY,
    TimerKind.DIAGNOSIS,
    TimerKind.RESTORATION,
    TimerKind.RESOLUTION,
    TimerKind.RETURN_CALL,
    TimerKind.STEP,
    TimerKind.HOP,
)


def find_timer_marks(look: Look, *, ticket_id: int) -> TimerMarks:
    """The marks of a case's timers. Refuses `ticket_not_found`."""
    ticket = find_visible(look, ticket_id)
    if ticket.source:
        return TimerMarks(frozenset(), {}, ())
    book = rulebook_of(look)
    timers = timers_of(facts_of_tickets(look.session, [ticket])[ticket.id], book)
    provisional, expected = set(), {}
    for timer in timers:
        key = (timer.kind, timer.cycle)
        if timer.target is None:
            continue
        due = timer.due_at
        if timer.phase is TimerPhase.PAUSED and due is None and ticket.waiting_until is not None:
            guess = _expected(timer, max(ticket.waiting_until, look.now))
            if guess is not None:
                expected[key] = due = guess
        is_open = timer.phase in (TimerPhase.RUNNING, TimerPhase.PAUSED)
        if is_open and due is not None and timer.target.calendar.is_provisional(epoch(due)):
            provisional.add(key)
    matter, at = matter_now(look.session, ticket), epoch(look.now)
    has = {timer.kind for timer in timers if timer.target is not None}
    no_target = tuple(
        kind
        for kind in OF_CASES
        if kind not in has and book.target_of(kind, matter, at, at) is None
    )
    return TimerMarks(frozenset(provisional), expected, no_target)
