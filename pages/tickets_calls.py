"""Calls to the hotline: whom to call back, how fast calls are answered, and the log of them (S-13)."""

from datetime import datetime, time, timedelta

import streamlit as st

from lib.shared import clock
from lib.shared.clock import SHANGHAI
from lib.tickets.calls import find_answer_rate, list_callbacks, list_calls
from lib.ui import call_log, doors
from lib.ui.labels import label
from lib.ui.live import refresh_on_change

actor = doors.enter("tickets_calls")
refresh_on_change("tickets.calls", {0})

now = clock.now()
today = datetime.combine(now.astimezone(SHANGHAI).date(), time(), SHANGHAI)
since = call_log.chosen_since(today)
callbacks = doors.read(list_callbacks)
rate = doors.read(find_answer_rate, since=since, until=today + timedelta(days=1))

st.title(label("page.tickets_calls"), anchor=False)
with st.container(key="tickets_calls"):
    left, right = st.columns([13, 7], gap="medium")
with left:
    call_log.show_callbacks(callbacks)
    call_log.show_log(doors.read(list_calls, since=since))
with right:
    call_log.show_rate(rate)
    call_log.show_form(now)
