"""What a case has besides its steps: other cases, files, ready texts. One panel is open at a time, or none."""

from datetime import datetime

import streamlit as st

from db.codes import TicketStatus
from lib.shared.work import Actor, permit_of
from lib.tickets import files, links, merges
from lib.tickets.queries import TicketDetail
from lib.tickets.relations import Tie, list_relations
from lib.ui import case_files, case_links, case_macros, doors
from lib.ui.labels import label

OPEN = "tickets.case.panel"
ICONS = {
    "links": ":material/link:",
    "files": ":material/attach_file:",
    "macros": ":material/quickreply:",
    "back": ":material/replay:",
}


def show(ticket: TicketDetail, actor: Actor, now: datetime) -> None:
    """The related cases in one line, the buttons, and the panel that is open."""
    related = doors.read(list_relations, ticket_id=ticket.id)
    kept = doors.read(files.list_files, ticket_id=ticket.id)
    case_links.show_related(ticket, related, actor)
    possible = sum(each.tie is Tie.POSSIBLE for each in related)
    counts = {"links": possible, "files": sum(row.removed_at is None for row in kept)}
    names = _names(ticket, actor)
    told = st.session_state.get(OPEN)
    opened = told[1] if isinstance(told, tuple) and told[0] == ticket.id else None
    with st.container(horizontal=True, gap="xsmall", key="tickets_case_panels"):
        for name in names:
            count = counts.get(name, 0)
            st.button(
                label(f"case.{name}") + (f" · {count}" if count else ""),
                icon=ICONS[name],
                type="primary" if name == opened else "secondary",
                key=f"tickets.case.open.{name}.{ticket.id}",
                on_click=_toggle,
                args=(name, ticket.id),
            )
    if opened not in names:
        return
    with st.container(border=True, key="tickets_case_panel", gap="small"):
        if opened == "links":
            case_links.show(ticket, related, actor)
        elif opened == "files":
            case_files.show(ticket, kept, actor)
        elif opened == "macros":
            case_macros.show(ticket, actor, now)
        else:
            case_links.show_return(ticket)


def _names(ticket: TicketDetail, actor: Actor) -> list[str]:
    ended = ticket.status in (TicketStatus.CANCELLED, TicketStatus.CLOSED, TicketStatus.MERGED)
    back = ticket.status in (TicketStatus.COMPLETED, TicketStatus.CLOSED)
    names = []
    if not actor.roles.isdisjoint(permit_of(merges.merge_tickets).roles):
        names.append("links")
    names.append("files")
    if not ended and case_macros.is_for(actor):
        names.append("macros")
    if back and not actor.roles.isdisjoint(permit_of(links.take_back).roles):
        names.append("back")
    return names


def _toggle(name: str, ticket_id: int) -> None:
    told = (ticket_id, name)
    if st.session_state.get(OPEN) == told:
        close()
    else:
        st.session_state[OPEN] = told


def close() -> None:
    """Put the open panel away."""
    st.session_state.pop(OPEN, None)
