"""Shows other people's changes within a second, on pages that are not the queue."""

from collections.abc import Collection

import streamlit as st

from lib.shared.work import read_change_number
from lib.tickets.live import board
from lib.ui import doors
from lib.ui.components import loader

_refresher = st.components.v2.component(
    "desk_refresher",
    css='[class*="st-key-live-"] {\n  display: none;\n}\n',
    js=loader("refresher.js"),
    isolate_styles=False,
)


def refresh_on_change(
    key: str,
    tickets: Collection[int] | None = None,
    *,
    opened: int | None = None,
    person: tuple[int, str] | None = None,
) -> list[str]:
    """Run the page, or the fragment it is called in, once more when one of `tickets` (None: any case) changes.

    0 among `tickets` stands for what is no case: people, settings, stock.
    Call it before the page reads what it shows, so that a change in between is not missed; with a key of the form
    "room.screen". An open page costs nothing while nobody changes anything.

    `opened`: the case that `person` (id and name) looks at here; answers who else has it open.
    """
    number = doors.read(read_change_number)
    remembered = f"live.{key}.token"
    view = board.watch(
        st.session_state.get(remembered),
        session_id=doors.session_row() or 0,
        tickets=tickets,
        number=number,
        opened=opened,
        person=person,
    )
    st.session_state[remembered] = view.token
    _refresher(
        key=f"live-{key.replace('.', '-')}",
        data={"token": view.token, "number": number, "stream": "/desk/live"},
        on_changed_change=lambda: None,
    )
    return view.others.get(opened, []) if opened is not None else []
