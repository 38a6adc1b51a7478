"""Working time: what counts between two instants, and when a given amount of it has been counted.

A calendar is immutable. Its open spans lie in three sorted arrays (start, end, seconds counted before),
so every question is one or two bisections, whatever the distance between the instants.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from math import floor
from typing import Self
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60
FIRST_YEAR, LAST_YEAR = 1970, 2099
FARTHEST_DUE = 5 * 366 * 86_400

Hours = Sequence[tuple[int, int]]
"""The open spans of one day as (opens, closes) in minutes after midnight; 1440 is 24:00."""


class NoDue(ValueError):
    """The asked working time is never counted, or not within five years (rule 6)."""


class OutsideCalendar(ValueError):
    """An instant before the first or after the last year the calendar was built for."""


class Shut(StrEnum):
    """Why a stretch of time does not count."""

    HOURS = "hours"
    DAY_OFF = "day_off"
    WEEKEND = "weekend"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time of one day, [start, end) in epoch seconds, open throughout or shut throughout."""

    start: int
    end: int
    shut: Shut | None


class WorkingCalendar:
    """Open time of one calendar, in whole UTC seconds; spans are half-open [open, close) (rule 4)."""

    __slots__ = (
        "_announced",
        "_before",
        "_closes",
        "_days",
        "_first",
        "_last",
        "_off",
        "_opens",
        "_until",
        "zone",
    )

    def __init__(
        self,
        zone: str,
        opens: array[int],
        closes: array[int],
        days: array[int],
        first: int,
        last: int,
        announced: Collection[int] = (),
        off: Collection[int] = (),
    ):
        self.zone = ZoneInfo(zone)
        self._announced, self._off = frozenset(announced), frozenset(off)
        self._opens, self._closes, self._days = opens, closes, days
        self._first, self._last = first, last
        self._before, self._until = array("q"), array("q")
        counted = 0
        for start, end in zip(opens, closes, strict=True):
            self._before.append(counted)
            counted += end - start
            self._until.append(counted)

    @classmethod
    def build(
        cls,
        weekly: Mapping[int, Hours],
        exceptions: Mapping[date, Hours] | None = None,
        *,
        announced: Collection[int] = (),
        zone: str = "Asia/Shanghai",
        years: tuple[int, int] = (FIRST_YEAR, LAST_YEAR),
    ) -> Self:
        """The calendar of a week (0 is Monday) and of dated exceptions, which beat it (rule 7).

        An exception with no hours is a closed day. `announced` are the years whose official days are known;
        a due in a later year is provisional (rule 6). Raises ValueError for hours that overlap, end before
        they begin or leave the day, and for a week without any open time (rule 6).
        """
        exceptions = exceptions or {}
        week = [sorted_hours(weekly.get(weekday, ())) for weekday in range(7)]
        dated = {on.toordinal(): sorted_hours(hours) for on, hours in exceptions.items()}
        if not any(week) and not any(dated.values()):
            raise ValueError("a calendar needs open time")
        opens, closes, days = array("q"), array("q"), array("q")
        place = ZoneInfo(zone)
        ordinal, end = date(years[0], 1, 1).toordinal(), date(years[1], 12, 31).toordinal()
        first = midnight = _instant(ordinal, 0, place)
        for day in range(ordinal, end + 1):
            tomorrow = _instant(day + 1, 0, place)
            hours = dated.get(day)
            if hours is None:
                hours = week[(day - 1) % 7]
            if hours:
                days.append(day)
            plain = tomorrow - midnight == 86_400
            for opens_minute, closes_minute in hours:
                if plain:
                    start, stop = midnight + opens_minute * 60, midnight + closes_minute * 60
                else:
                    start, stop = (
                        _instant(day, opens_minute, place),
                        _instant(day, closes_minute, place),
                    )
                if closes and closes[-1] == start:
                    closes[-1] = stop
                elif stop > start:
                    opens.append(start)
                    closes.append(stop)
            midnight = tomorrow
        off = [day for day, hours in dated.items() if not hours]
        return cls(zone, opens, closes, days, first, midnight, announced, off)

    def counted_until(self, second: int) -> int:
        """Open seconds from the beginning of the calendar to an instant in epoch seconds."""
        span = bisect_right(self._opens, second) - 1
        if span < 0:
            if second < self._first:
                raise OutsideCalendar(second)
            return 0
        if second > self._last:
            raise OutsideCalendar(second)
        return min(self._before[span] + second - self._opens[span], self._until[span])

    def instant_of(self, count: int) -> int:
        """The earliest epoch second by which so many open seconds have been counted (rule 5)."""
        span = bisect_left(self._until, count)
        if span == len(self._until):
            raise NoDue(count)
        return self._opens[span] + count - self._before[span]

    def seconds_between(self, start: datetime, end: datetime) -> int:
        """Open seconds in [start, end); negative when the end lies before the start."""
        return self.counted_until(epoch(end)) - self.counted_until(epoch(start))

    def due_second(self, start: int, seconds: int) -> int:
        """`due_after` in epoch seconds."""
        if seconds <= 0:
            if seconds == 0:
                return start
            raise ValueError("a target is never negative")
        due = self.instant_of(self.counted_until(start) + seconds)
        if due - start > FARTHEST_DUE:
            raise NoDue(seconds)
        return due

    def due_after(self, start: datetime, seconds: int) -> datetime:
        """The earliest instant at which so many open seconds have been counted since start.

        Counted to the end exactly at closing time is today's close, never the next opening (rule 5).
        Raises NoDue when that is not within five years.
        """
        return moment(self.due_second(epoch(start), seconds))

    def due_after_working_days(self, start: datetime, days: int) -> datetime:
        """The same clock time on the n-th following working day, as working time (rule 8).

        Received outside hours, a day starts at the next opening. If the desk is closed at that clock time,
        the last open instant before it counts.
        """
        second = epoch(start)
        return moment(self.due_second(second, self.working_days_seconds(second, days)))

    def is_open(self, instant: datetime) -> bool:
        return self.is_open_at(epoch(instant))

    def is_open_at(self, second: int) -> bool:
        """`is_open` for an instant in epoch seconds."""
        span = bisect_right(self._opens, second) - 1
        return span >= 0 and second < self._closes[span]

    def next_opening(self, instant: datetime) -> datetime:
        """The instant itself while open, else the next opening."""
        second = epoch(instant)
        span = bisect_right(self._opens, second) - 1
        if span >= 0 and second < self._closes[span]:
            return moment(second)
        if span + 1 == len(self._opens):
            raise NoDue(second)
        return moment(self._opens[span + 1])

    def working_days_seconds(self, start: int, days: int) -> int:
        """What a target of so many working days comes to in open seconds, counted from `start` (rule 8)."""
        opening = moment(start) if self.is_open_at(start) else self.next_opening(moment(start))
        local = opening.astimezone(self.zone)
        today = bisect_right(self._days, local.toordinal())
        if days < 1 or today + days > len(self._days):
            raise NoDue(days)
        day = date.fromordinal(self._days[today + days - 1])
        candidate = epoch(datetime.combine(day, local.time(), self.zone))
        return self.counted_until(candidate) - self.counted_until(start)

    def is_provisional(self, second: int) -> bool:
        """Whether an instant lies in a year without data that follows years with data (rule 6)."""
        if not self._announced:
            return False
        year = moment(second).astimezone(self.zone).year
        return year not in self._announced and year > min(self._announced)

    def stretches(self, start: int, end: int) -> Iterator[Stretch]:
        """[start, end) cut at openings, closings and the midnights of shut days, in order, without gaps."""
        at = start
        span = max(bisect_right(self._opens, start) - 1, 0)
        for place in range(span, len(self._opens)):
            opens, closes = self._opens[place], self._closes[place]
            if closes <= at:
                continue
            if opens > at:
                yield from self._shut(at, min(opens, end))
                at = min(opens, end)
            if at >= end:
                return
            yield Stretch(at, min(closes, end), None)
            at = min(closes, end)
        if at < end:
            yield from self._shut(at, end)

    def _shut(self, start: int, end: int) -> Iterator[Stretch]:
        while start < end:
            day = moment(start).astimezone(self.zone).date()
            midnight = min(_instant(day.toordinal() + 1, 0, self.zone), end)
            if self.is_working_day(day):
                why = Shut.HOURS
            else:
                why = Shut.DAY_OFF if day.toordinal() in self._off else Shut.WEEKEND
            yield Stretch(start, midnight, why)
            start = midnight

    def is_working_day(self, on: date) -> bool:
        ordinal = on.toordinal()
        place = bisect_left(self._days, ordinal)
        return place < len(self._days) and self._days[place] == ordinal


def sorted_hours(hours: Hours) -> tuple[tuple[int, int], ...]:
    """The spans of a day in order; raises ValueError when they overlap or leave the day."""
    ordered = tuple(sorted((opens, closes) for opens, closes in hours))
    at = 0
    for opens, closes in ordered:
        if not at <= opens < closes <= MINUTES_A_DAY:
            raise ValueError(f"hours overlap or leave the day: {ordered}")
        at = closes
    return ordered


def epoch(instant: datetime) -> int:
    """Whole UTC seconds, cut (rule 5); refuses an instant without a time zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return floor(instant.timestamp())


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _instant(ordinal: int, minute: int, zone: ZoneInfo) -> int:
    wall = datetime.combine(date.fromordinal(ordinal), datetime.min.time(), zone) + timedelta(
        minutes=minute
    )
    return int(wall.timestamp())
