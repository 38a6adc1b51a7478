"""The sample story in small: as consistent as a desk that really worked, with something to see at every hour."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from db import session as database
from db.codes import Role, TicketStatus, TimerKind, VisitStatus
from db.models.feedback import SurveyAnswer
from db.models.people import AuditRow, Person
from db.models.stock import Part, StockMovement
from db.models.tickets import QueueRow, Ticket, TicketEvent, Timer
from db.models.visits import Visit
from lib import demo, verification
from lib.people.passwords import is_password
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import look, system
from lib.tickets.rules import ENDED_STATUSES
from tests.conftest import fresh_address

NOW = datetime(2026, 11, 24, 14, 10, tzinfo=SHANGHAI)
OPEN, CLOSED = 30, 30
OTHER_HOURS = {
    "before the desk opens": datetime(2026, 11, 24, 7, 30, tzinfo=SHANGHAI),
    "late in the evening": datetime(2026, 11, 24, 23, 40, tzinfo=SHANGHAI),
    "in the long holiday": datetime(2026, 10, 4, 11, 0, tzinfo=SHANGHAI),
    "at the turn of the year": datetime(2027, 1, 1, 0, 0, tzinfo=SHANGHAI),
}


@pytest.fixture
def sign_ins(module_database):
    return told_once(module_database)


_told = {}


def told_once(address):
    if address not in _told:
        _told[address] = demo.tell(NOW, open_cases=OPEN, closed_cases=CLOSED, customers=5)
    return _told[address]


def all_of(statement):
    with database.ReadSession() as session:
        return session.execute(statement).all()


def ensure_all_is_well(now):
    findings = [look(check, actor=system("test"), now=now) for check in verification.CHECKS]
    assert [finding for finding in findings if not finding.ok] == []
    return {finding.check: finding.told for finding in findings}


@pytest.mark.postgres_smoke
def test_the_story_is_consistent_and_of_the_size_that_was_asked(sign_ins):
    told = ensure_all_is_well(NOW)
    assert told["timers"] == f"{OPEN + CLOSED} cases"
    statuses = Counter(status for (status,) in all_of(select(Ticket.status)))
    ended = sum(statuses[status] for status in ENDED_STATUSES)
    assert (ended, statuses.total()) == (CLOSED, OPEN + CLOSED)
    (queue_rows,) = all_of(select(func.count()).select_from(QueueRow))
    assert queue_rows == (OPEN,)


def test_everybody_signs_in_with_a_first_password_of_his_own(sign_ins):
    people = {
        person.login: person
        for (person,) in all_of(select(Person).execution_options(populate_existing=True))
    }
    assert len(people) == len(sign_ins) == len({password for _, password, _ in sign_ins})
    assert all(person.must_change_password for person in people.values())
    login, password, _ = sign_ins[0]
    assert is_password(password, people[login].password_hash)
    held = {role for _, _, roles in sign_ins for role in roles.split(", ")}
    assert held == set(Role)


def test_there_is_something_to_do_on_every_screen(sign_ins):
    end = int(NOW.timestamp())
    rows = [row for (row,) in all_of(select(QueueRow))]
    due = [row.due_at - end for row in rows if not row.paused]
    assert any(rest < 0 for rest in due)
    assert any(0 <= rest <= 3600 for rest in due)
    assert any(row.paused for row in rows)
    assert any(row.return_call_open for row in rows)
    assert {row.status for row in rows} >= {
        TicketStatus.NEW,
        TicketStatus.CONTACTED,
        TicketStatus.ASSIGNED,
        TicketStatus.SCHEDULED,
        TicketStatus.WAITING,
    }
    assert any(row.due_kind is TimerKind.FIRST_RESPONSE for row in rows)
    (short,) = all_of(select(func.count()).where(Part.on_hand < Part.minimum))
    assert short[0] > 0
    (answers,) = all_of(select(func.count()).select_from(SurveyAnswer))
    assert answers[0] > 0
    assert all_of(select(Ticket).where(Ticket.cycle == 2))
    assert all_of(select(Timer).where(Timer.stopped_at > Timer.due_at))


def test_today_some_visits_are_done_and_some_are_to_come(sign_ins):
    midnight = NOW.replace(hour=0, minute=0)
    today = all_of(
        select(Visit.status, Visit.technician_id).where(
            Visit.starts_at >= midnight, Visit.starts_at < midnight + timedelta(days=1)
        )
    )
    statuses = Counter(status for status, _ in today)
    assert statuses[VisitStatus.DONE]
    assert statuses[VisitStatus.PLANNED]
    assert len({technician for _, technician in today}) == 3


def test_history_was_written_in_the_order_of_time(sign_ins):
    for instants in (
        [at for (at,) in all_of(select(AuditRow.at).order_by(AuditRow.id))],
        [at for (at,) in all_of(select(TicketEvent.recorded_at).order_by(TicketEvent.id))],
        [at for (at,) in all_of(select(StockMovement.at).order_by(StockMovement.id))],
    ):
        assert instants == sorted(instants)
        assert instants[-1] <= NOW


def test_a_story_that_stands_there_is_not_told_again(sign_ins):
    before = all_of(select(func.count()).select_from(AuditRow))
    with pytest.raises(Refusal, match="login_taken"):
        demo.tell(NOW, open_cases=3, closed_cases=3, customers=2)
    assert all_of(select(func.count()).select_from(AuditRow)) == before


CHANGES = {
    "a timer that was put off": (Timer, {"due_at": NOW + timedelta(days=400)}),
    "a timer that was stopped": (Timer, {"stopped_at": NOW + timedelta(days=400)}),
    "a rest that was invented": (Timer, {"remaining_seconds": 7}),
    "an open list that shows another due": (QueueRow, {"due_at": 7}),
    "an open list that hides a return call": (QueueRow, {"return_call_open": None}),
    "a name that is out of date": (QueueRow, {"customer_name": "x"}),
    "stock that nobody moved": (Part, {"on_hand": Part.on_hand + 1}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_below_the_app_is_found(sign_ins, change):
    model, values = CHANGES[change]
    if values == {"return_call_open": None}:
        values = {"return_call_open": ~QueueRow.return_call_open}
    which = next(iter(model.__mapper__.primary_key))
    with database.WriteSession() as session:
        one = session.scalar(select(func.max(which)))
        session.execute(
            update(model).where(which == one).values(values),
            execution_options={"synchronize_session": False},
        )
        looking = verification.Look(session, system("test"), NOW)
        findings = [check(looking) for check in verification.CHECKS]
        session.rollback()
    assert not all(finding.ok for finding in findings)


def test_a_missing_and_a_superfluous_row_of_the_open_list_are_found(sign_ins):
    with database.WriteSession() as session:
        row = session.scalar(select(QueueRow).limit(1))
        session.delete(row)
        session.flush()
        looking = verification.Look(session, system("test"), NOW)
        assert not verification.check_open_list(looking).ok
        session.rollback()
        ended = session.scalar(select(Ticket).where(Ticket.status == TicketStatus.CLOSED).limit(1))
        session.execute(
            update(QueueRow).where(QueueRow.ticket_id == row.ticket_id).values(ticket_id=ended.id)
        )
        assert not verification.check_open_list(looking).ok
        session.rollback()


@pytest.mark.slow
@pytest.mark.parametrize("hour", OTHER_HOURS)
def test_the_story_can_be_told_at_any_hour(hour, tmp_path):
    with fresh_address("sqlite", tmp_path) as address:
        database.configure(address, durable=False)
        demo.tell(OTHER_HOURS[hour], open_cases=OPEN, closed_cases=6, customers=2)
        assert ensure_all_is_well(OTHER_HOURS[hour])["timers"] == f"{OPEN + 6} cases"
        (queue_rows,) = all_of(select(func.count()).select_from(QueueRow))
        assert queue_rows == (OPEN,)
        database.dispose()
