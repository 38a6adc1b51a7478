"""Why a timer is due when it is: a table to be read on the screen or printed as evidence, for all who see the case."""

import streamlit as st

from db.codes import TimerKind
from lib.shared import clock
from lib.tickets.explain import explain_timer
from lib.ui import case_page, doors, menu, timer_sheet
from lib.ui.components import print as printing
from lib.ui.labels import label

actor = doors.enter("tickets_timer")
ticket_id = case_page.asked_ticket()
kind, cycle = st.query_params.get("kind", ""), st.query_params.get("cycle", "")
is_asked = kind in set(TimerKind) and cycle.isascii() and cycle.isdigit() and len(cycle) < 6
if ticket_id is None or not is_asked:
    st.info(label("ticket.none_asked"))
    st.stop()

sheet = doors.read(explain_timer, ticket_id=ticket_id, kind=TimerKind(kind), cycle=int(cycle))
with st.container(key="timer_bar", horizontal=True, vertical_alignment="center"):
    menu.link("tickets_detail", sheet.number, icon=":material/arrow_back:", ticket=ticket_id)
    printing.button("tickets.timer.print")
timer_sheet.show(sheet, clock.now(), actor.name)
