"""The hotline takes a call: who, where, what; the number is read out and the next call can come.

For hotline agents and supervisors. The order of the fields is the order of the script (S-18 to S-25).
"""

import streamlit as st

from lib.shared import clock
from lib.tickets.intake import attach_call, take_call
from lib.tickets.queries import find_similar, find_ticket, list_last_faults, list_timers
from lib.ui import call_form, call_script, doors
from lib.ui.components import callers
from lib.ui.labels import label

actor = doors.enter("tickets_entry")
form = doors.form_key("tickets.entry")
SAVED = "tickets.entry.saved"


def save(form: str) -> None:
    """Save the call; what was typed stays when it is refused."""
    ticket_id = doors.submit(take_call, key=form, **call_form.told(form))
    if ticket_id is not None:
        st.session_state[SAVED] = {"ticket": ticket_id, "attached": False}
        call_form.forget_caller()


def attach(form: str, ticket_id: int) -> None:
    """Note the call on an open ticket instead of opening another."""
    words = call_form.told(form)["words"] or label("entry.called_again")
    if doors.submit(attach_call, key=form, ticket_id=ticket_id, words=words) is not None:
        st.session_state[SAVED] = {"ticket": ticket_id, "attached": True}
        call_form.forget_caller()


def start_over() -> None:
    """Throw the call away."""
    call_form.forget_caller()
    doors.renew_form("tickets.entry")


call_form.keep_choices(form)
caller = call_form.known(form)
saved = st.session_state.get(SAVED)
if saved is not None and not caller.is_chosen:
    call_script.read_out(
        doors.read(find_ticket, ticket_id=saved["ticket"]),
        doors.read(list_timers, ticket_id=saved["ticket"]),
        attached=saved["attached"],
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
        next_field=call_script.NEXT_FIELD,
        save_button=call_script.SAVE_BUTTON,
    )
    item = None
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
    call_script.show(form, caller)
    if caller.customer_id is not None:
        similar = doors.read(
            find_similar,
            customer_id=caller.customer_id,
            item_id=item.item.id if item else None,
            fault=call_form.chosen_fault(form),
        )
        last = doors.read(list_last_faults, customer_id=caller.customer_id)
        call_script.show_record(form, similar, last, on_attach=attach)
