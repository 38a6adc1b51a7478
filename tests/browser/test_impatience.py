"""Twenty clicks on a save make one record: every save of the hotline, the case, the return call and the accounts."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page
from sqlalchemy import func, select

from db import session as database
from db.codes import (
    CancelReason,
    EventKind,
    FaultCode,
    Language,
    ReturnCallResult,
    Role,
    WaitingFor,
)
from db.models.people import Person
from db.models.tickets import ReturnCallTry, Ticket, TicketEvent
from lib.shared import clock
from lib.shared.words import text
from lib.shared.work import actor_of
from tests.browsing import Windows, settle, tap_twenty_times
from tests.cast import PEOPLE, Cast
from tests.feedback.cases import a_case, complete
from tests.serving import Server
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


def count(model: type, *conditions: object) -> int:
    with database.ReadSession() as session:
        found = select(func.count()).select_from(model).where(*conditions)  # type: ignore[arg-type]
        return session.scalar(found) or 0


def events(ticket_id: int, kind: EventKind) -> int:
    return count(TicketEvent, TicketEvent.ticket_id == ticket_id, TicketEvent.kind == kind)


def tap_choice(page: Page, option: str) -> None:
    page.locator('[data-testid="stButtonGroup"]').get_by_text(option, exact=True).first.click()
    settle(page)


def write(page: Page, value: str) -> None:
    """Fill the text area of the open form and leave it."""
    area = page.locator("textarea").first
    area.fill(value)
    area.press("Tab")
    settle(page)


def test_a_call_is_saved_once(windows: Windows, cast: Cast) -> None:
    page = windows.open("hotline", "/tickets_entry")
    page.get_by_role("combobox", name=re.compile("来电")).fill("连点酒店")
    page.get_by_role("option", name=re.compile("连点酒店")).last.click()
    settle(page)
    for field, value in (("contact_name", "李娜"), ("phone", "13812345678")):
        page.get_by_role("textbox", name=words(f"entry.{field}")).fill(value)
        page.keyboard.press("Tab")
    page.get_by_role("textbox", name=words("entry.site_name")).fill("总店")
    page.keyboard.press("Tab")
    settle(page)
    page.get_by_role("radio", name=re.compile(words(f"fault_code.{FaultCode.NOISE}"))).click()
    settle(page)
    before = count(Ticket)
    tap_twenty_times(page, re.compile(re.escape(words("entry.save"))))
    page.get_by_text(re.compile(r"CC-\d{4}-\d{6}")).first.wait_for()
    assert count(Ticket) == before + 1


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("log_contact", EventKind.CONTACTED),
        ("note", EventKind.NOTE),
        ("start_waiting", EventKind.WAITING_STARTED),
        ("complete", EventKind.COMPLETED),
        ("cancel", EventKind.CANCELLED),
    ],
)
def test_a_step_of_a_case_is_saved_once(
    windows: Windows, cast: Cast, step: str, kind: EventKind
) -> None:
    ticket_id = a_case(cast, clock.now())
    page = windows.open("supervisor", f"/tickets_detail?ticket={ticket_id}")
    page.get_by_role("button", name=re.compile(words(f"step.{step}"))).first.click()
    settle(page)
    if step == "start_waiting":
        tap_choice(page, words(f"waiting_for.{WaitingFor.PARTS}"))
    if step == "cancel":
        tap_choice(page, words(f"cancel_reason.{CancelReason.NOT_NEEDED}"))
    write(page, "已处理")
    tap_twenty_times(page, re.compile(re.escape(words(f"step.{step}.save"))))
    page.locator("textarea").first.wait_for(state="detached")
    assert events(ticket_id, kind) == 1


def test_a_return_call_is_saved_once(windows: Windows, cast: Cast) -> None:
    ticket_id = a_case(cast, clock.now())
    complete(cast, ticket_id, clock.now())
    page = windows.open("hotline", f"/feedback_return_calls?ticket={ticket_id}")
    tap_choice(page, words(f"return_call_result.{ReturnCallResult.FIXED}"))
    before = count(ReturnCallTry)
    tap_twenty_times(page, re.compile(words("return_call.save")))
    page.get_by_role("textbox", name=words("share.link")).wait_for()
    assert count(ReturnCallTry) == before + 1
    assert events(ticket_id, EventKind.CLOSED) == 1


def test_an_account_is_created_once(windows: Windows, cast: Cast) -> None:
    page = windows.open("administrator", "/people_staff")
    page.get_by_role("textbox", name=words("staff.login"), exact=True).fill("impatient.one")
    page.get_by_role("textbox", name=words("staff.name"), exact=True).fill("急先生")
    page.get_by_role("combobox", name=re.compile(words("staff.roles"))).click()
    page.get_by_role("option", name=words(f"role.{Role.HOTLINE}")).click()
    page.keyboard.press("Escape")
    tap_twenty_times(page, words("staff.create"))
    page.get_by_text("impatient.one").first.wait_for()
    assert count(Person, Person.login == "impatient.one") == 1
