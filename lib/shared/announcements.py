"""A year's official days as a file: what it must hold to be believed; and hours as people type them."""

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from lib.shared.calendar import Hours, sorted_hours
from lib.shared.calendars import AnnouncedDay
from lib.shared.errors import Refusal

LARGEST_FILE = 200_000
MOST_DAYS = 120
YEARS = range(2007, 2100)
NAME_LENGTH = 60
SPAN = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?")
LIKE_ASCII = str.maketrans("：－–—~～至，、；;,", ":------     ", "")


@dataclass(frozen=True, slots=True)
class Announcement:
    """The official days of a year; a day may lie in the December before or the January after."""

    year: int
    days: tuple[AnnouncedDay, ...]


def read_announcement(content: bytes) -> Announcement:
    """The official days of a file {"year", "days": [{"name", "date", "isOffDay"}]}.

    Refuses `announcement_unreadable`, `announcement_of_no_year`, `announcement_day_wrong` with the place of the
    day in the list, and `announcement_empty`: a year has data only if its file lists a day (rule 6).
    """
    if len(content) > LARGEST_FILE:
        raise Refusal("announcement_unreadable")
    try:
        told = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Refusal("announcement_unreadable") from None
    if not isinstance(told, dict) or not isinstance(told.get("days"), list):
        raise Refusal("announcement_unreadable")
    year, days = told.get("year"), told["days"]
    if type(year) is not int or year not in YEARS:
        raise Refusal("announcement_of_no_year")
    if not days:
        raise Refusal("announcement_empty", year=year)
    if len(days) > MOST_DAYS:
        raise Refusal("announcement_unreadable")
    read = [_day(year, place, day) for place, day in enumerate(days, 1)]
    seen: set[date] = set()
    for place, day in enumerate(read, 1):
        if day.on in seen:
            raise Refusal("announcement_day_wrong", place=place)
        seen.add(day.on)
    return Announcement(year, tuple(read))


def _day(year: int, place: int, told: Any) -> AnnouncedDay:
    wrong = Refusal("announcement_day_wrong", place=place)
    if not isinstance(told, dict):
        raise wrong
    name, on, is_off = told.get("name"), told.get("date"), told.get("isOffDay")
    if not isinstance(name, str) or not isinstance(on, str) or not isinstance(is_off, bool):
        raise wrong
    name = name.strip()
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise wrong
    try:
        day = date.fromisoformat(on)
    except ValueError:
        raise wrong from None
    if not date(year - 1, 12, 1) <= day <= date(year + 1, 1, 31):
        raise wrong
    return AnnouncedDay(day, name, is_off)


def read_hours(text: str) -> Hours:
    """Open spans of a day as typed, e.g. "9-12 13:00-18:00"; () for none. Refuses `hours_unreadable`."""
    spans = []
    for part in re.sub(r"\s*-\s*", "-", text.translate(LIKE_ASCII)).split():
        found = SPAN.fullmatch(part)
        if found is None:
            raise Refusal("hours_unreadable")
        opens, opens_minute, closes, closes_minute = (int(each or 0) for each in found.groups())
        if opens_minute > 59 or closes_minute > 59:
            raise Refusal("hours_unreadable")
        spans.append((opens * 60 + opens_minute, closes * 60 + closes_minute))
    try:
        return sorted_hours(spans)
    except ValueError:
        raise Refusal("hours_unreadable") from None


def hours_words(hours: Hours) -> str:
    """Open spans as they are typed and shown."""
    return " ".join(f"{_clock(opens)}–{_clock(closes)}" for opens, closes in hours)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
