"""Cases that belong together: links, a case split off another, and a fault that is back (rule 13)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, delete, or_, select

from db.codes import (
    EventKind,
    FaultCode,
    LinkKind,
    Priority,
    ReturnCallResult,
    ReturnCallState,
    Role,
    TicketStatus,
)
from db.models.tickets import ReturnCall, Ticket, TicketEvent, TicketLink
from lib.shared.errors import Refusal
from lib.shared.work import Work, permit
from lib.tickets import rules
from lib.tickets.actions import add_event, open_ticket, try_return_call
from lib.tickets.derivation import recompute

MESSAGES = (EventKind.RECEIVED, EventKind.INBOUND, EventKind.CALLED_IN, EventKind.NOTE)
"""Events that hold words of the customer, from which a case can be split off."""
BY_HAND = (LinkKind.RELATED, LinkKind.DUPLICATE)
WORDS_LENGTH = 400


class Return(StrEnum):
    """How a fault comes back: the same case goes on, or a new one is linked to it (rule 13)."""

    REOPENING = "reopening"
    RECURRENCE = "recurrence"


@permit(Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR)
def link_tickets(
    work: Work, *, ticket_id: int, other_id: int, kind: LinkKind, words: str = ""
) -> int:
    """Say that a case belongs to another. Answers the link's id.

    Refuses `link_itself`, `link_cancelled` for a cancelled one, `linked_already`, and `link_by_verb` for kinds that
    come with a split or a recurrence.
    """
    if kind not in BY_HAND:
        raise Refusal("link_by_verb")
    if ticket_id == other_id:
        raise Refusal("link_itself")
    ticket, other = work.get(Ticket, ticket_id), work.get(Ticket, other_id)
    for each in (ticket, other):
        if each.status is TicketStatus.CANCELLED:
            raise Refusal("link_cancelled", number=each.number)
    pair = or_(
        and_(TicketLink.ticket_id == ticket_id, TicketLink.other_id == other_id),
        and_(TicketLink.ticket_id == other_id, TicketLink.other_id == ticket_id),
    )
    if work.session.scalar(select(TicketLink.id).where(pair).limit(1)) is not None:
        raise Refusal("linked_already", number=other.number)
    return _link(
        work, ticket, other, kind, rules.ensure_readable(words.strip(), limit=WORDS_LENGTH)
    )


@permit(Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR)
def unlink_tickets(work: Work, *, link_id: int) -> None:
    """Take back a link that was made by hand; the timelines keep it. Refuses `link_by_verb`."""
    link = work.get(TicketLink, link_id)
    if link.kind not in BY_HAND:
        raise Refusal("link_by_verb")
    ticket, other_id = work.get(Ticket, link.ticket_id), link.other_id
    work.record("ticket.unlinked", ticket, other_id=other_id, kind=link.kind)
    work.session.execute(delete(TicketLink).where(TicketLink.id == link_id))
    work.touch_ticket(ticket.id)
    work.touch_ticket(other_id)


@permit(Role.HOTLINE, Role.SUPERVISOR)
def split_ticket(
    work: Work,
    *,
    ticket_id: int,
    version: int,
    event_id: int,
    fault: FaultCode,
    words: str,
    priority: Priority | None = None,
    item_id: int | None = None,
) -> int:
    """Make a linked case out of a message of this one. Answers the new case's id.

    It is received when that message was, and what this case missed is not copied. Refuses `split_no_message`.
    """
    ticket = work.get(Ticket, ticket_id, version=version)
    rules.ensure_open(ticket.status)
    message = work.get(TicketEvent, event_id)
    if message.ticket_id != ticket.id or message.kind not in MESSAGES:
        raise Refusal("split_no_message")
    told = rules.ensure_words(words)
    new = _follow(work, ticket, message.at, fault, told, priority or ticket.priority, item_id)
    _link(work, new, ticket, LinkKind.SPLIT, "", seen_by_other=False)
    add_event(
        work,
        ticket,
        EventKind.SPLIT_OFF,
        details={"other_id": new.id, "number": new.number, "event_id": message.id},
    )
    work.record("ticket.split", ticket, new_id=new.id)
    recompute(work, ticket)
    return new.id


@permit(Role.HOTLINE, Role.SUPERVISOR)
def take_back(
    work: Work, *, ticket_id: int, version: int, how: Return, words: str, reason: str = ""
) -> int:
    """The customer says that the fault of a completed or closed case is there (again). Answers the case that goes on.

    Never confirmed: the same case is reopened. Confirmed in the return call: a new linked case, which alone counts
    for Q-09. The other choice needs a `reason` and is audited (rule 13). Refuses `not_completed` and
    `return_reason_missing`.
    """
    ticket = work.get(Ticket, ticket_id, version=version)
    if ticket.status not in (TicketStatus.COMPLETED, TicketStatus.CLOSED):
        raise Refusal("not_completed")
    told = rules.ensure_words(words)
    call = _last_call(work, ticket)
    by_record = how_by_record(None if call is None else call.state, ticket.status)
    against = how is not by_record
    if against and not reason.strip():
        raise Refusal("return_reason_missing")
    why = rules.ensure_readable(reason.strip(), limit=WORDS_LENGTH) if against else ""
    if against:
        work.record("ticket.taken_back_against_record", ticket, how=how, by_record=by_record)
    if how is Return.RECURRENCE:
        new = _follow(work, ticket, work.now, ticket.fault, told, ticket.priority, None)
        _link(work, new, ticket, LinkKind.RECURRENCE, why)
        work.record("ticket.recurred", ticket, new_id=new.id)
        return new.id
    if ticket.status is TicketStatus.COMPLETED and call is not None:
        try_return_call(
            work,
            return_call_id=call.id,
            version=call.version,
            result=ReturnCallResult.NOT_FIXED,
            words=_joined(told, why),
        )
        return ticket.id
    before = ticket.status
    ticket.cycle += 1
    ticket.completed_at = ticket.closed_at = None
    ticket.status = TicketStatus.NEW if ticket.technician_id is None else TicketStatus.ASSIGNED
    add_event(
        work,
        ticket,
        EventKind.REOPENED,
        from_status=before,
        to_status=ticket.status,
        words=_joined(told, why),
    )
    work.record("ticket.reopened", ticket, cycle=ticket.cycle)
    recompute(work, ticket)
    return ticket.id


def how_by_record(state: ReturnCallState | None, status: TicketStatus) -> Return:
    """Recurrence when the customer had confirmed that it was fixed, else the same case goes on (rule 13)."""
    confirmed = status is TicketStatus.CLOSED and state is ReturnCallState.DONE
    return Return.RECURRENCE if confirmed else Return.REOPENING


def _last_call(work: Work, ticket: Ticket) -> ReturnCall | None:
    return work.session.scalars(
        select(ReturnCall).where(
            ReturnCall.ticket_id == ticket.id, ReturnCall.cycle == ticket.cycle
        )
    ).first()


def _follow(
    work: Work,
    ticket: Ticket,
    received_at: datetime,
    fault: FaultCode,
    words: str,
    priority: Priority,
    item_id: int | None,
) -> Ticket:
    """A new case of the same customer."""
    if ticket.customer_id is None:
        raise Refusal("not_of_customer")
    new_id = open_ticket(
        work,
        customer_id=ticket.customer_id,
        contact_id=ticket.contact_id,
        site_id=ticket.site_id,
        item_id=item_id or ticket.item_id,
        channel=ticket.channel,
        received_at=received_at,
        fault=fault,
        words=words,
        priority=priority,
    )
    return work.get(Ticket, new_id)


def _link(
    work: Work,
    ticket: Ticket,
    other: Ticket,
    kind: LinkKind,
    words: str,
    *,
    seen_by_other: bool = True,
) -> int:
    link = TicketLink(
        ticket_id=ticket.id,
        other_id=other.id,
        kind=kind,
        words=words,
        at=work.now,
        person_id=work.actor.person_id,
    )
    work.session.add(link)
    work.session.flush()
    told = [(ticket, other), (other, ticket)] if seen_by_other else [(ticket, other)]
    for one, another in told:
        add_event(
            work,
            one,
            EventKind.LINKED,
            words=words,
            details={"other_id": another.id, "number": another.number, "link": kind},
        )
        work.touch_ticket(one.id)
    work.record("ticket.linked", ticket, other_id=other.id, kind=kind)
    return link.id


def _joined(*parts: str) -> str:
    return "\n".join(filter(None, parts))
