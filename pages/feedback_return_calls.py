"""Return calls: the hotline rings back after each completion, closes or reopens the case, and sends the survey."""

import streamlit as st

from lib.feedback.queries import (
    count_return_calls,
    find_survey_link,
    list_return_calls,
    list_survey_links,
    list_tries,
)
from lib.ui import call_back, doors
from lib.ui.components import calls
from lib.ui.labels import escape, label
from lib.ui.live import refresh_on_change

actor = doors.enter("feedback_return_calls")
refresh_on_change("feedback.return_calls")


def choose(ticket_id: int) -> None:
    st.query_params.pop("survey", None)
    st.query_params["ticket"] = str(ticket_id)


def show_link(invitation_id: int) -> None:
    st.query_params.pop("ticket", None)
    st.query_params["survey"] = str(invitation_id)


def asked(name: str) -> int | None:
    told = st.query_params.get(name, "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else None


open_calls = doors.read(list_return_calls)
chosen = next((call for call in open_calls if call.ticket_id == asked("ticket")), None)
invitation_id = asked("survey")
links = doors.read(list_survey_links)

st.title(label("page.feedback_return_calls"), anchor=False)
with st.container(key="feedback_return_calls"):
    left, right = st.columns([11, 9], gap="medium")
with left:
    total = len(open_calls)
    if total >= 100:
        total = doors.read(count_return_calls)
        st.caption(label("return_call.more", shown=len(open_calls), total=total))
    if open_calls:
        late = sum(call.is_overdue for call in open_calls)
        counts = label("return_call.open_count", count=total)
        st.markdown(f"**{counts}** · {label('return_call.overdue_count', count=late)}")
        calls.show(
            "feedback.return_calls.list",
            open_calls,
            chosen.ticket_id if chosen else None,
            choose,
        )
    else:
        st.info(label("return_call.none"), icon=":material/task_alt:")
with right:
    if chosen is not None:
        with st.container(key="feedback_return_call", gap="small"):
            call_back.heading(chosen)
            call_back.script(chosen, actor)
            call_back.form(chosen)
            call_back.tries(doors.read(list_tries, return_call_id=chosen.id))
    elif invitation_id is not None:
        call_back.survey_link(doors.read(find_survey_link, invitation_id=invitation_id))
    elif open_calls:
        st.info(label("return_call.choose"), icon=":material/touch_app:")
    if chosen is None and links:
        with st.container(gap="xsmall"):
            st.markdown(f"**{label('survey_link.waiting')}**")
            for link in links:
                st.button(
                    escape(call_back.link_name(link)),
                    key=f"feedback.return_calls.link.{link.invitation_id}",
                    icon=":material/qr_code_2:",
                    type="tertiary",
                    on_click=show_link,
                    args=(link.invitation_id,),
                )
