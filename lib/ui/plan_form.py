"""The dispatcher's line above the schedule: send a technician for the chosen case, or move or cancel its visit."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import streamlit as st

from db.codes import TicketStatus, VisitStatus
from lib.shared.clock import SHANGHAI
from lib.tickets.rules import legal_moves
from lib.ui import doors
from lib.ui.components.schedule import FROM, UNTIL, Slot
from lib.ui.labels import clock_time, code_label, day, escape, label
from lib.visits import actions, rules
from lib.visits.queries import TechnicianDay, TicketBrief, VisitBar

FORM = "visits.plan"
STARTS = tuple(range(FROM, UNTIL, 15))
LENGTHS = (30, 45, 60, 90, 120, 150, 180, 240, 300, 360, 480)
USUAL_LENGTH = 90
USUAL_START = 9 * 60


def field(name: str) -> str:
    """The key of a field of the form that is open now."""
    return f"{FORM}.{name}.{doors.form_key(FORM)}"


def take_slot(technician_id: int, start: int) -> None:
    """Fill the form from a tap on the grid; a callback."""
    st.session_state[field("technician")] = technician_id
    st.session_state[field("start")] = min(STARTS, key=lambda each: abs(each - start))


def chosen_slot(ticket: TicketBrief | None) -> Slot | None:
    """What the form says, to be drawn into the grid."""
    technician_id = st.session_state.get(field("technician"))
    if ticket is None or technician_id is None:
        return None
    return Slot(
        technician_id,
        st.session_state.get(field("start"), USUAL_START),
        st.session_state.get(field("minutes"), USUAL_LENGTH),
    )


def show(
    ticket: TicketBrief, days: Sequence[TechnicianDay], midnight: datetime, now: datetime
) -> None:
    """Draw the form for the case on the day that begins at `midnight`."""
    visit = ticket.visit
    told = " · ".join(filter(None, (ticket.customer_name, ticket.address or ticket.site_name)))
    with st.container(key="visits_plan", border=True, gap="small"):
        st.markdown(
            f"**{escape(ticket.number)}** · {code_label(ticket.priority)} · {code_label(ticket.fault)} · {escape(told)}"
        )
        if visit is not None:
            st.markdown(label("visits.plan.has", visit=escape(_told(visit, days))))
        elif TicketStatus.SCHEDULED not in legal_moves(ticket.status):
            st.info(label("visits.plan.not_now", status=code_label(ticket.status)))
            return
        if visit is None or visit.status is VisitStatus.PLANNED:
            _fields(ticket, days, midnight, now)
        else:
            with st.container(horizontal=True):
                _leave(ticket)


def _fields(
    ticket: TicketBrief, days: Sequence[TechnicianDay], midnight: datetime, now: datetime
) -> None:
    _fill(ticket, days, midnight, now)
    key = doors.form_key(FORM)
    names = {each.person_id: each.name for each in days}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        technician_id = st.selectbox(
            label("visits.plan.technician"),
            list(names),
            key=field("technician"),
            index=None,
            format_func=lambda person_id: names.get(person_id, ""),
            placeholder=label("visits.plan.who"),
            width=190,
        )
        start = st.selectbox(
            label("visits.plan.start"), STARTS, key=field("start"), format_func=_clock, width=120
        )
        minutes = st.selectbox(
            label("visits.plan.length"),
            LENGTHS,
            key=field("minutes"),
            format_func=_hours,
            width=130,
        )
        st.button(
            label("visits.plan.move" if ticket.visit else "visits.plan.send"),
            key=f"{FORM}.go.{key}",
            type="primary",
            icon=":material/event_available:",
            disabled=technician_id is None,
            on_click=_submit,
            args=(ticket, key, midnight),
        )
        _leave(ticket)
    if technician_id is not None:
        starts_at = midnight + timedelta(minutes=start)
        _warn(ticket, days, technician_id, starts_at, starts_at + timedelta(minutes=minutes), now)


def _leave(ticket: TicketBrief) -> None:
    """Cancel the visit that is planned, and close the form."""
    if ticket.visit is not None:
        visit = ticket.visit
        with st.popover(label("visits.plan.cancel"), icon=":material/event_busy:"):
            key = doors.form_key("visits.cancel")
            st.text_input(
                label("visits.plan.reason"),
                key=f"visits.cancel.reason.{key}",
                max_chars=rules.REASON_LENGTH,
            )
            st.button(
                label("visits.plan.cancel"),
                key=f"visits.cancel.go.{key}",
                type="primary",
                on_click=_cancel,
                args=(visit, key),
            )
    st.button(
        label("visits.plan.close"),
        key=f"{FORM}.close",
        icon=":material/close:",
        type="tertiary",
        on_click=close,
    )


def close() -> None:
    """Forget the chosen case; a callback."""
    st.query_params.pop("ticket", None)
    doors.renew_form(FORM)


def _submit(ticket: TicketBrief, key: str, midnight: datetime) -> None:
    technician_id, start, minutes = (
        st.session_state[f"{FORM}.{name}.{key}"] for name in ("technician", "start", "minutes")
    )
    wanted = {
        "technician_id": technician_id,
        "starts_at": midnight + timedelta(minutes=start),
        "minutes": minutes,
    }
    if ticket.visit is None:
        answer = doors.submit(
            actions.plan_visit,
            key=key,
            ticket_id=ticket.ticket_id,
            version=ticket.version,
            **wanted,
        )
    else:
        answer = doors.submit(
            actions.move_visit,
            key=key,
            visit_id=ticket.visit.id,
            version=ticket.visit.version,
            **wanted,
        )
    if answer is not None or not doors.refusal_waits():
        st.query_params.pop("ticket", None)
        doors.say("visits.plan.done", number=ticket.number)


def _cancel(visit: VisitBar, key: str) -> None:
    doors.submit(
        actions.cancel_visit,
        key=key,
        visit_id=visit.id,
        version=visit.version,
        reason=st.session_state[f"visits.cancel.reason.{key}"],
    )
    if not doors.refusal_waits():
        st.query_params.pop("ticket", None)
        doors.renew_form(FORM)


def _fill(
    ticket: TicketBrief, days: Sequence[TechnicianDay], midnight: datetime, now: datetime
) -> None:
    """Begin with the visit as it is planned, or with what is likely; never over a choice already made."""
    visit = ticket.visit
    technician_id, start, minutes = ticket.technician_id, USUAL_START, USUAL_LENGTH
    if midnight <= now < midnight + timedelta(days=1):
        soon = int((now - midnight).total_seconds()) // 60 + 30
        start = next((each for each in STARTS if each >= max(soon, USUAL_START)), STARTS[-1])
    if visit is not None:
        technician_id = visit.technician_id
        local = visit.starts_at.astimezone(SHANGHAI)
        start = min(STARTS, key=lambda each: abs(each - (local.hour * 60 + local.minute)))
        length = int((visit.ends_at - visit.starts_at).total_seconds()) // 60
        minutes = min(LENGTHS, key=lambda each: abs(each - length))
    known = {each.person_id for each in days}
    begun = {
        "technician": technician_id if technician_id in known else None,
        "start": start,
        "minutes": minutes,
    }
    for name, value in begun.items():
        st.session_state.setdefault(field(name), value)


def _warn(
    ticket: TicketBrief,
    days: Sequence[TechnicianDay],
    technician_id: int,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
) -> None:
    """Say before the tap what the action would refuse."""
    if starts_at < now:
        st.warning(label("refusal.visit_in_past"), icon=":material/history:")
        return
    own = ticket.visit.id if ticket.visit is not None else None
    for each in days:
        if each.person_id != technician_id:
            continue
        for bar in each.visits:
            overlaps = bar.starts_at < ends_at and starts_at < bar.ends_at
            if overlaps and bar.id != own and bar.status in rules.LIVE:
                st.warning(
                    label(
                        "visits.plan.overlaps",
                        name=escape(each.name),
                        visit=escape(f"{_span(bar)} {bar.number} {bar.customer_name}"),
                    ),
                    icon=":material/event_busy:",
                )


def _told(visit: VisitBar, days: Sequence[TechnicianDay]) -> str:
    names = {each.person_id: each.name for each in days}
    on = day(visit.starts_at.astimezone(SHANGHAI).date())
    who = names.get(visit.technician_id, "")
    return " ".join(filter(None, (on, _span(visit), who, f"({code_label(visit.status)})")))


def _span(visit: VisitBar) -> str:
    return f"{clock_time(visit.starts_at)}–{clock_time(visit.ends_at)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _hours(minutes: int) -> str:
    return f"{minutes / 60:g}"
