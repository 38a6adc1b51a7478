"""The dashboard's page: what its address means, and what it costs."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import event

from db import session as database
from lib.shared import clock
from tests.pages.opening import component, open_page
from tests.reports.stores import write_own_cases

PAGE = "reports_dashboard"


def tiles(at):
    return {tile["code"]: tile for tile in component(at, "tiles")["tiles"]}


def test_every_figure_has_a_definition_and_leads_to_its_cases(cast):
    write_own_cases(clock.now(), 60)
    told = tiles(open_page(cast.supervisor, PAGE))
    assert list(told) == ["open", "overdue", "due_soon", "response", "resolution", "satisfaction"]
    assert all(len(tile["definition"]) > 20 for tile in told.values())
    assert told["overdue"]["address"] == "/tickets_queue?view=overdue"
    assert told["response"]["address"] == "/reports_dashboard?days=30&cases=response"


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ({"cases": "response"}, True),
        ({"days": "90", "cases": "fault.noise"}, True),
        ({"cases": "open"}, False),
        ({"cases": "fault.<b>"}, False),
        ({"cases": "new.1999-01-01", "days": "x"}, False),
        ({}, False),
    ],
)
def test_the_address_asks_for_period_and_cases_by_codes(cast, query, listed):
    write_own_cases(clock.now(), 60)
    at = open_page(cast.quality, PAGE, **query)
    assert not at.exception
    assert (component(at, "columns") is not None) is listed


def test_a_day_of_the_period_lists_its_cases(cast):
    write_own_cases(clock.now(), 60, days=2)
    day = (clock.now() + timedelta(hours=8)).date() - timedelta(days=1)
    at = open_page(cast.auditor, PAGE, cases=f"new.{day.isoformat()}")
    rows = component(at, "columns")["rows"]
    assert rows
    assert all(row["received"].startswith(day.isoformat()) for row in rows)


def test_stored_text_reaches_the_page_as_data_only(cast):
    write_own_cases(clock.now(), 60)
    at = open_page(cast.supervisor, PAGE, cases="response")
    assert not any(element.proto.allow_html for element in at.markdown)


def test_the_page_asks_few_questions_and_sends_little(cast):
    write_own_cases(clock.now(), 300)
    open_page(cast.supervisor, PAGE)
    at = open_page(cast.supervisor, PAGE)
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if statement.startswith("SELECT"):
            sent.append(statement)

    event.listen(database.reader(), "before_cursor_execute", note)
    try:
        at.run()
    finally:
        event.remove(database.reader(), "before_cursor_execute", note)
    of_reports = [each for each in sent if "persons" not in each and "desk_sessions" not in each]
    assert len(of_reports) <= 8 + 1, "\n".join(of_reports)
    assert len(json.dumps(component(at, "tiles"), ensure_ascii=False)) < 8_000


def test_the_page_is_for_those_who_read_reports(cast):
    for actor in (cast.hotline, cast.technician, cast.storekeeper):
        with pytest.raises(ValueError, match="page"):
            open_page(actor, PAGE)
