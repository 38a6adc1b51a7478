"""What a person must do once before anything else: an own password, and the confidentiality pledge (P-05)."""

import streamlit as st

from lib.people import actions, passwords, queries, rules
from lib.shared.errors import Refusal
from lib.ui import doors, sign_in
from lib.ui.labels import label


def change_first_password() -> None:
    """Ask for an own password in place of the one that somebody else chose."""
    with st.container(key="account_step"):
        st.title(label("account.first_password"))
        st.text(label("account.first_password_why"))
        password_form("account.first")


def password_form(name: str) -> None:
    """Current password, new password twice. A success ends all sessions and goes on in a new one."""
    with st.form(name):
        st.text_input(
            label("account.current_password"),
            key=f"{name}.current",
            type="password",
            autocomplete="current-password",
            max_chars=200,
        )
        st.text_input(
            label("account.new_password"),
            key=f"{name}.new",
            type="password",
            autocomplete="new-password",
            max_chars=200,
            help=label("account.password_rule", shortest=rules.SHORTEST_PASSWORD),
        )
        st.text_input(
            label("account.repeat_password"),
            key=f"{name}.repeat",
            type="password",
            autocomplete="new-password",
            max_chars=200,
        )
        st.form_submit_button(
            label("account.change_password"),
            key=f"{name}.save",
            type="primary",
            on_click=_change,
            args=(name,),
        )


def _change(name: str) -> None:
    current, new, repeat = (
        str(st.session_state.get(f"{name}.{field}") or "") for field in ("current", "new", "repeat")
    )
    facts = doors.current()
    try:
        if facts is None:
            raise Refusal("signed_out")
        stored = doors.try_read(queries.own_password_hash)
        if not passwords.is_password(current.strip(), stored):
            raise Refusal("password_wrong")
        if new != repeat:
            raise Refusal("password_differs")
        rules.ensure_password_is_usable(new, login=facts.login)
        if new == current.strip():
            raise Refusal("password_same")
    except Refusal as refusal:
        doors.refuse(refusal.key, **refusal.params)
        return
    code = doors.submit(
        actions.change_password, seen_hash=stored, password_hash=passwords.hash_password(new)
    )
    if code is not None:
        st.session_state[sign_in.CODE] = code


def ask_for_pledge() -> None:
    """Ask for the confidentiality pledge; without it no page opens (P-05)."""
    with st.container(key="account_step"):
        st.title(label("pledge.title"))
        for line in range(1, 5):
            st.markdown(f"{line}. " + label(f"pledge.line_{line}"))
        st.button(
            label("pledge.accept"),
            key="account.pledge",
            type="primary",
            on_click=doors.submit,
            args=(actions.accept_pledge,),
        )
