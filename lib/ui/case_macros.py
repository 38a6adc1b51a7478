"""A ready text on a case: chosen by two letters, filled in, read and edited, then written down in one step."""

from datetime import datetime

import streamlit as st

from lib.shared.work import Actor, permit_of
from lib.tickets.macros import How, MacroRow, apply_macro, fill, find_places, list_macros
from lib.tickets.queries import TicketDetail
from lib.ui import doors
from lib.ui.labels import code_label, label


def is_for(actor: Actor) -> bool:
    """Whether the actor may write ready texts down."""
    return not actor.roles.isdisjoint(permit_of(apply_macro).roles)


def show(ticket: TicketDetail, actor: Actor, now: datetime) -> None:
    """The texts to choose from, and the filled one to edit and save."""
    rows = {row.id: row for row in doors.read(list_macros, only_active=True)}
    if not rows:
        st.caption(label("case.macros.none"))
        return
    form = doors.form_key(f"tickets.case.macros.{ticket.id}")
    chosen = st.selectbox(
        label("case.macros.choose"),
        list(rows),
        index=None,
        format_func=lambda each: _name(rows[each]),
        placeholder=label("case.macros.type"),
        key=f"tickets.case.macro.{form}",
    )
    if chosen is None:
        return
    row = rows[chosen]
    key = f"tickets.case.macro_words.{form}.{row.id}"
    if key not in st.session_state:
        st.session_state[key] = fill(row.words, doors.read(find_places, ticket_id=ticket.id))
    st.text_area(label("case.macros.words"), height=120, max_chars=4000, key=key)
    changes = changes_words(row)
    if changes:
        st.caption(label("case.macros.changes", changes=changes))
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.segmented_control(
            label("case.macros.how"),
            list(How),
            default=How.CONTACT,
            required=True,
            format_func=lambda each: label(f"case.macros.{each}"),
            key=f"tickets.case.macro_how.{form}",
            label_visibility="collapsed",
        )
        st.button(
            label("case.macros.apply"),
            type="primary",
            shortcut="Ctrl+Enter",
            key=f"tickets.case.apply.{form}",
            on_click=_apply,
            args=(ticket.id, ticket.version, row.id, form, key),
        )


def _apply(ticket_id: int, version: int, macro_id: int, form: str, words_key: str) -> None:
    doors.submit(
        apply_macro,
        key=form,
        ticket_id=ticket_id,
        version=version,
        macro_id=macro_id,
        words=st.session_state.get(words_key, ""),
        how=st.session_state.get(f"tickets.case.macro_how.{form}") or How.CONTACT,
    )
    if not doors.refused():
        doors.say("case.macros.done")


def _name(row: MacroRow) -> str:
    return f"{row.name} ({row.initials})" if row.initials != row.name.lower() else row.name


def changes_words(row: MacroRow) -> str:
    """What a ready text changes, in words; "" when it is a text alone."""
    told = [code_label(code) for code in (row.priority, row.fault) if code is not None]
    if row.waiting_for is not None:
        told.append(
            label(
                "case.macros.waits", for_=code_label(row.waiting_for), hours=row.waiting_hours or 0
            )
        )
    return " · ".join(told)
