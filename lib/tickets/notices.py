"""What is to be told of a timer: warnings before its due, the due, the levels above; which of several is delivered."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil
from typing import NamedTuple

from db.codes import NoticeKind, TargetUnit, TimerKind, TimerPhase
from lib.shared.calendar import NoDue, epoch
from lib.tickets.targets import ALL_TIME, SECONDS, Amount, Rulebook, Target
from lib.tickets.timers import Facts, Plan, TimerState, plans_of, reached_at


class Threshold(NamedTuple):
    """So many percent of the target counted, or so many minutes of it left (rule 19)."""

    percent: int | None = None
    minutes_left: int | None = None

    @property
    def code(self) -> str:
        """Short and stable, as keys of notices name it."""
        return f"{self.percent}" if self.percent is not None else f"{self.minutes_left}m"

    @property
    def height(self) -> tuple[int, int]:
        """Minutes left are nearer to the due than shares."""
        return (0, self.percent) if self.percent is not None else (1, -(self.minutes_left or 0))


DEFAULT_THRESHOLDS = (Threshold(50), Threshold(75), Threshold(90))


def _instant(
    timer: TimerState, target: Target, start: int, threshold: Threshold, facts: Facts
) -> int | None:
    part = part_of(target, threshold, start)
    return None if part is None else reached_at(timer, part, start, facts)


def part_of(target: Target, threshold: Threshold, start: int) -> Target | None:
    """The target cut to the threshold, in its own unit, rounded up; None where nothing would be left to count.

    Working days are cut as the working seconds that they come to.
    """
    amounts = [
        _cut(target, amount, threshold, start)
        for amount in (target.amount, target.second)
        if amount
    ]
    if any(amount.number <= 0 for amount in amounts):
        return None
    return replace(target, amount=amounts[0], second=amounts[1] if len(amounts) > 1 else None)


def _cut(target: Target, amount: Amount, threshold: Threshold, start: int) -> Amount:
    if amount.unit is TargetUnit.WORKING_DAYS:
        seconds = target.calendar.working_days_seconds(start, amount.number)
        amount = Amount(TargetUnit.WORKING_MINUTES, -(-seconds // 60))
    if threshold.percent is not None:
        return amount._replace(number=ceil(amount.number * threshold.percent / 100))
    left = (threshold.minutes_left or 0) * 60 // SECONDS[amount.unit]
    return amount._replace(number=amount.number - left)


MINUTE, HOUR = 60, 3600
ESCALATIONS = ((1, 30 * MINUTE), (2, 4 * HOUR))
"""Escalation levels and how long after the due, in the working time of the target (on the wall where it has none).

At the due: owner, technician and dispatchers (level 0). Half an hour later the supervisors, four hours later the
administrators; whoever holds the role at that moment (rule 20).
"""

PROMISE_SOON = 0.75
PROMISE_SOON_AT_MOST = HOUR
"""A promise is due soon when three quarters of its time are over, but an hour before it at the earliest."""


@dataclass(frozen=True, slots=True)
class Step:
    """A rung of a timer's ladder: warnings, the due, the escalations. at: the epoch second at which it is reached.

    key: the same for ever. height: of two rungs reached at once, only the higher is delivered.
    """

    key: str
    kind: NoticeKind
    timer_kind: TimerKind
    timer: str
    at: int
    height: tuple[int, int, int]
    level: int = 0
    threshold: Threshold | None = None
    due_at: int | None = None


@dataclass(slots=True)
class Ladder:
    """What is to be told of a case by now, what turned out not to be so, and when to look again (epoch seconds)."""

    reached: list[Step] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    next_at: int | None = None

    def look_again(self, at: int) -> None:
        self.next_at = at if self.next_at is None else min(self.next_at, at)


def ladder_of(
    case_id: int,
    facts: Facts,
    book: Rulebook,
    now: datetime,
    kinds: Collection[TimerKind] | None = None,
    thresholds: Mapping[TimerKind, Sequence[Threshold]] | None = None,
) -> Ladder:
    """All rungs of a case's timers that are reached by now; those of a timer that stopped before them are void.

    kinds: look at these alone. thresholds: when to warn, 50, 75 and 90 % unless told. While a timer is paused nothing
    more of it is reached (rules 1, 2, 19, 20).
    """
    ladder, second = Ladder(), epoch(now)
    for timer, plans in plans_of(facts, book):
        if kinds is not None and timer.kind not in kinds:
            continue
        end = None if timer.stopped_at is None else epoch(timer.stopped_at)
        wanted = DEFAULT_THRESHOLDS if thresholds is None else thresholds.get(timer.kind, ())
        for step, until in _rungs(case_id, timer, plans, facts, wanted):
            if until is not None and step.at >= until:
                continue
            if end is not None and step.at >= end:
                if timer.phase is TimerPhase.STOPPED:
                    ladder.void.append(step.key)
            elif step.at <= second:
                if timer.phase is not TimerPhase.PAUSED or step.kind is not NoticeKind.ESCALATION:
                    ladder.reached.append(step)
            elif timer.phase is TimerPhase.RUNNING:
                ladder.look_again(step.at)
    return ladder


def _rungs(
    case_id: int,
    timer: TimerState,
    plans: Sequence[Plan],
    facts: Facts,
    thresholds: Sequence[Threshold],
) -> Iterator[tuple[Step, int | None]]:
    """Every rung of a timer, with the second at which its plan gave way to another."""
    name = f"{case_id}:{timer.kind}:{timer.cycle}"
    due = None if timer.due_at is None else epoch(timer.due_at)
    if timer.kind is TimerKind.PROMISE and due is not None:
        # Promises are numbered anew when one is moved here: the instants told are what stays.
        start = epoch(timer.started_at)
        name = f"{case_id}:promise:{start}:{due}"
        soon = due - min(int((due - start) * (1 - PROMISE_SOON)), PROMISE_SOON_AT_MOST)
        yield _step(f"{name}:soon", NoticeKind.PROMISE_DUE, timer, name, soon, (0, 0, 0)), None
    for place, plan in enumerate(plans):
        until = plans[place + 1].from_second if place + 1 < len(plans) else None
        for threshold in thresholds:
            at = _instant(timer, plan.target, plan.start, threshold, facts)
            if at is not None:
                key = f"{name}:{plan.number}:{threshold.code}"
                at = max(at, plan.from_second)
                height = (plan.number, *threshold.height)
                step = _step(key, NoticeKind.WARNING, timer, name, at, height)
                yield replace(step, threshold=threshold), until
    if due is None:
        return
    number = plans[-1].number if plans else 0
    # Due exactly then is still in time (rule 5).
    overdue = _step(
        f"{name}:{number}:due", NoticeKind.OVERDUE, timer, name, due + 1, (number, 1, 0)
    )
    yield overdue, None
    for level, wait in ESCALATIONS:
        key, at = f"{name}:{number}:up{level}", _after(timer.target, due, wait)
        step = _step(key, NoticeKind.ESCALATION, timer, name, at, (number, 3, level))
        yield replace(step, level=level), None


def _step(
    key: str,
    kind: NoticeKind,
    timer: TimerState,
    name: str,
    at: int,
    height: tuple[int, int, int],
) -> Step:
    due = None if timer.due_at is None else epoch(timer.due_at)
    return Step(key, kind, timer.kind, name, at, height, due_at=due)


def _after(target: Target | None, due: int, seconds: int) -> int:
    if target is None or target.amount.unit in ALL_TIME:
        return due + seconds
    try:
        return target.calendar.due_second(due, seconds)
    except NoDue:
        return due + seconds


def highest(steps: Iterable[Step]) -> dict[str, Step]:
    """Of the rungs reached since the last look the highest of each timer: it alone is delivered (rules 3, 19)."""
    found: dict[str, Step] = {}
    for step in steps:
        before = found.get(step.timer)
        if before is None or step.height > before.height:
            found[step.timer] = step
    return found
