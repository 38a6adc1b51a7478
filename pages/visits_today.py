"""A technician's visits of today, on a tablet: where to go, one tap for each step, then what was done."""

import streamlit as st

from db.codes import VisitStatus
from lib.shared import clock
from lib.stock.queries import list_parts
from lib.ui import doors, field_work, menu
from lib.ui.components import field
from lib.ui.labels import day, label
from lib.ui.live import refresh_on_change
from lib.visits.queries import count_coming_visits, list_own_visits

ORDER = (VisitStatus.ARRIVED, VisitStatus.ON_THE_WAY, VisitStatus.PLANNED, VisitStatus.DONE)

actor = doors.enter("visits_today")
refresh_on_change("visits.today")
now = clock.now()
today = now.astimezone(clock.SHANGHAI).date()
visits = sorted(
    doors.read(list_own_visits, on=today),
    key=lambda visit: (ORDER.index(visit.status), visit.starts_at),
)
on_site = next((visit for visit in visits if visit.status is VisitStatus.ARRIVED), None)

st.html(field_work.STYLE)
opened = None
with st.container(key="visits_today"):
    done = sum(visit.status is VisitStatus.DONE for visit in visits)
    coming = doors.read(count_coming_visits, on=today)
    told = label("visits.today.count", day=day(today), done=done, all=len(visits), coming=coming)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(label("page.visits_today"), anchor=False, width="content")
        st.text(told, width="content")
    if not visits:
        st.info(label("visits.today.none"), icon=":material/event_available:")
    for visit in visits:
        with st.container(border=True, key=f"visits_card_{visit.id}"):
            elsewhen = visit.starts_at.astimezone(clock.SHANGHAI).date() != today
            opened = field.card(f"visits.today.card.{visit.id}", visit, elsewhen=elsewhen) or opened
            field_work.steps(visit, now)
            if visit is on_site:
                field_work.form(visit, doors.read(list_parts), now)
            elif visit.status is VisitStatus.ARRIVED:
                st.info(label("visits.today.one_at_a_time"))
            field_work.result(visit)
if on_site is not None:
    with st.bottom:
        field_work.end(on_site)
if opened is not None:
    menu.go("tickets_detail", ticket=opened)
