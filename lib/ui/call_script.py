"""What stands beside the hotline's form: the eight steps of the script, what is on record, the number to read out."""

from collections.abc import Callable
from datetime import datetime
from html import escape as escape_html

import streamlit as st

from db.codes import CallStep, Channel, CoverageState, CustomerLevel
from lib.coverage.queries import CoveredItem
from lib.customers.queries import CustomerCard
from lib.shared import clock
from lib.shared.clock import SHANGHAI
from lib.tickets.crew import CrewMember
from lib.tickets.queries import NumberToRead, PromiseToTell, SimilarTicket, find_promise
from lib.ui import call_clock, call_form, doors, menu
from lib.ui.labels import clock_time, code_label, day, escape, label, when

NEXT_FIELD = ".st-key-tickets_entry_fault button"
"""Where a call goes on after the caller is known: the first fault code."""
FAULTS = ".st-key-tickets_entry_fault [data-testid='stButtonGroup']"
OFFER = ".st-key-tickets_entry_offer"
SAVE_BUTTON = ".st-key-tickets_entry_save button"
MARKS = {"done": "✓", "now": "▶", "missing": "!", "open": ""}


def promise_to_tell(form: str, caller: call_form.Known) -> PromiseToTell | None:
    """The promise of step 5 for the case as it is told so far, kept as what is on the screen (S-22)."""
    received_at = call_form.received_at(form) or call_clock.running(form).started_at
    channel = call_form.chosen_channel(form)
    found = doors.read(
        find_promise,
        received_at=received_at,
        channel=channel,
        priority=call_form.chosen_priority(form),
        customer_id=caller.customer_id,
    )
    live = found is not None and channel is Channel.PHONE and call_form.is_live(form)
    if live and found is not None:
        call_clock.promise(form, found.until, sentence(found.until), found.policy_id)
    else:
        call_clock.promise(form, None, "", None)
    return found


def sentence(until: datetime) -> str:
    """What is read out, with the real time: `We will call you before 14:36.`"""
    return label("script.sentence", until=moment_words(until))


def show(form: str, caller: call_form.Known, promise: PromiseToTell | None) -> None:
    """The steps S-18 to S-25 in order: done ones with their time, the next one marked, left out ones pointed at."""
    done = {
        CallStep.COMPANY: caller.is_chosen,
        CallStep.RECORD: caller.is_chosen,
        CallStep.CONTACT: caller.contact_told,
        CallStep.FAULT: call_form.chosen_fault(form) is not None,
    }
    stamps = call_clock.stamp(form, done)
    reached = max((at for at, step in enumerate(CallStep) if done.get(step)), default=-1)
    lines, next_is_marked = [], False
    for at, step in enumerate(CallStep):
        state = "open"
        if done.get(step):
            state = "done"
        elif at < reached:
            state = "missing"
        elif not next_is_marked:
            state, next_is_marked = "now", True
        said = ""
        if step is CallStep.PROMISE:
            said = _promise_words(promise)
        lines.append(_line(at + 1, step, state, stamps.get(step), said))
    st.html(
        f'<section class="desk-card desk-steps"><h2>{escape_html(label("script.title"))}</h2>'
        f"<ol>{''.join(lines)}</ol></section>"
    )


def _line(number: int, step: CallStep, state: str, at: datetime | None, said: str) -> str:
    words = escape_html(label(f"script.step_{number}"))
    told = escape_html(label(f"script.{state}"))
    current = ' aria-current="step"' if state == "now" else ""
    moment = f"<time>{escape_html(clock_seconds(at))}</time>" if at is not None else ""
    speech = f"<q>{escape_html(said)}</q>" if said else ""
    return (
        f'<li class="{state}"{current}><i aria-hidden="true">{MARKS[state] or number}</i>'
        f'<span>{words}<small class="state">{told}</small>{speech}</span>{moment}</li>'
    )


def _promise_words(promise: PromiseToTell | None) -> str:
    if promise is None:
        return label("script.no_promise")
    if promise.until <= clock.now():
        return label("script.promise_over", until=moment_words(promise.until))
    if promise.minutes is not None:
        return f"{sentence(promise.until)} {label('script.minutes', minutes=promise.minutes)}"
    return sentence(promise.until)


def clock_seconds(at: datetime) -> str:
    """The time of a step."""
    return when(at, seconds=True)[-8:]


def show_card(card: CustomerCard, items: list[CoveredItem]) -> None:
    """Who looks after the caller, what must not be forgotten, and how the warranties stand (S-19)."""
    owners = label(
        "card.owners",
        service=card.service_owner or label("card.nobody"),
        sales=card.sales_owner or label("card.nobody"),
    )
    level = ""
    if card.level is not CustomerLevel.STANDARD:
        level = f'<span class="desk-chip">{escape_html(code_label(card.level))}</span>'
    remember = ""
    if card.remember:
        lines = escape_html(card.remember).replace("\n", "<br>")
        remember = f'<p class="remember"><b>{escape_html(label("card.remember"))}</b> {lines}</p>'
    missing = "" if card.is_owned else ' class="unowned"'
    st.html(
        f'<section class="desk-card desk-caller"><h2>{escape_html(card.name)}{level}</h2>{remember}'
        f"<p{missing}>{escape_html(owners)}</p><p>{escape_html(_warranties(items))}</p></section>"
    )


def _warranties(items: list[CoveredItem]) -> str:
    if not items:
        return label("card.no_items")
    counted = {
        state: sum(item.warranty.state is state for item in items) for state in CoverageState
    }
    told = [f"{code_label(state)} {count}" for state, count in counted.items() if count]
    return " · ".join([label("card.items", count=len(items)), *told])


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
            same = f" · **{label('entry.same_item')}**" if ticket.same_item else ""
            on = day(ticket.received_at.astimezone(SHANGHAI).date())
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                menu.link(
                    "tickets_detail",
                    f"{ticket.number} {code_label(ticket.fault)} · {code_label(ticket.status)}"
                    f" · {on}{same}",
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
        if last:
            st.markdown(f"**{label('entry.last_faults')}**")
        for ticket in last:
            on = day(ticket.received_at.astimezone(SHANGHAI).date())
            st.markdown(f":gray[{on} · {code_label(ticket.fault)} · {code_label(ticket.status)}]")


def read_out(
    ticket: NumberToRead,
    promise: str,
    crew: list[CrewMember],
    *,
    attached: bool,
    may_assign: bool,
    on_choose: Callable[[int, int], None],
) -> None:
    """The number in large type, the promise as it was told, and who could go; the offer by Alt and a digit (S-23)."""
    with st.container(border=True, key="tickets_entry_saved", gap="small"):
        with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
            st.markdown(f"## {ticket.number}", width="content")
            told = label("entry.attached") if attached else label("entry.saved")
            st.markdown(f"{told} · **{escape(ticket.company)}**  \n{escape(promise)}")
            menu.link(
                "tickets_detail",
                label("entry.open"),
                icon=":material/open_in_new:",
                ticket=ticket.id,
            )
        if attached:
            return
        if ticket.technician:
            st.markdown(label("offer.assigned", name=escape(ticket.technician)))
            return
        with st.container(
            horizontal=True, key="tickets_entry_offer", gap="small", vertical_alignment="center"
        ):
            st.markdown(
                label("offer.assign" if may_assign else "offer.wish"),
                width="content",
            )
            for place, member in enumerate(crew, 1):
                st.button(
                    f"{escape(member.name)} · {_load(member)}  `Alt+{place}`",
                    key=f"tickets.entry.offer.{ticket.id}.{member.person_id}",
                    on_click=on_choose,
                    args=(ticket.id, member.person_id),
                )
            if all(member.free_from is None for member in crew):
                st.markdown(f":orange-badge[▲ {label('offer.nobody_free')}]", width="content")


def _load(member: CrewMember) -> str:
    free = label("offer.busy")
    if member.free_from is not None:
        free = label("offer.free_from", at=clock_time(member.free_from))
    return f"{label('offer.load', hours=f'{member.minutes_today / 60:g}')} · {free}"


def moment_words(at: datetime) -> str:
    """An instant as it is read out: the time, on another day with the day and its weekday."""
    on = at.astimezone(SHANGHAI).date()
    if on == clock.now().astimezone(SHANGHAI).date():
        return clock_time(at)
    return f"{day(on)} {clock_time(at)}"
