"""A call becomes a case: caller, place and item as found or new, and the ticket, in one transaction (S-18 to S-23)."""

from dataclasses import dataclass
from datetime import date, datetime

from db.codes import (
    Channel,
    CommitmentKind,
    EventKind,
    FaultCode,
    ItemKind,
    NoticeKind,
    Priority,
    Role,
)
from db.models.items import Item
from db.models.tickets import Ticket
from lib.customers.actions import add_contact, add_customer, add_site, reveal_contact
from lib.items.actions import WARRANTY_MONTHS, add_item
from lib.messages.actions import Message, next_levels, send
from lib.messages.roster import read_roster
from lib.shared.errors import Refusal
from lib.shared.settings import settings
from lib.shared.work import Look, Work, grouped, permit
from lib.tickets import queries
from lib.tickets.actions import ensure_technician, log_inbound, open_ticket
from lib.tickets.calls import CallTold, write_answered
from lib.tickets.commitments import add_commitment, promise_call_back
from lib.tickets.crew import is_anybody_free
from lib.tickets.derivation import beside_new
from lib.tickets.facts import add_event
from lib.tickets.rules import ensure_open


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a known company, or its name; a known contact, or name and phone (S-18, S-20)."""

    customer_id: int | None = None
    company: str = ""
    contact_id: int | None = None
    contact: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item that is written down during the call (S-21)."""

    kind: ItemKind
    name: str
    room: str = ""
    warranty_start_on: date | None = None
    warranty_months: int = WARRANTY_MONTHS


@dataclass(frozen=True, slots=True)
class Place:
    """Where it hangs: a known site or a new one's name, a known item, a new one, or none (found out on site)."""

    site_id: int | None = None
    site: str = ""
    address: str = ""
    item_id: int | None = None
    new_item: NewItem | None = None


@grouped
@permit(Role.HOTLINE, Role.SUPERVISOR)
def take_call(
    work: Work,
    *,
    caller: Caller,
    place: Place,
    channel: Channel,
    received_at: datetime | None,
    fault: FaultCode | None,
    words: str,
    priority: Priority | None,
    call: CallTold | None = None,
) -> int:
    """Write down all that a call told. Answers the ticket's id; nothing is kept when anything is refused.

    `received_at` None: when the call began, else now. A ticket that is typed in later than it was received may be late
    at birth (rule 3).
    Refuses `caller_missing`, `fault_missing`, `priority_missing`, `site_missing` for an item without a place, and
    whatever the single verbs refuse.
    """
    if caller.customer_id is None and not caller.company.strip():
        raise Refusal("caller_missing")
    if fault is None:
        raise Refusal("fault_missing")
    if priority is None:
        raise Refusal("priority_missing")
    customer_id = caller.customer_id
    if customer_id is None:
        customer_id = add_customer(work, name=caller.company)
    contact_id = caller.contact_id
    if contact_id is None:
        contact_id = add_contact(
            work,
            customer_id=customer_id,
            name=caller.contact,
            phone=caller.phone,
            email=caller.email,
        )
    site_id = place.site_id
    if site_id is None and (place.site.strip() or place.address.strip() or place.new_item):
        site_id = add_site(work, customer_id=customer_id, name=place.site, address=place.address)
    item_id = place.item_id
    if item_id is None and place.new_item is not None and site_id is not None:
        item = place.new_item
        item_id = add_item(
            work,
            site_id=site_id,
            kind=item.kind,
            name=item.name,
            room=item.room,
            warranty_start_on=item.warranty_start_on,
            warranty_months=item.warranty_months,
        )
    if item_id is not None and site_id is None:
        site_id = work.get(Item, item_id).site_id
    begun = work.now if call is None else call.started_at
    by_call = channel is Channel.PHONE
    ticket_id = open_ticket(
        work,
        customer_id=customer_id,
        contact_id=contact_id,
        site_id=site_id,
        item_id=item_id,
        channel=channel,
        received_at=received_at or begun,
        fault=fault,
        words=words,
        priority=priority,
        answered=by_call and settings().answered_call_is_response,
    )
    if call is not None:
        write_answered(
            work,
            call,
            ticket_id=ticket_id,
            customer_id=customer_id,
            contact_id=contact_id,
            saved=True,
        )
    if by_call:
        _promise(work, call, work.get(Ticket, ticket_id))
    _tell(work, ticket_id, beside_new(work, ticket_id).sales_owner_id)
    return ticket_id


def _tell(work: Work, ticket_id: int, sales_owner_id: int | None) -> None:
    """Step 6: the customer's sales owner is told, else all of sales; dispatchers when nobody is free (S-23)."""
    second = work.now.replace(microsecond=0)
    roster = work.once(("roster", second), lambda: read_roster(work.session, second))
    sales = [roster.holders(Role.SALES)]
    if sales_owner_id is not None:
        sales.insert(0, [sales_owner_id])
    messages = [
        Message(
            NoticeKind.SALES_NOTICE,
            f"sales_notice:{ticket_id}",
            [*sales, *next_levels(roster)],
            ticket_id=ticket_id,
        )
    ]
    technicians = roster.holders(Role.TECHNICIAN)
    if not work.once(("anybody free", second), lambda: is_anybody_free(work, technicians)):
        messages.append(
            Message(
                NoticeKind.NOBODY_FREE,
                f"nobody_free:{ticket_id}",
                [roster.holders(Role.DISPATCHER, Role.SUPERVISOR), *next_levels(roster)],
                ticket_id=ticket_id,
            )
        )
    send(work, messages, roster)


def _promise(work: Work, call: CallTold | None, ticket: Ticket) -> None:
    """Step 5: the instant told is a commitment, from when it was asked, whatever the saving took (rule 28)."""
    if call is None or call.promised_at is None:
        promise_call_back(work, ticket)
        return
    commitment = add_commitment(
        work,
        ticket,
        kind=CommitmentKind.CALL_BACK,
        due_at=call.promised_at,
        words=call.promise,
        policy_id=call.policy_id,
        promised_at=call.started_at,
    )
    work.record("commitment.made", commitment, kind=commitment.kind)


@permit(Role.HOTLINE, Role.SUPERVISOR)
def wish_technician(work: Work, *, ticket_id: int, technician_id: int) -> int:
    """Note for the dispatcher whom the hotline would send (S-23). Answers the ticket's id.

    Refuses `not_a_technician` and `ticket_ended`.
    """
    ticket = work.get(Ticket, ticket_id)
    ensure_open(ticket.status)
    technician = ensure_technician(work, technician_id)
    add_event(work, ticket, EventKind.NOTE, details={"technician_id": technician.id, "wish": True})
    work.record("ticket.wish_noted", ticket, technician_id=technician.id)
    work.touch_ticket(ticket.id)
    return ticket.id


@permit(Role.HOTLINE, Role.SUPERVISOR)
def attach_call(work: Work, *, ticket_id: int, words: str, call: CallTold | None = None) -> int:
    """Note the call on a case that is open already instead of opening a second one. Answers the ticket's id.

    It counts as the customer getting in touch: waiting for the customer ends (rule 10).
    """
    queries.find_ticket(Look(work.session, work.actor, work.now), ticket_id=ticket_id)
    ticket = work.get(Ticket, ticket_id)
    log_inbound(work, ticket_id=ticket_id, version=ticket.version, words=words)
    if call is not None:
        write_answered(
            work,
            call,
            ticket_id=ticket_id,
            customer_id=ticket.customer_id,
            contact_id=ticket.contact_id,
            saved=False,
        )
    return ticket_id


@permit(Role.SALES, Role.QUALITY, Role.TECHNICIAN)
def reveal_caller(work: Work, *, ticket_id: int, reason: str) -> list[int]:
    """Show phone and address of a case to the actor for ten minutes (P-05). Refuses `ticket_not_found`."""
    shown = queries.find_ticket(Look(work.session, work.actor, work.now), ticket_id=ticket_id)
    ticket = work.get(Ticket, ticket_id)
    return reveal_contact(
        work,
        contact_id=ticket.contact_id,
        site_id=shown.site.id if shown.site else None,
        reason=reason,
    )
