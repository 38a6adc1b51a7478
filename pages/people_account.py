"""Everybody's own account: roles, password, being away, signing out on all devices."""

import streamlit as st

from lib.people import actions
from lib.ui import absences, account_steps, doors
from lib.ui.labels import code_label, escape, label, when

actor = doors.enter("people_account")
facts = doors.current()

st.title(label("page.people_account"))
st.markdown(f"**{escape(actor.name)}**")
held = "、".join(code_label(role) for role in sorted(actor.roles))
st.text(label("account.roles", roles=held or label("account.no_roles")))
if facts is not None:
    st.text(label("account.session_ends_at", at=when(facts.ends_at)))

st.subheader(label("account.change_password"))
account_steps.password_form("people.account.password")

absences.show(actor)

st.subheader(label("account.everywhere_title"))
st.text(label("account.everywhere_why"))
st.button(
    label("account.everywhere"),
    key="people.account.everywhere",
    on_click=doors.submit,
    args=(actions.sign_out_everywhere,),
)
