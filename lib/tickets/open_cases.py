"""What is stored of many cases, read at once: the timers' facts as a recompute takes them, and the names beside."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from db.codes import Channel, Priority, ReturnCallState
from db.models.customers import Contact, Customer
from db.models.people import Person
from db.models.tickets import QueueRow, ReturnCall, Ticket, TicketEvent
from lib.tickets import rules
from lib.tickets.derivation import FACT_COLUMNS
from lib.tickets.policies import Case, matter_of
from lib.tickets.timers import Facts

CASES_AT_ONCE = 500
OF_TICKETS: Any = bindparam("of_tickets", expanding=True)
FACTS = (
    select(TicketEvent.ticket_id, *FACT_COLUMNS)
    .where(TicketEvent.ticket_id.in_(OF_TICKETS))
    .order_by(TicketEvent.ticket_id, TicketEvent.at, TicketEvent.id)
)
OPEN_CASES = (
    select(Ticket.id, Ticket.number, Ticket.received_at, Ticket.channel, Ticket.priority)
    .join(QueueRow, QueueRow.ticket_id == Ticket.id)
    .where(QueueRow.ticket_id > bindparam("after"), QueueRow.imported.is_(False))
    .order_by(QueueRow.ticket_id)
    .limit(CASES_AT_ONCE)
)
"""Not by the ticket's source, or SQLite would look through all cases that there ever were."""
OPEN_CALLS = (
    select(ReturnCall.ticket_id, func.min(ReturnCall.due_at).label("due_at"))
    .where(ReturnCall.ticket_id.in_(OF_TICKETS), ReturnCall.state == ReturnCallState.OPEN)
    .group_by(ReturnCall.ticket_id)
    .subquery()
)
"""Apart, or SQLite looks through all open calls for each of the cases."""
SHOWN_BESIDE = (
    select(
        Ticket.id,
        Customer.name,
        Contact.name,
        Person.name,
        OPEN_CALLS.c.due_at,
        Customer.search_key,
        Contact.search_key,
        Contact.phone_digits,
        select(func.max(TicketEvent.recorded_at))
        .where(TicketEvent.ticket_id == Ticket.id, TicketEvent.kind.not_in(rules.NO_MOVE))
        .correlate(Ticket)
        .scalar_subquery(),
    )
    .outerjoin(Customer, Customer.id == Ticket.customer_id)
    .outerjoin(Contact, Contact.id == Ticket.contact_id)
    .outerjoin(Person, Person.id == Ticket.technician_id)
    .outerjoin(OPEN_CALLS, OPEN_CALLS.c.ticket_id == Ticket.id)
    .where(Ticket.id.in_(OF_TICKETS))
)


class OpenCase(NamedTuple):
    """The columns of an open case that its timers and their list need."""

    id: int
    number: str
    received_at: datetime
    channel: Channel
    priority: Priority


def told_of_tickets(session: Session, ids: Collection[int]) -> dict[int, list[rules.Fact]]:
    """The facts of each case as they were written, in the order they happened; nothing of one without any."""
    rows = session.execute(FACTS, {"of_tickets": list(ids)})
    return {
        ticket_id: [rules.Fact(*row[1:]) for row in of_ticket]
        for ticket_id, of_ticket in groupby(rows, itemgetter(0))
    }


def facts_of_tickets(session: Session, tickets: Sequence[Case]) -> dict[int, Facts]:
    """The timers' facts of each case by its id."""
    told = told_of_tickets(session, [ticket.id for ticket in tickets])
    return {
        ticket.id: rules.facts_of(ticket.received_at, told.get(ticket.id, ()), matter_of(ticket))
        for ticket in tickets
    }


def shown_beside(session: Session, ids: Collection[int]) -> dict[int, Sequence[Any]]:
    """By case what `queue_values` takes after the timers: names, the open return call, keys, the last move."""
    rows = session.execute(SHOWN_BESIDE, {"of_tickets": list(ids)})
    return {row[0]: row[1:] for row in rows}


def open_cases(session: Session) -> Iterator[tuple[OpenCase, Facts]]:
    """Every open case of this desk with its facts, in flat memory; imports have no timers."""
    after = 0
    while True:
        cases = [OpenCase(*row) for row in session.execute(OPEN_CASES, {"after": after})]
        if not cases:
            return
        facts = facts_of_tickets(session, cases)
        for case in cases:
            yield case, facts[case.id]
        after = cases[-1].id
