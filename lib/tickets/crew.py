"""Which technicians could go next, and who has the least to do today; for the offer after a call (S-23).

Free means: active, not absent, and with an hour of working time without a visit within the next four working hours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import bindparam, func, literal, select, union_all
from sqlalchemy.orm import Session

from db.codes import Role, VisitStatus
from db.models.messages import Absence
from db.models.people import Person, PersonRole
from db.models.tickets import QueueRow
from db.models.visits import Visit
from lib.shared.calendar import NoDue, WorkingCalendar
from lib.shared.calendars import calendar_named
from lib.shared.clock import SHANGHAI
from lib.shared.work import Look, Work, ask
from lib.tickets.policies import rulebook_of

AHEAD = timedelta(hours=4)
NEEDED = timedelta(hours=1)
LIVE = (VisitStatus.PLANNED, VisitStatus.ON_THE_WAY, VisitStatus.ARRIVED)

BUSY = union_all(
    select(Visit.technician_id, Visit.starts_at, Visit.ends_at, literal(1)).where(
        Visit.status.in_(LIVE),
        Visit.starts_at < bindparam("until"),
        Visit.starts_at >= bindparam("day"),
    ),
    select(Absence.person_id, Absence.from_at, Absence.until_at, literal(0)).where(
        Absence.from_at < bindparam("until"), Absence.until_at > bindparam("now")
    ),
)

TECHNICIANS = (
    select(Person.id, Person.name, func.count(QueueRow.ticket_id))
    .join(PersonRole, PersonRole.person_id == Person.id)
    .outerjoin(QueueRow, QueueRow.technician_id == Person.id)
    .where(PersonRole.role == Role.TECHNICIAN, Person.active.is_(True))
    .group_by(Person.id, Person.name)
)
"""Who works, each with the cases in hand."""

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class CrewMember:
    """A technician; minutes of visits today, cases in hand, and from when an hour is free (None: not soon)."""

    person_id: int
    name: str
    minutes_today: int
    open_cases: int
    free_from: datetime | None


def free_from(now: datetime, busy: Iterable[Span], calendar: WorkingCalendar) -> datetime | None:
    """The first instant from which NEEDED of working time is free of `busy` spans, within AHEAD of working time."""
    try:
        until = calendar.due_after(now, int(AHEAD.total_seconds()))
        start = now
        for begins, ends in [*sorted(busy), (until, until)]:
            free = calendar.seconds_between(start, min(max(begins, start), until))
            if free >= NEEDED.total_seconds():
                return start if calendar.is_open(start) else calendar.next_opening(start)
            start = max(start, ends)
    except NoDue:
        return None
    return None


def list_crew(look: Look) -> list[CrewMember]:
    """All active technicians: who is free soon first, then by the least to do today."""
    session, now = look.session, look.now
    people = look.ask(TECHNICIANS).all()
    calendar = _desk_time(look)
    busy, minutes = _busy(session, now, calendar)
    crew = [
        CrewMember(
            person_id,
            name,
            minutes.get(person_id, 0),
            cases,
            free_from(now, busy.get(person_id, ()), calendar),
        )
        for person_id, name, cases in people
    ]
    return sorted(
        crew,
        key=lambda each: (
            each.free_from is None,
            each.minutes_today,
            each.open_cases,
            each.name,
            each.person_id,
        ),
    )


def is_anybody_free(work: Work, technicians: Iterable[int]) -> bool:
    """Whether one of the technicians could go soon; one statement beside the rulebook's, for the write door."""
    calendar = _desk_time(work)
    busy, _ = _busy(work.session, work.now, calendar)
    return any(
        free_from(work.now, busy.get(each, ()), calendar) is not None for each in technicians
    )


def _desk_time(door: Work | Look) -> WorkingCalendar:
    return rulebook_of(door).desk_time or calendar_named(door.session).time


def _busy(
    session: Session, now: datetime, calendar: WorkingCalendar
) -> tuple[dict[int, list[Span]], dict[int, int]]:
    """Visits and absences of everybody, and minutes of visits today."""
    day = datetime.combine(now.astimezone(SHANGHAI).date(), time(), SHANGHAI)
    try:
        until = calendar.due_after(now, int(AHEAD.total_seconds()))
    except NoDue:
        until = now
    until = max(until, day + timedelta(days=1))
    spans = ask(session, BUSY, until=until, day=day, now=now)
    busy: dict[int, list[Span]] = {}
    minutes: dict[int, int] = {}
    for person_id, begins, ends, is_visit in spans:
        busy.setdefault(person_id, []).append((begins, ends))
        if is_visit and begins < day + timedelta(days=1):
            minutes[person_id] = (
                minutes.get(person_id, 0) + int((ends - begins).total_seconds()) // 60
            )
    return busy, minutes
