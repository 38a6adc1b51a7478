"""The next steps of a case: a button for each legal one, and the small form that a step asks for.

A form keeps the version the case had when it was opened, so that nobody saves over what he has not seen.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

import streamlit as st

from db.codes import CancelReason, FaultCode, Priority, Role, TicketStatus, WaitingFor
from lib.customers.queries import list_contacts, list_sites
from lib.items.queries import list_items
from lib.people.queries import list_holders
from lib.shared import clock
from lib.shared.clock import SHANGHAI
from lib.shared.work import Actor
from lib.tickets import actions
from lib.tickets.queries import TicketDetail
from lib.tickets.rules import USUAL_WAIT
from lib.tickets.steps import Step
from lib.ui import case_collision, doors, menu
from lib.ui.call_form import Received, start_with
from lib.ui.case_collision import Clash
from lib.ui.labels import code_label, label

SCREEN = "tickets.detail"
OPEN = f"{SCREEN}.step"
SHOWN = f"{SCREEN}.shown"
"""What the last run showed of which case, for the one who comes second."""

COLLIDED = f"{SCREEN}.collided"


class Contact(StrEnum):
    """What the form of a contact records; never stored."""

    REACHED = "reached"
    ATTEMPT = "attempt"
    INBOUND = "inbound"


CONTACTS: dict[str, Callable[..., Any]] = {
    Contact.REACHED: actions.log_contact,
    Contact.ATTEMPT: actions.log_attempt,
    Contact.INBOUND: actions.log_inbound,
}
ICONS = {
    Step.TAKE: ":material/front_hand:",
    Step.LOG_CONTACT: ":material/call:",
    Step.ASSIGN: ":material/engineering:",
    Step.SCHEDULE: ":material/calendar_add_on:",
    Step.START_WAITING: ":material/pause_circle:",
    Step.END_WAITING: ":material/play_circle:",
    Step.COMPLETE: ":material/task_alt:",
    Step.RETURN_CALL: ":material/phone_callback:",
    Step.CHANGE: ":material/edit:",
    Step.FOLLOW_UP: ":material/event_upcoming:",
    Step.NOTE: ":material/sticky_note_2:",
    Step.CANCEL: ":material/cancel:",
}
AT_ONCE = {Step.TAKE: actions.take_ticket, Step.END_WAITING: actions.end_waiting}
WITH_FORM: dict[Step, Callable[..., Any]] = {
    Step.LOG_CONTACT: actions.log_contact,
    Step.ASSIGN: actions.assign_technician,
    Step.START_WAITING: actions.start_waiting,
    Step.COMPLETE: actions.complete_ticket,
    Step.CHANGE: actions.change_ticket,
    Step.FOLLOW_UP: actions.set_next_action,
    Step.NOTE: actions.add_note,
    Step.CANCEL: actions.cancel_ticket,
}
ELSEWHERE = {Step.SCHEDULE: "visits_schedule", Step.RETURN_CALL: "feedback_return_calls"}


def show(ticket: TicketDetail, actor: Actor, now: datetime) -> None:
    """The buttons, the usual next step first, and the open form if there is one."""
    opened = _opened(ticket)
    _show_collision(ticket)
    st.session_state[SHOWN] = {"ticket": ticket.id, "values": case_collision.values_of(ticket)}
    with st.container(
        horizontal=True, gap="xsmall", vertical_alignment="center", key="tickets_detail_steps"
    ):
        for place, step in enumerate(ticket.steps):
            main = step is opened if opened is not None else place == 0
            _button(ticket, step, actor, main=main)
    if opened is not None:
        _form(ticket, opened, now)


def _opened(ticket: TicketDetail) -> Step | None:
    told = st.session_state.get(OPEN)
    if not isinstance(told, dict) or told["ticket"] != ticket.id:
        return None
    step: Step = told["step"]
    return step


def _button(ticket: TicketDetail, step: Step, actor: Actor, *, main: bool) -> None:
    words = label(f"step.{step}")
    if step in ELSEWHERE:
        entry = menu.entry(ELSEWHERE[step])
        if entry in menu.open_to(actor.roles):
            with st.container(key=f"tickets_detail_go_{step}", width="content"):
                menu.link(entry.name, words, icon=ICONS[step], ticket=ticket.id)
        return
    if step is Step.CHANGE and ticket.customer_id is None:
        return
    key = doors.form_key(_form_name(ticket.id, step))
    if step in AT_ONCE:
        callback, arguments = _do_at_once, (step, ticket.id, ticket.version, key)
    else:
        callback, arguments = _open, (step, ticket.id, ticket.version, key)
    st.button(
        words,
        icon=ICONS[step],
        type="primary" if main else "secondary",
        key=f"{SCREEN}.{step}.{key}",
        on_click=callback,
        args=arguments,
    )


def _form_name(ticket_id: int, step: Step) -> str:
    return f"{SCREEN}.{step}.{ticket_id}"


def _do_at_once(step: Step, ticket_id: int, version: int, key: str) -> None:
    doors.submit(AT_ONCE[step], key=key, ticket_id=ticket_id, version=version)
    refusal = st.session_state.get(doors.REFUSAL)
    if refusal is None:
        doors.say(f"step.{step}.done")
    elif refusal.key == "changed_meanwhile":
        st.session_state[COLLIDED] = st.session_state.get(SHOWN)


def _show_collision(ticket: TicketDetail) -> None:
    """After a button that was pressed on an older state: what has changed; pressed again it is for what is shown."""
    told = st.session_state.pop(COLLIDED, None)
    if told is not None and told["ticket"] == ticket.id:
        case_collision.show(case_collision.clashes_of(told["values"], ticket, {}))


def _open(step: Step, ticket_id: int, version: int, key: str) -> None:
    told = st.session_state.get(OPEN)
    if isinstance(told, dict) and (told["ticket"], told["step"]) == (ticket_id, step):
        close()
    else:
        st.session_state[OPEN] = {"ticket": ticket_id, "step": step, "version": version}


def close() -> None:
    """Put the open form away; what was typed in it is still there when it is opened again."""
    st.session_state.pop(OPEN, None)


def _key(form: str, field: str) -> str:
    return f"{SCREEN}.{field}.{form}"


def _form(ticket: TicketDetail, step: Step, now: datetime) -> None:
    form = doors.form_key(_form_name(ticket.id, step))
    with st.container(border=True, key="tickets_detail_form"):
        told = st.session_state[OPEN]
        told.setdefault("seen", _changeable(ticket))
        told.setdefault("values", case_collision.values_of(ticket))
        clashes: list[Clash] = told.get("clashes", [])
        case_collision.show(clashes)
        FIELDS[step](ticket, form, now)
        if step not in ticket.steps:
            st.caption(label("step.not_any_more"))
        with st.container(horizontal=True):
            st.button(
                label("clash.save_mine" if clashes else f"step.{step}.save"),
                type="primary",
                key=_key(form, "save"),
                shortcut="Ctrl+Enter",
                disabled=step not in ticket.steps,
                on_click=_save,
                args=(step, ticket.id, form),
            )
            for clash in clashes:
                if clash.collides and clash.field in told["seen"]:
                    st.button(
                        label("clash.take_theirs", field=label(f"ticket.field.{clash.field}")),
                        key=_key(form, f"theirs.{clash.field}"),
                        on_click=_take_theirs,
                        args=(form, clash.field),
                    )
            st.button(label("step.close"), type="tertiary", key=_key(form, "close"), on_click=close)


def _save(step: Step, ticket_id: int, form: str) -> None:
    told = st.session_state.get(OPEN)
    if not isinstance(told, dict) or (told["ticket"], told["step"]) != (ticket_id, step):
        return
    arguments = ARGUMENTS[step](form)
    for field in ("technician_id", "waiting_for"):
        if field in arguments and arguments[field] is None:
            doors.refuse(f"{field.removesuffix('_id')}_missing")
            return
    action = WITH_FORM[step]
    if step is Step.LOG_CONTACT:
        action = CONTACTS[_value(form, "contact", Contact.REACHED)]
    if step is not Step.NOTE:
        arguments["version"] = told["version"]
    doors.submit(action, key=form, ticket_id=ticket_id, **arguments)
    refusal = st.session_state.get(doors.REFUSAL)
    if refusal is None:
        close()
        doors.say(f"step.{step}.done")
    elif refusal.key == "changed_meanwhile":
        # The next run shows who changed what; a second save is for the case as it is then.
        told["version"] = None


def adopt_version(ticket: TicketDetail) -> None:
    """After a collision the open form goes on from the state that is on the screen now.

    What was typed stays, with both values beside it; a field that was left alone follows the case.
    """
    told = st.session_state.get(OPEN)
    if not isinstance(told, dict) or told["ticket"] != ticket.id or told["version"] is not None:
        return
    told["version"] = ticket.version
    form = doors.form_key(_form_name(ticket.id, told["step"]))
    told["clashes"] = case_collision.clashes_of(told["values"], ticket, _meant(told, form))
    told["values"] = case_collision.values_of(ticket)
    now, seen = _changeable(ticket), told["seen"]
    if told["step"] is Step.CHANGE:
        for field, value in now.items():
            if _value(form, field, None) == seen[field]:
                st.session_state[_key(form, field)] = value
    told["seen"] = now


def _meant(told: dict[str, Any], form: str) -> dict[str, Any]:
    """What the open form is about to set, as `case_collision` compares it."""
    names: dict[str, dict[int, str]] = told.get("names", {})
    match told["step"]:
        case Step.CHANGE:
            return {
                field: names.get(field, {}).get(value, value)
                for field, value in _typed(told, form).items()
                if value is not None
            }
        case Step.ASSIGN:
            chosen = _value(form, "technician", None)
            return {} if chosen is None else {"technician": names.get("technician", {}).get(chosen)}
        case Step.START_WAITING:
            return {"status": (TicketStatus.WAITING, _value(form, "waiting_for", None))}
        case Step.COMPLETE:
            return {"status": (TicketStatus.COMPLETED, None)}
        case Step.CANCEL:
            return {"status": (TicketStatus.CANCELLED, None)}
    return {}


def _take_theirs(form: str, field: str) -> None:
    told = st.session_state[OPEN]
    st.session_state[_key(form, field)] = told["seen"][field]
    told["clashes"] = [clash for clash in told["clashes"] if clash.field != field]


def _words(form: str, key: str) -> None:
    st.text_area(label(key), key=_key(form, "words"), height=80, max_chars=4000)


def _contact_fields(ticket: TicketDetail, form: str, now: datetime) -> None:
    chosen = st.segmented_control(
        label("step.log_contact.what"),
        list(Contact),
        required=True,
        format_func=lambda value: label(f"step.log_contact.{value}"),
        key=start_with(_key(form, "contact"), Contact.REACHED),
        label_visibility="collapsed",
    )
    _words(form, "step.log_contact.words")
    if chosen == Contact.REACHED:
        _when_fields(form, now, "step.log_contact.at")


def _when_fields(form: str, now: datetime, words: str) -> None:
    """Now, or dated back to an instant (rule 1)."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            label(words),
            list(Received),
            required=True,
            format_func=lambda value: label(f"entry.received_{value}"),
            key=start_with(_key(form, "when"), Received.NOW),
        )
        if chosen == Received.EARLIER:
            moment_fields(_key(form, "earlier"), now, "entry.received_day", "entry.received_time")


def moment_fields(
    key: str, start: datetime, day: str, clock_time: str, *, day_width: int = 140
) -> None:
    """A day and a time in Shanghai, beginning with `start`; read again by `moment_of`."""
    local = start.astimezone(SHANGHAI)
    st.date_input(
        label(day), value=local.date(), format="YYYY-MM-DD", key=f"{key}.day", width=day_width
    )
    st.time_input(
        label(clock_time),
        value=local.time().replace(second=0, microsecond=0),
        step=300,
        key=f"{key}.time",
        width=110,
    )


def moment_of(key: str) -> datetime | None:
    """What `moment_fields` were given; None where they were not shown."""
    on, at = st.session_state.get(f"{key}.day"), st.session_state.get(f"{key}.time")
    if not isinstance(on, date) or not isinstance(at, time):
        return None
    return datetime.combine(on, at, SHANGHAI)


def _at_argument(form: str) -> datetime | None:
    if _value(form, "when", Received.NOW) != Received.EARLIER:
        return None
    return moment_of(_key(form, "earlier"))


def _contact_arguments(form: str) -> dict[str, Any]:
    told = _words_arguments(form)
    if _value(form, "contact", Contact.REACHED) == Contact.REACHED:
        told["at"] = _at_argument(form)
    return told


def _complete_fields(ticket: TicketDetail, form: str, now: datetime) -> None:
    _words(form, "step.complete.words")
    _when_fields(form, now, "step.complete.at")


def _follow_up_fields(ticket: TicketDetail, form: str, now: datetime) -> None:
    start = ticket.next_action_at or now + timedelta(days=1)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        moment_fields(
            _key(form, "next"), max(start, now), "step.follow_up.day", "step.follow_up.time"
        )
    _words(form, "step.follow_up.words")


def _cancel_fields(ticket: TicketDetail, form: str, now: datetime) -> None:
    st.pills(
        label("step.cancel.reason"),
        list(CancelReason),
        format_func=code_label,
        key=_key(form, "reason"),
    )
    _words(form, "step.cancel.words")


def _assign_fields(ticket: TicketDetail, form: str, now: datetime) -> None:
    names = {row.id: row.name for row in doors.read(list_holders, role=Role.TECHNICIAN)}
    options = list(names)
    st.session_state[OPEN]["names"] = {"technician": names}
    st.selectbox(
        label("ticket.technician"),
        options,
        index=None,
        format_func=lambda value: names.get(value, ""),
        placeholder=label("step.assign.choose"),
        key=start_with(
            _key(form, "technician"),
            ticket.technician_id if ticket.technician_id in names else None,
        ),
    )


def _waiting_fields(ticket: TicketDetail, form: str, now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.pills(
            label("step.start_waiting.for"),
            [code for code in WaitingFor if code is not ticket.waiting_for],
            format_func=code_label,
            key=_key(form, "waiting_for"),
        )
        if chosen is not None:
            # Each reason has fields of its own, so that its usual length stands there.
            moment_fields(
                _key(form, f"until.{chosen}"),
                now + USUAL_WAIT[chosen],
                "step.start_waiting.until_day",
                "step.start_waiting.until_time",
            )
    _words(form, "step.start_waiting.words")


def _waiting_arguments(form: str) -> dict[str, Any]:
    chosen = _value(form, "waiting_for", None)
    until_at = None if chosen is None else moment_of(_key(form, f"until.{chosen}"))
    if until_at is None and chosen is not None:
        until_at = clock.now() + USUAL_WAIT[chosen]
    return {"waiting_for": chosen, "until_at": until_at, **_words_arguments(form)}


def _change_fields(ticket: TicketDetail, form: str, now: datetime) -> None:
    priority, fault = st.columns(2, gap="small")
    _choice(priority, form, "priority", list(Priority), ticket.priority, code_label)
    _choice(fault, form, "fault", list(FaultCode), ticket.fault, code_label)
    customer = ticket.customer_id
    contacts = {row.id: row.name for row in doors.read(list_contacts, customer_id=customer)}
    sites = {row.id: row.name for row in doors.read(list_sites, customer_id=customer)}
    items = {
        row.id: " · ".join(filter(None, (row.name, row.site_name, row.room)))
        for row in doors.read(list_items, customer_id=customer)
    }
    st.session_state[OPEN]["names"] = {"contact_id": contacts, "site_id": sites, "item_id": items}
    contact, site, item = st.columns(3, gap="small")
    now_chosen = _changeable(ticket)
    for place, field, names in (
        (contact, "contact_id", contacts),
        (site, "site_id", sites),
        (item, "item_id", items),
    ):
        _choice(place, form, field, list(names), now_chosen[field], names.__getitem__)
    st.text_area(
        label("ticket.words"),
        key=start_with(_key(form, "words"), ticket.words),
        height=80,
        max_chars=4000,
    )


def _choice(
    place: Any, form: str, field: str, options: list[Any], now: Any, words: Callable[[Any], str]
) -> None:
    place.selectbox(
        label(f"ticket.field.{field}"),
        options,
        index=None,
        format_func=words,
        placeholder=label("step.change.unknown"),
        key=start_with(_key(form, field), now if now in options else None),
    )


def _changeable(ticket: TicketDetail) -> dict[str, Any]:
    return {
        "priority": ticket.priority,
        "fault": ticket.fault,
        "contact_id": ticket.contact.id if ticket.contact else None,
        "site_id": ticket.site.id if ticket.site else None,
        "item_id": ticket.item.id if ticket.item else None,
        "words": ticket.words,
    }


def _change_arguments(form: str) -> dict[str, Any]:
    """Only what was changed in the form: a colleague's newer value in another field stays."""
    return _typed(st.session_state[OPEN], form)


def _typed(told: dict[str, Any], form: str) -> dict[str, Any]:
    seen: dict[str, Any] = told.get("seen", {})
    typed = {field: _value(form, field, None) for field in seen}
    return {field: value for field, value in typed.items() if value != seen[field]}


def _words_fields(key: str) -> Callable[[TicketDetail, str, datetime], None]:
    return lambda ticket, form, now: _words(form, key)


def _words_arguments(form: str) -> dict[str, Any]:
    return {"words": _value(form, "words", "")}


def _value(form: str, field: str, default: Any) -> Any:
    value = st.session_state.get(_key(form, field), default)
    return default if value is None else value


FIELDS: dict[Step, Callable[[TicketDetail, str, datetime], None]] = {
    Step.LOG_CONTACT: _contact_fields,
    Step.ASSIGN: _assign_fields,
    Step.START_WAITING: _waiting_fields,
    Step.COMPLETE: _complete_fields,
    Step.CHANGE: _change_fields,
    Step.FOLLOW_UP: _follow_up_fields,
    Step.NOTE: _words_fields("step.note.words"),
    Step.CANCEL: _cancel_fields,
}
ARGUMENTS: dict[Step, Callable[[str], dict[str, Any]]] = {
    Step.LOG_CONTACT: _contact_arguments,
    Step.ASSIGN: lambda form: {"technician_id": _value(form, "technician", None)},
    Step.START_WAITING: _waiting_arguments,
    Step.COMPLETE: lambda form: {"at": _at_argument(form), **_words_arguments(form)},
    Step.CHANGE: _change_arguments,
    Step.FOLLOW_UP: lambda form: {"at": moment_of(_key(form, "next")), **_words_arguments(form)},
    Step.NOTE: _words_arguments,
    Step.CANCEL: lambda form: {"reason": _value(form, "reason", None), **_words_arguments(form)},
}
