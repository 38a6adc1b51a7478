"""The numbers above the queue against a full recount, and that a row somebody tampered with is found."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from db import session as database
from db.codes import Priority, TicketStatus, WaitingFor
from db.models.tickets import QueueRow, Ticket
from lib import verification
from lib.shared.work import look, perform, system
from lib.tickets.counters import check_counters
from lib.tickets.queue_filter import QueueFilter, QueueView
from lib.tickets.views import save_view
from tests.cast import Cast
from tests.tickets.open_cases import write_open_case

VERIFY = system("verify")


@pytest.fixture
def cases(cast: Cast, now: datetime) -> list[int]:
    with database.writing() as session:
        ids = [
            write_open_case(
                session,
                now,
                number,
                due_in=(number % 5 - 2) * 1800,
                priority=list(Priority)[number % 4],
                status=TicketStatus.WAITING if number % 3 == 0 else TicketStatus.ASSIGNED,
                waiting_for=WaitingFor.PARTS if number % 3 == 0 else None,
                technician_id=cast.technician.person_id if number % 2 else None,
                owner_id=cast.hotline.person_id if number % 7 else None,
            )
            for number in range(1, 41)
        ]
    for where in (
        QueueFilter(priority=Priority.P1),
        QueueFilter(view=QueueView.OVERDUE, status=TicketStatus.ASSIGNED),
    ):
        perform(
            save_view,
            actor=cast.hotline,
            now=now,
            name=f"{where.priority} {where.view}",
            where=where,
        )
    return ids


def test_every_number_is_exact_for_the_second_it_tells(cases: list[int], now: datetime) -> None:
    for later in (0, 1, 1800, 1801, 90_000):
        report = look(check_counters, actor=VERIFY, now=now + timedelta(seconds=later))
        assert report.fault is None
        assert report.numbers > 30
    assert look(verification.check_counters, actor=VERIFY, now=now).ok


@pytest.mark.parametrize(
    ("values", "view"),
    [
        ({"technician_id": 99}, "all of the cases"),
        ({"owner_id": None}, "all of the cases"),
        ({"waiting_for": WaitingFor.CUSTOMER}, "waiting_parts of the cases"),
        ({"return_call_open": True}, "return_calls of the cases"),
    ],
)
def test_a_row_that_was_tampered_with_is_found(
    cases: list[int], now: datetime, values: dict[str, Any], view: str
) -> None:
    with database.writing() as session:
        session.execute(update(QueueRow).where(QueueRow.ticket_id == cases[2]).values(values))
    report = look(check_counters, actor=VERIFY, now=now)
    assert report.fault is not None
    assert report.fault.what == view
    finding = look(verification.check_counters, actor=VERIFY, now=now)
    assert not finding.ok
    assert view in finding.told


def test_a_row_too_few_and_one_too_many_are_found(cases: list[int], now: datetime) -> None:
    with database.writing() as session:
        session.execute(delete(QueueRow).where(QueueRow.ticket_id == cases[0]))
    assert look(check_counters, actor=VERIFY, now=now).fault
    with database.writing() as session:
        row = session.execute(
            select(*QueueRow.__table__.c).where(QueueRow.ticket_id == cases[1])
        ).one()
        session.execute(insert(QueueRow).values(**{**row._asdict(), "ticket_id": cases[0]}))
        session.execute(
            update(Ticket).where(Ticket.id == cases[0]).values(status=TicketStatus.CLOSED)
        )
    assert look(check_counters, actor=VERIFY, now=now).fault
