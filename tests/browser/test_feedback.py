"""Return calls, the customer's survey and the dashboard in a real browser."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from db import session as database
from db.codes import Language
from db.models.feedback import SurveyAnswer
from db.models.people import Person
from db.models.tickets import ReturnCallTry
from lib.shared import clock
from lib.shared.words import text
from lib.shared.work import actor_of
from tests.browsing import DESKTOP, PHONE, TABLET, Windows, screenshot, settle
from tests.cast import PEOPLE, Cast
from tests.feedback.cases import a_case, a_survey, complete
from tests.reports.stores import write_own_cases
from tests.serving import Server
from tests.web.sockets import inside

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DOUBLE_CLICKS = 5
UPRIGHT = (768, 1024)


def words(key: str, **params: object) -> str:
    return text(Language.ZH_CN, key, **params)


@pytest.fixture
def hired(server: Server) -> Iterator[Cast]:
    """The cast that the server knows, and its database for what happens beside it."""
    with inside(server), database.ReadSession() as session:
        persons = {person.login: person for person in session.scalars(select(Person))}
        yield Cast(**{part: actor_of(persons[told[0]]) for part, told in PEOPLE.items()})


def a_call(cast: Cast) -> int:
    """A completed case that waits for its return call."""
    ticket_id = a_case(cast, clock.now() - timedelta(days=9))
    complete(cast, ticket_id, clock.now() - timedelta(days=8))
    return ticket_id


def serious(page: Page) -> list[str]:
    """What axe finds serious or critical."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def test_double_clicks_record_one_try_each(windows: Windows, hired: Cast) -> None:
    tries = []
    page = windows.open("hotline")
    for _ in range(DOUBLE_CLICKS):
        ticket_id = a_call(hired)
        page.goto(f"{windows.address}/feedback_return_calls?ticket={ticket_id}")
        settle(page)
        page.get_by_text(words("return_call_result.no_answer"), exact=True).click()
        settle(page)
        page.get_by_role("button", name=words("return_call.save")).dblclick()
        page.get_by_text(words("return_call.tries_of", tries=1, limit=3)).first.wait_for()
        settle(page)
        with database.ReadSession() as session:
            tries.append(session.scalar(select(func.count()).select_from(ReturnCallTry)))
    assert tries == list(range(1, DOUBLE_CLICKS + 1))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", list(Language))
def test_a_customer_answers_on_a_phone(
    windows: Windows, hired: Cast, language: Language, dark: bool
) -> None:
    path = f"/survey/{a_survey(hired, clock.now() - timedelta(days=1))}?lang={language}"
    phone = windows.open(None, path, size=PHONE, touch=True, dark=dark)
    assert serious(phone) == []
    phone.set_viewport_size({"width": 320, "height": 700})
    assert not is_too_wide(phone)
    phone.get_by_role("textbox").fill("师傅很准时")
    phone.get_by_role("button", name=text(language, "survey.send")).click()
    expect(phone.get_by_role("alert")).to_be_visible()
    expect(phone.get_by_role("textbox")).to_have_value("师傅很准时")
    assert serious(phone) == []
    for question, score in (("satisfaction", 4), ("quality", 5)):
        phone.locator(f'input[name="{question}"][value="{score}"]').check()
    phone.get_by_role("button", name=text(language, "survey.send")).click()
    phone.get_by_text(text(language, "survey.thanks_title")).first.wait_for()
    assert phone.context.cookies() == []
    phone.goto(windows.address + path)
    expect(phone.get_by_text(text(language, "survey.closed_title")).first).to_be_visible()
    with database.ReadSession() as session:
        last = session.scalars(select(SurveyAnswer).order_by(SurveyAnswer.id.desc())).first()
    assert (last.satisfaction, last.punctuality, last.quality) == (4, None, 5)
    assert last.words == "师傅很准时"


def test_the_survey_works_from_the_keyboard_and_changes_its_language(
    windows: Windows, hired: Cast
) -> None:
    path = f"/survey/{a_survey(hired, clock.now() - timedelta(days=1))}"
    phone = windows.open(None, path, size=PHONE)
    phone.keyboard.press("Tab")
    phone.keyboard.press("ArrowRight")
    expect(phone.locator('input[name="satisfaction"][value="2"]')).to_be_checked()
    phone.get_by_role("textbox").fill("慢")
    phone.get_by_role("button", name="English").click()
    expect(phone.get_by_text(text(Language.EN, "survey.title"))).to_be_visible()
    expect(phone.get_by_role("textbox")).to_have_value("慢")
    expect(phone.locator('input[name="satisfaction"][value="2"]')).to_be_checked()


def test_the_dashboard_fits_its_window_and_every_figure_leads_to_cases(
    windows: Windows, hired: Cast
) -> None:
    write_own_cases(clock.now(), 300, first=100_000, days=80)
    page = windows.open("supervisor", "/reports_dashboard", size=DESKTOP)
    page.locator(".vega-embed canvas, .vega-embed svg").nth(1).wait_for()
    settle(page)
    last = page.get_by_text(words("report.how")).bounding_box()
    assert last["y"] + last["height"] <= DESKTOP[1]
    screenshot(page, "dashboard_1440")

    page.locator(".vega-embed").nth(1).click(position={"x": 200, "y": 100})
    page.wait_for_url("**cases=fault.*")
    expect(page.locator(".cases tbody tr").first).to_be_visible()
    page.locator('.figures [data-code="resolution"]').click()
    page.wait_for_url("**cases=resolution*")
    expect(page.locator(".cases .verdict.missed").first).to_be_visible()
    page.locator(".cases a").first.click()
    page.wait_for_url("**/tickets_detail?ticket=*")
    page.goto(windows.address + "/reports_dashboard")
    settle(page)
    page.locator('.figures [data-code="overdue"]').click()
    page.wait_for_url("**/tickets_queue?view=overdue")


@pytest.mark.parametrize("size", [DESKTOP, TABLET, UPRIGHT], ids=str)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_pages_can_be_used_by_everybody(
    windows: Windows, hired: Cast, size: tuple[int, int], dark: bool
) -> None:
    ticket_id = a_call(hired)
    page = windows.open("supervisor", "/reports_dashboard?cases=response", size=size, dark=dark)
    page.locator(".vega-embed").nth(1).wait_for()
    settle(page)
    assert not is_too_wide(page)
    dashboard = serious(page)
    page.goto(f"{windows.address}/feedback_return_calls?ticket={ticket_id}")
    settle(page)
    page.get_by_role("button", name=words("return_call.save")).wait_for()
    assert not is_too_wide(page)
    assert dashboard + serious(page) == []
