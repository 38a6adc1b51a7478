"""The promises of a case, what it waits for, and the step just taken with its undo. Stored text is escaped."""

from datetime import datetime, timedelta

import streamlit as st

from db.codes import CommitmentKind
from lib.shared.work import Actor, permit_of
from lib.tickets import commitments
from lib.tickets.ledger import Outcome, PromiseRow, list_promises_of
from lib.tickets.queries import TicketDetail
from lib.tickets.rules import ENDED_STATUSES
from lib.tickets.steps import Step
from lib.tickets.waits import Wait, find_wait
from lib.tickets.withdrawal import Undo, find_undo, withdraw_step
from lib.ui import doors
from lib.ui.case_steps import moment_fields, moment_of
from lib.ui.labels import code_label, escape, label, when

SCREEN = "tickets.promises"
COLOURS = {
    Outcome.OPEN: "blue",
    Outcome.KEPT: "green",
    Outcome.BROKEN: "red",
    Outcome.CHANGED: "gray",
    Outcome.ENDED: "gray",
}
ICONS = {
    Outcome.OPEN: ":material/schedule:",
    Outcome.KEPT: ":material/check_circle:",
    Outcome.BROKEN: ":material/error:",
    Outcome.CHANGED: ":material/swap_horiz:",
    Outcome.ENDED: ":material/remove_circle:",
}


def show_now(ticket: TicketDetail, actor: Actor, now: datetime) -> None:
    """What the case waits for, and the step of the actor that may still be taken back."""
    wait: Wait | None = doors.read(find_wait, ticket_id=ticket.id)
    undo: Undo | None = doors.read(find_undo, ticket_id=ticket.id) if ticket.steps else None
    if wait is None and undo is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if wait is not None:
            st.markdown(_wait_words(wait), width="content")
        if undo is not None:
            key = doors.form_key(f"{SCREEN}.undo.{ticket.id}.{ticket.version}")
            st.button(
                label("ticket.undo", what=code_label(undo.kind)),
                icon=":material/undo:",
                type="tertiary",
                key=f"{SCREEN}.undo.{key}",
                on_click=_take_back,
                args=(key, ticket.id, ticket.version, undo.event_id),
            )


def _take_back(key: str, ticket_id: int, version: int, event_id: int) -> None:
    doors.submit(withdraw_step, key=key, ticket_id=ticket_id, version=version, event_id=event_id)
    if not doors.refused():
        doors.say("ticket.undone")


def _wait_words(wait: Wait) -> str:
    told = [
        label("ticket.wait_for", what=code_label(wait.waiting_for), who=escape(wait.owner))
        if wait.owner
        else code_label(wait.waiting_for)
    ]
    if wait.until_at is not None:
        key = "ticket.wait_over" if wait.is_over else "ticket.wait_until"
        words = label(key, at=when(wait.until_at))
        told.append(f":red[{words}]" if wait.is_over else words)
    told += [
        label("ticket.expected_due", kind=code_label(kind), at=when(due))
        for kind, due in wait.expected
    ]
    return ":material/pause_circle: " + " · ".join(told)


def show_card(ticket: TicketDetail, actor: Actor, now: datetime) -> None:
    """The case's promises: open ones with "kept" and "changed with consent", and a new one."""
    rows = doors.read(list_promises_of, ticket_id=ticket.id)
    may_promise = (
        not actor.roles.isdisjoint(permit_of(commitments.make_promise).roles)
        and Step.FOLLOW_UP in ticket.steps
        and ticket.status not in ENDED_STATUSES
    )
    if not rows and not may_promise:
        return
    with st.container(border=True, gap="small", key="tickets_promises"):
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
        ):
            st.markdown(f"**{label('promise.title')}**", width="content")
            if may_promise:
                _new(ticket.id, now)
        if not rows:
            st.caption(label("promise.none"))
        for row in rows:
            show_row(row, actor, now, may_act=may_promise)


def promise_words(row: PromiseRow) -> str:
    """What was promised, as one line."""
    return " · ".join(filter(None, (code_label(row.kind), row.words)))


def outcome_words(outcome: Outcome) -> str:
    """What became of a promise, in words."""
    return label(f"promise.outcome.{outcome}")


def show_row(row: PromiseRow, actor: Actor, now: datetime, *, may_act: bool) -> None:
    """One promise with its outcome, who told it when, and the two steps while it is open."""
    told = label("promise.told", who=escape(row.promised_by or "–"), at=when(row.promised_at))
    after = ""
    if row.kept_at is not None:
        is_late = row.outcome is Outcome.BROKEN
        after = label("promise.kept_late" if is_late else "promise.kept_at", at=when(row.kept_at))
    elif row.end_words:
        after = escape(row.end_words)
    badge = f":{COLOURS[row.outcome]}-badge[{ICONS[row.outcome]} {outcome_words(row.outcome)}]"
    head = f"{badge} **{escape(promise_words(row))}** · {label('promise.due', at=when(row.due_at))}"
    st.markdown(head + "  \n" + f":gray[{' · '.join(filter(None, (told, after)))}]")
    if row.is_open and may_act:
        with st.container(horizontal=True, gap="xsmall"):
            keep_button(row)
            change_form(row, now)


def keep_button(row: PromiseRow) -> None:
    """Done, now."""
    key = doors.form_key(f"{SCREEN}.keep.{row.id}.{row.version}")
    st.button(
        label("promise.keep"),
        icon=":material/check:",
        key=f"{SCREEN}.keep.{key}",
        on_click=_keep,
        args=(key, row.id, row.version),
    )


def _keep(key: str, commitment_id: int, version: int) -> None:
    doors.submit(commitments.keep_promise, key=key, commitment_id=commitment_id, version=version)
    if not doors.refused():
        doors.say("promise.keep.done")


def change_form(row: PromiseRow, now: datetime) -> None:
    """Another instant, with the customer's consent in words."""
    key = doors.form_key(f"{SCREEN}.change.{row.id}.{row.version}")
    with st.popover(label("promise.change"), icon=":material/swap_horiz:"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            moment_fields(
                f"{SCREEN}.change.{key}",
                max(row.due_at, now) + timedelta(hours=1),
                "promise.day",
                "promise.time",
            )
        st.text_area(
            label("promise.consent"),
            key=f"{SCREEN}.consent.{key}",
            placeholder=label("promise.consent_how"),
            max_chars=commitments.WORDS_LENGTH,
            height=80,
        )
        st.button(
            label("promise.change.save"),
            type="primary",
            key=f"{SCREEN}.change.save.{key}",
            on_click=_change,
            args=(key, row.id, row.version),
        )


def _change(key: str, commitment_id: int, version: int) -> None:
    due_at = moment_of(f"{SCREEN}.change.{key}")
    if due_at is None:
        doors.refuse("promise_in_past")
        return
    doors.submit(
        commitments.change_promise,
        key=key,
        commitment_id=commitment_id,
        version=version,
        due_at=due_at,
        words=st.session_state.get(f"{SCREEN}.consent.{key}", ""),
    )
    if not doors.refused():
        doors.say("promise.change.done")


def _new(ticket_id: int, now: datetime) -> None:
    key = doors.form_key(f"{SCREEN}.new.{ticket_id}")
    with st.popover(label("promise.new"), icon=":material/handshake:"):
        st.pills(
            label("promise.kind"),
            list(CommitmentKind),
            format_func=code_label,
            default=CommitmentKind.CALL_BACK,
            key=f"{SCREEN}.kind.{key}",
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            moment_fields(
                f"{SCREEN}.new.{key}", now + timedelta(hours=1), "promise.day", "promise.time"
            )
        st.text_input(
            label("promise.words"), key=f"{SCREEN}.words.{key}", max_chars=commitments.WORDS_LENGTH
        )
        st.button(
            label("promise.new.save"),
            type="primary",
            key=f"{SCREEN}.new.save.{key}",
            on_click=_make,
            args=(key, ticket_id),
        )


def _make(key: str, ticket_id: int) -> None:
    kind = st.session_state.get(f"{SCREEN}.kind.{key}")
    due_at = moment_of(f"{SCREEN}.new.{key}")
    if kind is None or due_at is None:
        doors.refuse("promise_kind_missing")
        return
    doors.submit(
        commitments.make_promise,
        key=key,
        ticket_id=ticket_id,
        kind=kind,
        due_at=due_at,
        words=st.session_state.get(f"{SCREEN}.words.{key}", ""),
    )
    if not doors.refused():
        doors.say("promise.new.done")
