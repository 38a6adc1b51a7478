"""A new person's first day in a real browser, the shell's buttons, and the end of a session."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from db import session as database
from db.models.people import DeskSession, Person
from lib.people import passwords
from lib.shared import clock
from tests.browsing import TABLET, Windows, screenshot, settle, sign_in
from tests.cast import PASSWORD, login_of
from tests.conftest import locked, run_dir
from tests.serving import serving, staffed_copy
from tests.web.sockets import inside, person_id

pytestmark = pytest.mark.browser


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    settle(page)


def test_the_first_day_password_pledge_and_the_page_that_was_asked_for(server, windows):
    with inside(server):
        part = person_id("storekeeper")
        with database.writing() as session:
            person = session.get_one(Person, part)
            person.must_change_password, person.pledge_accepted_at = True, None
            person.password_hash = passwords.hash_password("first-password-1")
    page = windows.open(None, "/people_account?from=mail")
    expect(page).to_have_title("CurtainCall")
    page.locator('input[autocomplete="username"]').fill(login_of("storekeeper"))
    page.locator('input[autocomplete="current-password"]').fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("登录名或密码不正确")).to_be_visible()
    sign_in(page, login_of("storekeeper"), "first-password-1")
    expect(page.get_by_role("heading", name="请设置您自己的密码")).to_be_visible()
    boxes = page.locator("input[type=password]")
    boxes.nth(0).fill("first-password-1")
    boxes.nth(1).fill("窗帘轨道每年保养两次")
    boxes.nth(2).fill("窗帘轨道每年保养两次")
    press(page, "更改密码")
    expect(page.get_by_role("heading", name="保密承诺")).to_be_visible()
    screenshot(page, "people_pledge")
    press(page, "我承诺遵守")
    expect(page.get_by_role("heading", name="我的账户")).to_be_visible()
    assert page.url.endswith("/people_account?from=mail")
    assert page.evaluate("document.cookie").find("desk_session") == -1
    page.get_by_role("button", name="钱波").click()
    page.get_by_role("button", name="退出登录").click()
    expect(page.locator('input[autocomplete="username"]')).to_be_visible()
    settle(page)
    cookies = {cookie["name"] for cookie in page.context.cookies()}
    assert "desk_session" not in cookies


def test_the_language_keeps_page_and_half_typed_input_and_is_remembered(server, windows):
    page = windows.open("quality", "/people_account", size=TABLET)
    if page.get_by_role("button", name="中文", exact=True).count():
        # Remembered from an attempt before this one.
        press(page, "中文")
    box = page.locator("input[type=password]").nth(1)
    box.fill("half typed")
    press(page, "English")
    expect(page.get_by_role("heading", name="My account")).to_be_visible()
    assert box.input_value() == "half typed"
    page.wait_for_function("() => document.documentElement.lang === 'en'")
    assert "/people_account" in page.url
    page.reload()
    settle(page)
    expect(page.get_by_role("heading", name="My account")).to_be_visible()
    press(page, "中文")
    page.wait_for_function("() => document.documentElement.lang === 'zh-CN'")


def test_the_own_menu_opens_and_closes_by_keyboard_and_leads_to_the_account(server, windows):
    page = windows.open("quality", "/messages_notices")
    person = page.locator(".st-key-shell_bar #person")
    account = page.get_by_role("link", name="我的账户")
    person.focus()
    page.keyboard.press("Enter")
    expect(account).to_be_visible()
    page.keyboard.press("Escape")
    expect(account).to_be_hidden()
    expect(person).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(account).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="我的账户")).to_be_visible()
    expect(account).to_be_hidden()


def test_light_and_dark_switch_in_one_tap_without_a_reload(server, windows):
    page = windows.open("sales", "/people_account")
    page.evaluate("window.stillHere = true")

    def background() -> str:
        return str(
            page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        )

    light = background()
    page.get_by_role("button", name="切换浅色/深色").click()
    page.wait_for_function(
        "light => getComputedStyle(document.querySelector('.stApp')).backgroundColor !== light",
        arg=light,
    )
    assert page.evaluate("window.stillHere") is True
    page.reload()
    settle(page)
    assert background() == "rgb(15, 20, 27)"


def test_a_session_warns_before_it_ends_and_gives_way_to_the_sign_in(chromium, tmp_path):
    with locked("staffed"):
        var_dir = staffed_copy(run_dir(), tmp_path / "desk")
    with serving(var_dir, "--empty", SESSION_IDLE_MINUTES="1") as short:
        windows = Windows(chromium, short.address)
        page = windows.open("sales", "/people_account")
        warning = page.get_by_role("alert").filter(has_text="自动退出")
        expect(warning).to_be_visible()
        page.get_by_role("button", name="继续使用").click()
        with inside(short), database.writing() as session:
            session.execute(update(DeskSession).values(expires_at=clock.now()))
        expect(page.locator('input[autocomplete="username"]')).to_be_visible(timeout=20_000)
        windows.check()
        windows.close()


def test_what_a_stranger_sees_names_nobody(windows):
    page = windows.open(None, "/people_staff")
    expect(page.locator('input[autocomplete="username"]')).to_be_visible()
    assert not re.search("[王赵陈刘孙钱周吴郑冯褚]", page.locator("body").inner_text())
    assert PASSWORD not in page.content()
