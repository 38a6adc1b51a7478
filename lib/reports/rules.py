"""What each figure of the dashboard means: periods, which verdict counts where, rates, trends, order of causes.

The queries count in the database what is defined here; a property test holds the two together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from db.codes import FaultCode, Verdict
from lib.shared.clock import SHANGHAI
from lib.tickets.timers import TimerState, counted_at


class Days(StrEnum):
    """Length of a report's period in days, today included."""

    WEEK = "7"
    MONTH = "30"
    QUARTER = "90"


class Measure(StrEnum):
    """The figures at the top of the dashboard."""

    OPEN = "open"
    OVERDUE = "overdue"
    DUE_SOON = "due_soon"
    RESPONSE = "response"
    RESOLUTION = "resolution"
    SATISFACTION = "satisfaction"


class Meaning(StrEnum):
    """Whether a change is good news; the colour follows it, not the sign."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"


FEWER_IS_BETTER = frozenset({Measure.OPEN, Measure.OVERDUE, Measure.DUE_SOON})
OF_THIS_MOMENT = FEWER_IS_BETTER
"""Counts of now, compared with the same moment a period ago; the others are of the period."""


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open [since, until)."""

    since: datetime
    until: datetime

    def holds(self, instant: datetime | None) -> bool:
        """Whether the instant lies in it; never for None."""
        return instant is not None and self.since <= instant < self.until


@dataclass(frozen=True, slots=True)
class Period:
    """The last days in Shanghai with today, to its midnight, and as many days before them."""

    now: datetime
    current: Span
    previous: Span
    then: datetime
    """The same moment a period ago, for counts of the moment."""

    days: tuple[date, ...]


def period_of(days: Days, now: datetime) -> Period:
    """The period of so many days that ends with today; what was made missed before its due tonight counts already."""
    length = int(days)
    today = now.astimezone(SHANGHAI).date()
    first = today - timedelta(days=length - 1)
    since, before = (
        datetime.combine(day, time(), SHANGHAI) for day in (first, first - timedelta(days=length))
    )
    return Period(
        now,
        Span(since, span_of_day(today).until),
        Span(before, since),
        now - timedelta(days=length),
        tuple(first + timedelta(days=number) for number in range(length)),
    )


def span_of_day(day: date) -> Span:
    """The day in Shanghai from midnight to midnight."""
    since = datetime.combine(day, time(), SHANGHAI)
    return Span(since, datetime.combine(day + timedelta(days=1), time(), SHANGHAI))


def counted_as(timer: TimerState, span: Span, now: datetime) -> Verdict | None:
    """Met or missed when the timer belongs to the span, else None (rule 18).

    Met belongs to its stop, missed to its due, also while it still runs overdue. Running in time, paused
    before the due and cancelled in time belong to no period; absorbed cases, duplicates and spam are left out.
    """
    counted = counted_at(timer, now)
    if counted is None or timer.left_out or not span.holds(counted[1]):
        return None
    return counted[0]


@dataclass(frozen=True, slots=True)
class Rate:
    """met / (met + missed), running overdue counted as missed (rule 18); `of` is the denominator."""

    met: int = 0
    missed: int = 0

    @property
    def of(self) -> int:
        return self.met + self.missed

    @property
    def share(self) -> float | None:
        """Between 0 and 1; None when nothing was judged."""
        return self.met / self.of if self.of else None


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, what it was before, and how many cases or answers it rests on."""

    measure: Measure
    value: float | None
    before: float | None
    of: int

    @property
    def change(self) -> float | None:
        """Now less before; None when one of them is unknown."""
        if self.value is None or self.before is None:
            return None
        return self.value - self.before

    @property
    def meaning(self) -> Meaning | None:
        """Whether the change is good news; None without a comparison."""
        if self.change is None:
            return None
        return meaning_of(self.measure, self.change)


SMALLEST_CHANGE = 0.0005
"""Below this no change is shown: rates have one decimal of a percent, scores two decimals."""


def meaning_of(measure: Measure, change: float) -> Meaning:
    """Better or worse by what the measure counts; fewer overdue cases are good news."""
    if abs(change) < SMALLEST_CHANGE:
        return Meaning.SAME
    return Meaning.BETTER if (change < 0) is (measure in FEWER_IS_BETTER) else Meaning.WORSE


@dataclass(frozen=True, slots=True)
class Cause:
    """A fault with its cases and the share of all cases that it and the more frequent ones have together."""

    fault: FaultCode
    cases: int
    cumulative: float


def causes_of(cases: Mapping[FaultCode, int]) -> list[Cause]:
    """Most frequent first, codes in order among equals; faults without a case are left out."""
    total = sum(cases.values())
    ranked = sorted(
        ((fault, count) for fault, count in cases.items() if count),
        key=lambda each: (-each[1], each[0]),
    )
    causes, reached = [], 0
    for fault, count in ranked:
        reached += count
        causes.append(Cause(fault, count, reached / total))
    return causes


@dataclass(frozen=True, slots=True)
class DayCount:
    day: date
    new: int
    closed: int


def days_of(
    days: Iterable[date], new: Mapping[date, int], closed: Mapping[date, int]
) -> list[DayCount]:
    """Every day of the period, also those on which nothing happened."""
    return [DayCount(day, new.get(day, 0), closed.get(day, 0)) for day in days]


@dataclass(frozen=True, slots=True)
class Behind:
    """Which cases are asked for: those of a figure, of a fault, or new or closed on a day; one of these."""

    measure: Measure | None = None
    fault: FaultCode | None = None
    new_on: date | None = None
    closed_on: date | None = None

    @property
    def code(self) -> str:
        """The code in an address, e.g. `response`, `fault.noise`, `new.2026-11-24`; `behind_of` reads it."""
        if self.fault is not None:
            return f"fault.{self.fault}"
        if self.new_on is not None:
            return f"new.{self.new_on.isoformat()}"
        if self.closed_on is not None:
            return f"closed.{self.closed_on.isoformat()}"
        return str(self.measure)


def behind_of(code: str, days: Iterable[date]) -> Behind | None:
    """The cases an address asks for; None for anything unknown or for a day outside the period."""
    kind, _, which = code.partition(".")
    if not which and kind in set(Measure) - OF_THIS_MOMENT:
        return Behind(measure=Measure(kind))
    if kind == "fault" and which in set(FaultCode):
        return Behind(fault=FaultCode(which))
    day = next((day for day in days if day.isoformat() == which), None)
    if day is not None and kind == "new":
        return Behind(new_on=day)
    if day is not None and kind == "closed":
        return Behind(closed_on=day)
    return None
