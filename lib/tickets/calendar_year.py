"""A calendar's year day by day, as its newest version is and as a draft would make it; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from db.codes import DayKind, DaySource
from lib.shared.calendar import Hours
from lib.shared.calendars import MONDAY, CalendarDraft
from lib.tickets.calendars import CalendarBook


class Look(StrEnum):
    """How a day looks in the year."""

    OPEN = "open"
    SHUT = "shut"
    OFF = "off"
    MAKE_UP = "make_up"
    OTHER_HOURS = "other_hours"


@dataclass(frozen=True, slots=True)
class YearDay:
    """A day of the year. name: of the official day, or the reason of the one who set it."""

    on: date
    look: Look
    hours: Hours
    name: str
    by_hand: bool
    in_draft: bool


@dataclass(frozen=True, slots=True)
class _Exception:
    kind: DayKind
    hours: Hours
    name: str
    by_hand: bool
    in_draft: bool


def year_of(book: CalendarBook, draft: CalendarDraft, year: int) -> list[YearDay]:
    """Every day of the year in order."""
    week = book.week if draft.week is None else draft.week
    make_up = book.make_up_hours if draft.make_up_hours is None else draft.make_up_hours
    found = _exceptions(book, draft)
    day, last = date(year, 1, 1), date(year, 12, 31)
    days = []
    while day <= last:
        days.append(_day(day, found.get(day), week, make_up or week.get(MONDAY, ())))
        day += timedelta(days=1)
    return days


def _exceptions(book: CalendarBook, draft: CalendarDraft) -> dict[date, _Exception]:
    official: dict[date, tuple[int, _Exception]] = {}
    for row in book.days:
        if row.source is DaySource.OFFICIAL and row.announced_for not in draft.announcements:
            told = _Exception(row.kind, (), row.name, False, False)
            official[row.on] = (row.announced_for or 0, told)
    for year, days in draft.announcements.items():
        for day in days:
            # A day that two years name keeps the later year's word.
            if day.on not in official or official[day.on][0] <= year:
                kind = DayKind.CLOSED if day.is_off else DayKind.OPEN
                official[day.on] = (year, _Exception(kind, (), day.name, False, True))
    found = {on: told for on, (_, told) in official.items()}
    for row in book.days:
        if row.source is DaySource.HAND and row.on not in draft.days:
            found[row.on] = _Exception(row.kind, row.hours, row.name, True, False)
    for on, by_hand in draft.days.items():
        if by_hand is not None:
            found[on] = _Exception(by_hand.kind, by_hand.hours, by_hand.reason, True, True)
        elif on in found:
            before = found[on]
            found[on] = _Exception(before.kind, before.hours, before.name, False, True)
    return found


def _day(on: date, told: _Exception | None, week: Mapping[int, Hours], make_up: Hours) -> YearDay:
    if told is None:
        hours = week.get(on.weekday(), ())
        return YearDay(on, Look.OPEN if hours else Look.SHUT, hours, "", False, False)
    look, hours = {
        DayKind.CLOSED: (Look.OFF, ()),
        DayKind.OPEN: (Look.MAKE_UP, make_up),
        DayKind.OTHER_HOURS: (Look.OTHER_HOURS, told.hours),
    }[told.kind]
    return YearDay(on, look, hours, told.name, told.by_hand, told.in_draft)
