"""Calendars by name: the records of the database as working time, kept per process until their version changes."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from threading import Lock

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import session as database
from db.codes import DayKind, DaySource
from db.models.calendars import Calendar, CalendarDay, CalendarSpan
from lib.shared.calendar import WorkingCalendar
from lib.shared.errors import Refusal

STANDARD = "cn-0900-1800"
"""The calendar that comes with the product: Monday to Friday 9 to 18, with the official days."""
MONDAY = 0
KEPT = 16


@dataclass(frozen=True, slots=True)
class CalendarVersion:
    """One version of a named calendar; timers store its id and version."""

    id: int
    name: str
    version: int
    time: WorkingCalendar


_kept: OrderedDict[tuple[str, int, int], CalendarVersion] = OrderedDict()
_lock = Lock()


def calendar_named(session: Session, name: str = STANDARD) -> CalendarVersion:
    """The newest version of a calendar. Refuses `no_such_calendar`; built once per version and process."""
    record = session.execute(
        select(Calendar.id, Calendar.zone, Calendar.version).where(Calendar.name == name)
    ).one_or_none()
    if record is None:
        raise Refusal("no_such_calendar", name=name)
    key = (database.url(), record.id, record.version)
    with _lock:
        if key not in _kept:
            time = _build(session, record.id, record.zone)
            _kept[key] = CalendarVersion(record.id, name, record.version, time)
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        return _kept[key]


def _build(session: Session, calendar_id: int, zone: str) -> WorkingCalendar:
    weekly: dict[int, list[tuple[int, int]]] = {}
    for span in session.execute(
        select(CalendarSpan.weekday, CalendarSpan.opens_minute, CalendarSpan.closes_minute).where(
            CalendarSpan.calendar_id == calendar_id
        )
    ):
        weekly.setdefault(span.weekday, []).append((span.opens_minute, span.closes_minute))
    columns = (
        CalendarDay.on_day,
        CalendarDay.kind,
        CalendarDay.source,
        CalendarDay.opens_minute,
        CalendarDay.closes_minute,
    )
    days = session.execute(
        select(*columns).where(CalendarDay.calendar_id == calendar_id).order_by(CalendarDay.on_day)
    ).all()
    by_hand = {day.on_day for day in days if day.source is DaySource.HAND}
    exceptions: dict[date, list[tuple[int, int]]] = {}
    for day in days:
        if day.on_day in by_hand and day.source is not DaySource.HAND:
            continue
        hours = exceptions.setdefault(day.on_day, [])
        if day.kind is DayKind.OPEN:
            # The announcements do not say which weekday a make-up day replaces (rule 7).
            hours.extend(weekly.get(MONDAY, ()))
        elif day.kind is DayKind.OTHER_HOURS:
            hours.append((day.opens_minute, day.closes_minute))
    return WorkingCalendar.build(weekly, exceptions, zone=zone)
