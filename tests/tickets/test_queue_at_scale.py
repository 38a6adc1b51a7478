"""What the open queue costs depends on the open cases alone, counted in steps and rows of the store, not in time."""

import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import session as database
from db.bulk import write_rows
from db.codes import (
    Channel,
    CoverageState,
    FaultCode,
    Priority,
    TicketStatus,
    TimerKind,
    TimerPhase,
)
from db.models.tickets import Ticket, Timer
from lib.shared.work import look
from lib.tickets.queue import PAGE_ROWS, QueueFilter, QueueView, read_queue, tallies
from tests.cast import Cast
from tests.reports.test_queries import statements
from tests.tickets.open_cases import write_open_case

OPEN, CLOSED = 120, 6_000
READ_BY_OPEN_VIEWS = {"queue_rows", "change_head", "persons", "person_roles"}

pytestmark = pytest.mark.postgres_smoke


def filters(cast: Cast) -> list[QueueFilter]:
    """Every view, and each further filter once."""
    found = [QueueFilter(view=view) for view in QueueView]
    return [
        *found,
        QueueFilter(status=TicketStatus.ASSIGNED),
        QueueFilter(priority=Priority.P3),
        QueueFilter(technician=cast.technician.person_id),
        QueueFilter(technician=0),
        QueueFilter(text="春晖 李娜"),
        QueueFilter(text="1234"),
    ]


def asked(cast: Cast, now: datetime) -> list[tuple[str, Any]]:
    """All that the views send to the store, first page and second."""
    with statements() as sent:
        for actor in (cast.hotline, cast.technician, cast.auditor):
            for where in filters(cast):
                tallies.forget()
                page = look(read_queue, actor=actor, now=now, where=where)
                if len(page.lines) == PAGE_ROWS:
                    look(
                        read_queue,
                        actor=actor,
                        now=now,
                        where=where,
                        after=(page.where.key_of(page.lines[-1])),
                    )
    return sent


def units(sent: list[tuple[str, Any]]) -> int:
    """Steps of SQLite's machine, or rows that PostgreSQL's plans touch."""
    count = steps if database.is_sqlite() else rows_touched
    return sum(count(statement, parameters) for statement, parameters in sent)


def steps(statement: str, parameters: Any) -> int:
    connection = sqlite3.connect(str(database.reader().url.database))
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection.set_progress_handler(step, 1)
    connection.execute(statement, parameters).fetchall()
    connection.close()
    return taken


def rows_touched(statement: str, parameters: Any) -> int:
    with database.reader().connect() as connection:
        explain = "EXPLAIN (ANALYZE, FORMAT JSON) " + statement
        plan = connection.exec_driver_sql(explain, parameters).scalar()
    found = json.loads(plan) if isinstance(plan, str) else plan
    return _rows_of(found[0]["Plan"])


def _rows_of(node: dict[str, Any]) -> int:
    own = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return int(own * node["Actual Loops"]) + sum(_rows_of(each) for each in node.get("Plans", []))


def write_closed_cases(now: datetime, count: int) -> None:
    long_ago = now.astimezone(UTC) - timedelta(days=400)
    told = [
        {
            "id": 10_000 + nth,
            "number": f"CC-2025-{nth:06d}",
            "status": TicketStatus.CLOSED,
            "priority": Priority.P3,
            "channel": Channel.PHONE,
            "fault": FaultCode.NOISE,
            "coverage": CoverageState.UNKNOWN,
            "received_at": long_ago + timedelta(minutes=nth),
            "entered_at": long_ago + timedelta(minutes=nth),
            "closed_at": long_ago + timedelta(minutes=nth + 600),
        }
        for nth in range(count)
    ]
    timers = [
        {
            "ticket_id": row["id"],
            "cycle": 1,
            "kind": TimerKind.RESOLUTION,
            "target_seconds": 97_200,
            "started_at": row["received_at"],
            "phase": TimerPhase.STOPPED,
            "due_at": row["closed_at"],
            "stopped_at": row["closed_at"],
        }
        for row in told
    ]
    with database.writing() as session:
        write_rows(session.connection(), Ticket.__table__, told)  # type: ignore[arg-type]
        write_rows(session.connection(), Timer.__table__, timers)  # type: ignore[arg-type]


def test_open_views_read_the_open_list_alone_whatever_is_asked(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        for nth in range(1, OPEN + 1):
            write_open_case(session, now, nth, due_in=600 * (nth % 40) - 3000)
    for statement, _ in asked(cast, now):
        tables = set(re.findall(r"\b(?:FROM|JOIN)\s+\"?(\w+)", statement))
        assert tables <= READ_BY_OPEN_VIEWS, statement


def test_six_thousand_closed_cases_add_not_one_step_to_the_queue(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        for nth in range(1, OPEN + 1):
            write_open_case(session, now, nth, due_in=600 * (nth % 40) - 3000)
    before = units(asked(cast, now))
    write_closed_cases(now, CLOSED)
    assert units(asked(cast, now)) == before
    assert before > OPEN


def test_the_first_page_by_due_reads_its_own_rows_and_no_more(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        for nth in range(1, OPEN + 1):
            write_open_case(session, now, nth, due_in=600 * nth)
    with statements() as sent:
        tallies.forget()
        look(read_queue, actor=cast.hotline, now=now, where=QueueFilter())
    pages = [(told, given) for told, given in sent if "LIMIT" in told.upper() and "due_at" in told]
    assert pages
    explain = (
        "EXPLAIN QUERY PLAN " if database.is_sqlite() else "SET enable_seqscan = off; EXPLAIN "
    )
    with database.reader().connect() as connection:
        for told, given in pages[:1]:
            plan = "\n".join(
                str(row[-1]) for row in connection.exec_driver_sql(explain + told, given)
            )
    assert "ix_queue_rows_due" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan
