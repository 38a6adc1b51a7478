"""The timers at the head of a case; each opens the table that explains it."""

from datetime import datetime

import streamlit as st

from lib.tickets.explain import find_timer_marks
from lib.tickets.queries import list_timers
from lib.ui import doors, menu
from lib.ui.components import timers
from lib.ui.labels import code_label, label


def show(ticket_id: int, now: datetime) -> None:
    """Draw the chips, and which kinds have no target (rule 29)."""
    rows = doors.read(list_timers, ticket_id=ticket_id)
    marks = doors.read(find_timer_marks, ticket_id=ticket_id)
    opened = timers.show("tickets.detail.timers", rows, now, marks)
    if rows and marks.no_target:
        kinds = label("list.separator").join(code_label(kind) for kind in marks.no_target)
        st.caption(label("timer.no_target", kinds=kinds))
    if opened is not None:
        kind, cycle = opened
        menu.go("tickets_timer", ticket=ticket_id, kind=kind, cycle=cycle)
