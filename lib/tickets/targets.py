"""Which target a timer gets: policies by contract, level, channel and priority, each in force for a time (rule 29)."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from db.codes import Channel, CustomerLevel, Priority, TargetUnit, TimerKind
from lib.shared.calendar import WorkingCalendar

SECONDS: Mapping[TargetUnit, int] = {
    TargetUnit.CLOCK_SECONDS: 1,
    TargetUnit.CALENDAR_MINUTES: 60,
    TargetUnit.WORKING_MINUTES: 60,
}
ALL_TIME = frozenset({TargetUnit.CLOCK_SECONDS, TargetUnit.CALENDAR_MINUTES})
"""Units in which every second counts, open or not."""


class Matter(NamedTuple):
    """What of a case policies are matched by."""

    contract_id: int | None = None
    level: CustomerLevel | None = None
    channel: Channel | None = None
    priority: Priority | None = None


ANY_MATTER = Matter()


class Amount(NamedTuple):
    """So much of a unit."""

    unit: TargetUnit
    number: int


@dataclass(frozen=True, slots=True)
class Target:
    """How much may be counted until the due: of `amount`, or whichever comes earlier with `second` (rule 8)."""

    amount: Amount
    calendar: WorkingCalendar
    second: Amount | None = None
    policy_id: int | None = None
    calendar_id: int | None = None
    calendar_version: int | None = None

    def parts(self, start: int) -> list[tuple[WorkingCalendar | None, int]]:
        """Seconds to count from an instant in epoch seconds, by the calendar or (None) all of them.

        Raises NoDue for working days that the calendar does not have.
        """
        if self.second is None:
            return [self._part(self.amount, start)]
        return [self._part(self.amount, start), self._part(self.second, start)]

    def _part(self, amount: Amount, start: int) -> tuple[WorkingCalendar | None, int]:
        if amount.unit is TargetUnit.WORKING_DAYS:
            return self.calendar, self.calendar.working_days_seconds(start, amount.number)
        seconds = amount.number * SECONDS[amount.unit]
        return (None if amount.unit in ALL_TIME else self.calendar), seconds


@dataclass(frozen=True, slots=True)
class Policy:
    """A target for the cases that it fits, for cycles that start in [from_at, until_at); None fits all."""

    id: int
    kind: TimerKind
    amount: Amount
    calendar_id: int
    from_at: datetime
    until_at: datetime | None = None
    contract_id: int | None = None
    level: CustomerLevel | None = None
    channel: Channel | None = None
    priority: Priority | None = None
    second: Amount | None = None
    clause: str = ""

    @property
    def matter(self) -> Matter:
        return Matter(self.contract_id, self.level, self.channel, self.priority)

    def fits(self, matter: Matter) -> bool:
        """Whether all that the policy names is so in the case."""
        return all(
            wanted is None or wanted == told
            for wanted, told in zip(self.matter, matter, strict=True)
        )

    def overlaps(self, other: "Policy") -> bool:
        """Whether two equal rows are in force at the same instant; that is refused on saving (rule 29)."""
        if self.id == other.id or (self.kind, self.matter) != (other.kind, other.matter):
            return False
        begins = max(self.from_at, other.from_at)
        return all(each.until_at is None or begins < each.until_at for each in (self, other))


def next_second(now: datetime) -> datetime:
    """When what is saved now begins: no cycle that is on record, of this very second neither, has started by then."""
    return now + timedelta(seconds=1)


class Edition(NamedTuple):
    """A version of a calendar, for cycles that start from `from_second` on."""

    from_second: int
    version: int
    time: WorkingCalendar


@dataclass(slots=True)
class Rulebook:
    """All policies and calendar versions; immutable, and asked a million times."""

    policies: Sequence[Policy]
    calendars: Mapping[int, Sequence[Edition]]
    kinds: frozenset[TimerKind] = frozenset()
    desk_calendar_id: int | None = None
    _fitting: dict[tuple[TimerKind, Matter], list[tuple[int, int | None, Policy]]] = field(
        default_factory=dict
    )
    _targets: dict[tuple[int, int, int], Target] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kinds = frozenset(policy.kind for policy in self.policies)

    @property
    def desk_time(self) -> WorkingCalendar | None:
        """The newest version of the calendar that the desk itself works by."""
        editions = self.calendars.get(self.desk_calendar_id or 0)
        return editions[-1].time if editions else None

    def target_of(
        self, kind: TimerKind, matter: Matter, policies_at: int, calendars_at: int
    ) -> Target | None:
        """The target in force at an instant in epoch seconds; None is "no target" (rule 29)."""
        fitting = self._fitting.get((kind, matter))
        if fitting is None:
            fitting = self._fitting[kind, matter] = self._in_order(kind, matter)
        for begins, ends, policy in fitting:
            if begins <= policies_at and (ends is None or policies_at < ends):
                return self._target(policy, calendars_at)
        return None

    def _in_order(self, kind: TimerKind, matter: Matter) -> list[tuple[int, int | None, Policy]]:
        found = [policy for policy in self.policies if policy.kind is kind and policy.fits(matter)]
        found.sort(key=lambda policy: tuple(wanted is None for wanted in policy.matter))
        return [
            (
                int(policy.from_at.timestamp()),
                None if policy.until_at is None else int(policy.until_at.timestamp()),
                policy,
            )
            for policy in found
        ]

    def _target(self, policy: Policy, calendars_at: int) -> Target:
        editions = self.calendars[policy.calendar_id]
        # Older than the first version: the first, for cases from before the desk.
        edition = editions[0]
        if len(editions) > 1:
            place = bisect_right(editions, calendars_at, key=lambda each: each.from_second) - 1
            edition = editions[max(place, 0)]
        key = (policy.id, policy.calendar_id, edition.version)
        target = self._targets.get(key)
        if target is None:
            target = self._targets[key] = Target(
                policy.amount,
                edition.time,
                policy.second,
                policy.id,
                policy.calendar_id,
                edition.version,
            )
        return target


def overlapping(policies: Iterable[Policy], new: Policy) -> Policy | None:
    """A policy that would be in force at the same time for the same cases as the new one."""
    return next((policy for policy in policies if policy.overlaps(new)), None)
