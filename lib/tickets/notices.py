"""Warnings before a due and whom they reach: which instants, which of several is delivered, who stands in."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import NamedTuple

from db.codes import TargetUnit, TimerKind
from lib.shared.calendar import epoch, moment
from lib.tickets.targets import SECONDS, Amount, Rulebook, Target
from lib.tickets.timers import Facts, TimerState, plans_of, reached_at


class Threshold(NamedTuple):
    """So many percent of the target counted, or so many minutes of it left (rule 19)."""

    percent: int | None = None
    minutes_left: int | None = None


DEFAULT_THRESHOLDS = (Threshold(50), Threshold(75), Threshold(90))


class Key(NamedTuple):
    """What makes a warning one and the same, however often the scheduler runs (rules 19, 27)."""

    case_id: int
    cycle: int
    kind: TimerKind
    threshold: Threshold
    plan: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A threshold that was reached at an instant."""

    key: Key
    at: datetime


def warnings_of(
    case_id: int,
    facts: Facts,
    book: Rulebook,
    now: datetime,
    thresholds: Mapping[TimerKind, Sequence[Threshold]] | None = None,
) -> list[Notice]:
    """Every warning reached by now: in time order, late ones at the instant when they became known."""
    found = []
    for timer, plans in plans_of(facts, book):
        wanted = DEFAULT_THRESHOLDS if thresholds is None else thresholds.get(timer.kind, ())
        for place, plan in enumerate(plans):
            until = plans[place + 1].from_second if place + 1 < len(plans) else None
            end = None if timer.stopped_at is None else epoch(timer.stopped_at)
            for threshold in wanted:
                at = _instant(timer, plan.target, plan.start, threshold, facts)
                if at is None:
                    continue
                at = max(at, plan.from_second)
                over = [each for each in (until, end) if each is not None]
                if at > epoch(now) or any(at >= each for each in over):
                    continue
                key = Key(case_id, timer.cycle, timer.kind, threshold, plan.number)
                found.append(Notice(key, moment(at)))
    return sorted(found, key=lambda warning: (warning.at, warning.key))


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


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one run of the scheduler does: record all, deliver the highest of each timer."""

    record: list[Notice]
    deliver: list[Notice]


def to_deliver(
    reached: Iterable[Notice], recorded: Collection[Key], *, imported: bool = False
) -> Delivery:
    """Nothing twice; after downtime or a late birth only the highest state; imported history stays silent (rule 3)."""
    new = [warning for warning in reached if warning.key not in recorded]
    if imported:
        return Delivery(new, [])
    highest: dict[tuple[int, int, TimerKind], Notice] = {}
    for warning in new:
        timer = (warning.key.case_id, warning.key.cycle, warning.key.kind)
        before = highest.get(timer)
        if before is None or _height(warning) >= _height(before):
            highest[timer] = warning
    return Delivery(new, list(highest.values()))


def _height(warning: Notice) -> tuple[int, int, int]:
    threshold = warning.key.threshold
    if threshold.percent is not None:
        return warning.key.plan, 0, threshold.percent
    return warning.key.plan, 1, -(threshold.minutes_left or 0)


@dataclass(frozen=True, slots=True)
class Reached:
    """Who gets a notice; `alarm`: a level stood empty, which the administrator has to know (rule 20)."""

    level: int
    people: tuple[int, ...]
    alarm: bool


def escalate(
    levels: Sequence[Sequence[int]], is_away: Callable[[int], bool], deputy_of: Mapping[int, int]
) -> Reached:
    """The people of the first level where somebody is there, deputies in the place of those away (rules 19, 20).

    levels: who holds the roles at that moment, the first level first.
    """
    for level, holders in enumerate(levels):
        there: list[int] = []
        for person in holders:
            stands_in: int | None = person
            seen: set[int] = set()
            while stands_in is not None and is_away(stands_in) and stands_in not in seen:
                seen.add(stands_in)
                stands_in = deputy_of.get(stands_in)
            if stands_in is not None and not is_away(stands_in) and stands_in not in there:
                there.append(stands_in)
        if there:
            return Reached(level, tuple(there), alarm=level > 0)
    return Reached(len(levels), (), alarm=True)
