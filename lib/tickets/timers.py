"""The clocks of a case: facts in, timers and verdicts out. Nothing here is stored or reads the time.

Every write that adds a fact recomputes the whole case from its facts; pushing a stored due forward
would lose pauses (rules 1, 2).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

from db.codes import MissedCause, TimerKind, TimerPhase, Verdict, WaitingFor
from lib.shared.calendar import FARTHEST_DUE, NoDue, WorkingCalendar, epoch, moment
from lib.tickets.targets import ANY_MATTER, SECONDS, Matter, Rulebook, Target

MINUTE, HOUR = 60, 3600

PAUSING = frozenset({WaitingFor.CUSTOMER, WaitingFor.PARTS, WaitingFor.APPRAISAL})
"""Waiting for the maker never stops the customer's clock (Q-15)."""

NEVER_PAUSED = frozenset({TimerKind.ANSWER, TimerKind.PROMISE, TimerKind.RETURN_CALL})


@dataclass(frozen=True, slots=True)
class Pause:
    """A waiting state, [started_at, ended_at); open while ended_at is None."""

    started_at: datetime
    ended_at: datetime | None
    waiting_for: WaitingFor


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise to the customer: the instant told is its due, whatever happens (rule 28).

    changed_at: the customer agreed to another one, which is a promise of its own.
    """

    told_at: datetime
    due_at: datetime
    kept_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A recorded change of what the running targets of a case follow from (rules 14, 15, 17).

    policies_at, calendars_at: those in force at that instant were applied to the open case.
    received_at, contacts, inbound, missed: of a case that was merged into this one.
    """

    at: datetime
    author_id: int | None = None
    matter: Matter | None = None
    policies_at: datetime | None = None
    calendars_at: datetime | None = None
    received_at: datetime | None = None
    contacts: tuple[datetime, ...] = ()
    inbound: tuple[datetime, ...] = ()
    missed: frozenset[TimerKind] = frozenset()


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened to one case, each at the instant it happened, in any order.

    contacts: outbound contacts by a human, never automatic replies or changes of status (rule 12).
    attempts: the desk tried to reach the customer. inbound: the customer got in touch after the receipt.
    calls_ended: a return call was over. entered: states entered. held: another technician got the case, or the same one
    after a reopening.
    ended_at: closed, cancelled or absorbed; ends every timer that still runs.
    left_out: absorbed, a duplicate or spam; its verdicts leave the rate (rules 17, 18).
    """

    received_at: datetime
    contacts: tuple[datetime, ...] = ()
    completed: tuple[datetime, ...] = ()
    reopened: tuple[datetime, ...] = ()
    pauses: tuple[Pause, ...] = ()
    ended_at: datetime | None = None
    attempts: tuple[datetime, ...] = ()
    inbound: tuple[datetime, ...] = ()
    diagnosed: tuple[datetime, ...] = ()
    usable: tuple[datetime, ...] = ()
    calls_ended: tuple[datetime, ...] = ()
    entered: tuple[datetime, ...] = ()
    held: tuple[datetime, ...] = ()
    promises: tuple[Promise, ...] = ()
    matter: Matter = ANY_MATTER
    changes: tuple[Change, ...] = ()
    left_out: bool = False


class TimerState(NamedTuple):
    """One timer of one cycle, as the facts leave it.

    due_at: when the target has been counted; None while paused before it, or if never within five years.
    remaining_seconds: left to count while paused before the due, else None; second_remaining_seconds: of the
    other part of "the earlier of two". missed_cause: known from the facts alone; overdue is found on reading.
    plan: how often a change has given it another target; a pause does not.
    left_out: its verdict can be read but leaves the rate.
    """

    kind: TimerKind
    cycle: int
    started_at: datetime
    phase: TimerPhase
    due_at: datetime | None
    remaining_seconds: int | None = None
    stopped_at: datetime | None = None
    missed_cause: MissedCause | None = None
    missed_by_id: int | None = None
    second_remaining_seconds: int | None = None
    target: Target | None = None
    target_seconds: int = 0
    plan: int = 0
    left_out: bool = False


class Cycle(NamedTuple):
    """One run of a timer, in epoch seconds.

    pauses_from: the completion before; it ended every pause that was open then (rule 9).
    until: the next cycle starts; ended: the run is over without a stop. due: told, not counted.
    """

    number: int
    start: int
    stop: int | None
    pauses_from: int | None = None
    until: int | None = None
    ended: int | None = None
    due: int | None = None
    from_receipt: bool = False


class Plan(NamedTuple):
    """A target that a timer followed, from the instant it was given."""

    number: int
    from_second: int
    target: Target
    start: int


class _Count(NamedTuple):
    due: int | None
    remaining: tuple[int, ...]
    is_paused: bool


_Spans = list[tuple[int, int | None]]


def timers_of(facts: Facts, book: Rulebook) -> list[TimerState]:
    """Every timer of a case, by kind and cycle; the same facts always give the same timers (rule 1)."""
    return [state for state, _ in _replayed(facts, book)]


def plans_of(facts: Facts, book: Rulebook) -> list[tuple[TimerState, list[Plan]]]:
    """Every timer with the targets that it followed one after the other."""
    return list(_replayed(facts, book))


def _replayed(facts: Facts, book: Rulebook) -> Iterator[tuple[TimerState, list[Plan]]]:
    changes = [(epoch(change.at), change) for change in facts.changes]
    changes.sort(key=itemgetter(0))
    ended = None if facts.ended_at is None else epoch(facts.ended_at)
    runs = list(cycles(facts))
    spans: _Spans | None = None
    for kind, cycles_of in CYCLES.items():
        if kind not in book.kinds and (kind is not TimerKind.PROMISE or not facts.promises):
            continue
        if not facts.pauses or kind in NEVER_PAUSED:
            paused: _Spans = []
        elif kind is TimerKind.FIRST_RESPONSE:
            paused = _pauses_of(kind, facts)
        else:
            paused = spans = _pauses_of(kind, facts) if spans is None else spans
        found = list(cycles_of(facts, runs))
        for place, cycle in enumerate(found):
            if cycle.until is None and place + 1 < len(found):
                cycle = cycle._replace(until=found[place + 1].start)
            replayed = _judged(kind, cycle, facts.matter, changes, paused, ended, book)
            if replayed is None:
                continue
            state, plans = replayed
            yield state._replace(left_out=True) if facts.left_out else state, plans


def verdict(timer: TimerState, now: datetime) -> Verdict:
    """Met, missed, or still open, comparing instants and never counted durations (rules 2, 5, 11)."""
    judged_at = timer.stopped_at or now
    if timer.missed_cause is not None or (timer.due_at is not None and judged_at > timer.due_at):
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
    if until <= timer.due_at:
        return Overrun(0, timedelta())
    return Overrun(calendar.seconds_between(timer.due_at, until), until - timer.due_at)


def earliest(target: Target, start: datetime) -> datetime:
    """The due of a target without any pause. Raises NoDue."""
    second = epoch(start)
    return moment(
        min(
            second + seconds if calendar is None else calendar.due_second(second, seconds)
            for calendar, seconds in target.parts(second)
        )
    )


def expected_due(timer: TimerState, pause_ends_at: datetime) -> datetime | None:
    """The due of a paused timer if its pause ends as expected; a guess, to be shown as one (rule 9)."""
    if timer.target is None or timer.remaining_seconds is None:
        return None
    ends = epoch(pause_ends_at)
    lefts = [timer.remaining_seconds]
    if timer.second_remaining_seconds is not None:
        lefts.append(timer.second_remaining_seconds)
    parts = timer.target.parts(epoch(timer.started_at))
    dues = [
        ends + left if calendar is None else calendar.due_second(ends, left)
        for (calendar, _), left in zip(parts, lefts, strict=True)
    ]
    return moment(min(dues))


def is_late_entry(timer: TimerState, recorded_at: datetime) -> bool:
    """Whether a stop in time was recorded only after the due: no breach, but to be flagged (rule 1)."""
    if timer.due_at is None or timer.stopped_at is None or timer.missed_cause is not None:
        return False
    return timer.stopped_at <= timer.due_at < recorded_at


def counted_at(timer: TimerState, now: datetime) -> tuple[Verdict, datetime] | None:
    """Met at its stop, missed at its due; in time and still open, or cancelled in time: None (rule 18)."""
    judged = verdict(timer, now)
    if judged is Verdict.MET and timer.stopped_at is not None:
        return judged, timer.stopped_at
    if judged is Verdict.MISSED:
        return judged, timer.due_at or timer.stopped_at or timer.started_at
    return None


def cycles(facts: Facts) -> Iterator[Cycle]:
    """A reopening after a completion starts a new cycle; the gap between belongs to none (rule 13).

    Of several completions in a cycle the earliest counts (rule 21); a reopening of an open case is none.
    """
    number, started, before = 1, epoch(facts.received_at), None
    if not facts.reopened:
        first = min(map(epoch, facts.completed), default=None)
        yield Cycle(1, started, first, None, from_receipt=True)
        return
    stopped: int | None = None
    steps = [(epoch(at), False) for at in facts.completed]
    steps += [(epoch(at), True) for at in facts.reopened]
    for at, is_reopening in sorted(steps):
        if not is_reopening:
            stopped = at if stopped is None else stopped
        elif stopped is not None:
            yield Cycle(number, started, stopped, before, at, from_receipt=number == 1)
            number, started, before, stopped = number + 1, at, stopped, None
    yield Cycle(number, started, stopped, before, from_receipt=number == 1)


def _first_response(facts: Facts, _runs: list[Cycle]) -> Iterator[Cycle]:
    contact = min(facts.contacts, default=None)
    yield Cycle(
        1,
        epoch(facts.received_at),
        None if contact is None else epoch(contact),
        from_receipt=True,
    )


def _next_reply(facts: Facts, _runs: list[Cycle]) -> Iterator[Cycle]:
    """From the first inbound contact that nobody has answered; before the first reply that is the receipt."""
    outbound = [epoch(at) for at in facts.contacts]
    inbound = [epoch(at) for at in facts.inbound]
    for change in facts.changes:
        outbound += map(epoch, change.contacts)
        inbound += map(epoch, change.inbound)
    if not outbound:
        return
    first, number, waits_from = min(outbound), 0, None
    # Of one second, the question comes before the answer.
    for at, is_reply in sorted([(at, False) for at in inbound] + [(at, True) for at in outbound]):
        if is_reply and waits_from is not None:
            number += 1
            yield Cycle(number, waits_from, at)
            waits_from = None
        elif not is_reply and waits_from is None and at > first:
            waits_from = at
    if waits_from is not None:
        yield Cycle(number + 1, waits_from, None)


def _promise(facts: Facts, _runs: list[Cycle]) -> Iterator[Cycle]:
    for number, promise in enumerate(sorted(facts.promises, key=lambda each: each.told_at), 1):
        kept, changed = promise.kept_at, promise.changed_at
        yield Cycle(
            number,
            epoch(promise.told_at),
            None if kept is None else epoch(kept),
            ended=None if changed is None else epoch(changed),
            due=epoch(promise.due_at),
        )


def _diagnosis(facts: Facts, runs: list[Cycle]) -> Iterator[Cycle]:
    """From the first contact of the cycle; a fault coded before it counts at once."""
    contacts = sorted(epoch(at) for at in facts.contacts)
    coded = sorted(epoch(at) for at in facts.diagnosed)
    for run in runs:
        start = next((at for at in contacts if at >= run.start), None)
        if start is None or (run.until is not None and start >= run.until):
            continue
        stop = _earliest_in(run, coded)
        if run.stop is not None and run.stop < start:
            continue
        yield run._replace(
            start=start, stop=None if stop is None else max(stop, start), from_receipt=False
        )


def _restoration(facts: Facts, runs: list[Cycle]) -> Iterator[Cycle]:
    usable = sorted(epoch(at) for at in facts.usable)
    for run in runs:
        yield run._replace(stop=_earliest_in(run, usable))


def _earliest_in(run: Cycle, instants: list[int]) -> int | None:
    """The first instant of the cycle; its completion implies what the others say."""
    found = next(
        (at for at in instants if at >= run.start and (run.until is None or at < run.until)), None
    )
    if found is None or run.stop is None:
        return run.stop if found is None else found
    return min(found, run.stop)


def _resolution(_facts: Facts, runs: list[Cycle]) -> Iterator[Cycle]:
    yield from runs


def _return_call(facts: Facts, runs: list[Cycle]) -> Iterator[Cycle]:
    over = sorted(epoch(at) for at in facts.calls_ended)
    for run in runs:
        if run.stop is None:
            continue
        stop = next(
            (at for at in over if at >= run.stop and (run.until is None or at <= run.until)), None
        )
        yield Cycle(run.number, run.stop, stop, until=run.until, ended=run.until)


def _step(facts: Facts, _runs: list[Cycle]) -> Iterator[Cycle]:
    entered = sorted(epoch(at) for at in facts.entered)
    for number, start in enumerate(entered):
        left = entered[number + 1] if number + 1 < len(entered) else None
        yield Cycle(number + 1, start, left)


def _hop(facts: Facts, runs: list[Cycle]) -> Iterator[Cycle]:
    """A transfer stops one hop and starts the next; the customer's timers run on (rule 16).

    Who gets a case after its completion, which may be dated back, has nothing left to do in that cycle.
    """
    held = sorted(epoch(at) for at in facts.held)
    number = 0
    for place, start in enumerate(held):
        run = next((run for run in reversed(runs) if run.start <= start), runs[0])
        if run.stop is not None and run.stop < start:
            continue
        stops = [run.stop] if run.stop is not None else []
        number += 1
        yield Cycle(number, start, min(stops + held[place + 1 : place + 2], default=None))


CYCLES: Mapping[TimerKind, Callable[[Facts, list[Cycle]], Iterator[Cycle]]] = {
    TimerKind.FIRST_RESPONSE: _first_response,
    TimerKind.NEXT_REPLY: _next_reply,
    TimerKind.PROMISE: _promise,
    TimerKind.DIAGNOSIS: _diagnosis,
    TimerKind.RESTORATION: _restoration,
    TimerKind.RESOLUTION: _resolution,
    TimerKind.RETURN_CALL: _return_call,
    TimerKind.STEP: _step,
    TimerKind.HOP: _hop,
}
"""When each timer of a case starts and stops. Answering is of a call: `lib.tickets.promises.answer_of`."""


def pauses_told(kind: TimerKind, facts: Facts) -> list[Pause]:
    """The waiting states that stop the clock of this kind."""
    if not facts.pauses or kind in NEVER_PAUSED:
        return []
    pauses = [pause for pause in facts.pauses if pause.waiting_for in PAUSING]
    if kind is not TimerKind.FIRST_RESPONSE:
        return pauses
    attempt = min(facts.attempts, default=None)
    return [
        pause
        for pause in pauses
        if pause.waiting_for is WaitingFor.CUSTOMER
        and attempt is not None
        and attempt <= pause.started_at
    ]


def _pauses_of(kind: TimerKind, facts: Facts) -> _Spans:
    return sorted(
        (
            (epoch(pause.started_at), None if pause.ended_at is None else epoch(pause.ended_at))
            for pause in pauses_told(kind, facts)
        ),
        key=lambda span: span[0],
    )


def _judged(
    kind: TimerKind,
    cycle: Cycle,
    matter: Matter,
    changes: list[tuple[int, Change]],
    pauses: _Spans,
    case_ended: int | None,
    book: Rulebook,
) -> tuple[TimerState, list[Plan]] | None:
    """Replay the changes of one cycle in order; a breach on the way is never healed (rules 11, 14)."""
    start, stop = cycle.start, cycle.stop
    ended = case_ended if cycle.ended is None else cycle.ended
    if stop is not None and ended is not None and ended < stop:
        stop = None
    if cycle.due is not None:
        return _told(kind, cycle._replace(stop=stop), ended), []
    if cycle.pauses_from is not None:
        pauses = [span for span in pauses if span[0] >= cycle.pauses_from]
    later = []
    policies_at = calendars_at = cycle.start
    for at, change in changes:
        is_of_receipt = cycle.from_receipt and change.received_at is not None
        if is_of_receipt or at > start:
            later.append((at, change))
            continue
        if change.matter is not None:
            matter = change.matter
        if change.policies_at is not None:
            policies_at = max(policies_at, epoch(change.policies_at))
        if change.calendars_at is not None:
            calendars_at = max(calendars_at, epoch(change.calendars_at))
    target = book.target_of(kind, matter, policies_at, calendars_at)
    plans: list[Plan] = []
    cause: MissedCause | None = None
    author: int | None = None
    gone: int | None = None
    count = _Count(None, (), False)
    if target is not None:
        plans.append(Plan(0, start, target, start))
        count = _counted(target, start, pauses, _end(start, stop, ended))
    for at, change in later:
        if cycle.until is not None and at >= cycle.until:
            break
        is_over = (stop is not None and stop <= at) or (ended is not None and ended <= at)
        pooled = stop
        if kind is TimerKind.FIRST_RESPONSE and change.contacts and not is_over:
            contact = epoch(min(change.contacts))
            pooled = contact if stop is None else min(stop, contact)
        over_at = ended if pooled is None else pooled
        if count.due is not None and count.due < (at if over_at is None else min(over_at, at)):
            cause = MissedCause.TIME
            break
        if kind in change.missed and target is not None:
            cause, author = MissedCause.MERGE, change.author_id
            break
        if is_over:
            continue
        is_same_stop, stop = pooled == stop, pooled
        matter = matter if change.matter is None else change.matter
        if change.policies_at is not None:
            policies_at = epoch(change.policies_at)
        if change.calendars_at is not None:
            calendars_at = epoch(change.calendars_at)
        begins = start
        if cycle.from_receipt and change.received_at is not None:
            begins = min(start, epoch(change.received_at))
        new = book.target_of(kind, matter, policies_at, calendars_at)
        is_same = new == target and begins == start and is_same_stop
        start = begins
        if is_same:
            continue
        if new is None:
            gone = at if target is not None else gone
            target, count = None, _Count(None, (), False)
            continue
        if new != target or plans[-1].start != start:
            plans.append(Plan(len(plans), at, new, start))
        target, gone = new, None
        count = _counted(target, start, pauses, _end(start, stop, ended))
        if count.due is not None and count.due < (at if stop is None else min(stop, at)):
            cause, author = MissedCause.CHANGE, change.author_id
            break
    if target is None:
        if gone is None:
            return None
        return TimerState(
            kind, cycle.number, moment(start), TimerPhase.CANCELLED, None, stopped_at=moment(gone)
        ), plans
    return _state(kind, cycle.number, start, stop, ended, target, count, cause, author, plans)


def _state(
    kind: TimerKind,
    number: int,
    start: int,
    stop: int | None,
    ended: int | None,
    target: Target,
    count: _Count,
    cause: MissedCause | None,
    author: int | None,
    plans: list[Plan],
) -> tuple[TimerState, list[Plan]]:
    end = _end(start, stop, ended)
    if stop is not None:
        phase = TimerPhase.STOPPED
    elif ended is not None:
        phase = TimerPhase.CANCELLED
    else:
        phase = TimerPhase.PAUSED if count.is_paused else TimerPhase.RUNNING
    if cause is None and count.due is not None and end is not None and end > count.due:
        cause = MissedCause.TIME
    unit, number_of = target.amount
    seconds = number_of * SECONDS.get(unit, 0)
    remaining = count.remaining
    return TimerState(
        kind,
        number,
        moment(start),
        phase,
        None if count.due is None else moment(count.due),
        remaining[0] if remaining else None,
        None if end is None else moment(end),
        cause,
        author,
        remaining[1] if len(remaining) > 1 else None,
        target,
        seconds,
        max(len(plans) - 1, 0),
    ), plans


def _told(kind: TimerKind, cycle: Cycle, ended: int | None) -> TimerState:
    """A promise: no pause, policy, calendar or merge moves its due (rule 28)."""
    assert cycle.due is not None
    end = _end(cycle.start, cycle.stop, ended)
    phase = TimerPhase.RUNNING if end is None else TimerPhase.CANCELLED
    if cycle.stop is not None:
        phase = TimerPhase.STOPPED
    late = end is not None and end > cycle.due
    return TimerState(
        kind,
        cycle.number,
        moment(cycle.start),
        phase,
        moment(cycle.due),
        None,
        None if end is None else moment(end),
        MissedCause.TIME if late else None,
        target_seconds=max(cycle.due - cycle.start, 0),
    )


def _end(start: int, stop: int | None, ended: int | None) -> int | None:
    if stop is not None or ended is None:
        return stop
    return max(ended, start)


def _counted(target: Target, start: int, pauses: _Spans, end: int | None) -> _Count:
    """When the target has been counted from `start`, pauses taken out, in epoch seconds (rules 5, 8, 9)."""
    try:
        parts = target.parts(start)
        if not pauses and len(parts) == 1:
            calendar, seconds = parts[0]
            if calendar is not None:
                return _Count(calendar.due_second(start, seconds), (), False)
    except NoDue:
        return _Count(None, (), False)
    spans = _union(pauses, start, end) if pauses else []
    if len(parts) == 1:
        return _counted_part(parts[0], start, spans)
    counts = [_counted_part(part, start, spans) for part in parts]
    # A pause moves a part only if it starts before that part's due, so the earliest one never moves past it.
    due = min((count.due for count in counts if count.due is not None), default=None)
    remaining = tuple(left for count in counts for left in count.remaining)
    return _Count(due, remaining if due is None else (), counts[0].is_paused)


def reached_at(timer: TimerState, part: Target, start: int, facts: Facts) -> int | None:
    """When part of a timer's target had been counted since `start`, pauses taken out; None while it is paused."""
    pauses = _pauses_of(timer.kind, facts)
    end = None if timer.stopped_at is None else epoch(timer.stopped_at)
    return _counted(part, start, pauses, end).due


def _counted_part(part: tuple[WorkingCalendar | None, int], start: int, spans: _Spans) -> _Count:
    calendar, seconds = part
    if calendar is None:
        due = start + seconds
        if seconds > FARTHEST_DUE:
            return _Count(None, (), bool(spans) and spans[-1][1] is None)
        for opens, closes in spans:
            if closes is None:
                if opens < due:
                    return _Count(None, (due - opens,), True)
                return _Count(due, (), True)
            if opens < due:
                due += closes - opens
        return _Count(due, (), False)
    try:
        due = calendar.due_second(start, seconds)
        if not spans:
            return _Count(due, (), False)
        total = calendar.counted_until(start) + seconds
        for opens, closes in spans:
            if closes is None:
                if opens < due:
                    return _Count(None, (total - calendar.counted_until(opens),), True)
                return _Count(due, (), True)
            if opens < due:
                total += calendar.counted_until(closes) - calendar.counted_until(opens)
                due = calendar.instant_of(total)
    except NoDue:
        return _Count(None, (), bool(spans) and spans[-1][1] is None)
    return _Count(due, (), False)


def _union(pauses: _Spans, start: int, end: int | None) -> _Spans:
    """The pauses (by their start) within [start, end), overlaps joined; an end closes open ones (rule 9)."""
    joined: _Spans = []
    for opens, closes in pauses:
        opens = max(opens, start)
        if end is not None:
            closes = end if closes is None else min(closes, end)
        if closes is not None and closes <= opens:
            continue
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


def merged(
    survivor: Facts, absorbed: Facts, at: datetime, book: Rulebook, author_id: int | None = None
) -> tuple[Facts, Facts]:
    """Both cases after the second was merged into the first (rule 17); undoing is not calling this.

    Contacts of both count at their own times, the earliest receipt stays, what the absorbed case has missed the
    survivor has; a message of the absorbed case ends a pause that waits for the customer at the merge.
    """
    ended_at = at if absorbed.ended_at is None else min(absorbed.ended_at, at)
    over = replace(absorbed, ended_at=ended_at, promises=(), left_out=True)
    missed = frozenset(
        timer.kind for timer in timers_of(over, book) if verdict(timer, at) is Verdict.MISSED
    )
    before = absorbed.changes
    received_at = min(
        [absorbed.received_at, *(each.received_at for each in before if each.received_at)]
    )
    inbound = (
        absorbed.received_at,
        *absorbed.inbound,
        *(i for each in before for i in each.inbound),
    )
    change = Change(
        at,
        author_id,
        received_at=received_at,
        contacts=(*absorbed.contacts, *(c for each in before for c in each.contacts)),
        inbound=inbound,
        missed=missed,
    )
    pauses = tuple(
        replace(pause, ended_at=at) if _is_ended_by(pause, inbound, at) else pause
        for pause in survivor.pauses
    )
    return replace(
        survivor,
        pauses=pauses,
        promises=(*survivor.promises, *absorbed.promises),
        changes=(*survivor.changes, change),
    ), over


def unmerged(absorbed: Facts, survivor: Facts, merged_at: datetime, undone_at: datetime) -> Facts:
    """The absorbed case after its merge was undone: as if never merged, but contacts in between count for both."""

    def between(instants: tuple[datetime, ...]) -> tuple[datetime, ...]:
        return tuple(at for at in instants if merged_at <= at < undone_at)

    return replace(
        absorbed,
        contacts=(*absorbed.contacts, *between(survivor.contacts)),
        inbound=(*absorbed.inbound, *between(survivor.inbound)),
    )


def _is_ended_by(pause: Pause, inbound: tuple[datetime, ...], at: datetime) -> bool:
    if pause.waiting_for is not WaitingFor.CUSTOMER or pause.started_at >= at:
        return False
    if pause.ended_at is not None and pause.ended_at <= at:
        return False
    return any(pause.started_at <= message <= at for message in inbound)
