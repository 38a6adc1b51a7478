"""The right end of the top line, and the thread between the script and the page around it.

One component for the other language, light or dark, the bell and the person's own menu, because every run of every
page sends it. With it the page is handed its language, the words of its warnings, a one-time code to turn into a
cookie, or the wish to leave.
"""

from collections.abc import Callable

import streamlit as st

from db.codes import Language
from lib.people.sessions import SessionFacts
from lib.shared.assets import asset
from lib.tickets.live import board
from lib.ui import doors, menu
from lib.ui.components import loader
from lib.ui.labels import label, language

VIEW = "shell.bell.view"
TAGS = {Language.ZH_CN: "zh-CN", Language.EN: "en"}
ACCOUNT, NOTICES = "people_account", "messages_notices"

_bar = st.components.v2.component("desk_bar", js=loader("bar.js"))


def show(
    facts: SessionFacts | None,
    *,
    switch_to: Language,
    on_language: Callable[[], None],
    code: str | None,
    leave: bool,
) -> None:
    """Draw it for whoever is here, and open the page that was asked for in this run.

    `on_language`: called when `switch_to` is asked for. `code`: a one-time code for the browser; `leave`: the browser
    drops a cookie that has stopped to count, and starts afresh.
    """
    ready = facts is not None and facts.ready
    answer = _bar(
        key="shell_bar",
        data={
            "frame": {
                "language": str(language()),
                "tag": TAGS[language()],
                "theme": label("shell.theme"),
                "more": label("shell.more"),
                "warning": label("shell.session_ends"),
                "stay": label("shell.stay"),
                "code": code or "",
                "leave": leave,
            },
            "words": {
                "language": label(f"language.{switch_to}"),
                "account": label(f"page.{ACCOUNT}"),
                "leave": label("shell.sign_out"),
            },
            "name": facts.actor.name if facts is not None else "",
            "account": f"/{ACCOUNT}" if ready else "",
            "bell": _bell() if ready else None,
            "style": asset("bar.css").address,
        },
        on_language_change=on_language,
        on_account_change=_nothing,
        on_opened_change=_nothing,
        on_lost_change=_nothing,
    )
    if answer.opened:
        menu.go(NOTICES)
    if answer.account:
        menu.go(ACCOUNT)


def _bell() -> dict[str, object]:
    """No count is read here: every stream tells its person's, so that a run costs no query and an idle page nothing."""
    view = board.watch(
        st.session_state.get(VIEW),
        session_id=doors.session_row() or 0,
        tickets=(),
        number=board.number,
    )
    st.session_state[VIEW] = view.token
    return {
        "token": view.token,
        "number": board.number,
        "stream": "/desk/live",
        "page": f"/{NOTICES}",
        "words": {"none": label("bell.none"), "some": label("bell.some", count="{count}")},
    }


def _nothing() -> None:
    """What is asked for is answered by the run itself."""
