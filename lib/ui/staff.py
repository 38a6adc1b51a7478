"""The parts of the administrator's staff page: forms for an account, and the first password, shown once."""

import streamlit as st

from db.codes import Role
from lib.people import actions, passwords
from lib.people.queries import PersonRow
from lib.ui import doors
from lib.ui.labels import code_label, escape, label

SHOWN = "people.staff.first_password"
ROLES = list(Role)


def state_of(person: PersonRow) -> str:
    """The key of the words for an account's state."""
    if not person.active:
        return "staff.closed"
    return "staff.first_password_open" if person.must_change_password else "staff.active"


def show_first_password() -> None:
    """The first password that was just made, until it is noted down; it is stored nowhere."""
    shown = st.session_state.get(SHOWN)
    if shown is None:
        return
    login, password = shown
    with st.container(border=True):
        st.markdown(label("staff.first_password_is", login=escape(login)))
        st.code(password, language=None)
        st.button(label("staff.noted"), key="people.staff.noted", on_click=_forget_first_password)


def _forget_first_password() -> None:
    st.session_state.pop(SHOWN, None)


def _first_password(key: str) -> tuple[str, str]:
    """A password and its hash, the same ones for a form instance, so that a double click is one request."""
    made: dict[str, tuple[str, str]] = st.session_state.setdefault("people.staff.made", {})
    if key not in made:
        password = passwords.random_password()
        made.clear()
        made[key] = password, passwords.hash_password(password)
    return made[key]


def new_account() -> None:
    """The form for an account."""
    key = doors.form_key("people.staff.new")
    with st.form(f"people.staff.new.{key}"):
        st.text_input(label("staff.login"), key=f"people.staff.login.{key}", max_chars=32)
        st.text_input(label("staff.name"), key=f"people.staff.name.{key}", max_chars=80)
        st.multiselect(
            label("staff.roles"),
            ROLES,
            format_func=code_label,
            key=f"people.staff.roles.{key}",
            placeholder=label("staff.choose_roles"),
        )
        st.form_submit_button(
            label("staff.create"),
            key=f"people.staff.create.{key}",
            type="primary",
            on_click=_create,
            args=(key,),
        )


def _create(key: str) -> None:
    login = str(st.session_state.get(f"people.staff.login.{key}") or "").strip().lower()
    password, password_hash = _first_password(key)
    created = doors.submit(
        actions.create_person,
        key=key,
        login=login,
        name=str(st.session_state.get(f"people.staff.name.{key}") or ""),
        roles=list(st.session_state.get(f"people.staff.roles.{key}") or []),
        password_hash=password_hash,
    )
    if created is not None:
        st.session_state[SHOWN] = (login, password)


def change_roles(person: PersonRow) -> None:
    """The form for what a person may do."""
    key = doors.form_key(f"people.staff.roles.{person.id}.{person.version}")
    with st.form(f"people.staff.roles.{key}"):
        st.multiselect(
            label("staff.roles"),
            ROLES,
            default=list(person.roles),
            format_func=code_label,
            key=f"people.staff.roles_of.{key}",
            placeholder=label("staff.choose_roles"),
        )
        st.caption(label("staff.ends_sessions"))
        st.form_submit_button(
            label("staff.save_roles"),
            key=f"people.staff.save_roles.{key}",
            on_click=_change_roles,
            args=(person.id, person.version, key),
        )


def _change_roles(person_id: int, version: int, key: str) -> None:
    doors.submit(
        actions.set_roles,
        key=key,
        person_id=person_id,
        version=version,
        roles=list(st.session_state.get(f"people.staff.roles_of.{key}") or []),
    )


def first_password_button(person: PersonRow) -> None:
    """Give a new first password; opens a closed account again."""
    key = doors.form_key(f"people.staff.reset.{person.id}.{person.version}")
    st.button(
        label("staff.reset" if person.active else "staff.reopen"),
        key=f"people.staff.reset.{key}",
        icon=":material/key:",
        help=label("staff.reset_hint"),
        on_click=_reset,
        args=(person, key),
    )


def _reset(person: PersonRow, key: str) -> None:
    password, password_hash = _first_password(key)
    action = actions.reset_password if person.active else actions.reactivate_person
    doors.submit(
        action,
        key=key,
        person_id=person.id,
        version=person.version,
        password_hash=password_hash,
    )
    if not doors.refused():
        st.session_state[SHOWN] = (person.login, password)


def closing_button(person: PersonRow) -> None:
    """Close an account, behind a question."""
    key = doors.form_key(f"people.staff.close.{person.id}.{person.version}")
    with st.popover(label("staff.close"), icon=":material/block:"):
        st.text(label("staff.close_question"))
        st.button(
            label("staff.close_yes"),
            key=f"people.staff.close.{key}",
            type="primary",
            on_click=doors.submit,
            args=(actions.deactivate_person,),
            kwargs={
                "key": key,
                "person_id": person.id,
                "version": person.version,
            },
        )
