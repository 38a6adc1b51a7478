"""Taking a step back: a step within 10 seconds, a change within 10 minutes, only by its author (rules 13, 14).

What was taken back stays on the timeline; the facts leave it out, as if it had never been.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select

from db.codes import (
    ActorKind,
    CommitmentState,
    EventKind,
    FaultCode,
    Priority,
    ReturnCallState,
    Role,
    TicketStatus,
)
from db.models.tickets import Commitment, ReturnCall, Ticket, TicketEvent
from lib.shared.errors import Refusal
from lib.shared.work import Look, Work, permit
from lib.tickets import rules
from lib.tickets.actions import add_event, coverage_of, ensure_own_work
from lib.tickets.derivation import recompute
from lib.tickets.promises import UNDO, WITHDRAWAL

GRACE = timedelta(seconds=5)
"""What a tap on "undo" may take to reach the desk."""
STEPS = frozenset(
    {
        EventKind.ASSIGNED,
        EventKind.CONTACTED,
        EventKind.ATTEMPTED,
        EventKind.INBOUND,
        EventKind.WAITING_STARTED,
        EventKind.WAITING_ENDED,
        EventKind.COMPLETED,
    }
)
BESIDE = frozenset({EventKind.PROMISE_KEPT})
"""What such a step may bring along, and is withdrawn with it."""
FIELDS: dict[str, Any] = {
    "priority": Priority,
    "fault": FaultCode,
    "contact_id": int,
    "site_id": int,
    "item_id": int,
    "next_action_at": datetime.fromisoformat,
}
"""Fields that can be set back, and how their told value is read."""
NEWEST = (
    select(TicketEvent)
    .where(TicketEvent.ticket_id == bindparam("of_ticket"), TicketEvent.kind.not_in(rules.NO_MOVE))
    .order_by(TicketEvent.id.desc())
    .limit(6)
)


@dataclass(frozen=True, slots=True)
class Undo:
    """The newest step or change of the case, which the actor may still take back."""

    event_id: int
    kind: EventKind
    until: datetime


def find_undo(look: Look, *, ticket_id: int) -> Undo | None:
    """What the actor may take back on the case now; None when nothing, or when it is not his."""
    return _undo_of(_newest(look.session, ticket_id), look.actor.person_id, look.now)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)
def withdraw_step(work: Work, *, ticket_id: int, version: int, event_id: int) -> None:
    """Take back the newest step or change of the case. Refuses `withdraw_too_late` for any other."""
    ticket = work.get(Ticket, ticket_id, version=version)
    ensure_own_work(work, ticket)
    events = _newest(work.session, ticket_id)
    undo = _undo_of(events, work.actor.person_id, work.now)
    if undo is None or event_id not in {event.id for event in events}:
        raise Refusal("withdraw_too_late")
    for event in events:
        add_event(work, ticket, EventKind.WITHDRAWN, details={"withdrawn_id": event.id})
    changed = [event for event in events if event.kind is EventKind.CHANGED]
    for event in changed:
        _set_back(ticket, event.details["values"])
        if "item_id" in event.details["values"]:
            ticket.coverage = coverage_of(work, ticket.item_id, ticket.received_at)
    if not changed:
        _step_back(work, ticket, {event.id for event in events})
    for event in events:
        if event.kind is EventKind.PROMISE_KEPT:
            _reopen_promise(work, event)
    work.record("ticket.step_withdrawn", ticket, event_id=undo.event_id, kind=undo.kind)
    recompute(work, ticket)


def _newest(session: Any, ticket_id: int) -> Sequence[TicketEvent]:
    """The facts that the last transaction on the case brought, notes aside; nothing if it was a withdrawal."""
    last = session.scalars(NEWEST, {"of_ticket": ticket_id}).all()
    first = last[0] if last else None
    return [
        event
        for event in last
        if first is not None
        and (event.recorded_at, event.actor_id) == (first.recorded_at, first.actor_id)
    ]


def _undo_of(events: Sequence[TicketEvent], person_id: int | None, now: datetime) -> Undo | None:
    if not events or person_id is None:
        return None
    kinds = {event.kind for event in events}
    first = events[0]
    if first.actor_kind is not ActorKind.PERSON or first.actor_id != person_id:
        return None
    if kinds == {EventKind.CHANGED}:
        if not all(_can_set_back(event.details) for event in events):
            return None
        until = first.recorded_at + WITHDRAWAL
    elif kinds <= STEPS | BESIDE and kinds & STEPS:
        until = first.recorded_at + UNDO + GRACE
    else:
        return None
    if now > until:
        return None
    told = next(event for event in events if event.kind not in BESIDE)
    if told.to_status is None and told.kind is EventKind.COMPLETED:
        # It only dated a completion back (rule 21): there is no step to take back.
        return None
    return Undo(told.id, told.kind, until)


def _can_set_back(details: dict[str, Any]) -> bool:
    values = details.get("values", {})
    return bool(values) and set(details.get("fields", ())) <= set(values) <= set(FIELDS)


def _set_back(ticket: Ticket, values: dict[str, list[Any]]) -> None:
    for field, (before, _after) in values.items():
        setattr(ticket, field, None if before is None else FIELDS[field](before))


def _step_back(work: Work, ticket: Ticket, gone: set[int]) -> None:
    """The case as the facts leave it that still stand."""
    rows = work.session.scalars(
        select(TicketEvent).where(TicketEvent.ticket_id == ticket.id).order_by(TicketEvent.id)
    ).all()
    before = {row.details["withdrawn_id"] for row in rows if row.kind is EventKind.WITHDRAWN}
    standing = [row for row in rows if row.id not in gone | before]
    ticket.status = _status_of(standing)
    waits = ticket.status is TicketStatus.WAITING
    wait = next(
        (row for row in reversed(standing) if row.kind is EventKind.WAITING_STARTED and waits), None
    )
    until = None if wait is None else wait.details.get("until_at")
    ticket.waiting_for = None if wait is None else wait.waiting_for
    ticket.waiting_until = None if until is None else datetime.fromisoformat(until)
    ticket.waiting_owner_id = None if wait is None else wait.details.get("waiting_owner_id")
    if any(row.id in gone and row.kind is EventKind.ASSIGNED for row in rows):
        holders = [rules.holder_of(row.kind, row.actor_id, row.details) for row in standing]
        ticket.technician_id = next((each for each in reversed(holders) if each is not None), None)
    if ticket.completed_at is not None and ticket.status is not TicketStatus.COMPLETED:
        ticket.completed_at = None
        work.session.execute(
            delete(ReturnCall).where(
                ReturnCall.ticket_id == ticket.id,
                ReturnCall.cycle == ticket.cycle,
                ReturnCall.state == ReturnCallState.OPEN,
                ReturnCall.tries == 0,
            )
        )


def _status_of(events: Iterable[TicketEvent]) -> TicketStatus:
    status = TicketStatus.NEW
    for event in events:
        status = event.to_status or status
    return status


def _reopen_promise(work: Work, kept: TicketEvent) -> None:
    commitment = work.get(Commitment, int(kept.details["commitment_id"]))
    earlier = [
        event.at
        for event in work.session.scalars(
            select(TicketEvent).where(
                TicketEvent.ticket_id == kept.ticket_id,
                TicketEvent.kind == EventKind.PROMISE_KEPT,
                TicketEvent.id < kept.id,
            )
        )
        if event.details.get("commitment_id") == commitment.id
    ]
    if earlier:
        commitment.kept_at = commitment.ended_at = min(earlier)
        return
    commitment.state = CommitmentState.OPEN
    commitment.kept_at = commitment.ended_at = commitment.kept_by_id = None
