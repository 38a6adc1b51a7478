"""The other cases of a case: what it was merged with, what it is linked to, and what may be the same report."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Integer, and_, bindparam, or_, select

from db.codes import EventKind, FaultCode, LinkKind, ReturnCallState, TicketStatus, WaitingFor
from db.models.customers import Customer
from db.models.tickets import ReturnCall, Ticket, TicketEvent, TicketLink, TicketMerge
from lib.shared.work import Look
from lib.tickets.links import MESSAGES, Return, how_by_record
from lib.tickets.queries import find_visible, only_visible
from lib.tickets.rules import OPEN_STATUSES

SAME_REPORT = timedelta(days=30)
"""Reports of one company and product within so long may be one and the same (screens 1.3)."""
MOST_POSSIBLE = 5
MOST_MESSAGES = 20


class Tie(StrEnum):
    """What another case is to the one that is shown; never stored."""

    INTO = "into"
    ABSORBED = "absorbed"
    RELATED = "related"
    RECURRENCE = "recurrence"
    RECURRED_AS = "recurred_as"
    SPLIT = "split"
    SPLIT_INTO = "split_into"
    DUPLICATE = "duplicate"
    POSSIBLE = "possible"


TIE_OF = {
    (LinkKind.RELATED, True): Tie.RELATED,
    (LinkKind.RELATED, False): Tie.RELATED,
    (LinkKind.DUPLICATE, True): Tie.DUPLICATE,
    (LinkKind.DUPLICATE, False): Tie.DUPLICATE,
    (LinkKind.RECURRENCE, True): Tie.RECURRENCE,
    (LinkKind.RECURRENCE, False): Tie.RECURRED_AS,
    (LinkKind.SPLIT, True): Tie.SPLIT,
    (LinkKind.SPLIT, False): Tie.SPLIT_INTO,
}


@dataclass(frozen=True, slots=True)
class Related:
    """Another case with what it is to this one. `merge_id`, `link_id`: what takes the tie back."""

    tie: Tie
    id: int
    number: str
    version: int
    status: TicketStatus
    waiting_for: WaitingFor | None
    fault: FaultCode
    company: str
    received_at: datetime
    merge_id: int | None = None
    link_id: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Words of the customer that a case can be split off from."""

    event_id: int
    kind: EventKind
    at: datetime
    words: str


MERGES = (
    select(TicketMerge.id, TicketMerge.absorbed_id, TicketMerge.survivor_id)
    .where(
        or_(
            TicketMerge.absorbed_id == bindparam("of_ticket"),
            TicketMerge.survivor_id == bindparam("of_ticket"),
        ),
        TicketMerge.undone_at.is_(None),
    )
    .order_by(TicketMerge.id)
)
LINKS = (
    select(TicketLink.id, TicketLink.ticket_id, TicketLink.other_id, TicketLink.kind)
    .where(
        or_(
            TicketLink.ticket_id == bindparam("of_ticket"),
            TicketLink.other_id == bindparam("of_ticket"),
        )
    )
    .order_by(TicketLink.id)
)
MAY_BE_THE_SAME = and_(
    Ticket.customer_id == bindparam("of_customer"),
    Ticket.id != bindparam("of_ticket"),
    Ticket.status.in_(OPEN_STATUSES),
    Ticket.received_at >= bindparam("since"),
    Ticket.received_at <= bindparam("until"),
    or_(Ticket.fault == bindparam("fault"), Ticket.item_id == bindparam("item")),
)
OTHERS = (
    select(Ticket, Customer.name)
    .outerjoin(Customer, Customer.id == Ticket.customer_id)
    .where(or_(Ticket.id.in_(bindparam("ids", expanding=True)), MAY_BE_THE_SAME))
    .order_by(Ticket.received_at.desc())
    .limit(bindparam("most", type_=Integer))
)
"""What every case's page asks, built once."""


def list_relations(look: Look, *, ticket_id: int) -> list[Related]:
    """Merges first, then links, then open cases that may be the same report. Refuses `ticket_not_found`."""
    ticket = find_visible(look, ticket_id)
    found: list[Related] = []
    merges = look.ask(MERGES, of_ticket=ticket_id).all()
    links = look.ask(LINKS, of_ticket=ticket_id).all()
    ids = {each for row in merges for each in (row.absorbed_id, row.survivor_id)}
    ids |= {each for row in links for each in (row.ticket_id, row.other_id)}
    ids.discard(ticket_id)
    asked = {
        "of_ticket": ticket_id,
        "ids": list(ids),
        # What has ended is a duplicate of nothing.
        "of_customer": ticket.customer_id if ticket.status in OPEN_STATUSES else None,
        "fault": ticket.fault,
        "item": ticket.item_id,
        "since": ticket.received_at - SAME_REPORT,
        "until": ticket.received_at + SAME_REPORT,
        "most": len(ids) + MOST_POSSIBLE,
    }
    rows = look.session.execute(only_visible(OTHERS, look.actor), asked)
    others = {other.id: (other, company or "") for other, company in rows}
    for row in merges:
        is_into = row.absorbed_id == ticket_id
        other_id = row.survivor_id if is_into else row.absorbed_id
        if other_id in others:
            tie = Tie.INTO if is_into else Tie.ABSORBED
            found.append(_related(tie, *others[other_id], merge_id=row.id))
    for link in links:
        outward = link.ticket_id == ticket_id
        other_id = link.other_id if outward else link.ticket_id
        if other_id in others:
            by_hand = link.kind in (LinkKind.RELATED, LinkKind.DUPLICATE)
            found.append(
                _related(
                    TIE_OF[link.kind, outward],
                    *others[other_id],
                    link_id=link.id if by_hand else None,
                )
            )
    found += [_related(Tie.POSSIBLE, *other) for key, other in others.items() if key not in ids]
    return found


def list_messages(look: Look, *, ticket_id: int) -> list[Message]:
    """What the customer said, the newest first. Refuses `ticket_not_found`."""
    ticket = find_visible(look, ticket_id)
    events = look.session.scalars(
        select(TicketEvent)
        .where(TicketEvent.ticket_id == ticket_id, TicketEvent.kind.in_(MESSAGES))
        .order_by(TicketEvent.at.desc(), TicketEvent.id.desc())
        .limit(MOST_MESSAGES)
    )
    return [
        Message(
            event.id,
            event.kind,
            event.at,
            event.words or (ticket.words if event.kind is EventKind.RECEIVED else ""),
        )
        for event in events
    ]


def find_return_by_record(look: Look, *, ticket_id: int) -> Return:
    """Whether a fault that is back reopens the case or recurs, by what the return call told (rule 13)."""
    ticket = find_visible(look, ticket_id)
    state: ReturnCallState | None = look.session.scalar(
        select(ReturnCall.state).where(
            ReturnCall.ticket_id == ticket_id, ReturnCall.cycle == ticket.cycle
        )
    )
    return how_by_record(state, ticket.status)


def _related(
    tie: Tie,
    ticket: Ticket,
    company: str,
    *,
    merge_id: int | None = None,
    link_id: int | None = None,
) -> Related:
    return Related(
        tie,
        ticket.id,
        ticket.number,
        ticket.version,
        ticket.status,
        ticket.waiting_for,
        ticket.fault,
        company,
        ticket.received_at,
        merge_id,
        link_id,
    )
