"""Applying a policy to many open cases in a real browser: its progress is told, and impatient clicks do it once."""

import re
from collections import Counter
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from db import session as database
from db.codes import EventKind, TargetUnit, TimerKind
from db.models.tickets import TicketEvent
from lib.shared import clock
from lib.shared.work import perform, system
from lib.tickets.policies import add_policy
from tests.browsing import Windows, settle, tap_twenty_times
from tests.serving import Server
from tests.tickets.open_cases import write_open_case
from tests.web.sockets import inside

pytestmark = pytest.mark.browser
MANY = 1_600
"""Four transactions."""

NOTE_PROGRESS = """() => {
    window.told = [];
    new MutationObserver(() => {
        const bar = document.querySelector('[role=dialog] [data-testid=stProgress]');
        if (bar) window.told.push(bar.textContent);
    }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


def shorten(now: datetime) -> None:
    """A policy for cases from now on; until it is applied the many that are open keep the one before."""
    perform(
        add_policy,
        actor=system("test"),
        now=now,
        kind=TimerKind.RESOLUTION,
        unit=TargetUnit.WORKING_MINUTES,
        amount=60,
        calendar_id=1,
        clause="Q-11",
    )


def applied() -> Counter[int]:
    """How often targets were applied to each case."""
    fact = TicketEvent.kind == EventKind.TARGETS_APPLIED
    with database.ReadSession() as session:
        return Counter(session.scalars(select(TicketEvent.ticket_id).where(fact)))


def test_applying_to_many_cases_shows_its_progress_and_is_done_once(
    windows: Windows, server: Server
) -> None:
    now = clock.now() - timedelta(minutes=5)
    with inside(server):
        with database.writing() as session:
            cases = [write_open_case(session, now, number) for number in range(1, MANY + 1)]
        shorten(clock.now() - timedelta(seconds=2))
    page = windows.open("supervisor", "/tickets_policies")
    page.get_by_role("button", name="应用到未结报障单").click()
    page.get_by_text(f"应用到其余受影响的 {MANY} 个报障单").click()
    settle(page)
    page.evaluate(NOTE_PROGRESS)
    tap_twenty_times(page, f"应用到 {MANY} 个报障单")
    expect(page.get_by_role("dialog")).to_have_count(0)
    told = page.evaluate("() => window.told")
    assert any(re.fullmatch(r"已应用 \d+ / 1600 个报障单", each) for each in told), told
    with inside(server):
        assert applied() == dict.fromkeys(cases, 1)
    page.get_by_role("button", name="应用到未结报障单").click()
    expect(page.get_by_text(f"共 {MANY} 个未结报障单：0 个截止时间会变动")).to_be_visible()
