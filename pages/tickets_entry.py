"""The hotline takes a call: who, where, what; the number is read out and the next call can come.

For hotline agents and supervisors. The order of the fields is the order of the script (S-18 to S-25).
"""

import streamlit as st

from db.codes import Role
from lib.coverage.queries import list_covered_items
from lib.customers.queries import find_card
from lib.shared import clock
from lib.tickets.actions import assign_technician
from lib.tickets.calls import find_call
from lib.tickets.crew import list_crew
from lib.tickets.intake import attach_call, take_call, wish_technician
from lib.tickets.queries import (
    find_number_to_read,
    find_similar,
    find_ticket,
    list_last_faults,
)
from lib.ui import call_clock, call_form, call_script, doors
from lib.ui.components import callers
from lib.ui.labels import label

actor = doors.enter("tickets_entry")
form = doors.form_key("tickets.entry")
SAVED = "tickets.entry.saved"
OFFERED = 3


def save(form: str) -> None:
    """Save the call; what was typed stays when it is refused."""
    told = call_form.told(form)
    ticket_id = doors.submit(take_call, key=form, **told)
    if ticket_id is not None:
        promise = told["call"].promise if told["call"] is not None else ""
        st.session_state[SAVED] = {"ticket": ticket_id, "attached": False, "promise": promise}
        call_form.forget_caller()


def attach(form: str, ticket_id: int) -> None:
    """Note the call on an open ticket instead of opening another."""
    told = call_form.told(form)
    words = told["words"] or label("entry.called_again")
    noted = doors.submit(attach_call, key=form, ticket_id=ticket_id, words=words, call=told["call"])
    if noted is not None:
        st.session_state[SAVED] = {"ticket": ticket_id, "attached": True, "promise": ""}
        call_form.forget_caller()


def send(ticket_id: int, technician_id: int) -> None:
    """Assign whom the offer names, or note the wish for a dispatcher."""
    if actor.has(Role.SUPERVISOR):
        version = doors.read(find_ticket, ticket_id=ticket_id).version
        doors.submit(
            assign_technician, ticket_id=ticket_id, version=version, technician_id=technician_id
        )
    elif (
        doors.submit(wish_technician, ticket_id=ticket_id, technician_id=technician_id) is not None
    ):
        doors.say("offer.wished")


def start_over() -> None:
    """Throw the call away."""
    call_form.forget_caller()
    doors.renew_form("tickets.entry")


def answer_callback() -> None:
    """The page was opened to call somebody back: their name or number is in the form already."""
    asked = st.query_params.get("call", "")
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10):
        return
    del st.query_params["call"]
    missed = doors.read(find_call, call_id=int(asked))
    if missed is None:
        return
    call_clock.running(form).callback_of = missed.id
    if missed.customer_id is not None:
        call_form.choose_known(form, missed.customer_id, missed.contact_id)
    else:
        call_form.choose_new(form, missed.phone)


answer_callback()
call_form.keep_choices(form)
caller = call_form.known(form)
saved = st.session_state.get(SAVED)
# What comes and goes has a place of its own, so that the fields below are not drawn anew and keep the focus.
with st.container(key="tickets_entry_last"):
    if saved is not None and not caller.is_chosen:
        call_script.read_out(
            doors.read(find_number_to_read, ticket_id=saved["ticket"]),
            saved["promise"],
            doors.read(list_crew)[:OFFERED],
            attached=saved["attached"],
            may_assign=actor.has(Role.SUPERVISOR),
            on_choose=send,
        )
with st.container(key="tickets_entry"):
    left, right = st.columns([13, 7], gap="medium")
with left:
    callers.show(
        "tickets.entry.callers",
        generation=form,
        chosen=caller.words,
        on_known=lambda customer, contact: call_form.choose_known(form, customer, contact),
        on_new=lambda words: call_form.choose_new(form, words),
        on_begin=lambda since: call_clock.begin(form, since),
        next_field=call_script.NEXT_FIELD,
        save_button=call_script.SAVE_BUTTON,
        numbered=call_script.FAULTS,
        offer=call_script.OFFER,
    )
    item = None
    with st.container(key="tickets_entry_caller"):
        if caller.is_chosen:
            call_form.show_caller(form, caller)
            item = call_form.show_place(form, caller)
    with st.container(key="tickets_entry_fault"):
        call_form.show_fault(form)
    call_form.show_manner(form, clock.now())
    with st.container(horizontal=True, key="tickets_entry_save"):
        st.button(
            label("entry.save"),
            type="primary",
            icon=":material/save:",
            shortcut="Ctrl+Enter",
            key=f"tickets.entry.save.{form}",
            on_click=save,
            args=(form,),
        )
        st.button(
            label("entry.start_over"),
            type="tertiary",
            key=f"tickets.entry.start_over.{form}",
            on_click=start_over,
        )
with right:
    call_script.show(form, caller, call_script.promise_to_tell(form, caller))
    if caller.customer_id is not None:
        call_script.show_card(
            doors.read(find_card, customer_id=caller.customer_id),
            doors.read(list_covered_items, customer_id=caller.customer_id),
        )
        similar = doors.read(
            find_similar,
            customer_id=caller.customer_id,
            item_id=item.item.id if item else None,
            fault=call_form.chosen_fault(form),
        )
        last = doors.read(list_last_faults, customer_id=caller.customer_id)
        call_script.show_record(form, similar, last, on_attach=attach)
