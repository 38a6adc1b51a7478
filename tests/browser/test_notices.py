"""The bell: a notice shows in an open window within a second, without a run of the page; a click leads to the case."""

import time
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from db.codes import NoticeKind, TimerKind
from lib.messages.actions import notify
from lib.shared import clock
from lib.shared.work import perform, permit, system
from tests.browser.test_queue import listen_to_frames
from tests.browser.test_refresh import a_case, colleague
from tests.browsing import TABLET, Windows, settle
from tests.serving import SOON, Server
from tests.web.sockets import inside

pytestmark = [pytest.mark.browser, pytest.mark.alone]


@permit()
def tell(work, *, person_id, ticket_id):
    notify(
        work,
        kind=NoticeKind.WARNING,
        key=uuid4().hex,
        people=[person_id],
        ticket_id=ticket_id,
        timer_kind=TimerKind.FIRST_RESPONSE,
        details={"percent": 75, "due": int(clock.now().timestamp()) + 600},
    )


def told(person, ticket_id):
    perform(
        tell,
        actor=system("jobs"),
        now=clock.now(),
        person_id=person.person_id,
        ticket_id=ticket_id,
    )


@pytest.mark.parametrize("path", ["/people_account", "/tickets_queue"])
def test_a_warning_shows_in_the_bell_of_an_open_window_and_leads_to_the_case(
    windows: Windows, server: Server, path: str
) -> None:
    with inside(server):
        hotline = colleague("hotline")
        case = a_case(hotline)
        page = windows.open("hotline", path)
        frames = listen_to_frames(page)
        page.reload()
        settle(page)
        page.wait_for_timeout(2500)
        frames.clear()
        bell = page.locator(".bell a")
        before = int("".join(filter(str.isdigit, bell.get_attribute("aria-label") or "")) or 0)
        told(hotline, case)
        began = time.monotonic()
        expect(bell).to_have_attribute("aria-label", f"消息：{before + 1} 条未读", timeout=5000)
        assert time.monotonic() - began < SOON
        assert frames == [], "the count comes by the stream, not by a run of the page"
        bell.focus()
        page.keyboard.press("Enter")
        settle(page)
        line = page.locator(".notices li").first
        expect(line).to_contain_text("75%")
        line.locator("a").click()
        page.wait_for_url(f"**/tickets_detail?ticket={case}")
        settle(page)
        page.wait_for_timeout(1500)
        now = int("".join(filter(str.isdigit, bell.get_attribute("aria-label") or "")) or 0)
        assert now == before


def test_the_bell_and_the_marks_are_large_enough_for_a_finger(
    windows: Windows, server: Server
) -> None:
    with inside(server):
        hotline = colleague("hotline")
        told(hotline, a_case(hotline))
    page = windows.open("hotline", "/messages_notices", size=TABLET, touch=True)
    settle(page)
    for target in (page.locator(".bell a"), page.locator(".notices button").first):
        box = target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
