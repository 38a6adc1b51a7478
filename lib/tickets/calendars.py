"""Working calendars as the desk edits them: a year day by day, edits that make a version, dues without data."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from db.codes import DayKind, DaySource, Role, TimerKind, TimerPhase
from db.models.calendars import Calendar, CalendarDay, CalendarSnapshot
from db.models.people import Person
from db.models.tickets import Ticket, Timer
from lib.shared.calendar import Hours, epoch
from lib.shared.calendars import (
    CalendarDraft,
    content_hash,
    save_draft,
    stored_content,
)
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Look, Work, permit
from lib.tickets import rules
from lib.tickets.policies import rulebook
from lib.tickets.queries import visible_to
from lib.tickets.targets import next_second

REASON_LENGTH = 60
MOST_EDITS = 400
MOST_DUES = 200


@dataclass(frozen=True, slots=True)
class CalendarRow:
    id: int
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class DayRow:
    """A dated exception; `beaten`: a day by hand stands in its place."""

    on: date
    kind: DayKind
    source: DaySource
    name: str
    hours: Hours
    beaten: bool
    announced_for: int | None = None


@dataclass(frozen=True, slots=True)
class VersionRow:
    version: int
    from_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class CalendarBook:
    """A calendar as its newest version is: weekly hours, exceptions by day, years with data, its versions."""

    id: int
    name: str
    version: int
    week: dict[int, Hours]
    make_up_hours: Hours
    days: tuple[DayRow, ...]
    announced: tuple[int, ...]
    versions: tuple[VersionRow, ...]


def list_calendars(look: Look) -> list[CalendarRow]:
    """Every calendar by name."""
    rows = look.session.execute(
        select(Calendar.id, Calendar.name, Calendar.version).order_by(Calendar.name)
    )
    return [CalendarRow(*row) for row in rows]


def find_calendar(look: Look, *, calendar_id: int) -> CalendarBook:
    """A calendar to look at or to edit. Refuses `no_such_calendar`."""
    calendar = look.session.get(Calendar, calendar_id)
    if calendar is None:
        raise Refusal("no_such_calendar", name=str(calendar_id))
    week: dict[int, list[tuple[int, int]]] = {}
    for span in calendar.spans:
        week.setdefault(span.weekday, []).append((span.opens_minute, span.closes_minute))
    versions = look.session.execute(
        select(CalendarSnapshot.version, CalendarSnapshot.from_at, Person.name)
        .outerjoin(Person, Person.id == CalendarSnapshot.made_by_id)
        .where(CalendarSnapshot.calendar_id == calendar_id)
        .order_by(CalendarSnapshot.version.desc())
    )
    return CalendarBook(
        calendar.id,
        calendar.name,
        calendar.version,
        {weekday: sorted(hours) for weekday, hours in week.items()},
        [(opens, closes) for opens, closes in calendar.make_up_hours],
        _days_of(calendar),
        tuple(calendar.announced_years),
        tuple(VersionRow(version, at, by or "") for version, at, by in versions),
    )


def _days_of(calendar: Calendar) -> tuple[DayRow, ...]:
    hours: dict[tuple[date, DaySource], list[tuple[int, int]]] = {}
    first: dict[tuple[date, DaySource], CalendarDay] = {}
    for day in sorted(calendar.days, key=lambda day: (day.on_day, day.source, day.opens_minute)):
        key = (day.on_day, day.source)
        first.setdefault(key, day)
        spans = hours.setdefault(key, [])
        if day.kind is DayKind.OTHER_HOURS:
            spans.append((day.opens_minute, day.closes_minute))
    return tuple(
        DayRow(
            on,
            day.kind,
            source,
            day.name,
            hours[on, source],
            source is DaySource.OFFICIAL and (on, DaySource.HAND) in first,
            day.announced_for,
        )
        for (on, source), day in first.items()
    )


@permit(Role.SUPERVISOR, Role.ADMINISTRATOR)
def edit_calendar(work: Work, *, calendar_id: int, version: int, draft: CalendarDraft) -> int:
    """Save a draft as the next version, for cycles that start from the next second on (rule 15). Answers its number.

    Refuses `changed_meanwhile`, `hours_unusable` (rule 6), `words_missing` for a day by hand without a reason, and
    `calendar_unchanged`.
    """
    if len(draft.days) > MOST_EDITS:
        raise Refusal("hours_unusable")
    for day in draft.days.values():
        if day is not None:
            rules.ensure_words(day.reason, limit=REASON_LENGTH)
    before = stored_content(work.session, calendar_id, version)
    saved = save_draft(
        work.session,
        calendar_id=calendar_id,
        version=version,
        draft=draft,
        now=next_second(work.now),
        person_id=work.actor.person_id,
    )
    content = stored_content(work.session, calendar_id, saved.version)
    is_reworded = any(day is not None for day in draft.days.values())
    if content == before and not is_reworded:
        raise Refusal("calendar_unchanged")
    work.record(
        "calendar.edited",
        work.get(Calendar, calendar_id),
        version=saved.version,
        content=content_hash(content),
        days=sorted(on.isoformat() for on in draft.days),
        years=sorted(draft.announcements),
        week=draft.week is not None or draft.make_up_hours is not None,
    )
    work.touch_ticket(0)
    return saved.version


@dataclass(frozen=True, slots=True)
class ProvisionalDue:
    """An open due in a year of which the official days are not known (rule 6)."""

    ticket_id: int
    number: str
    kind: TimerKind
    due_at: datetime


@dataclass(frozen=True, slots=True)
class ProvisionalDues:
    """How many open dues reach into each year without data, and the earliest of them."""

    by_year: dict[int, int]
    first: tuple[ProvisionalDue, ...]


def list_provisional_dues(look: Look, *, calendar_id: int) -> ProvisionalDues:
    """Open dues that follow the calendar into a year without data, the earliest first."""
    book = rulebook(look.session)
    editions = {each.version: each.time for each in book.calendars.get(calendar_id, ())}
    announced = max(
        look.session.scalar(select(Calendar.announced_years).where(Calendar.id == calendar_id))
        or [0]
    )
    since = datetime(max(announced + 1, 1971), 1, 1, tzinfo=SHANGHAI) - timedelta(days=366)
    rows = look.session.execute(
        select(Ticket.id, Ticket.number, Timer.kind, Timer.due_at, Timer.calendar_version)
        .join(Ticket, Ticket.id == Timer.ticket_id)
        .where(
            Timer.phase == TimerPhase.RUNNING,
            Timer.due_at >= since,
            Timer.calendar_id == calendar_id,
            visible_to(look.actor),
        )
        .order_by(Timer.due_at, Timer.ticket_id)
    )
    by_year: Counter[int] = Counter()
    first: list[ProvisionalDue] = []
    for ticket_id, number, kind, due_at, version in rows:
        time = None if version is None else editions.get(version)
        if time is None or due_at is None or not time.is_provisional(epoch(due_at)):
            continue
        by_year[due_at.astimezone(SHANGHAI).year] += 1
        if len(first) < MOST_DUES:
            first.append(ProvisionalDue(ticket_id, number, kind, due_at))
    return ProvisionalDues(dict(sorted(by_year.items())), tuple(first))
