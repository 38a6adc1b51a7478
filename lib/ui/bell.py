"""The bell in the top line: unread notices, counted by the live stream; a click leads to the list."""

import streamlit as st

from lib.shared.assets import asset
from lib.tickets.live import board
from lib.ui import doors, menu
from lib.ui.components import loader
from lib.ui.labels import label

VIEW = "shell.bell.view"

_bell = st.components.v2.component("desk_bell", js=loader("bell.js"))


def show() -> None:
    """Draw the bell, and open the list of notices when it was clicked in this run.

    No count is read here: every stream tells its person's, so that a run costs no query and an idle page nothing.
    """
    view = board.watch(
        st.session_state.get(VIEW),
        session_id=doors.session_row() or 0,
        tickets=(),
        number=board.number,
    )
    st.session_state[VIEW] = view.token
    answer = _bell(
        key="shell_bell",
        data={
            "token": view.token,
            "number": board.number,
            "stream": "/desk/live",
            "page": "/messages_notices",
            "words": {"none": label("bell.none"), "some": label("bell.some", count="{count}")},
            "style": asset("bell.css").address,
        },
        on_opened_change=lambda: None,
        on_lost_change=lambda: None,
    )
    if answer.opened:
        menu.go("messages_notices")
