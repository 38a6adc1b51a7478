"""The list and the form of ready texts."""

import streamlit as st

from lib.tickets.macros import MacroRow, save_macro, set_macro_active
from lib.ui import doors
from lib.ui.case_macros import changes_words
from lib.ui.labels import escape, label

SCREEN = "tickets.macros"
CHOSEN = f"{SCREEN}.chosen"
FIELDS = ("name", "words", "priority", "fault", "waiting_for", "waiting_hours")


def show_list(rows: list[MacroRow]) -> None:
    """Each text with what it changes; to be edited, offered or no longer."""
    if not rows:
        st.caption(label("macros.none"))
    for row in rows:
        with st.container(
            horizontal=True,
            gap="small",
            vertical_alignment="center",
            border=True,
            key=f"tickets_macros_row_{row.id}",
        ):
            told = f"**{escape(row.name)}**"
            if not row.active:
                told += f" · {label('macros.inactive')}"
            changes = changes_words(row)
            if changes:
                told += f"  \n{escape(changes)}"
            st.markdown(told, width="stretch")
            st.button(
                label("macros.change"),
                icon=":material/edit:",
                key=f"{SCREEN}.choose.{row.id}",
                on_click=_choose,
                args=(row.id,),
            )
            form = doors.form_key(f"{SCREEN}.active.{row.id}.{row.version}")
            st.button(
                label("macros.deactivate" if row.active else "macros.activate"),
                key=f"{SCREEN}.active.{form}",
                on_click=doors.submit,
                args=(set_macro_active,),
                kwargs={
                    "key": form,
                    "macro_id": row.id,
                    "version": row.version,
                    "active": not row.active,
                },
            )


def chosen(rows: list[MacroRow]) -> MacroRow | None:
    """The text that is edited; None for a new one."""
    told = st.session_state.get(CHOSEN)
    return next((row for row in rows if row.id == told), None)


def form_of(row: MacroRow | None) -> str:
    """The key of the form, its fields filled with what is stored."""
    form = doors.form_key(f"{SCREEN}.form.{0 if row is None else row.id}")
    if row is not None and key(form, "name") not in st.session_state:
        for field in FIELDS:
            st.session_state[key(form, field)] = getattr(row, field)
        st.session_state[key(form, "version")] = row.version
    return form


def key(form: str, field: str) -> str:
    """The key of a field."""
    return f"{SCREEN}.{field}.{form}"


def show_save(form: str, row: MacroRow | None) -> None:
    """Save, and away from an edited text back to a new one."""
    with st.container(horizontal=True, gap="small"):
        st.button(
            label("macros.save"),
            type="primary",
            key=key(form, "save"),
            on_click=_save,
            args=(form, None if row is None else row.id),
        )
        if row is not None:
            st.button(label("macros.cancel"), key=key(form, "cancel"), on_click=_choose)


def _choose(macro_id: int | None = None) -> None:
    st.session_state[CHOSEN] = macro_id
    if macro_id is not None:
        doors.renew_form(f"{SCREEN}.form.{macro_id}")


def _save(form: str, macro_id: int | None) -> None:
    told = {field: st.session_state.get(key(form, field)) for field in FIELDS}
    told |= {"name": told["name"] or "", "words": told["words"] or ""}
    version = st.session_state.get(key(form, "version"))
    saved = doors.submit(save_macro, key=form, macro_id=macro_id, version=version, **told)
    if saved is not None:
        st.session_state[CHOSEN] = None
        doors.say("macros.saved")
