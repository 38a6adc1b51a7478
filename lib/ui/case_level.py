"""The level of a case's customer on the page of the case; supervisors and sales change it there."""

import streamlit as st

from db.codes import CustomerLevel
from lib.shared.work import Actor, permit_of
from lib.tickets.levels import LevelRow, find_level, set_customer_level
from lib.ui import doors
from lib.ui.labels import code_label, label


def show(ticket_id: int, actor: Actor) -> None:
    """The level behind a button, for those who may change it."""
    if not actor.has(*permit_of(set_customer_level).roles):
        return
    row = doors.read(find_level, ticket_id=ticket_id)
    if row is None:
        return
    told = label("level.is", level=code_label(row.level))
    with st.popover(told, icon=":material/military_tech:"):
        key = doors.form_key(f"tickets.level.{row.customer_id}.{row.version}")
        st.radio(
            label("level.level"),
            list(CustomerLevel),
            index=list(CustomerLevel).index(row.level),
            format_func=code_label,
            key=f"tickets.level.{key}",
        )
        st.caption(label("level.moves", count=row.open_cases))
        st.button(
            label("level.set"),
            key=f"tickets.level.set.{key}",
            type="primary",
            on_click=_set,
            args=(row, key),
        )


def _set(row: LevelRow, key: str) -> None:
    doors.submit(
        set_customer_level,
        key=key,
        customer_id=row.customer_id,
        version=row.version,
        level=st.session_state[f"tickets.level.{key}"],
    )
