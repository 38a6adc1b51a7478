"""The browser fixture itself, on the sign-in: what it promises every other browser test."""

from tests.browsing import screenshot


def test_somebody_signs_in_with_no_console_error_and_no_foreign_host(windows):
    page = windows.open("hotline")
    screenshot(page, "signed-in")
    assert page.locator("[data-test-script-state]").get_attribute("data-test-script-state") == (
        "notRunning"
    )


def test_a_stranger_sees_the_sign_in_only(windows):
    page = windows.open(path="/people_account")
    screenshot(page, "stranger")
    assert page.locator('input[autocomplete="current-password"]').is_visible()
