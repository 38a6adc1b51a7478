"""One case: facts, timers, timeline, and the legal next steps only. For everybody whose case it is or who reads all."""

import streamlit as st

from lib.shared import clock
from lib.tickets.intake import reveal_caller
from lib.tickets.queries import find_ticket, list_events
from lib.tickets.script import find_script
from lib.ui import (
    case_extras,
    case_level,
    case_page,
    case_promises,
    case_steps,
    case_timers,
    doors,
    menu,
)
from lib.ui.components import queue
from lib.ui.labels import label
from lib.ui.live import refresh_on_change
from lib.visits.queries import list_visits_of_ticket

actor = doors.enter("tickets_detail")
ticket_id = case_page.asked_ticket()
if ticket_id is None:
    st.info(label("ticket.none_asked"))
    st.stop()


def reveal(ticket_id: int, form: str) -> None:
    """Show phone and address in full for ten minutes, for a reason (P-05)."""
    reason = st.session_state.get(f"tickets.detail.reason.{form}", "")
    doors.submit(reveal_caller, key=form, ticket_id=ticket_id, reason=reason)


others = refresh_on_change(
    "tickets.detail",
    tickets=[ticket_id],
    opened=ticket_id,
    person=(actor.person_id or 0, actor.name),
)
now = clock.now()
ticket = doors.read(find_ticket, ticket_id=ticket_id)
case_steps.adopt_version(ticket)
with st.container(key="tickets_detail_head", gap="small"):
    if "tickets_queue" in {entry.name for entry in menu.open_to(actor.roles)}:
        menu.link("tickets_queue", icon=":material/arrow_back:", **queue.last_address())
    case_page.show_head(ticket, others)
    case_timers.show(ticket_id, now)
    case_promises.show_now(ticket, actor, now)
    case_steps.show(ticket, actor, now)
with st.container(key="tickets_detail_body"):
    left, right = st.columns([13, 7], gap="medium")
with right, st.container(gap="small", key="tickets_detail_facts"):
    case_page.show_customer(ticket)
    case_level.show(ticket_id, actor)
    if ticket.may_reveal:
        form = doors.form_key(f"tickets.detail.reveal.{ticket_id}")
        with st.popover(label("ticket.reveal"), icon=":material/visibility:"):
            st.text_input(
                label("ticket.reveal_reason"),
                key=f"tickets.detail.reason.{form}",
                max_chars=200,
            )
            st.button(
                label("ticket.reveal_now"),
                key=f"tickets.detail.reveal.{form}",
                on_click=reveal,
                args=(ticket_id, form),
            )
    case_page.show_item(ticket)
    case_page.show_facts(ticket)
    case_page.show_script(doors.read(find_script, ticket_id=ticket_id))
with left, st.container(gap="small"):
    case_promises.show_card(ticket, actor, now)
    case_extras.show(ticket, actor, now)
    case_page.show_visits(doors.read(list_visits_of_ticket, ticket_id=ticket_id))
    case_page.show_timeline(doors.read(list_events, ticket_id=ticket_id), now)
