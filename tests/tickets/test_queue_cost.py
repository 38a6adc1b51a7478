"""What the queue and a save cost in statements and rows: the open cases count, not all that there ever were."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from db import session as database
from db.codes import Channel, FaultCode, Priority, TicketStatus, WaitingFor
from db.models.tickets import QueueRow, Ticket
from lib.customers.actions import add_contact, add_customer
from lib.shared.calendar import epoch
from lib.shared.work import look, perform
from lib.tickets import actions
from lib.tickets.queue import read_queue
from lib.tickets.queue_filter import QueueFilter, QueueView, Sort, conditions, lines_query
from lib.tickets.tally import tallies
from tests.cast import Cast
from tests.tickets.open_cases import write_open_case
from tests.tickets.statements import statements

MOST_STATEMENTS = 20
BESIDES = {"complete": 1}
"""Who waits is looked up; completing reads the targets of the return call and opens it."""

OTHER_TABLES = ("tickets", "ticket_events", "timers", "customers", "contacts", "ticket_search")


def rows_read(statement: str, values: Any) -> int:
    """Rows that PostgreSQL touches for a statement; on SQLite the steps of its machine."""
    if database.is_sqlite():
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        with database.reader().connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.set_progress_handler(step, 1)
            try:
                raw.execute(statement, values).fetchall()
            finally:
                raw.set_progress_handler(None, 0)
        return steps
    with database.reader().connect() as connection:
        connection.exec_driver_sql("ANALYZE queue_rows")
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
        found = plan.scalar()
    told = json.loads(found) if isinstance(found, str) else found
    return _touched(told[0]["Plan"])


def _touched(node: dict[str, Any]) -> int:
    own = node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
    return int(own) + sum(_touched(each) for each in node.get("Plans", ()))


def close_many(now: datetime, many: int, first: int) -> None:
    """Cases that have ended."""
    with database.writing() as session:
        session.add_all(
            Ticket(
                number=f"CC-2025-{first + at:06d}",
                channel=Channel.PHONE,
                status=TicketStatus.CLOSED,
                priority=Priority.P3,
                fault=FaultCode.NOISE,
                coverage="unknown",
                received_at=now,
                entered_at=now,
            )
            for at in range(many)
        )


@pytest.mark.postgres_smoke
def test_open_views_read_the_open_list_alone_whatever_is_filtered_and_sorted(
    cast: Cast, now: datetime
) -> None:
    with database.writing() as session:
        for number in range(1, 121):
            write_open_case(session, now, number, due_in=number * 60, words="窗帘")
    close_many(now, 50, 0)

    def read_all() -> None:
        for view in QueueView:
            for sort in Sort:
                tallies.forget()
                where = QueueFilter(view=view, sort=sort, text="窗帘" if sort is Sort.DUE else "")
                look(read_queue, actor=cast.hotline, now=now, where=where)

    with statements(database.reader()) as asked:
        read_all()
    assert len(asked) <= 5 * len(QueueView) * len(Sort)
    for statement, _ in asked:
        words = set(statement.replace(".", " ").replace(",", " ").split())
        assert words.isdisjoint(OTHER_TABLES), statement
    pages = [each for each in asked if " queue_rows " in f"{each[0]} ".replace("\n", " ")]
    before = [rows_read(*each) for each in pages]
    close_many(now, 400, 100)
    after = [rows_read(*each) for each in pages]
    for less, more in zip(before, after, strict=True):
        assert more <= less * 1.05 + 5


@pytest.mark.postgres_smoke
def test_the_next_breach_is_read_from_its_index(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        for number in range(1, 61):
            write_open_case(session, now, number, due_in=number * 60)
    where = QueueFilter()
    query = lines_query(conditions(where, epoch(now))).order_by(QueueRow.due_at, QueueRow.ticket_id)
    with database.ReadSession() as session:
        if not database.is_sqlite():
            session.execute(text("SET enable_seqscan = off"))
        told = str(
            query.limit(51).compile(database.reader(), compile_kwargs={"literal_binds": True})
        )
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite() else "EXPLAIN "
        plan = "\n".join(str(row[-1]) for row in session.execute(text(explain + told)))
    assert "ix_queue_rows_due" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


@pytest.mark.postgres_smoke
def test_saving_a_case_takes_at_most_twenty_statements(cast: Cast, now: datetime) -> None:
    customer = perform(add_customer, actor=cast.hotline, now=now, name="华庭酒店")
    contact = perform(
        add_contact,
        actor=cast.hotline,
        now=now,
        customer_id=customer,
        name="王建国",
        phone="13912345678",
    )
    case = 0

    def count(
        what: str, action: Callable[..., Any], actor: Any = cast.supervisor, **told: Any
    ) -> Any:
        with database.ReadSession() as session:
            ticket = session.get(Ticket, case)
            which = {} if ticket is None else {"ticket_id": case, "version": ticket.version}
        with statements(database.writer()) as asked:
            answer = perform(action, actor=actor, now=now, key=f"{what}{case}", **which, **told)
        most = MOST_STATEMENTS + BESIDES.get(what, 0)
        assert len(asked) <= most, (what, [each for each, _ in asked])
        return answer

    opened: dict[str, Any] = {
        "customer_id": customer,
        "contact_id": contact,
        "site_id": None,
        "item_id": None,
        "channel": Channel.PHONE,
        "received_at": now,
        "fault": FaultCode.NOISE,
        "words": "客厅窗帘异响",
        "priority": Priority.P3,
    }
    perform(actions.open_ticket, actor=cast.hotline, now=now, **opened)
    case = count("open", actions.open_ticket, cast.hotline, **opened)
    count("change", actions.change_ticket, priority=Priority.P1, words="卧室窗帘")
    count("take", actions.take_ticket)
    count("assign", actions.assign_technician, technician_id=cast.technician.person_id)
    count("contact", actions.log_contact, words="已致电")
    later = now + timedelta(days=1)
    wait = {"waiting_for": WaitingFor.PARTS, "words": "等电机", "until_at": later}
    count("wait", actions.start_waiting, **wait)
    count("go on", actions.end_waiting)
    count("complete", actions.complete_ticket, words="换了电机")
