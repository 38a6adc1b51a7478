"""66,000 imported cases and 3,000 own ones: the dashboard reads ranges of indexes, never a whole table."""

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from db import session as database
from lib.reports.queries import list_cases, read_dashboard
from lib.reports.rules import Behind, Days, Measure
from lib.shared.work import look, system
from tests.reports.stores import write_history, write_own_cases
from tests.reports.test_queries import statements

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
SYSTEM = system("test")
LARGE = ("tickets", "timers", "return_calls", "survey_answers")


@pytest.fixture(scope="module")
def large_store(module_database) -> str:
    write_own_cases(NOW, 3000, days=1000)
    write_history(NOW, 66_000, first=10_000, open_cases=300)
    if not database.is_sqlite():
        with database.writer().connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(text("VACUUM ANALYZE"))
    return module_database


def plans(sent) -> list[str]:
    """What the store says it does for each statement."""
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite() else "EXPLAIN "
    told = []
    with database.reader().connect() as connection:
        for statement, parameters in sent:
            if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                rows = connection.exec_driver_sql(explain + statement, parameters)
                told.append("\n".join(str(row[-1]) for row in rows))
    return told


def indexes(plan: str) -> set[str]:
    """The indexes by which a plan of SQLite enters tickets, timers and return calls, with what narrows them."""
    return set(
        re.findall(r"SEARCH (?:tickets|timers|return_calls) USING (?:COVERING )?INDEX (.*)", plan)
    )


def scans(plan: str) -> list[str]:
    """Tables that a plan reads whole."""
    pattern = r"SCAN (\w+)(?! USING)" if database.is_sqlite() else r"Seq Scan on (\w+)"
    return re.findall(pattern, plan)


def test_the_dashboard_asks_few_questions(large_store):
    with statements() as sent:
        look(read_dashboard, actor=SYSTEM, now=NOW, days=Days.QUARTER)
    assert len([each for each, _ in sent if each.startswith("SELECT")]) <= 5


def test_no_large_table_is_read_whole(large_store):
    with statements() as sent:
        for days in Days:
            look(read_dashboard, actor=SYSTEM, now=NOW, days=days)
    for plan in plans(sent):
        read_whole = set(scans(plan)) & set(LARGE)
        if not database.is_sqlite():
            # So few own timers and calls are there that PostgreSQL rightly reads them in one go.
            read_whole &= {"tickets"}
        assert not read_whole, plan


def test_every_range_has_an_end_on_the_side_of_the_past(large_store):
    if not database.is_sqlite():
        pytest.skip("PostgreSQL chooses by statistics")
    with statements() as sent:
        look(read_dashboard, actor=SYSTEM, now=NOW, days=Days.MONTH)
    assert set().union(*map(indexes, plans(sent))) == {
        "ix_tickets_own_received (received_at>? AND received_at<?)",
        "ix_tickets_own_closed (closed_at>? AND closed_at<?)",
        "ix_timers_stopped (kind=? AND stopped_at=? AND due_at>? AND due_at<?)",
        "ix_timers_late (kind=? AND stopped_at>?)",
        "ix_timers_judged (kind=? AND due_at>? AND due_at<?)",
        "ix_timers_due (phase=? AND due_at<?)",
        "ix_return_calls_late (ended_at>?)",
        "ix_return_calls_open (state=? AND due_at>? AND due_at<?)",
        "ix_return_calls_open (state=? AND due_at<?)",
    }


@pytest.mark.parametrize(
    "behind",
    [
        Behind(measure=Measure.RESPONSE),
        Behind(measure=Measure.RESOLUTION),
        Behind(measure=Measure.SATISFACTION),
        Behind(new_on=NOW.date()),
        Behind(closed_on=NOW.date()),
    ],
)
def test_the_cases_behind_a_figure_are_found_by_an_index(large_store, behind):
    with statements() as sent:
        look(list_cases, actor=SYSTEM, now=NOW, days=Days.MONTH, behind=behind)
    assert len(sent) <= 4 + 4
    for plan in plans(sent):
        assert "tickets" not in scans(plan), plan
