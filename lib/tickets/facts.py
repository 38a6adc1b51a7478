"""Writing a fact on a case's timeline, and what a step says of the promises that are open on the case."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, select

from db.codes import CommitmentKind, CommitmentState, EventKind, TicketStatus, WaitingFor
from db.models.tickets import Commitment, Ticket, TicketEvent
from lib.shared.work import Work

MAY_BE_KEPT = (
    select(Commitment.id)
    .where(
        Commitment.ticket_id == bindparam("of_ticket"),
        or_(Commitment.state == CommitmentState.OPEN, Commitment.kept_at > bindparam("since")),
    )
    .order_by(Commitment.id)
)
ARE_OPEN = (
    select(Commitment.id)
    .where(Commitment.ticket_id == bindparam("of_ticket"), Commitment.state == CommitmentState.OPEN)
    .order_by(Commitment.id)
)
"""Most steps find no promise. Asked past the session, they tell too many of those that it has not yet written."""


def add_event(
    work: Work,
    ticket: Ticket,
    kind: EventKind,
    *,
    at: datetime | None = None,
    from_status: TicketStatus | None = None,
    to_status: TicketStatus | None = None,
    waiting_for: WaitingFor | None = None,
    outbound: bool = False,
    words: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    """Write a fact on the timeline; `at` is when it happened, now unless told."""
    work.write(
        TicketEvent,
        ticket_id=ticket.id,
        cycle=ticket.cycle,
        kind=kind,
        at=at or work.now,
        recorded_at=work.now,
        actor_kind=work.actor.kind,
        actor_id=work.actor.person_id,
        from_status=from_status,
        to_status=to_status,
        waiting_for=waiting_for,
        outbound=outbound,
        words=words,
        details=details or {},
    )


def keep_promises(
    work: Work, ticket: Ticket, kinds: Iterable[CommitmentKind], at: datetime
) -> None:
    """What was promised happened at `at`; of two such steps the one with the earliest event time counts (rule 21)."""
    wanted = tuple(kinds)
    found = work.store.execute(MAY_BE_KEPT, {"of_ticket": ticket.id, "since": at})
    for commitment_id in found.scalars().all():
        commitment = work.get(Commitment, commitment_id)
        is_due = commitment.state is CommitmentState.OPEN or (
            commitment.kept_at is not None and commitment.kept_at > at
        )
        if is_due and commitment.kind in wanted and commitment.promised_at < at:
            keep(work, ticket, commitment, at)


def keep(work: Work, ticket: Ticket, commitment: Commitment, at: datetime) -> None:
    """Mark one promise as kept at `at`, in time or late."""
    commitment.state = CommitmentState.KEPT
    commitment.kept_at = commitment.ended_at = at
    commitment.kept_by_id = work.actor.person_id
    add_event(work, ticket, EventKind.PROMISE_KEPT, at=at, details=told(commitment))


def end_promises(work: Work, ticket: Ticket, words: str) -> None:
    """The case is over: what is still open ends with it, for the same reason; a broken promise stays broken."""
    found = work.store.execute(ARE_OPEN, {"of_ticket": ticket.id})
    for commitment_id in found.scalars().all():
        commitment = work.get(Commitment, commitment_id)
        if commitment.state is CommitmentState.OPEN:
            end(work, ticket, commitment, words)


def end(work: Work, ticket: Ticket, commitment: Commitment, words: str) -> None:
    """End one promise that will not be kept, with a reason."""
    commitment.state = CommitmentState.ENDED
    commitment.ended_at = work.now
    commitment.end_words = words
    add_event(work, ticket, EventKind.PROMISE_ENDED, words=words, details=told(commitment))


def told(commitment: Commitment) -> dict[str, Any]:
    """What an event says of a promise: ids and codes, and the instant told."""
    return {
        "commitment_id": commitment.id,
        "kind": commitment.kind,
        "due_at": commitment.due_at.isoformat(),
    }
