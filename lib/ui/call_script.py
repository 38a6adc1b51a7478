"""What stands beside the hotline's form: the eight steps of the script, what is on record, the number to read out."""

from collections.abc import Callable
from datetime import datetime

import streamlit as st

from db.codes import TimerKind
from lib.shared.clock import SHANGHAI
from lib.tickets.queries import (
    SimilarTicket,
    TicketDetail,
    TimerRow,
    find_promise,
    find_response_minutes,
)
from lib.ui import call_form, doors, menu
from lib.ui.labels import clock_time, code_label, day, escape, label

STEPS = 8
NEXT_FIELD = ".st-key-tickets_entry_fault button"
"""Where a call goes on after the caller is known: the first fault code."""
SAVE_BUTTON = ".st-key-tickets_entry_save button"


def show(form: str, caller: call_form.Known) -> None:
    """The steps S-18 to S-25 in order: done ones ticked from the data, the next one marked."""
    done = _done(form, caller)
    minutes = doors.read(find_response_minutes)
    promise = doors.read(find_promise)
    until = "-" if promise is None else moment_words(promise)
    lines = []
    for step in range(1, STEPS + 1):
        words = label(f"script.step_{step}", minutes=minutes or "-", until=until)
        if step <= done:
            lines.append(f":material/check_circle: :gray[{words}]")
        elif step == done + 1:
            lines.append(f":material/arrow_circle_right: **{words}**")
        else:
            lines.append(f":material/radio_button_unchecked: {words}")
    with st.container(border=True, key="tickets_entry_script", gap="xxsmall"):
        st.markdown(f"**{label('script.title')}**")
        for line in lines:
            st.markdown(line)


def _done(form: str, caller: call_form.Known) -> int:
    """How many steps are done, in order; the fifth and the rest follow the saving."""
    reached = (
        caller.is_chosen,
        caller.is_chosen,
        caller.contact_told,
        call_form.chosen_fault(form) is not None,
    )
    return reached.index(False) if False in reached else len(reached)


def show_record(
    form: str,
    similar: list[SimilarTicket],
    last: list[SimilarTicket],
    *,
    on_attach: Callable[[str, int], None],
) -> None:
    """Open cases of the caller to attach to, and the last faults (S-19)."""
    with st.container(border=True, key="tickets_entry_similar", gap="xsmall"):
        st.markdown(f"**{label('entry.open_tickets', count=len(similar))}**")
        for place, ticket in enumerate(similar):
            same = f" · {label('entry.same_item')}" if ticket.same_item else ""
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                menu.link(
                    "tickets_detail",
                    f"{ticket.number} {code_label(ticket.fault)} · {code_label(ticket.status)}{same}",
                    ticket=ticket.id,
                )
                st.button(
                    label("entry.attach"),
                    key=f"tickets.entry.attach.{form}.{ticket.id}",
                    shortcut="Alt+A" if place == 0 else None,
                    on_click=on_attach,
                    args=(form, ticket.id),
                )
        if not similar:
            st.markdown(f":gray[{label('entry.no_open_tickets')}]")
        for ticket in last:
            on = day(ticket.received_at.astimezone(SHANGHAI).date())
            st.markdown(f":gray[{on} · {code_label(ticket.fault)} · {code_label(ticket.status)}]")


def read_out(ticket: TicketDetail, timers: list[TimerRow], *, attached: bool) -> None:
    """The number in large type, and until when somebody gets in touch."""
    due = next((row.due_at for row in timers if row.kind is TimerKind.FIRST_RESPONSE), None)
    with st.container(
        border=True,
        key="tickets_entry_saved",
        horizontal=True,
        gap="medium",
        vertical_alignment="center",
    ):
        st.markdown(f"## {ticket.number}", width="content")
        told = label("entry.attached") if attached else label("entry.saved")
        promise = ""
        if due is not None and not attached:
            promise = label("entry.promise", until=moment_words(due))
        st.markdown(f"{told} · **{escape(ticket.company)}**  \n{promise}")
        menu.link(
            "tickets_detail", label("entry.open"), icon=":material/open_in_new:", ticket=ticket.id
        )


def moment_words(at: datetime) -> str:
    """An instant as it is read out: the day with its weekday, and the time."""
    return f"{day(at.astimezone(SHANGHAI).date())} {clock_time(at)}"
