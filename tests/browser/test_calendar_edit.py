"""A calendar edit in a real browser: what its preview told is what all open dues are after saving and applying."""

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db import session as database
from db.codes import Channel, FaultCode, Priority
from db.models.tickets import Ticket, Timer
from lib.customers.actions import add_customer
from lib.shared import clock
from lib.shared.calendars import calendar_named
from lib.shared.work import perform, system
from lib.tickets import actions
from lib.tickets.applying import OPEN
from tests.browsing import Windows, settle
from tests.serving import Server
from tests.web.sockets import inside

pytestmark = pytest.mark.browser
DESK = system("test")
Dues = dict[tuple[str, str], str]


def open_cases(now: datetime) -> None:
    """Cases of the last hours, one of them waiting for parts."""
    customer = perform(add_customer, actor=DESK, now=now, name="荷花酒店")
    for number in range(8):
        ticket_id = perform(
            actions.open_ticket,
            actor=DESK,
            now=now,
            customer_id=customer,
            contact_id=None,
            site_id=None,
            item_id=None,
            channel=Channel.PHONE,
            received_at=now - timedelta(hours=5 * number),
            fault=FaultCode.NOISE,
            words="",
            priority=Priority.P3,
        )
    with database.ReadSession() as session:
        version = session.get_one(Ticket, ticket_id).version
    perform(
        actions.complete_ticket,
        actor=DESK,
        now=now,
        ticket_id=ticket_id,
        version=version,
        words="fixed",
    )


def stored() -> Dues:
    """Every open due as the preview would write it."""
    with database.ReadSession() as session:
        rows = session.execute(
            select(Ticket.number, Timer.kind, Timer.due_at, Timer.remaining_seconds)
            .join(Timer, Timer.ticket_id == Ticket.id)
            .where(Timer.phase.in_(OPEN))
        )
        return {
            (number, str(kind)): f"{due_at.astimezone(clock.SHANGHAI):%Y-%m-%d %H:%M}"
            if due_at is not None
            else f"paused {remaining}"
            for number, kind, due_at, remaining in rows
        }


def moves_on(page: Page) -> list[list[str]]:
    cells: list[list[str]] = page.locator(".desk-moves tbody").evaluate(
        "body => [...body.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return cells


def test_the_preview_of_a_calendar_edit_is_what_all_dues_are_after_it(
    windows: Windows, server: Server
) -> None:
    now = clock.now()
    with inside(server):
        open_cases(now)
        before = stored()
        with database.ReadSession() as session:
            calendar = calendar_named(session).time
    day = now.astimezone(clock.SHANGHAI).date() + timedelta(days=1)
    while not calendar.is_working_day(day):
        day += timedelta(days=1)
    page = windows.open("supervisor", f"/tickets_calendars?year={day.year}")
    page.locator(f'.year [data-on="{day.isoformat()}"]').click()
    page.get_by_label("原因").fill("盘点")
    page.get_by_role("button", name="加入草稿").first.click()
    expect(page.locator(f'.year [data-on="{day.isoformat()}"].draft')).to_be_visible()
    page.get_by_role("button", name="预览").click()
    page.locator(".desk-moves").wait_for()
    told = moves_on(page)
    assert len(told) >= 7
    with inside(server):
        assert stored() == before, "a preview writes nothing"
    page.get_by_text("应用到其余受影响的").click()
    page.get_by_role("button", name="保存并应用").click()
    expect(page.locator(f'.year [data-on="{day.isoformat()}"].hand:not(.draft)')).to_be_visible()
    settle(page)
    words = {"首次响应": "first_response", "解决": "resolution", "电话回访": "return_call"}
    expected = dict(before)
    for number, kind, old, new, _ in told:
        assert expected[number, words[kind]] == old
        expected[number, words[kind]] = new
    with inside(server):
        assert stored() == expected
