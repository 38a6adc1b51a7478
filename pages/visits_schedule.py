"""The day of every technician; dispatchers and supervisors send, move and cancel, auditors look."""

from datetime import date, timedelta

import streamlit as st

from db.codes import Role
from lib.shared import clock
from lib.shared.errors import Refusal
from lib.ui import doors, menu, plan_form
from lib.ui.components import schedule
from lib.ui.labels import day, label
from lib.ui.live import refresh_on_change
from lib.visits.queries import day_span, find_ticket_to_plan, list_day, list_unplanned

DAY = "visits.schedule.on"

actor = doors.enter("visits_schedule")
may_plan = actor.has(Role.DISPATCHER, Role.SUPERVISOR)
refresh_on_change("visits.schedule")
now = clock.now()
today = now.astimezone(clock.SHANGHAI).date()


def asked_day() -> date:
    """The day in the address, today when there is none that can be read."""
    try:
        return date.fromisoformat(st.query_params.get("on", ""))
    except ValueError:
        return today


def asked_ticket() -> int | None:
    asked = st.query_params.get("ticket", "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None


def go_to(on: date) -> None:
    st.query_params["on"] = on.isoformat()


def choose(ticket_id: int) -> None:
    if ticket_id != asked_ticket():
        doors.renew_form(plan_form.FORM)
    st.query_params["ticket"] = str(ticket_id)


def take_slot(technician_id: int, start: int, dragged: int | None) -> None:
    if dragged is not None:
        choose(dragged)
    plan_form.take_slot(technician_id, start)


on = asked_day()
midnight, _ = day_span(on)
st.session_state[DAY] = on
with st.container(horizontal=True, vertical_alignment="center", key="visits_days"):
    st.title(label("page.visits_schedule"), width="content")
    st.button(
        "",
        icon=":material/chevron_left:",
        key="visits.schedule.before",
        help=label("visits.schedule.before"),
        on_click=go_to,
        args=(on - timedelta(days=1),),
    )
    st.date_input(
        label("visits.schedule.day"),
        key=DAY,
        format="YYYY-MM-DD",
        label_visibility="collapsed",
        on_change=lambda: go_to(st.session_state[DAY] or today),
        width=150,
    )
    st.button(
        "",
        icon=":material/chevron_right:",
        key="visits.schedule.after",
        help=label("visits.schedule.after"),
        on_click=go_to,
        args=(on + timedelta(days=1),),
    )
    st.button(
        label("visits.schedule.today"),
        key="visits.schedule.today",
        disabled=on == today,
        on_click=go_to,
        args=(today,),
    )
    st.text(day(on), width="content")

days = doors.read(list_day, on=on)
ticket = None
if may_plan and asked_ticket() is not None:
    try:
        ticket = doors.try_read(find_ticket_to_plan, ticket_id=asked_ticket())
    except Refusal as refusal:
        st.error(doors.words_of(refusal))
if ticket is not None:
    plan_form.show(ticket, days, midnight, now)
elif may_plan:
    st.caption(label("visits.schedule.how"))
opened = schedule.show(
    "visits.schedule.grid",
    days,
    doors.read(list_unplanned),
    may_plan=may_plan,
    ticket_id=ticket.ticket_id if ticket is not None else None,
    slot=plan_form.chosen_slot(ticket),
    midnight=midnight,
    now=now,
    on_choose=choose,
    on_slot=take_slot,
)
if opened is not None:
    menu.go("tickets_detail", ticket=opened)
