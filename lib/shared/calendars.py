"""Calendars by name and version: immutable snapshots as working time, kept per process, and edits that make new ones.

Timers name the version they were computed with, so an edit never moves a due that stands (rule 15).
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import Lock
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from db import session as database
from db.codes import DayKind, DaySource
from db.models.calendars import Calendar, CalendarDay, CalendarSnapshot, CalendarSpan
from lib.shared.calendar import Hours, WorkingCalendar, sorted_hours
from lib.shared.errors import Refusal
from lib.shared.work import ask

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


@dataclass(frozen=True, slots=True)
class AnnouncedDay:
    """One day of an announcement file: off, or a make-up working day."""

    on: date
    name: str
    is_off: bool


@dataclass(frozen=True, slots=True)
class DayByHand:
    """A day as somebody set it: closed, open as a make-up day, or with `hours` of its own; the reason is shown."""

    kind: DayKind
    hours: Hours = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CalendarDraft:
    """Edits that are not saved yet. What is None stays; a day that is None falls back to what it was without a hand.

    announcements: by year; each replaces what was imported for it, and days by hand beat them (rule 7).
    """

    days: Mapping[date, DayByHand | None] = field(default_factory=dict)
    week: Mapping[int, Hours] | None = None
    make_up_hours: Hours | None = None
    announcements: Mapping[int, Sequence[AnnouncedDay]] = field(default_factory=dict)


_kept: OrderedDict[tuple[str, int], CalendarVersion] = OrderedDict()
_lock = Lock()
VERSION = select(
    Calendar.id, Calendar.name, CalendarSnapshot.version, CalendarSnapshot.id.label("snapshot_id")
).join(CalendarSnapshot, CalendarSnapshot.calendar_id == Calendar.id)


NEWEST = (
    VERSION.where(Calendar.name == bindparam("of_name"))
    .order_by(CalendarSnapshot.version.desc())
    .limit(1)
)


def calendar_named(session: Session, name: str = STANDARD) -> CalendarVersion:
    """The newest version of a calendar. Refuses `no_such_calendar`; built once per version and process."""
    record = ask(session, NEWEST, of_name=name).one_or_none()
    if record is None:
        raise Refusal("no_such_calendar", name=name)
    return _kept_version(session, *record)


def calendar_version(session: Session, calendar_id: int, version: int) -> CalendarVersion:
    """A version by its number, old or new. Refuses `no_such_calendar`."""
    record = session.execute(
        VERSION.where(Calendar.id == calendar_id, CalendarSnapshot.version == version)
    ).one_or_none()
    if record is None:
        raise Refusal("no_such_calendar", name=f"{calendar_id}/{version}")
    return _kept_version(session, *record)


def _kept_version(
    session: Session, calendar_id: int, name: str, version: int, snapshot_id: int
) -> CalendarVersion:
    key = (database.url(), snapshot_id)
    with _lock:
        kept = _kept.get(key)
        if kept is None:
            content = session.execute(
                select(CalendarSnapshot.content).where(CalendarSnapshot.id == snapshot_id)
            ).scalar_one()
            kept = _kept[key] = CalendarVersion(calendar_id, name, version, built(content))
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        else:
            _kept.move_to_end(key)
        return kept


def stored_content(session: Session, calendar_id: int, version: int) -> dict[str, Any]:
    """What a version holds, as it is stored. Refuses `no_such_calendar`."""
    content: dict[str, Any] | None = session.scalar(
        select(CalendarSnapshot.content).where(
            CalendarSnapshot.calendar_id == calendar_id, CalendarSnapshot.version == version
        )
    )
    if content is None:
        raise Refusal("no_such_calendar", name=f"{calendar_id}/{version}")
    return content


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of a version's content, which the audit row of its making names."""
    message = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(message).hexdigest()


def built(content: Mapping[str, Any]) -> WorkingCalendar:
    """The working time of a snapshot's content."""
    return WorkingCalendar.build(
        {int(weekday): _pairs(hours) for weekday, hours in content["week"].items()},
        {date.fromisoformat(on): _pairs(hours) for on, hours in content["days"].items()},
        announced=content["announced"],
        zone=content["zone"],
    )


def content_of(calendar: Calendar) -> dict[str, Any]:
    """What a version of the calendar would hold as it is edited now: days by hand beat official ones (rule 7)."""
    week: dict[str, list[list[int]]] = {}
    for span in calendar.spans:
        week.setdefault(str(span.weekday), []).append([span.opens_minute, span.closes_minute])
    by_hand = {day.on_day for day in calendar.days if day.source is DaySource.HAND}
    days: dict[str, list[list[int]]] = {}
    for day in sorted(calendar.days, key=lambda day: (day.on_day, day.opens_minute)):
        if day.on_day in by_hand and day.source is not DaySource.HAND:
            continue
        hours = days.setdefault(day.on_day.isoformat(), [])
        if day.kind is DayKind.OPEN:
            # The announcements do not say which weekday a make-up day replaces (rule 7).
            hours.extend(calendar.make_up_hours or week.get(str(MONDAY), []))
        elif day.kind is DayKind.OTHER_HOURS:
            hours.append([day.opens_minute, day.closes_minute])
    return {
        "zone": calendar.zone,
        "week": {weekday: sorted(hours) for weekday, hours in sorted(week.items())},
        "days": days,
        "announced": sorted(calendar.announced_years),
    }


def add_calendar(
    session: Session,
    *,
    name: str,
    week: Mapping[int, Hours],
    now: datetime,
    zone: str = "Asia/Shanghai",
    make_up_hours: Hours = (),
    announced: Sequence[AnnouncedDay] = (),
    person_id: int | None = None,
) -> CalendarVersion:
    """A new calendar with its first version. Refuses `hours_unusable` (rule 6)."""
    calendar = Calendar(
        name=name, zone=zone, make_up_hours=_lists(make_up_hours), announced_years=[]
    )
    session.add(calendar)
    _set_week(calendar, week)
    for year in sorted({day.on.year for day in announced}):
        _set_announced(calendar, year, [day for day in announced if day.on.year == year])
    return publish(session, calendar, now=now, person_id=person_id)


def edit_calendar(
    session: Session,
    *,
    calendar_id: int,
    version: int,
    now: datetime,
    person_id: int | None = None,
    week: Mapping[int, Hours] | None = None,
    make_up_hours: Hours | None = None,
    days: Mapping[date, Hours | None] | None = None,
) -> CalendarVersion:
    """A new version with edits by hand: hours of a date, () for closed, None to take the edit back.

    Refuses `changed_meanwhile` when `version` is not the newest, and `hours_unusable` (rule 6).
    """
    told = {
        on: None
        if hours is None
        else DayByHand(DayKind.OTHER_HOURS if hours else DayKind.CLOSED, hours)
        for on, hours in (days or {}).items()
    }
    draft = CalendarDraft(told, week, make_up_hours)
    return save_draft(
        session,
        calendar_id=calendar_id,
        version=version,
        draft=draft,
        now=now,
        person_id=person_id,
    )


def import_announcement(
    session: Session,
    *,
    calendar_id: int,
    version: int,
    year: int,
    days: Sequence[AnnouncedDay],
    now: datetime,
    person_id: int | None = None,
) -> CalendarVersion:
    """A new version with a year's announcement, which replaces an earlier import of it; edits by hand stay.

    A year counts as known only if its announcement lists at least one day (rule 6).
    """
    return save_draft(
        session,
        calendar_id=calendar_id,
        version=version,
        draft=CalendarDraft(announcements={year: days}),
        now=now,
        person_id=person_id,
    )


def save_draft(
    session: Session,
    *,
    calendar_id: int,
    version: int,
    draft: CalendarDraft,
    now: datetime,
    person_id: int | None = None,
) -> CalendarVersion:
    """A new version with the edits of a draft.

    Refuses `changed_meanwhile` when `version` is not the newest, and `hours_unusable` (rule 6).
    """
    calendar = _calendar_of(session, calendar_id, version)
    with session.no_autoflush:
        _take_back(calendar, draft)
        # The days that go leave before those that come: both may begin at the same minute of the same day.
        session.flush()
        _put_in(calendar, draft)
    return publish(session, calendar, now=now, person_id=person_id)


def drafted(
    session: Session, *, calendar_id: int, version: int, draft: CalendarDraft
) -> WorkingCalendar:
    """The working time that saving the draft would make; for a reading session, which writes nothing.

    Refuses as `save_draft` does.
    """
    calendar = _calendar_of(session, calendar_id, version)
    with session.no_autoflush:
        _take_back(calendar, draft)
        _put_in(calendar, draft)
        content = content_of(calendar)
    session.expunge_all()
    try:
        return built(content)
    except ValueError:
        raise Refusal("hours_unusable") from None


def _take_back(calendar: Calendar, draft: CalendarDraft) -> None:
    calendar.days = [
        day
        for day in calendar.days
        if day.source is not DaySource.HAND or day.on_day not in draft.days
    ]


def _put_in(calendar: Calendar, draft: CalendarDraft) -> None:
    for on, told in draft.days.items():
        if told is None:
            continue
        hours = _usable(told.hours) if told.kind is DayKind.OTHER_HOURS else ((0, 0),)
        if not hours:
            raise Refusal("hours_unusable")
        calendar.days += [
            CalendarDay(
                on_day=on,
                kind=told.kind,
                source=DaySource.HAND,
                name=told.reason,
                opens_minute=opens,
                closes_minute=closes,
            )
            for opens, closes in hours
        ]
    if draft.week is not None:
        _set_week(calendar, draft.week)
    if draft.make_up_hours is not None:
        calendar.make_up_hours = _lists(draft.make_up_hours)
    for year, days in draft.announcements.items():
        _set_announced(calendar, year, days)


def publish(
    session: Session, calendar: Calendar, *, now: datetime, person_id: int | None = None
) -> CalendarVersion:
    """Freeze the calendar as it is edited now as its next version, for cycles that start from `now` on.

    Refuses `hours_unusable` when it has no open time, or hours that overlap or leave the day (rule 6).
    """
    with session.no_autoflush:
        content = content_of(calendar)
    try:
        built(content)
    except ValueError:
        raise Refusal("hours_unusable") from None
    # Not the column's own counting: an edit of days alone would not change the calendar's row.
    flag_modified(calendar, "zone")
    session.flush()
    snapshot = CalendarSnapshot(
        calendar_id=calendar.id,
        version=calendar.version,
        from_at=now,
        made_by_id=person_id,
        content=content,
    )
    session.add(snapshot)
    session.flush()
    return _kept_version(session, calendar.id, calendar.name, calendar.version, snapshot.id)


def _calendar_of(session: Session, calendar_id: int, version: int) -> Calendar:
    calendar = session.get(Calendar, calendar_id)
    if calendar is None:
        raise Refusal("no_such_calendar", name=str(calendar_id))
    if calendar.version != version:
        raise Refusal("changed_meanwhile", subject="calendars", id=calendar_id)
    return calendar


def _set_week(calendar: Calendar, week: Mapping[int, Hours]) -> None:
    calendar.spans = [
        CalendarSpan(weekday=weekday, opens_minute=opens, closes_minute=closes)
        for weekday, hours in sorted(week.items())
        for opens, closes in _usable(hours)
    ]


def _set_announced(calendar: Calendar, year: int, days: Sequence[AnnouncedDay]) -> None:
    """Official days of a year; a day that another year's announcement named keeps the later year's word."""
    kept = {
        day.on_day: day
        for day in calendar.days
        if day.source is DaySource.OFFICIAL and day.announced_for != year
    }
    new = {}
    for day in days:
        before = kept.get(day.on)
        if before is None:
            new[day.on] = day
        elif before.announced_for is None or before.announced_for < year:
            before.kind = DayKind.CLOSED if day.is_off else DayKind.OPEN
            before.name, before.announced_for = day.name, year
    stays = {
        day.on_day: day
        for day in calendar.days
        if day.source is DaySource.OFFICIAL and day.announced_for == year and day.on_day in new
    }
    calendar.days = [
        day
        for day in calendar.days
        if day.source is DaySource.HAND or day.on_day in kept or day.on_day in stays
    ]
    for on, day in new.items():
        kind = DayKind.CLOSED if day.is_off else DayKind.OPEN
        if on in stays:
            stays[on].kind, stays[on].name = kind, day.name
        else:
            calendar.days.append(
                CalendarDay(
                    on_day=on,
                    kind=kind,
                    source=DaySource.OFFICIAL,
                    name=day.name,
                    announced_for=year,
                )
            )
    known = set(calendar.announced_years) - {year}
    calendar.announced_years = sorted(known | ({year} if days else set()))


def _usable(hours: Hours) -> tuple[tuple[int, int], ...]:
    try:
        return sorted_hours(hours)
    except ValueError:
        raise Refusal("hours_unusable") from None


def _lists(hours: Hours) -> list[list[int]]:
    return [[opens, closes] for opens, closes in _usable(hours)]


def _pairs(hours: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [(opens, closes) for opens, closes in hours]
