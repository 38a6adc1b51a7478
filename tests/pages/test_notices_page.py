"""The list of notices: what it says, in both languages, and what its buttons do."""

from datetime import timedelta

import pytest

from db.codes import Language, NoticeKind, TimerKind
from lib.messages import actions, queries
from lib.people.actions import choose_language
from lib.shared import clock
from lib.shared.work import look, perform, permit, system
from tests.pages.opening import component, open_page


@permit()
def tell(work, *, notice_key, people, **more):
    return actions.notify(work, **{"key": notice_key, "people": people, **more})


def told(person, notice_key="a", **more):
    perform(
        tell,
        actor=system("jobs"),
        now=clock.now(),
        notice_key=notice_key,
        people=[person.person_id],
        **more,
    )


DETAILS = {
    NoticeKind.WARNING: {"percent": 75, "due": 1_780_000_000},
    NoticeKind.OVERDUE: {"due": 1_780_000_000},
    NoticeKind.ESCALATION: {"due": 1_780_000_000},
    NoticeKind.PROMISE_DUE: {"due": 1_780_000_000},
    NoticeKind.REMINDER: {"waiting_for": "parts"},
    NoticeKind.NOBODY_THERE: {"kind": "overdue"},
    NoticeKind.NO_DATA: {"year": 2027},
}


@pytest.mark.parametrize("language", list(Language))
def test_every_kind_of_notice_is_told_in_words(cast, language):
    perform(choose_language, actor=cast.hotline, now=clock.now(), language=language)
    for kind in NoticeKind:
        told(
            cast.hotline,
            kind.value,
            kind=kind,
            timer_kind=TimerKind.FIRST_RESPONSE,
            details=DETAILS.get(kind, {}),
        )
    at = open_page(cast.hotline, "messages_notices")
    assert not at.exception
    rows = component(at, "rows")["rows"]
    assert len(rows) == len(NoticeKind)
    assert all(row["unread"] and row["text"] and "{" not in row["text"] for row in rows)


def test_an_empty_list_says_what_it_is_for(cast):
    at = open_page(cast.storekeeper, "messages_notices")
    assert not at.exception
    assert at.info


def test_all_read_leaves_nothing_unread(cast):
    for number in range(3):
        told(cast.hotline, str(number), kind=NoticeKind.SALES_NOTICE)
    at = open_page(cast.hotline, "messages_notices")
    at.button(key="messages.notices.all_read").click().run()
    assert not at.exception
    page = look(
        queries.list_own_notices, actor=cast.hotline, now=clock.now() + timedelta(seconds=1)
    )
    assert page.unread == 0
    assert not [each for each in at.button if each.key == "messages.notices.all_read"]


def test_a_long_list_has_pages(cast):
    for number in range(queries.PAGE + 5):
        told(cast.hotline, str(number), kind=NoticeKind.SALES_NOTICE)
    at = open_page(cast.hotline, "messages_notices")
    first = {row["id"] for row in component(at, "rows")["rows"]}
    at.button(key="messages.notices.next").click().run()
    second = {row["id"] for row in component(at, "rows")["rows"]}
    assert (len(first), len(second), first & second) == (queries.PAGE, 5, set())


def test_the_bell_is_on_every_page_and_names_no_count_of_its_own(cast):
    at = open_page(cast.hotline, "people_account")
    given = component(at, "bell")
    assert given is not None
    bell = given["bell"]
    assert bell["page"] == "/messages_notices"
    assert "{count}" in bell["words"]["some"]


def test_somebody_enters_an_absence_with_a_deputy_and_ends_it_again(cast):
    at = open_page(cast.technician, "people_account")
    assert not at.exception
    deputy = next(each for each in at.selectbox if ".deputy." in each.key)
    deputy.select(cast.second_technician.person_id)
    next(each for each in at.button if "absence.enter" in each.key).click().run()
    assert not at.exception
    (line,) = look(queries.list_absences, actor=cast.technician, now=clock.now())
    assert line.deputy == "刘洋"
    next(each for each in at.button if "absence.end" in each.key).click().run()
    assert not at.exception
    assert look(queries.list_absences, actor=cast.technician, now=clock.now()) == []


def test_what_was_typed_stays_when_an_absence_is_refused(cast):
    at = open_page(cast.supervisor, "people_account")
    person = next(each for each in at.selectbox if ".absence.person." in each.key)
    deputy = next(each for each in at.selectbox if ".deputy." in each.key)
    person.select(cast.hotline.person_id)
    deputy.select(cast.hotline.person_id)
    next(each for each in at.button if "absence.enter" in each.key).click().run()
    assert at.error
    deputy = next(each for each in at.selectbox if ".deputy." in each.key)
    assert deputy.value == cast.hotline.person_id
