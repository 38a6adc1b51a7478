"""Accounts of the staff, for administrators: who holds which role, first passwords, closing; and who may do what."""

import pandas as pd
import streamlit as st

from db.codes import Role
from lib.people import queries
from lib.ui import access, doors, staff
from lib.ui.labels import code_label, escape, label, when

actor = doors.enter("people_staff")
people = doors.read(queries.list_people)

st.title(label("page.people_staff"))
staff.show_first_password()
accounts, table = st.tabs([label("staff.accounts"), label("staff.access")])

with accounts:
    overview = pd.DataFrame(
        {
            label("staff.login"): [row.login for row in people],
            label("staff.name"): [row.name for row in people],
            label("staff.roles"): [
                label("staff.between").join(map(code_label, row.roles)) for row in people
            ],
            label("staff.state"): [label(staff.state_of(row)) for row in people],
            label("staff.pledged"): [when(row.pledge_accepted_at) for row in people],
            label("staff.last_seen"): [when(row.last_seen_at) for row in people],
        }
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        chosen = st.dataframe(
            overview,
            key="people.staff.list",
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row",
        )
    with right:
        rows = chosen["selection"]["rows"]
        if rows and rows[0] < len(people):
            person = people[rows[0]]
            st.subheader(f"{escape(person.name)} ({escape(person.login)})")
            staff.change_roles(person)
            staff.first_password_button(person)
            if person.active and person.id != actor.person_id:
                staff.closing_button(person)
        else:
            st.subheader(label("staff.new"))
            staff.new_account()
            st.caption(label("staff.choose_hint"))

with table:
    st.text(label("staff.access_hint"))
    for title, entries in (("staff.pages", access.pages()), ("staff.actions", access.actions())):
        st.subheader(label(title))
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "": label(f"page.{each.name}") if title == "staff.pages" else each.name,
                        **{code_label(role): "●" if each.mark(role) else "" for role in Role},
                        label("staff.guests"): "●" if each.guests else "",
                    }
                    for each in entries
                ]
            ),
            hide_index=True,
        )
