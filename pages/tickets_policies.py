"""Which targets there are and for whom: supervisors and administrators add versions, auditors read."""

import streamlit as st

from db.codes import Role
from lib.shared import clock
from lib.tickets.calendars import list_calendars
from lib.tickets.policy_list import list_policies
from lib.ui import doors, policy_form
from lib.ui.labels import label
from lib.ui.live import refresh_on_change

actor = doors.enter("tickets_policies")
refresh_on_change("tickets.policies", {0})
with st.container(horizontal=True, vertical_alignment="center"):
    st.title(label("page.tickets_policies"), width="content")
    past = st.toggle(label("policy.show_past"), key="tickets.policies.past")
    if actor.has(Role.SUPERVISOR, Role.ADMINISTRATOR):
        for name, icon in (
            (policy_form.ADD, ":material/add:"),
            (policy_form.APPLY, ":material/playlist_add_check:"),
        ):
            st.button(
                label(f"policy.{name}"),
                key=f"tickets.policies.open_{name}",
                icon=icon,
                on_click=policy_form.open_panel,
                args=(name,),
            )
st.caption(label("policy.how"))
if actor.has(Role.SUPERVISOR, Role.ADMINISTRATOR):
    policy_form.show_panel(doors.read(list_calendars), clock.now())
policy_form.show_list(doors.read(list_policies), past=past)
