"""The page of return calls: what is due, what a saved result does, and the link that follows."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db import session as database
from db.codes import ReturnCallResult, TicketStatus
from db.models.feedback import SurveyInvitation
from db.models.tickets import Ticket
from lib.feedback.rules import token_hash
from lib.shared import clock
from tests.cast import Cast
from tests.feedback.cases import PHONE, a_case, call_back, complete
from tests.pages.opening import component, open_page

PAGE = "feedback_return_calls"
FORM = "feedback.return_calls"


@pytest.fixture
def waiting(cast: Cast) -> int:
    """A completed case that waits for its return call."""
    now = clock.now()
    ticket_id = a_case(cast, now - timedelta(days=9))
    complete(cast, ticket_id, now - timedelta(days=8))
    return ticket_id


def field(at: AppTest, name: str) -> str:
    """The key of a field of the one form on the page."""
    forms = at.session_state["doors.forms"]
    [key] = [key for form, key in forms.items() if form.startswith(FORM)]
    return f"{FORM}.{name}.{key}"


def save(at: AppTest, result: ReturnCallResult, words: str = "") -> AppTest:
    at.session_state[field(at, "result")] = result
    at.text_area(key=field(at, "words")).input(words)
    return at.button(key=field(at, "save")).click().run()


def status_of(ticket_id: int) -> TicketStatus:
    with database.ReadSession() as session:
        return session.get(Ticket, ticket_id).status


def test_the_list_shows_what_is_overdue_and_the_case_shows_whom_to_ring(cast, waiting):
    at = open_page(cast.hotline, PAGE, ticket=str(waiting))
    [row] = component(at, "late")["rows"]
    assert (row["ticket"], row["late"], row["contact"]) == (waiting, True, "李娜")
    told = "\n".join(each.value for each in at.markdown)
    assert PHONE in told
    assert "王丽" in told


def test_fixed_closes_the_case_and_shows_a_link_whose_hash_is_stored(cast, waiting):
    at = save(open_page(cast.hotline, PAGE, ticket=str(waiting)), ReturnCallResult.FIXED, "好了")
    assert not at.exception
    assert status_of(waiting) is TicketStatus.CLOSED
    link = component(at, "address")
    token = link["address"].rpartition("/survey/")[2]
    assert link["code"].startswith("data:image/svg+xml")
    with database.ReadSession() as session:
        stored = session.scalars(select(SurveyInvitation)).one()
    assert stored.token_hash == token_hash(token)


def test_not_fixed_reopens_the_case_and_gives_no_link(cast, waiting):
    at = save(open_page(cast.hotline, PAGE, ticket=str(waiting)), ReturnCallResult.NOT_FIXED)
    assert status_of(waiting) is TicketStatus.NEW
    assert component(at, "address") is None


def test_without_a_result_nothing_is_saved_and_the_words_stay(cast, waiting):
    at = open_page(cast.hotline, PAGE, ticket=str(waiting))
    at.text_area(key=field(at, "words")).input("再打")
    at.button(key=field(at, "save")).click().run()
    assert "请选择回访结果" in at.error[0].value
    assert at.text_area(key=field(at, "words")).value == "再打"
    assert status_of(waiting) is TicketStatus.COMPLETED


def test_the_second_of_two_callers_is_told_who_came_first_and_keeps_the_words(cast, waiting):
    at = open_page(cast.supervisor, PAGE, ticket=str(waiting))
    call_back(cast, waiting, clock.now(), ReturnCallResult.NO_ANSWER)
    save(at, ReturnCallResult.FIXED, "正常")
    assert "王丽" in at.error[0].value
    assert at.text_area(key=field(at, "words")).value == "正常"
    assert status_of(waiting) is TicketStatus.COMPLETED
    at.button(key=field(at, "save")).click().run()
    assert status_of(waiting) is TicketStatus.CLOSED


def test_the_page_is_for_those_who_ring(cast, waiting):
    for actor in (cast.technician, cast.auditor, cast.sales):
        with pytest.raises(ValueError, match="page"):
            open_page(actor, PAGE, ticket=str(waiting))
