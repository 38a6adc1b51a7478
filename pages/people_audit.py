"""The audit log, newest first, and whether its chain is whole; for auditors and administrators, read only."""

import json

import pandas as pd
import streamlit as st

from lib.people import queries
from lib.ui import doors
from lib.ui.labels import label, when

doors.enter("people_audit")
before = st.query_params.get("before", "")
action = st.query_params.get("action", "")

st.title(label("page.people_audit"))
checked, found, newest, older = st.columns([2, 3, 1, 1], vertical_alignment="bottom")
with checked:
    if st.button(label("audit_page.check"), key="people.audit.check", icon=":material/verified:"):
        broken = doors.read(queries.check_audit_chain)
        if broken is None:
            st.success(label("audit_page.whole"), icon=":material/check_circle:")
        else:
            st.error(label("audit_page.broken", row=broken), icon=":material/report:")
with found:
    st.text_input(label("audit_page.action"), key="people.audit.action", value=action)
    typed = st.session_state["people.audit.action"].strip()
    if typed != action:
        st.query_params.from_dict({"action": typed} if typed else {})
        st.rerun()
rows = doors.read(
    queries.list_audit, before=int(before) if before.isdecimal() else None, action=action
)
with newest:
    if st.button(label("audit_page.newest"), key="people.audit.newest", disabled=not before):
        st.query_params.pop("before", None)
        st.rerun()
with older:
    if st.button(
        label("audit_page.older"), key="people.audit.older", disabled=len(rows) < queries.AUDIT_PAGE
    ):
        st.query_params["before"] = str(rows[-1].id)
        st.rerun()

st.dataframe(
    pd.DataFrame(
        {
            label("audit_page.number"): [row.id for row in rows],
            label("audit_page.at"): [when(row.at, seconds=True) for row in rows],
            label("audit_page.who"): [row.actor for row in rows],
            label("audit_page.what"): [doors.action_words(row.action) for row in rows],
            label("audit_page.subject"): [
                f"{row.subject_kind} {row.subject_id or ''}".strip() for row in rows
            ],
            label("audit_page.details"): [
                json.dumps(row.details, ensure_ascii=False) if row.details else "" for row in rows
            ],
        }
    ),
    key="people.audit.rows",
    hide_index=True,
    height="content",
)
