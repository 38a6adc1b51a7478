"""The queue page: what its address means, what it asks of the database, what it does with requests of the table."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from streamlit.testing.v1 import AppTest

from db import session as database
from db.codes import Priority, TicketStatus
from lib.people.actions import open_session_for
from lib.people.sessions import find_session, hash_token
from lib.shared import clock
from lib.shared.work import Actor, look, perform, system
from lib.tickets.tally import tallies
from tests.cast import Cast
from tests.tickets.open_cases import write_open_case

ROOT = Path(__file__).resolve().parents[2]
TEST = system("test")


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    tallies.forget()


def app_of(actor: Actor, **query: str) -> AppTest:
    """The queue page as the person sees it."""
    now = clock.now()
    token = perform(open_session_for, actor=TEST, now=now, person_id=actor.person_id)
    facts = look(find_session, actor=TEST, now=now, token_hash=hash_token(token))
    assert facts is not None
    at = AppTest.from_file(ROOT / "lib" / "ui" / "shell.py", default_timeout=120)
    at.user["session_row"] = str(facts.row_id)
    at.run()
    for name, value in query.items():
        at.query_params[name] = value
    return at.switch_page(str(ROOT / "pages" / "tickets_queue.py")).run()


def table(at: AppTest) -> dict[str, Any]:
    """What the table was given."""
    for element in at.get("bidi_component"):
        data: dict[str, Any] = json.loads(element.proto.json) if element.proto.json else {}
        if "acknowledged" in data:
            return data
    raise AssertionError("no queue was drawn")


def numbers(at: AppTest) -> list[str]:
    data = table(at)
    at_number = data["fields"].index("number")
    return [row[at_number] for row in data["rows"]]


def fill(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        write_open_case(session, now, 1, priority=Priority.P1, status=TicketStatus.NEW)
        write_open_case(
            session, now, 2, technician_id=cast.technician.person_id, customer_name="Sunny Hotel"
        )
        write_open_case(session, now, 3, due_in=-20)


def test_the_address_narrows_the_list_by_codes(cast: Cast) -> None:
    fill(cast, clock.now())
    technician = str(cast.technician.person_id)
    assert numbers(app_of(cast.hotline)) == ["CC-2026-000003", "CC-2026-000001", "CC-2026-000002"]
    assert numbers(app_of(cast.hotline, priority="p1")) == ["CC-2026-000001"]
    assert numbers(app_of(cast.hotline, status="new")) == ["CC-2026-000001"]
    assert numbers(app_of(cast.hotline, technician=technician)) == ["CC-2026-000002"]
    assert numbers(app_of(cast.hotline, technician="none", view="overdue")) == ["CC-2026-000003"]


def test_searched_words_are_kept_in_the_session_and_not_read_from_an_address(cast: Cast) -> None:
    fill(cast, clock.now())
    at = app_of(cast.hotline, q="SUNNY")
    assert len(numbers(at)) == 3
    at.session_state["tickets.queue.words"] = "SUNNY"
    assert numbers(at.run()) == ["CC-2026-000002"]
    assert table(at)["where"]["q"] == "SUNNY"


def test_whoever_reads_masked_phones_is_not_told_to_search_by_them(cast: Cast) -> None:
    assert table(app_of(cast.dispatcher))["by_phone"] is True
    assert table(app_of(cast.auditor))["by_phone"] is False


@pytest.mark.parametrize(
    "query",
    [
        {"view": "<script>", "status": "Neu", "priority": "p9", "technician": "1 OR 1=1"},
        {"after": "x.y", "before": "-1"},
        {"after": "99999999999999999999.1"},
    ],
)
def test_an_address_that_means_nothing_is_read_as_far_as_it_goes(
    cast: Cast, query: dict[str, str]
) -> None:
    fill(cast, clock.now())
    at = app_of(cast.hotline, **query)
    assert not at.error
    assert len(numbers(at)) in (0, 3)


def test_a_rerun_asks_the_database_at_most_eight_times(cast: Cast) -> None:
    fill(cast, clock.now())
    at = app_of(cast.hotline)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    tallies.forget()
    event.listen(database.reader(), "before_cursor_execute", note)
    try:
        at.session_state["tickets.queue.words"] = "cc"
        at.run()
    finally:
        event.remove(database.reader(), "before_cursor_execute", note)
    asked = [statement for statement in asked if not statement.startswith(("BEGIN", "PRAGMA"))]
    assert 0 < len(asked) <= 8, "\n".join(asked)


def test_only_who_takes_calls_is_offered_a_new_case(cast: Cast) -> None:
    assert table(app_of(cast.hotline))["may_enter"] is True
    assert table(app_of(cast.dispatcher))["may_enter"] is False


def test_the_rows_carry_codes_and_no_telephone_number(cast: Cast) -> None:
    fill(cast, clock.now())
    data = table(app_of(cast.auditor))
    assert "phone" not in " ".join(data["fields"])
    assert data["rows"][1][data["fields"].index("status")] == "new"
