"""Who could go next: free means an hour of working time without a visit within the next four working hours."""

from datetime import UTC, datetime, timedelta

import pytest

from db import session as database
from db.codes import VisitStatus
from db.models.messages import Absence
from db.models.people import Person
from db.models.visits import Visit
from lib.shared.calendars import calendar_named
from lib.shared.work import look
from lib.tickets import crew
from tests.tickets.open_cases import write_open_case


def at(hour, minute=0, day=24):
    """A time of day in Shanghai in November 2026; the 24th is a Tuesday."""
    return datetime(2026, 11, day, hour - 8, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "busy", "free"),
    [
        (at(10), [], at(10)),
        (at(10), [(at(10, 30), at(12))], at(12)),
        (at(10), [(at(11), at(12))], at(10)),
        (at(10), [(at(9), at(13)), (at(10), at(13, 30))], None),
        (at(10), [(at(9), at(12, 59))], at(12, 59)),
        (at(20), [], at(9, day=25)),
        (at(17, 30), [(at(9, day=25), at(12, day=25))], None),
        (at(10), [(at(11), at(12)), (at(10), at(11)), (at(12), at(14))], None),
    ],
)
def test_free_is_an_hour_of_working_time_within_four_working_hours(database, now, busy, free):
    from db import session as store

    with store.ReadSession() as session:
        calendar = calendar_named(session).time
    assert crew.free_from(now, busy, calendar) == free


def write_visit(session, now, technician, start, hours, status=VisitStatus.PLANNED):
    ticket_id = write_open_case(session, now, write_visit.number)
    write_visit.number += 1
    session.add(
        Visit(
            ticket_id=ticket_id,
            technician_id=technician.person_id,
            status=status,
            starts_at=start,
            ends_at=start + timedelta(hours=hours),
            created_at=now,
        )
    )


write_visit.number = 1


def test_the_crew_is_offered_with_the_least_to_do_first_and_the_busy_last(cast, now):
    with database.writing() as session:
        write_visit(session, now, cast.technician, at(10), 4)
        write_visit(session, now, cast.second_technician, at(15), 1)
        write_visit(session, now, cast.second_technician, at(10), 8, VisitStatus.CANCELLED)
    free, busy = look(crew.list_crew, actor=cast.hotline, now=now)
    assert (free.name, free.free_from, free.minutes_today) == ("刘洋", now, 60)
    assert (busy.name, busy.free_from, busy.minutes_today) == ("陈刚", None, 240)


def test_who_is_away_or_left_is_not_free(cast, now):
    with database.writing() as session:
        session.add(
            Absence(
                person_id=cast.technician.person_id,
                from_at=now - timedelta(days=1),
                until_at=now + timedelta(days=1),
            )
        )
        session.get(Person, cast.second_technician.person_id).active = False
    (away,) = look(crew.list_crew, actor=cast.hotline, now=now)
    assert (away.person_id, away.free_from) == (cast.technician.person_id, None)
