"""Promises to customers: made, kept, changed with the customer's consent, or ended with a reason (rule 28)."""

from datetime import datetime, timedelta

from sqlalchemy import select

from db.codes import CommitmentKind, CommitmentState, EventKind, Role, TimerKind
from db.models.tickets import Commitment, Ticket
from lib.shared.calendar import epoch
from lib.shared.errors import Refusal
from lib.shared.work import Work, permit
from lib.tickets import facts, rules
from lib.tickets.actions import ensure_own_work
from lib.tickets.derivation import recompute
from lib.tickets.policies import matter_now, rulebook_of
from lib.tickets.promises import promise_told

FARTHEST = timedelta(days=366)
WORDS_LENGTH = 400
DESK = (Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR)


def add_commitment(
    work: Work,
    ticket: Ticket,
    *,
    kind: CommitmentKind,
    due_at: datetime,
    words: str,
    policy_id: int | None = None,
    promised_at: datetime | None = None,
) -> Commitment:
    """Store what a customer was told, in the transaction of the caller, with its timer. `due_at` is the instant told.

    `promised_at`: when it was told, now unless given. Refuses `promise_in_past` for a due before that.
    """
    promised_at = (promised_at or work.now).replace(microsecond=0)
    due_at = due_at.replace(microsecond=0)
    if due_at < promised_at:
        raise Refusal("promise_in_past")
    commitment = work.insert(
        Commitment(
            ticket_id=ticket.id,
            kind=kind,
            state=CommitmentState.OPEN,
            words=rules.ensure_readable(words.strip(), limit=WORDS_LENGTH),
            promised_at=promised_at,
            promised_by_id=work.actor.person_id,
            due_at=due_at,
            policy_id=policy_id,
        )
    )
    facts.add_event(
        work,
        ticket,
        EventKind.PROMISED,
        at=promised_at,
        words=commitment.words,
        details=facts.told(commitment),
    )
    recompute(work, ticket)
    return commitment


def promise_call_back(work: Work, ticket: Ticket) -> Commitment | None:
    """The promise of the hotline's fifth step (S-22): by when somebody gets in touch; the first contact keeps it.

    As it is told: from the receipt, by the policy, rounded up to the full minute. None without a policy.
    """
    at = epoch(ticket.received_at)
    matter = matter_now(work.session, ticket)
    target = rulebook_of(work).target_of(TimerKind.FIRST_RESPONSE, matter, at, at)
    if target is None:
        return None
    return add_commitment(
        work,
        ticket,
        kind=CommitmentKind.CALL_BACK,
        due_at=promise_told(ticket.received_at, target),
        words="",
        policy_id=target.policy_id,
        promised_at=ticket.received_at,
    )


@permit(*DESK)
def make_promise(
    work: Work, *, ticket_id: int, kind: CommitmentKind, due_at: datetime, words: str
) -> int:
    """Write down a promise that was just made. Answers its id.

    Refuses `promise_in_past`, `promise_too_far`, and `words_missing` for one of no named kind.
    """
    ticket = work.get(Ticket, ticket_id)
    rules.ensure_open(ticket.status)
    ensure_own_work(work, ticket)
    _ensure_to_come(work, due_at)
    if kind is CommitmentKind.OTHER:
        rules.ensure_words(words, limit=WORDS_LENGTH)
    commitment = add_commitment(work, ticket, kind=kind, due_at=due_at, words=words)
    work.record("commitment.made", commitment, kind=kind, due_at=due_at.isoformat())
    return commitment.id


@permit(*DESK)
def keep_promise(
    work: Work, *, commitment_id: int, version: int, at: datetime | None = None
) -> None:
    """What was promised is done; `at` may be dated back to the promise (rule 1).

    Refuses `promise_ended` and `kept_out_of_time`.
    """
    commitment, ticket = _open_promise(work, commitment_id, version)
    at = (at or work.now).replace(microsecond=0)
    if not commitment.promised_at <= at <= work.now:
        raise Refusal("kept_out_of_time")
    facts.keep(work, ticket, commitment, at)
    work.record("commitment.kept", commitment, at=at.isoformat())
    recompute(work, ticket)


@permit(*DESK)
def change_promise(
    work: Work, *, commitment_id: int, version: int, due_at: datetime, words: str
) -> int:
    """Another instant, because the customer agreed: `words` tell how. Answers the id of the new promise.

    Agreed to before the old due, the old promise is neither kept nor broken; after it, it stays broken (rule 23).
    Refuses `consent_missing`, `promise_ended`, `promise_in_past`, `promise_too_far`.
    """
    commitment, ticket = _open_promise(work, commitment_id, version)
    if not words.strip():
        raise Refusal("consent_missing")
    consent = rules.ensure_words(words, limit=WORDS_LENGTH)
    _ensure_to_come(work, due_at)
    new = add_commitment(work, ticket, kind=commitment.kind, due_at=due_at, words=commitment.words)
    commitment.state = CommitmentState.CHANGED
    commitment.ended_at = work.now
    commitment.end_words = consent
    commitment.replaced_by_id = new.id
    facts.add_event(
        work,
        ticket,
        EventKind.PROMISE_CHANGED,
        words=consent,
        details=facts.told(commitment) | {"replaced_by_id": new.id},
    )
    work.record("commitment.changed", commitment, new_id=new.id, due_at=due_at.isoformat())
    return new.id


@permit(Role.SUPERVISOR)
def end_promise(work: Work, *, commitment_id: int, version: int, words: str) -> None:
    """Take an open promise off the list with a reason; one past its due stays broken."""
    commitment, ticket = _open_promise(work, commitment_id, version)
    facts.end(work, ticket, commitment, rules.ensure_words(words, limit=WORDS_LENGTH))
    work.record("commitment.ended", commitment)
    recompute(work, ticket)


def move_promises(work: Work, ticket: Ticket, other: Ticket, ids: list[int] | None = None) -> None:
    """A merge, or its undoing: the promises of `ticket` go over to `other` as they are (rule 17).

    ids: only these. The events that `ticket` has of them stay, and no longer count there.
    """
    query = select(Commitment).where(Commitment.ticket_id == ticket.id).order_by(Commitment.id)
    if ids is not None:
        query = query.where(Commitment.id.in_(ids))
    for commitment in work.session.scalars(query):
        commitment.ticket_id = other.id
        told = facts.told(commitment)
        facts.add_event(
            work,
            other,
            EventKind.PROMISED,
            at=commitment.promised_at,
            words=commitment.words,
            details=told,
        )
        if commitment.kept_at is not None:
            facts.add_event(
                work, other, EventKind.PROMISE_KEPT, at=commitment.kept_at, details=told
            )
        elif commitment.ended_at is not None:
            ended = (
                EventKind.PROMISE_CHANGED
                if commitment.state is CommitmentState.CHANGED
                else EventKind.PROMISE_ENDED
            )
            facts.add_event(work, other, ended, at=commitment.ended_at, details=told)
        moved = told | {"moved_to": other.id}
        facts.add_event(work, ticket, EventKind.PROMISE_ENDED, details=moved)
    recompute(work, ticket)
    recompute(work, other)


def _open_promise(work: Work, commitment_id: int, version: int) -> tuple[Commitment, Ticket]:
    commitment = work.get(Commitment, commitment_id, version=version)
    if commitment.state is not CommitmentState.OPEN:
        raise Refusal("promise_ended", state=commitment.state)
    ticket = work.get(Ticket, commitment.ticket_id)
    ensure_own_work(work, ticket)
    return commitment, ticket


def _ensure_to_come(work: Work, due_at: datetime) -> None:
    if due_at <= work.now:
        raise Refusal("promise_in_past")
    if due_at > work.now + FARTHEST:
        raise Refusal("promise_too_far")
