"""On a case in a real browser: a merge and its undoing, a photo and a paper, a ready text with its change."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db import session as database
from db.codes import EventKind, Language, WaitingFor
from db.models.people import Person
from db.models.tickets import Ticket, TicketEvent
from lib.shared import clock
from lib.shared.words import text
from lib.shared.work import actor_of
from tests.browsing import DESKTOP, TABLET, Windows, screenshot, settle
from tests.cast import PEOPLE, Cast
from tests.feedback.cases import a_case, a_customer
from tests.serving import Server
from tests.shared.test_papers import a_paper
from tests.web.sockets import inside

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def cast(server: Server) -> Iterator[Cast]:
    """The people of the server's own database, written to from beside it."""
    with inside(server):
        with database.ReadSession() as session:
            people = {person.login: actor_of(person) for person in session.scalars(select(Person))}
        yield Cast(**{part: people[login] for part, (login, _, _) in PEOPLE.items()})


def words(key: str, **params: object) -> str:
    return text(Language.ZH_CN, key, **params)


def stored(ticket_id: int) -> Ticket:
    with database.ReadSession() as session:
        return session.get_one(Ticket, ticket_id)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).first.click()
    settle(page)


def a_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), (200, 120, 40)).save(buffer, "PNG")
    return buffer.getvalue()


def test_merge_and_undo_a_photo_and_a_ready_text(
    windows: Windows, cast: Cast, tmp_path: Path
) -> None:
    now = clock.now()
    customer = a_customer(now)
    first, second = (a_case(cast, now, customer=customer) for _ in range(2))
    page = windows.open("hotline", f"/tickets_detail?ticket={first}")

    press(page, words("case.links"))
    press(page, words("case.links.absorb"))
    expect(page.locator(".st-key-tickets_case_related")).to_contain_text(stored(second).number)
    assert stored(second).merged_into_id == first
    screenshot(page, "case-merged")
    press(page, words("case.links.undo"))
    assert stored(second).merged_into_id is None

    press(page, words("case.files"))
    for name, sent in (("窗帘.png", a_picture()), ("报价单.pdf", a_paper(armed=True))):
        path = tmp_path / name
        path.write_bytes(sent)
        page.locator('input[type="file"]').set_input_files(path)
        expect(page.get_by_role("button", name=f"Remove {name}")).to_be_visible()
        settle(page)
        press(page, f"{words('case.files.attach')}$")
        expect(page.locator(".st-key-tickets_case_panel")).to_contain_text(Path(name).stem)
    picture = page.locator(".st-key-tickets_case_panel img.desk-picture")
    picture.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => document.querySelector('.st-key-tickets_case_panel img').naturalWidth > 0"
    )
    screenshot(page, "case-files")
    with page.expect_download() as saved:
        page.get_by_role("link", name="报价单.pdf").click()
    assert saved.value.suggested_filename == "报价单.pdf"

    press(page, words("case.macros"))
    choice = page.locator(".st-key-tickets_case_panel").get_by_role("combobox").first
    choice.click()
    choice.press_sequentially("pjz")
    choice.press("Enter")
    settle(page)
    area = page.locator(".st-key-tickets_case_panel textarea").first
    expect(area).to_have_value(re.compile(stored(first).number))
    screenshot(page, "case-macro")
    press(page, words("case.macros.apply"))
    assert stored(first).waiting_for is WaitingFor.PARTS
    with database.ReadSession() as session:
        kinds = session.scalars(select(TicketEvent.kind).where(TicketEvent.ticket_id == first))
        assert EventKind.CONTACTED in set(kinds)


@pytest.mark.parametrize("size", [DESKTOP, TABLET], ids=["desktop", "tablet"])
def test_nothing_of_the_panels_is_cut_off(
    windows: Windows, cast: Cast, size: tuple[int, int]
) -> None:
    first = a_case(cast, clock.now())
    page = windows.open("supervisor", f"/tickets_detail?ticket={first}", size=size)
    for panel in ("links", "files", "macros"):
        press(page, words(f"case.{panel}"))
        screenshot(page, f"case-{panel}-{size[0]}")
        wide = page.evaluate("() => document.documentElement.scrollWidth > innerWidth")
        assert not wide, panel
    page.goto(f"{windows.address}/tickets_macros")
    settle(page)
    screenshot(page, f"macros-{size[0]}")
    assert not page.evaluate("() => document.documentElement.scrollWidth > innerWidth")
