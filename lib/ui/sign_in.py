"""The sign-in screen: an own form before streamlit-authenticator's check, with waiting times in front of it.

The password check and nothing else is the authenticator's: its cookie, lock-out and forgotten-password parts were
found unsafe (security 4). A good password gives a one-time code; the browser posts it to the route that sets the
cookie.
"""

from datetime import timedelta

import streamlit as st
from streamlit_authenticator.controllers import AuthenticationController

from db.codes import Language
from lib.people import actions, passwords, rules
from lib.shared import clock
from lib.shared.cores import any_core
from lib.shared.errors import Refusal
from lib.shared.work import perform, system
from lib.ui import doors
from lib.ui.labels import label, span

CODE = "sign_in.code"
LANGUAGE_CHOICE = "sign_in.language"
DESK = system("sign_in")


def show() -> None:
    """Ask for login and password; after a good one, hand the code to the browser, which comes back with a cookie."""
    with st.container(key="sign_in"):
        st.title(label("sign_in.title"))
        st.text(label("sign_in.welcome"))
        doors.show_refusal()
        with st.form("sign_in.form"):
            st.text_input(
                label("sign_in.login"), key="sign_in.login", autocomplete="username", max_chars=60
            )
            st.text_input(
                label("sign_in.password"),
                key="sign_in.password",
                type="password",
                autocomplete="current-password",
                max_chars=200,
            )
            st.form_submit_button(
                label("sign_in.enter"),
                key="sign_in.enter",
                type="primary",
                width="stretch",
                on_click=_try,
            )


def show_entering() -> None:
    """What stands on the screen while the browser fetches its cookie."""
    with st.container(key="sign_in"):
        st.title(label("sign_in.title"))
        st.text(label("sign_in.entering"))


def _try() -> None:
    login = str(st.session_state.get("sign_in.login") or "")
    password = str(st.session_state.get("sign_in.password") or "")
    try:
        st.session_state[CODE] = check(
            login, password, address(), language=st.session_state.get(LANGUAGE_CHOICE)
        )
    except Refusal as refusal:
        doors.refuse(refusal.key, **refusal.params)
    except Exception as error:  # noqa: BLE001 - `failed` logs it
        failure = doors.failed(error, "sign_in")
        doors.refuse(failure.key, **failure.params)


def address() -> str:
    """The client's address as the guard found it."""
    return st.context.headers.get("X-Desk-Address", "")


def check(login: str, password: str, address: str, *, language: Language | None = None) -> str:
    """A one-time code for a good login and password; refuses `sign_in_delayed` and, for all else, `sign_in_wrong`.

    `language`: one that was chosen on the sign-in screen, to be kept.
    """
    login = login.strip().lower()
    attempt = perform(
        actions.begin_sign_in, actor=DESK, now=clock.now(), login=login, address=address
    )
    if attempt["wait_seconds"]:
        wait = timedelta(seconds=int(attempt["wait_seconds"] or 0))
        raise Refusal("sign_in_delayed", wait=span(wait))
    known = attempt["person_id"] is not None
    stored = str(attempt["password_hash"]) if known else passwords.dummy_hash()
    right = _is_right(login, password, stored)
    if not (known and right):
        raise Refusal("sign_in_wrong")
    return perform(
        actions.finish_sign_in,
        actor=DESK,
        now=clock.now(),
        attempt_id=attempt["attempt_id"],
        language=language,
    )


def _is_right(login: str, password: str, stored: str) -> bool:
    # Of the same cost for all: an unreadable password is checked too, as one that cannot be right.
    readable = bool(login) and bool(password) and rules.fits_bcrypt(password.strip())
    if not readable:
        login, password, stored = "nobody", "nothing", passwords.dummy_hash()
    controller = AuthenticationController(
        credentials={"usernames": {login: {"name": login, "email": "", "password": stored}}},
        auto_hash=False,
    )
    with any_core():
        right = controller.login(login, password) is True
    for key in ("name", "authentication_status", "username", "email", "roles", "logout"):
        st.session_state.pop(key, None)
    return right and readable


def take_code() -> str | None:
    """The one-time code that waits for the browser, once."""
    code: str | None = st.session_state.pop(CODE, None)
    return code
