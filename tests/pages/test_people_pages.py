"""Signing in, the first steps of a new person, the account and staff pages, as the scripts draw them."""

import re
from pathlib import Path

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db import session as database
from db.codes import Language, Role
from db.models.people import AuditRow, Person, SignInAttempt
from lib.people.actions import open_session_for, sign_out
from lib.people.sessions import find_session, hash_token
from lib.shared import clock, words
from lib.shared.work import Actor, look, perform, system
from lib.ui import menu
from tests.cast import PASSWORD, hire_cast
from tests.pages.opening import component, fire

ROOT = Path(__file__).resolve().parents[2]
TEST = system("test")


def text(key: str, **params: object) -> str:
    return words.text(Language.ZH_CN, key, **params)


def shell(actor: Actor | None = None, page: str | None = None) -> AppTest:
    """The shell as a stranger or somebody of the cast sees it, on a page."""
    at = AppTest.from_file(ROOT / "lib" / "ui" / "shell.py", default_timeout=120)
    at.user.pop("email", None)
    if actor is not None:
        now = clock.now()
        token = perform(open_session_for, actor=TEST, now=now, person_id=actor.person_id)
        facts = look(find_session, actor=TEST, now=now, token_hash=hash_token(token))
        assert facts is not None
        at.user["session_row"] = str(facts.row_id)
    at.run()
    if page is not None:
        at.switch_page(str(ROOT / "pages" / f"{page}.py")).run()
    assert not at.exception
    return at


def titles(at: AppTest) -> list[str]:
    return [title.value for title in at.title]


def person(actor: Actor) -> Person:
    with database.ReadSession() as session:
        return session.get_one(Person, actor.person_id)


def sign_in(at: AppTest, login: str, password: str) -> AppTest:
    at.text_input("sign_in.login").set_value(login)
    at.text_input("sign_in.password").set_value(password)
    return at.button("sign_in.enter").click().run()


def test_a_stranger_sees_the_sign_in_and_nothing_else(cast):
    at = shell()
    assert titles(at) == [text("sign_in.title")]
    assert at.sidebar.children == {}


@pytest.mark.parametrize(
    ("login", "password"),
    [("wang.li", "wrong"), ("nobody", PASSWORD), ("", ""), ("wang.li", "窗" * 60), ("\0", "\0")],
)
def test_all_failures_to_sign_in_are_told_in_the_same_words(cast, login, password):
    at = sign_in(shell(), login, password)
    assert [error.value for error in at.error] == [text("refusal.sign_in_wrong")]
    assert titles(at) == [text("sign_in.title")]
    with database.ReadSession() as session:
        assert len(session.scalars(select(SignInAttempt)).all()) == 1


def test_after_some_wrong_passwords_the_waiting_time_is_told(cast):
    at = shell()
    for _ in range(4):
        at = sign_in(at, "wang.li", "wrong")
    at = sign_in(at, "wang.li", PASSWORD)
    assert re.search(r"[45] 秒", at.error[0].value)
    assert at.text_input("sign_in.login").value == "wang.li"


def test_a_good_password_hands_over_a_code_and_shows_no_form(cast):
    at = sign_in(shell(), "WANG.LI ", PASSWORD)
    assert not at.error
    assert [each.value for each in at.text] == [text("sign_in.entering")]
    assert not at.text_input


def test_first_comes_an_own_password_then_the_pledge_then_the_desk(database, now):
    cast = hire_cast(now, settled=False)
    at = shell(cast.hotline)
    assert titles(at) == [text("account.first_password")]
    for current, new, repeat, refusal in [
        ("wrong", "a-pass-phrase-1", "a-pass-phrase-1", "password_wrong"),
        (PASSWORD, "a-pass-phrase-1", "a-pass-phrase-2", "password_differs"),
        (PASSWORD, PASSWORD, PASSWORD, "password_same"),
    ]:
        fill(at, current, new, repeat)
        assert [error.value for error in at.error] == [text(f"refusal.{refusal}")]
    assert at.text_input("account.first.new").value == PASSWORD
    fill(at, PASSWORD, "a-pass-phrase-1", "a-pass-phrase-1")
    assert person(cast.hotline).must_change_password is False
    assert titles(at) == [text("sign_in.title")]
    at = shell(cast.hotline)
    assert titles(at) == [text("pledge.title")]
    at.button("account.pledge").click().run()
    assert person(cast.hotline).pledge_accepted_at is not None
    assert text("pledge.title") not in titles(at)


def fill(at: AppTest, current: str, new: str, repeat: str) -> None:
    at.text_input("account.first.current").set_value(current)
    at.text_input("account.first.new").set_value(new)
    at.text_input("account.first.repeat").set_value(repeat)
    at.button("account.first.save").click().run()


def test_without_a_pledge_no_page_reads_anything(cast):
    with database.writing() as session:
        session.get_one(Person, cast.hotline.person_id).pledge_accepted_at = None
    at = shell(cast.hotline)
    assert titles(at) == [text("pledge.title")]
    at.switch_page(str(ROOT / "pages" / "people_account.py")).run()
    assert titles(at) == [text("pledge.title")]


def test_the_language_is_switched_in_one_click_and_remembered(cast):
    at = shell(cast.sales, "people_account")
    fire(at, "bell", "language")
    assert titles(at) == ["My account"]
    assert person(cast.sales).language is Language.EN
    assert titles(shell(cast.sales, "people_account")) == ["My account"]


def test_a_page_whose_session_was_ended_shows_the_sign_in_and_lets_the_browser_leave(cast):
    at = shell(cast.sales, "people_account")
    given = component(at, "bell")
    assert given is not None
    assert (given["name"], given["account"]) == ("周洁", "/people_account")
    session_id = int(at.user["session_row"])
    perform(sign_out, actor=cast.sales, now=clock.now(), session_id=session_id)
    at.run()
    assert titles(at) == [text("sign_in.title")]
    given = component(at, "bell")
    assert given is not None
    assert (given["name"], given["account"], given["bell"]) == ("", "", None)
    assert given["frame"]["leave"]


def test_the_menu_leads_to_the_own_account(cast):
    at = fire(shell(cast.sales, "messages_notices"), "bell", "account")
    assert titles(at) == [text("page.people_account")]


def test_before_the_pledge_the_bar_names_the_person_but_leads_nowhere(cast):
    with database.writing() as session:
        session.get_one(Person, cast.hotline.person_id).pledge_accepted_at = None
    given = component(shell(cast.hotline), "bell")
    assert given is not None
    assert given["name"]
    assert (given["account"], given["bell"]) == ("", None)


def test_a_page_of_another_role_cannot_be_opened(cast):
    at = shell(cast.technician)
    with pytest.raises(ValueError, match="people_staff"):
        at.switch_page(str(ROOT / "pages" / "people_staff.py"))


def test_an_administrator_makes_an_account_and_sees_its_first_password_once(cast):
    at = shell(cast.administrator, "people_staff")
    key = at.session_state["doors.forms"]["people.staff.new"]
    at.text_input(f"people.staff.login.{key}").set_value("new.person")
    at.text_input(f"people.staff.name.{key}").set_value("新人<b>")
    at.button(f"people.staff.create.{key}").click().run()
    assert [error.value for error in at.error] == [text("refusal.roles_missing")]
    assert at.text_input(f"people.staff.name.{key}").value == "新人<b>"
    at.multiselect(f"people.staff.roles.{key}").set_value([Role.SALES])
    at.button(f"people.staff.create.{key}").click().run()
    assert not at.error
    password = at.code[0].value
    with database.ReadSession() as session:
        made = session.scalars(select(Person).where(Person.login == "new.person")).one()
        assert made.name == "新人<b>"
        assert password not in str(session.scalars(select(AuditRow.details)).all())
    renewed = at.session_state["doors.forms"]["people.staff.new"]
    assert renewed != key
    assert at.text_input(f"people.staff.login.{renewed}").value == ""
    at.button("people.staff.noted").click().run()
    assert not at.code


def test_the_access_table_names_each_page_and_action(cast):
    at = shell(cast.administrator, "people_staff")
    tables = [frame.value for frame in at.dataframe]
    assert len(tables[1]) == len(menu.registered())
    assert "people.create_person" in set(tables[2].iloc[:, 0])


def test_the_audit_page_checks_the_chain(cast):
    sign_in(shell(), "wang.li", "wrong")
    at = shell(cast.auditor, "people_audit")
    assert len(at.dataframe[0].value) >= 2
    at.button("people.audit.check").click().run()
    assert [each.value for each in at.success] == [text("audit_page.whole")]


def test_a_failure_of_the_store_shows_a_reference_and_no_more(cast, monkeypatch):
    at = shell(cast.sales, "people_account")
    database.configure("sqlite:////nowhere/at/all.db")
    at.button("people.account.everywhere").click().run()
    assert len(at.error) == 1
    assert "nowhere" not in at.error[0].value
    assert not at.exception
