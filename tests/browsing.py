"""Chromium for tests: each person in a context of its own, every console error and every request host recorded."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
)

from tests.cast import PASSWORD, login_of

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESKTOP = (1440, 900)
TABLET = (1024, 768)
PHONE = (390, 844)
SCREENSHOTS = Path(__file__).parent / "screenshots"
REFUSED_PAGE = re.compile("page that you have requested does not seem to exist")

PATIENCE = 60_000
"""Milliseconds to wait for what shall be there: a busy machine is late, a defect never comes."""
expect.set_options(timeout=PATIENCE)

SETTLED = """call => {
    const app = document.querySelector('[data-test-script-state]');
    const still = app && app.dataset.testScriptState === 'notRunning'
        && app.dataset.testConnectionState === 'CONNECTED';
    if (!still) { window.__deskStill = null; return false; }
    if (window.__deskStill?.call !== call) window.__deskStill = {call, since: performance.now()};
    return performance.now() - window.__deskStill.since > 250;
}"""


@dataclass
class Windows:
    """The browser windows of one test; `check` is called at its end."""

    browser: Browser
    address: str
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    allowed: list[re.Pattern[str]] = field(default_factory=lambda: [REFUSED_PAGE])
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(
        self,
        part: str | None = None,
        path: str = "/",
        *,
        size: tuple[int, int] = DESKTOP,
        touch: bool = False,
        dark: bool = False,
    ) -> Page:
        """A new window at `path`; `part` ("hotline", "technician" ...) signs in first. Settled."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            has_touch=touch,
            color_scheme="dark" if dark else "light",
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
        )
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note_request)
        page.goto(self.address + path)
        if part is not None:
            sign_in(page, login_of(part))
        elif page.locator("#root").count():
            settle(page)
        return page

    def allow(self, pattern: str) -> None:
        """Expect console errors of this kind, e.g. while the server is down."""
        self.allowed.append(re.compile(pattern))

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _note_request(self, request: Request) -> None:
        host = urlsplit(request.url).netloc
        if host:
            self.hosts.add(host)

    def check(self) -> None:
        """No console error but the allowed ones, no request to a foreign host."""
        unexpected = [
            error for error in self.errors if not any(known.search(error) for known in self.allowed)
        ]
        assert unexpected == [], f"console errors: {unexpected}"
        assert self.hosts <= {urlsplit(self.address).netloc}, f"foreign hosts: {self.hosts}"

    def close(self) -> None:
        for context in self.contexts:
            context.close()


def settle(page: Page) -> None:
    """Wait until Streamlit is connected and has run nothing for 250 ms, counted from this call."""
    page.wait_for_function(SETTLED, arg=uuid4().hex, polling=50)


def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    """Fill the sign-in form of the page and wait until the person's own menu stands there."""
    settle(page)
    page.locator('input[autocomplete="username"]').fill(login)
    page.locator('input[autocomplete="current-password"]').fill(password)
    page.keyboard.press("Enter")
    # The page is loaded again once the browser has its cookie; only that shows the menu.
    page.locator(".st-key-shell_bar #person").wait_for()
    settle(page)


def tap_twenty_times(page: Page, name: str | re.Pattern[str]) -> None:
    """Ten double clicks as fast as the browser delivers them."""
    button = page.get_by_role("button", name=name).first
    expect(button).to_be_enabled()
    handle = button.element_handle()
    for _ in range(10):
        handle.evaluate("button => { button.click(); button.click(); }")
    settle(page)


def screenshot(page: Page, name: str) -> Path:
    """Keep a picture of the page, to be looked at; the folder is not under version control."""
    SCREENSHOTS.mkdir(exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path)
    return path
