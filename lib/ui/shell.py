"""The script of every run: who is here and in which language, which pages there are for them, then the page."""

from enum import StrEnum
from functools import partial

import streamlit as st

from db.codes import Language
from lib.people import actions
from lib.people.sessions import SessionFacts
from lib.shared.settings import ROOT
from lib.ui import account_steps, apply_panel, bar, doors, menu, sign_in
from lib.ui.labels import LANGUAGE_KEY, label, language, one_language

NAME = "CurtainCall"
ICON = str(ROOT / "lib" / "web" / "assets" / "icon.svg")
KEPT_LANGUAGE = "shell.kept_language"
PAGES = "shell.pages"

FIRST_ADDRESS = "home"


def run() -> None:
    """Draw one run, in the language of whoever is here."""
    facts, failure = _who()
    _choose_language(facts)
    with one_language():
        _draw(facts, failure)


def _draw(facts: SessionFacts | None, failure: str | None) -> None:
    """`st.navigation` comes before anything that may stop the run."""
    st.set_page_config(page_title=NAME, page_icon=ICON, layout="wide")
    page = _navigation(facts)
    entering = _bar(facts)
    if failure is not None:
        st.error(failure, icon=":material/block:")
        return
    if facts is None:
        if entering:
            sign_in.show_entering()
        else:
            sign_in.show()
        return
    # Always there: a refusal that pushed the page one place down would have it drawn anew, without its focus.
    told = st.container(key="shell_told")
    try:
        if facts.must_change_password:
            account_steps.change_first_password()
        elif not facts.pledged:
            account_steps.ask_for_pledge()
        else:
            page.run()
            apply_panel.go_on()
    finally:
        if doors.refusal_waits():
            with told:
                doors.show_refusal()


def _who() -> tuple[SessionFacts | None, str | None]:
    try:
        return doors.current(), None
    except Exception as error:  # noqa: BLE001 - `failed` logs it
        return None, doors.words_of(doors.failed(error, "shell"))


def _choose_language(facts: SessionFacts | None) -> None:
    """The person's language, the first time they are seen in this tab; before that what the browser remembers."""
    remembered = st.session_state.get(KEPT_LANGUAGE)
    if facts is not None and remembered != facts.actor.person_id:
        st.session_state[LANGUAGE_KEY] = facts.language
        st.session_state[KEPT_LANGUAGE] = facts.actor.person_id
    elif LANGUAGE_KEY not in st.session_state:
        cookie = st.context.cookies.get("desk_language")
        st.session_state[LANGUAGE_KEY] = Language.EN if cookie == "en" else Language.ZH_CN


def _navigation(facts: SessionFacts | None) -> "st.Page":
    """The pages of the person's roles. Without a person all of them are registered, unnamed, and none is run:
    so the address of a page survives the sign-in."""
    if facts is None:
        home = st.Page(_nothing, title=NAME, url_path=FIRST_ADDRESS, default=True)
        pages = [st.Page(each.path, title=NAME, url_path=each.name) for each in menu.registered()]
        return st.navigation([home, *pages], position="hidden")
    asked = (language(), facts.actor.roles)
    # Made once for a tab, a tenth of a run is saved.
    made_for, pages = st.session_state.get(PAGES, (None, []))
    if made_for != asked:
        pages = _pages_of(facts)
        st.session_state[PAGES] = (asked, pages)
        menu.keep(pages)
    return st.navigation(pages, position="top" if facts.ready else "hidden")


def _pages_of(facts: SessionFacts) -> list["st.Page"]:
    home = st.Page(_go_home, title=NAME, url_path=FIRST_ADDRESS, default=True, visibility="hidden")
    return [
        home,
        *(
            st.Page(
                each.path,
                title=label(f"page.{each.name}"),
                icon=each.icon,
                url_path=each.name,
                visibility="visible" if each.shown else "hidden",
            )
            for each in menu.open_to(facts.actor.roles)
        ),
    ]


def _nothing() -> None:
    """The start address for somebody who has not signed in."""


def _go_home() -> None:
    facts = doors.current()
    menu.go(menu.first_page(facts.actor.roles if facts is not None else frozenset()))


def _bar(facts: SessionFacts | None) -> bool:
    """Language, theme, bell and the person's own menu; whether the browser is fetching its cookie."""
    other = Language.EN if language() is Language.ZH_CN else Language.ZH_CN
    code = sign_in.take_code()
    bar.show(
        facts,
        switch_to=other,
        on_language=partial(_switch_language, other, facts is not None),
        code=code,
        leave=facts is None and doors.session_row() is not None and code is None,
    )
    return code is not None


def _switch_language(to: Language, known: bool) -> None:
    """Change the language and keep the page, its filters and what was typed.

    Widgets with translated options would lose their choice at the next interaction unless it is assigned again.
    """
    st.session_state[LANGUAGE_KEY] = to
    for key, value in list(st.session_state.items()):
        if _is_coded(value):
            st.session_state[key] = value
    if known:
        doors.submit(actions.choose_language, language=to)
    else:
        st.session_state[sign_in.LANGUAGE_CHOICE] = to


def _is_coded(value: object) -> bool:
    """Whether a widget holds codes. Others must not be assigned: that would wipe out half-typed text."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(each, StrEnum) for each in value)
    return isinstance(value, StrEnum)


with doors.one_look():
    run()
