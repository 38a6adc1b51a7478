"""The timers' facts of many cases at once, as a recompute of each reads them."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from db.models.tickets import QueueRow, Ticket, TicketEvent
from lib.tickets import rules
from lib.tickets.actions import FACT_COLUMNS
from lib.tickets.policies import matter_of
from lib.tickets.timers import Facts

CASES_AT_ONCE = 500
FACTS = (
    select(TicketEvent.ticket_id, *FACT_COLUMNS)
    .where(TicketEvent.ticket_id.in_(bindparam("of_tickets", expanding=True)))
    .order_by(TicketEvent.ticket_id, TicketEvent.at, TicketEvent.id)
)


def facts_of_tickets(session: Session, tickets: Sequence[Ticket]) -> dict[int, Facts]:
    """The facts of each case by its id."""
    rows = session.execute(FACTS, {"of_tickets": [ticket.id for ticket in tickets]})
    told = {
        ticket_id: [rules.Fact(*row[1:]) for row in of_ticket]
        for ticket_id, of_ticket in groupby(rows, attrgetter("ticket_id"))
    }
    return {
        ticket.id: rules.facts_of(ticket.received_at, told.get(ticket.id, ()), matter_of(ticket))
        for ticket in tickets
    }


def open_cases(session: Session) -> Iterator[tuple[Ticket, Facts]]:
    """Every open case of this desk with its facts, in flat memory; imports have no timers."""
    last = 0
    while True:
        tickets = session.scalars(
            select(Ticket)
            .join(QueueRow, QueueRow.ticket_id == Ticket.id)
            .where(Ticket.id > last, Ticket.source == "")
            .order_by(Ticket.id)
            .limit(CASES_AT_ONCE)
        ).all()
        if not tickets:
            return
        facts = facts_of_tickets(session, tickets)
        for ticket in tickets:
            yield ticket, facts[ticket.id]
        last = tickets[-1].id
        session.expunge_all()
