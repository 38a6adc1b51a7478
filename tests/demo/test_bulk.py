"""A store written in bulk is one that a desk could have: checks hold, numbers go on, every case is found."""

import pytest
from sqlalchemy import CheckConstraint, func, select, text
from sqlalchemy.exc import IntegrityError

from db import session as database
from db.bulk import without_checks
from db.codes import Role, TicketStatus
from db.models.customers import Customer
from db.models.people import Counter, Person, PersonRole
from db.models.tickets import QueueRow, Ticket, Timer
from lib import demo, verification
from lib.demo import bulk
from lib.demo.lives import CHANNELS, PRIORITIES
from lib.demo.words import COMPLAINTS
from lib.shared.errors import Refusal
from lib.shared.work import actor_of, look, perform, system
from lib.tickets import intake
from lib.tickets.intake import Caller, Place
from lib.tickets.queue import read_queue
from lib.tickets.queue_filter import QueueFilter
from lib.tickets.tally import tallies
from tests.demo.test_demo import NOW

CASES = 1500
SYSTEM = system("test")

pytestmark = pytest.mark.postgres_smoke


def quietly(_doing: str, _done: int, _total: int) -> None:
    return None


@pytest.fixture(scope="module")
def filled(module_database: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        # Several batches: SQLite holds only the first to the CHECKs while it is written.
        patch.setattr(bulk, "AT_ONCE", 400)
        demo.fill(NOW, CASES, quietly)
    return module_database


def test_every_row_of_every_batch_keeps_the_checks_of_its_table(filled: str) -> None:
    with database.reader().connect() as connection:
        tables = [model.__table__ for model in bulk.OF_CASE]
        checks = [
            (table, each)
            for table in tables
            for each in table.constraints
            if isinstance(each, CheckConstraint)
        ]
        assert len(checks) > 20
        for table, check in checks:
            rule = check.sqltext.compile(connection, compile_kwargs={"literal_binds": True})
            broken = select(func.count()).select_from(table).where(text(f"NOT ({rule})"))
            assert connection.execute(broken).scalar() == 0, check.name
        if database.is_sqlite():
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_checks_are_back_after_a_load_without_them_also_after_an_error(filled: str) -> None:
    wrong = "UPDATE tickets SET priority = 'P9' WHERE id = 1"
    with database.writer().connect() as connection:
        if database.is_sqlite():
            with without_checks(connection):
                connection.exec_driver_sql(wrong)
        with pytest.raises(ZeroDivisionError), without_checks(connection):
            raise ZeroDivisionError
        with pytest.raises(IntegrityError, match=r"(?i)check"):
            connection.exec_driver_sql(wrong)
        connection.rollback()


def test_every_check_of_a_store_written_in_bulk_holds(filled: str) -> None:
    for check in verification.CHECKS:
        finding = look(check, actor=SYSTEM, now=NOW)
        assert finding.ok, finding


def test_two_of_a_hundred_cases_are_open_and_each_has_its_row_in_the_queue(filled: str) -> None:
    ended = (TicketStatus.CLOSED, TicketStatus.CANCELLED)
    with database.ReadSession() as session:
        cases = session.scalar(select(func.count()).select_from(Ticket))
        still_open = set(session.scalars(select(Ticket.id).where(Ticket.status.not_in(ended))))
        rows = set(session.scalars(select(QueueRow.ticket_id)))
        timers = session.scalar(select(func.count()).select_from(Timer)) or 0
    assert cases == CASES
    assert still_open == rows
    assert len(rows) == CASES // 50
    assert timers > 2 * CASES


def test_the_queue_shows_it_and_counts_it(filled: str) -> None:
    tallies.forget()
    page = look(read_queue, actor=SYSTEM, now=NOW, where=QueueFilter())
    assert len(page.lines) == CASES // 50
    assert page.tally.counts(page.where)["all"] == CASES // 50


def test_a_second_load_is_refused(filled: str) -> None:
    with pytest.raises(Refusal, match="desk_not_empty"):
        demo.fill(NOW, 10, quietly)


def test_the_next_case_gets_the_next_number_and_id(filled: str) -> None:
    with database.ReadSession() as session:
        agent = actor_of(
            session.scalars(
                select(Person).join(PersonRole).where(PersonRole.role == Role.HOTLINE).limit(1)
            ).first()
        )
        customer_id = session.scalar(select(func.min(Customer.id)))
        last = session.scalar(select(Counter.value).where(Counter.name == f"tickets-{NOW.year}"))
    ticket_id = perform(
        intake.take_call,
        actor=agent,
        now=NOW,
        caller=Caller(customer_id=customer_id, contact="林晓", phone="13900001111"),
        place=Place(),
        channel=CHANNELS[0],
        received_at=None,
        fault=next(iter(COMPLAINTS)),
        words="帘子卡住",
        priority=PRIORITIES[0],
    )
    with database.ReadSession() as session:
        assert session.get_one(Ticket, ticket_id).number == f"CC-{NOW.year}-{last + 1:06d}"
    assert ticket_id == CASES + 1
