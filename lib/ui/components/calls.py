"""The list of open return calls, the first due first, with the one that is looked at marked."""

from collections.abc import Callable, Sequence

import streamlit as st

from lib.feedback.queries import ReturnCallRow
from lib.shared.assets import asset
from lib.tickets.rules import RETURN_CALL_TRIES
from lib.ui.components import loader
from lib.ui.labels import code_label, label, when

_table = st.components.v2.component("desk_calls", js=loader("calls.js"))

HEADS = ("due", "number", "company", "fault", "tries")


def show(
    key: str,
    calls: Sequence[ReturnCallRow],
    chosen: int | None,
    on_choose: Callable[[int], None],
) -> None:
    """Draw the list; choosing a line calls `on_choose` with the ticket's id."""

    def choose() -> None:
        ticket_id = st.session_state[key].get("chosen")
        if isinstance(ticket_id, int):
            on_choose(ticket_id)

    _table(
        key=key,
        data={
            "heads": [label(f"return_call.{name}") for name in HEADS],
            "caption": label("return_call.list"),
            "late": label("return_call.overdue"),
            "rows": [
                {
                    "ticket": call.ticket_id,
                    "due": when(call.due_at)[5:],
                    "late": call.is_overdue,
                    "number": call.number,
                    "company": call.company,
                    "contact": call.contact,
                    "fault": code_label(call.fault),
                    "tries": f"{call.tries}/{RETURN_CALL_TRIES}",
                }
                for call in calls
            ],
            "chosen": chosen,
            "style": asset("calls.css").address,
        },
        on_chosen_change=choose,
    )
