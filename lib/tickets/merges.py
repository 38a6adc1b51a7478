"""Two reports of one fault become one case, and can be taken apart again (rule 17)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm.attributes import flag_modified

from db.codes import EventKind, Role, TicketStatus, VisitStatus
from db.models.tickets import Commitment, Ticket, TicketEvent, TicketMerge
from db.models.visits import Visit
from lib.shared.errors import Refusal
from lib.shared.work import Work, permit
from lib.tickets import rules
from lib.tickets.actions import add_event
from lib.tickets.commitments import move_promises
from lib.tickets.derivation import FACTS_OF_TICKET, facts_of_ticket, recompute
from lib.tickets.merge_facts import between, told_of
from lib.tickets.policies import matter_of, rulebook
from lib.tickets.timers import Facts, Pause, merged

MERGERS = (Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR)
LIVE_VISITS = (VisitStatus.PLANNED, VisitStatus.ON_THE_WAY, VisitStatus.ARRIVED)


@permit(*MERGERS)
def merge_tickets(
    work: Work,
    *,
    absorbed_id: int,
    survivor_id: int,
    version: int | None,
    survivor_version: int | None = None,
    words: str = "",
) -> int:
    """Merge a case into another, whose timers take its facts in. Answers the merge's id.

    version: of the absorbed case. A survivor that was itself absorbed stands for the case it went into. Refuses
    `merge_itself`, `ticket_ended`, `merge_completed` (its return call decides first) and `merge_visit_planned`: of
    two cases the one survives that a visit is planned for.
    """
    absorbed = work.get(Ticket, absorbed_id, version=version)
    survivor = last_survivor(work, work.get(Ticket, survivor_id, version=survivor_version))
    if absorbed.id == survivor.id:
        raise Refusal("merge_itself")
    rules.ensure_open(absorbed.status)
    rules.ensure_open(survivor.status)
    if absorbed.status is TicketStatus.COMPLETED:
        raise Refusal("merge_completed", number=absorbed.number)
    _ensure_no_visit(work, absorbed)
    told_words = rules.ensure_readable(words.strip())
    before = facts_of_ticket(work, survivor)
    after, _ = merged(
        before,
        facts_of_ticket(work, absorbed),
        work.now,
        rulebook(work.session),
        work.actor.person_id,
    )
    told = told_of(after.changes[-1], before.received_at)
    if absorbed.source:
        # Imported history was promised by another desk: nothing of it was missed here.
        told["missed"] = []
    merge = TicketMerge(
        absorbed_id=absorbed.id,
        survivor_id=survivor.id,
        status_before=absorbed.status,
        at=work.now,
        person_id=work.actor.person_id,
        words=told_words,
    )
    work.session.add(merge)
    work.session.flush()
    promises = select(Commitment.id).where(Commitment.ticket_id == absorbed.id)
    moved = {"commitment_ids": list(work.session.scalars(promises.order_by(Commitment.id)))}
    move_promises(work, absorbed, survivor)
    _end_absorbed(work, merge, absorbed, survivor, moved)
    _take_in(work, merge, survivor, absorbed, told, ends_waiting=after.pauses != before.pauses)
    work.record("ticket.merged", absorbed, survivor_id=survivor.id, merge_id=merge.id)
    work.record("ticket.absorbed", survivor, absorbed_id=absorbed.id, merge_id=merge.id)
    recompute(work, absorbed)
    recompute(work, survivor)
    return merge.id


def last_survivor(work: Work, ticket: Ticket) -> Ticket:
    """The case that an absorbed one went into in the end; any other is its own."""
    while ticket.merged_into_id is not None:
        ticket = work.get(Ticket, ticket.merged_into_id)
    return ticket


def _ensure_no_visit(work: Work, absorbed: Ticket) -> None:
    planned = select(Visit.id).where(Visit.ticket_id == absorbed.id, Visit.status.in_(LIVE_VISITS))
    if work.session.scalar(planned.limit(1)) is not None:
        raise Refusal("merge_visit_planned", number=absorbed.number)


def _end_absorbed(
    work: Work, merge: TicketMerge, absorbed: Ticket, survivor: Ticket, moved: dict[str, Any]
) -> None:
    add_event(
        work,
        absorbed,
        EventKind.MERGED,
        from_status=absorbed.status,
        to_status=TicketStatus.MERGED,
        words=merge.words,
        details={
            "merge_id": merge.id,
            "other_id": survivor.id,
            "number": survivor.number,
            **_waiting_of(absorbed),
            **moved,
        },
    )
    _leave_waiting(absorbed, TicketStatus.MERGED)
    absorbed.merged_into_id = survivor.id
    absorbed.closed_at = work.now


def _take_in(
    work: Work,
    merge: TicketMerge,
    survivor: Ticket,
    absorbed: Ticket,
    told: dict[str, Any],
    *,
    ends_waiting: bool,
) -> None:
    ends_waiting = ends_waiting and survivor.status is TicketStatus.WAITING
    to = _status_after_waiting(survivor) if ends_waiting else survivor.status
    add_event(
        work,
        survivor,
        EventKind.ABSORBED,
        from_status=survivor.status,
        to_status=to,
        words=merge.words,
        details={
            "merge_id": merge.id,
            "other_id": absorbed.id,
            "number": absorbed.number,
            **(_waiting_of(survivor) if ends_waiting else {}),
            **told,
        },
    )
    if ends_waiting:
        _leave_waiting(survivor, to)
    survivor.received_at = min(survivor.received_at, datetime.fromisoformat(told["received_at"]))
    # Whoever has the case open saves over a merge only after seeing it, also when no column changed.
    flag_modified(survivor, "received_at")


@permit(*MERGERS)
def undo_merge(work: Work, *, merge_id: int) -> None:
    """Take a merge back, as if it had never been; contacts in between count for both cases.

    Refuses `merge_undone` and, while the survivor is itself part of another case, `merge_built_upon`.
    """
    merge = work.get(TicketMerge, merge_id)
    if merge.undone_at is not None:
        raise Refusal("merge_undone")
    absorbed = work.get(Ticket, merge.absorbed_id)
    survivor = work.get(Ticket, merge.survivor_id)
    if survivor.status is TicketStatus.MERGED:
        raise Refusal("merge_built_upon", number=survivor.number)
    joint = facts_of_ticket(work, survivor)
    gone = _told_at(work, merge, absorbed, EventKind.MERGED)
    back = {
        "merge_id": merge.id,
        "contacts": between(joint.contacts, merge.at, work.now),
        "inbound": between(joint.inbound, merge.at, work.now),
    }
    pause = _open_pause(_facts_without(work, absorbed, back))
    status = merge.status_before
    if status is TicketStatus.WAITING and pause is None:
        status = _status_after_waiting(absorbed)
    _write_undone(work, absorbed, survivor, status, back)
    absorbed.merged_into_id = None
    absorbed.closed_at = None
    absorbed.status = status
    if status is TicketStatus.WAITING and pause is not None:
        _wait_again(absorbed, pause, gone)
    _let_go(work, merge, survivor, absorbed)
    move_promises(work, survivor, absorbed, _promises_of(work, gone["commitment_ids"]))
    merge.undone_at = work.now
    merge.undone_by_id = work.actor.person_id
    work.record("ticket.merge_undone", absorbed, survivor_id=survivor.id, merge_id=merge.id)
    work.record("ticket.merge_undone", survivor, absorbed_id=absorbed.id, merge_id=merge.id)
    recompute(work, absorbed)
    recompute(work, survivor)


def _let_go(work: Work, merge: TicketMerge, survivor: Ticket, absorbed: Ticket) -> None:
    told = {"merge_id": merge.id}
    then = _told_at(work, merge, survivor, EventKind.ABSORBED)
    own_received_at = datetime.fromisoformat(then["own_received_at"])
    facts = _facts_without(work, survivor, told)
    pause = _open_pause(facts)
    waits_again = pause is not None and survivor.status is not TicketStatus.WAITING
    status = TicketStatus.WAITING if waits_again else survivor.status
    _write_undone(work, survivor, absorbed, status, told)
    if waits_again and pause is not None:
        survivor.status = status
        _wait_again(survivor, pause, then)
    others = [change.received_at for change in facts.changes if change.received_at is not None]
    survivor.received_at = min([own_received_at, *others])
    flag_modified(survivor, "received_at")


def _write_undone(
    work: Work, ticket: Ticket, other: Ticket, status: TicketStatus, told: dict[str, Any]
) -> None:
    add_event(
        work,
        ticket,
        EventKind.MERGE_UNDONE,
        from_status=ticket.status,
        to_status=status,
        details={"other_id": other.id, "number": other.number, **told},
    )


def _facts_without(work: Work, ticket: Ticket, undone: dict[str, Any]) -> Facts:
    """The facts of a case once the merge that `undone` names is taken back."""
    rows = work.store.execute(FACTS_OF_TICKET, {"of_ticket": ticket.id})
    events = [rules.Fact(*row) for row in rows]
    events.append(rules.Fact(EventKind.MERGE_UNDONE, work.now, details=undone))
    return rules.facts_of(ticket.received_at, events, matter_of(ticket))


def _told_at(work: Work, merge: TicketMerge, ticket: Ticket, kind: EventKind) -> dict[str, Any]:
    """What the merge's event on the case tells."""
    events = work.session.scalars(
        select(TicketEvent.details).where(
            TicketEvent.ticket_id == ticket.id, TicketEvent.kind == kind
        )
    )
    return next(details for details in events if details["merge_id"] == merge.id)


def _promises_of(work: Work, ids: Sequence[int]) -> list[int]:
    """These promises and those that took their place since, with the customer's consent."""
    found, asked = list(ids), list(ids)
    while asked:
        later = work.session.scalars(
            select(Commitment.replaced_by_id).where(
                Commitment.id.in_(asked), Commitment.replaced_by_id.is_not(None)
            )
        )
        asked = [each for each in later if each is not None and each not in found]
        found += asked
    return found


def _open_pause(facts: Facts) -> Pause | None:
    return next((pause for pause in facts.pauses if pause.ended_at is None), None)


def _status_after_waiting(ticket: Ticket) -> TicketStatus:
    has_technician = ticket.technician_id is not None
    return TicketStatus.ASSIGNED if has_technician else TicketStatus.CONTACTED


def _waiting_of(ticket: Ticket) -> dict[str, Any]:
    until = ticket.waiting_until
    return {
        "waiting_until": None if until is None else until.isoformat(),
        "waiting_owner_id": ticket.waiting_owner_id,
    }


def _leave_waiting(ticket: Ticket, status: TicketStatus) -> None:
    ticket.status = status
    ticket.waiting_for = None
    ticket.waiting_until = None
    ticket.waiting_owner_id = None


def _wait_again(ticket: Ticket, pause: Pause, told: dict[str, Any]) -> None:
    until = told.get("waiting_until")
    ticket.waiting_for = pause.waiting_for
    ticket.waiting_until = None if until is None else datetime.fromisoformat(until)
    ticket.waiting_owner_id = told.get("waiting_owner_id")
