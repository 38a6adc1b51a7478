"""The pages of calls, customers, notices, promises, policies, calendar, timers, ready texts and the case: axe finds
nothing serious in light and dark, and no page scrolls sideways on any screen."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db import session as database
from db.codes import CallStep, CommitmentKind
from db.models.customers import Customer
from lib.shared import clock
from lib.shared.work import perform
from lib.tickets.calls import CallOutcome, CallTold, log_call
from lib.tickets.commitments import make_promise
from lib.tickets.intake import take_call
from tests.browser.test_feedback import serious
from tests.browser.test_notices import told
from tests.browser.test_refresh import colleague
from tests.browsing import DESKTOP, TABLET, Windows, settle
from tests.serving import Server
from tests.tickets.test_calls import told_of
from tests.web.sockets import inside

pytestmark = [pytest.mark.browser, pytest.mark.slow]

UPRIGHT = (768, 1024)
SIZES = (DESKTOP, TABLET, UPRIGHT)
IS_AS_WIDE_AS_THE_WINDOW = """size => {
    const main = document.querySelector('[data-testid="stMain"]');
    return innerWidth === size[0] && document.documentElement.scrollWidth <= size[0]
        && main.scrollWidth <= main.clientWidth;
}"""


@pytest.fixture(scope="module")
def addresses(server: Server) -> list[str]:
    """The pages, with a call and its steps, a promise, calls nobody took and a notice to show."""
    with inside(server):
        return a_busy_morning()


def a_busy_morning() -> list[str]:
    hotline, supervisor = colleague("hotline"), colleague("supervisor")
    now = clock.now()
    began = now - timedelta(seconds=40)
    steps = {step: began + timedelta(seconds=3 * nth) for nth, step in enumerate(CallStep)}
    call = CallTold(began, steps)
    matter = told_of(now, words="大堂电动窗帘运行时有很大的异响", call=call)
    case = perform(take_call, actor=hotline, now=now, **matter)
    perform(
        make_promise,
        actor=hotline,
        now=now,
        ticket_id=case,
        kind=CommitmentKind.VISIT,
        due_at=now + timedelta(hours=3),
        words="说明上门时间，先给前台打电话",
    )
    for outcome, waited in ((CallOutcome.MISSED, None), (CallOutcome.ABANDONED, 35)):
        perform(
            log_call,
            actor=hotline,
            now=now,
            outcome=outcome,
            offered_at=now - timedelta(minutes=2),
            waited_seconds=waited,
            phone="021-6888 8888 转 801",
            words="声音很小，请多响几声；说前台窗帘打不开",
        )
    told(supervisor, case)
    with database.ReadSession() as session:
        customer = session.scalars(select(Customer.id)).first()
    today = now.astimezone(clock.SHANGHAI).date()
    return [
        "tickets_calls",
        f"customers_card?customer={customer}",
        "messages_notices",
        "tickets_commitments",
        "tickets_policies",
        f"tickets_calendars?day={today}",
        f"tickets_timer?ticket={case}&kind=resolution&cycle=1",
        "tickets_macros",
        f"tickets_detail?ticket={case}",
    ]


def speak(page: Page, language: str) -> None:
    """Switch the desk to this language."""
    other = "English" if language == "en" else "中文"
    if page.locator("html").get_attribute("lang") != language:
        page.get_by_role("button", name=other, exact=True).click()
        page.wait_for_function("tag => document.documentElement.lang === tag", arg=language)
        settle(page)


@pytest.mark.parametrize(
    ("dark", "language"), [(False, "zh-CN"), (True, "en")], ids=["light", "dark"]
)
def test_axe_finds_nothing_serious_and_no_page_scrolls_sideways(
    windows: Windows, addresses: list[str], dark: bool, language: str
) -> None:
    page = windows.open("supervisor", "/people_account", dark=dark)
    speak(page, language)
    found: list[str] = []
    for address in addresses:
        page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
        page.goto(f"{windows.address}/{address}")
        page.locator(".st-key-shell_bar #theme[aria-label]").wait_for()
        page.locator("h1").first.wait_for()
        settle(page)
        found += [f"{address}: {defect}" for defect in serious(page)]
        for size in SIZES:
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.wait_for_function(IS_AS_WIDE_AS_THE_WINDOW, arg=list(size))
    speak(page, "zh-CN")
    assert found == []


def test_a_tapped_day_shows_its_form_on_a_tablet_held_upright(windows: Windows) -> None:
    page = windows.open("supervisor", "/tickets_calendars", size=UPRIGHT, touch=True)
    form = page.get_by_role("tab").first
    expect(form).not_to_be_in_viewport()
    day = page.locator(".year [data-on]").first
    name = day.get_attribute("data-on")
    day.tap()
    page.wait_for_url(f"**day={name}**")
    settle(page)
    expect(page.get_by_text(str(name)).first).to_be_in_viewport()
    expect(form).to_be_in_viewport()
