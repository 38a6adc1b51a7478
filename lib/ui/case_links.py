"""The other cases of a case: one click leads there; merging, linking, splitting, and a fault that is back."""

from html import escape
from typing import Any

import streamlit as st

from db.codes import FaultCode, LinkKind
from lib.shared.work import Actor, permit_of
from lib.tickets.links import Return, link_tickets, split_ticket, take_back, unlink_tickets
from lib.tickets.merges import merge_tickets, undo_merge
from lib.tickets.queries import TicketDetail, find_ticket, find_ticket_id
from lib.tickets.relations import (
    Related,
    Tie,
    find_return_by_record,
    list_messages,
)
from lib.tickets.rules import OPEN_STATUSES
from lib.ui import chips, doors, menu
from lib.ui.labels import code_label, label, when

MOST_SHOWN = 6
ASKED = "tickets.case.asked"
"""The number of another case, kept while one of its forms is filled in."""
WAYS = ("absorb", "into", "related", "duplicate", "split")


def show_related(ticket: TicketDetail, related: list[Related], actor: Actor) -> None:
    """Each other case by number, with what it is to this one and its state; a merge can be taken back here."""
    tied = [each for each in related if each.tie is not Tie.POSSIBLE]
    if not tied:
        return
    may_undo = not actor.roles.isdisjoint(permit_of(undo_merge).roles)
    with st.container(
        horizontal=True, gap="small", vertical_alignment="center", key="tickets_case_related"
    ):
        for each in tied[:MOST_SHOWN]:
            status = chips.status_chip(each.status, each.waiting_for).words
            words = f"{label(f'case.tie.{each.tie}')} {each.number} · {status}"
            menu.link("tickets_detail", words, icon=":material/link:", ticket=each.id)
            if each.merge_id is not None and may_undo:
                key = doors.form_key(f"tickets.case.undo.{each.merge_id}")
                st.button(
                    label("case.links.undo"),
                    type="tertiary",
                    icon=":material/undo:",
                    key=f"tickets.case.undo.{key}",
                    on_click=_undo,
                    args=(each.merge_id, key),
                )
            elif each.link_id is not None and may_undo:
                key = doors.form_key(f"tickets.case.unlink.{each.link_id}")
                st.button(
                    label("case.links.unlink"),
                    type="tertiary",
                    icon=":material/link_off:",
                    key=f"tickets.case.unlink.{key}",
                    on_click=doors.submit,
                    args=(unlink_tickets,),
                    kwargs={"key": key, "link_id": each.link_id},
                )
        if len(tied) > MOST_SHOWN:
            st.caption(label("case.links.more", count=len(tied) - MOST_SHOWN))


def show(ticket: TicketDetail, related: list[Related], actor: Actor) -> None:
    """Cases that may be the same report, each merged by one press; and any other case by its number."""
    possible = [each for each in related if each.tie is Tie.POSSIBLE]
    is_open = ticket.status in OPEN_STATUSES
    if possible and is_open:
        st.markdown(f"**{label('case.links.possible')}**")
        for each in possible:
            _possible(ticket, each)
    _by_number(ticket, actor, is_open=is_open)


def _possible(ticket: TicketDetail, each: Related) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        told = " · ".join(
            (
                code_label(each.fault),
                chips.status_chip(each.status, each.waiting_for).words,
                when(each.received_at),
            )
        )
        menu.link("tickets_detail", f"{each.number} · {told}", ticket=each.id)
        key = doors.form_key(f"tickets.case.merge.{ticket.id}.{each.id}")
        st.button(
            label("case.links.absorb"),
            icon=":material/merge:",
            key=f"tickets.case.merge.{key}",
            on_click=_merge,
            args=(each.id, ticket.id, each.version, key),
        )


def _by_number(ticket: TicketDetail, actor: Actor, *, is_open: bool) -> None:
    form = doors.form_key(f"tickets.case.links.{ticket.id}")
    ways = [way for way in WAYS if is_open or way in ("related", "duplicate")]
    if actor.roles.isdisjoint(permit_of(split_ticket).roles):
        ways = [way for way in ways if way != "split"]
    way = st.segmented_control(
        label("case.links.way"),
        ways,
        default=ways[0],
        required=True,
        format_func=lambda each: label(f"case.links.{each}"),
        key=f"tickets.case.way.{form}",
    )
    if way == "split":
        _split(ticket, form)
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        asked = st.text_input(
            label("case.links.number"),
            placeholder="CC-2026-000123",
            max_chars=24,
            key=f"tickets.case.number.{form}",
            width=220,
        )
        st.text_input(label("case.links.words"), max_chars=400, key=f"tickets.case.words.{form}")
        st.button(
            label("case.links.save"),
            type="primary",
            key=f"tickets.case.link.{form}",
            on_click=_save,
            args=(ticket.id, ticket.version, form),
        )
    other_id = doors.read(find_ticket_id, number=asked) if asked.strip() else None
    if other_id is not None:
        other = doors.read(find_ticket, ticket_id=other_id)
        told = (other.number, other.company, code_label(other.fault), code_label(other.status))
        st.html(f'<p class="desk-files">{escape(" · ".join(filter(None, told)))}</p>')


def _save(ticket_id: int, version: int, form: str) -> None:
    way = st.session_state.get(f"tickets.case.way.{form}") or "absorb"
    words = st.session_state.get(f"tickets.case.words.{form}", "")
    asked = str(st.session_state.get(f"tickets.case.number.{form}", ""))
    other_id = doors.try_read(find_ticket_id, number=asked)
    if other_id is None:
        doors.refuse("number_unknown")
        return
    if way in ("related", "duplicate"):
        told: dict[str, Any] = {"ticket_id": ticket_id, "other_id": other_id, "words": words}
        doors.submit(link_tickets, key=form, kind=LinkKind(way), **told)
        if not doors.refused():
            doors.say("case.links.linked")
        return
    absorbs = way == "absorb"
    seen = doors.try_read(find_ticket, ticket_id=other_id).version if absorbs else version
    _merge(
        other_id if absorbs else ticket_id, ticket_id if absorbs else other_id, seen, form, words
    )


def _merge(absorbed_id: int, survivor_id: int, version: int, key: str, words: str = "") -> None:
    doors.submit(
        merge_tickets,
        key=key,
        absorbed_id=absorbed_id,
        survivor_id=survivor_id,
        version=version,
        words=words,
    )
    if not doors.refused():
        doors.say("case.links.merged")


def _undo(merge_id: int, key: str) -> None:
    doors.submit(undo_merge, key=key, merge_id=merge_id)
    if not doors.refused():
        doors.say("case.links.undone")


def _split(ticket: TicketDetail, form: str) -> None:
    messages = {row.event_id: row for row in doors.read(list_messages, ticket_id=ticket.id)}
    st.selectbox(
        label("case.split.message"),
        list(messages),
        format_func=lambda each: f"{when(messages[each].at)} · {messages[each].words[:60]}",
        key=f"tickets.case.message.{form}",
    )
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        st.selectbox(
            label("ticket.field.fault"),
            list(FaultCode),
            format_func=code_label,
            key=f"tickets.case.fault.{form}",
            width=200,
        )
        st.text_input(label("ticket.words"), max_chars=400, key=f"tickets.case.words.{form}")
        st.button(
            label("case.split.save"),
            type="primary",
            key=f"tickets.case.split.{form}",
            on_click=_save_split,
            args=(ticket.id, ticket.version, form),
        )


def _save_split(ticket_id: int, version: int, form: str) -> None:
    message = st.session_state.get(f"tickets.case.message.{form}")
    if message is None:
        doors.refuse("split_no_message")
        return
    doors.submit(
        split_ticket,
        key=form,
        ticket_id=ticket_id,
        version=version,
        event_id=message,
        fault=st.session_state.get(f"tickets.case.fault.{form}"),
        words=st.session_state.get(f"tickets.case.words.{form}", ""),
    )
    if not doors.refused():
        doors.say("case.split.done")


def show_return(ticket: TicketDetail) -> None:
    """The fault is back: what the record says is chosen beforehand, the other choice asks for a reason (rule 13)."""
    form = doors.form_key(f"tickets.case.back.{ticket.id}")
    by_record = doors.read(find_return_by_record, ticket_id=ticket.id)
    how = st.segmented_control(
        label("case.back.how"),
        list(Return),
        default=by_record,
        required=True,
        format_func=lambda each: label(f"case.back.{each}"),
        key=f"tickets.case.how.{form}",
    )
    st.text_input(label("case.back.words"), max_chars=400, key=f"tickets.case.words.{form}")
    if how is not by_record:
        st.text_input(
            label("case.back.reason", record=label(f"case.back.{by_record}")),
            max_chars=400,
            key=f"tickets.case.reason.{form}",
        )
    st.button(
        label("case.back.save"),
        type="primary",
        key=f"tickets.case.back.{form}",
        on_click=_save_return,
        args=(ticket.id, ticket.version, form, by_record),
    )


def _save_return(ticket_id: int, version: int, form: str, by_record: Return) -> None:
    doors.submit(
        take_back,
        key=form,
        ticket_id=ticket_id,
        version=version,
        how=st.session_state.get(f"tickets.case.how.{form}") or by_record,
        words=st.session_state.get(f"tickets.case.words.{form}", ""),
        reason=st.session_state.get(f"tickets.case.reason.{form}", ""),
    )
    if not doors.refused():
        doors.say("case.back.done")
