"""The level of a customer, which policies are matched by: a change is a fact of every open case (rule 14)."""

from dataclasses import dataclass

from sqlalchemy import and_, bindparam, func, select

from db.codes import CustomerLevel, EventKind, Role
from db.models.customers import Customer
from db.models.tickets import Ticket
from lib.shared.work import Look, Work, permit
from lib.tickets import rules
from lib.tickets.actions import add_event
from lib.tickets.batches import recompute_all
from lib.tickets.queries import find_visible


@dataclass(frozen=True, slots=True)
class LevelRow:
    """The level of a case's customer; `open_cases` follow a change of it."""

    customer_id: int
    version: int
    level: CustomerLevel
    open_cases: int


OPEN_OF_CUSTOMER = and_(
    Ticket.customer_id == bindparam("of_customer"), Ticket.status.not_in(rules.ENDED_STATUSES)
)
OPEN_CASES = select(func.count()).select_from(Ticket).where(OPEN_OF_CUSTOMER)


def find_level(look: Look, *, ticket_id: int) -> LevelRow | None:
    """The level of the customer of a case; None without a customer. Refuses `ticket_not_found`."""
    ticket = find_visible(look, ticket_id)
    customer = look.session.get(Customer, ticket.customer_id) if ticket.customer_id else None
    if customer is None:
        return None
    open_cases: int = look.ask(OPEN_CASES, of_customer=customer.id).scalar_one()
    return LevelRow(customer.id, customer.version, customer.level, open_cases)


@permit(Role.SALES, Role.SUPERVISOR)
def set_customer_level(work: Work, *, customer_id: int, version: int, level: CustomerLevel) -> int:
    """Give a customer another level; timers of the open cases follow the policies for it. Answers how many cases."""
    customer = work.get(Customer, customer_id, version=version)
    before = customer.level
    if before is level:
        return 0
    customer.level = level
    tickets = work.session.scalars(
        select(Ticket).where(OPEN_OF_CUSTOMER).order_by(Ticket.id).with_for_update(),
        {"of_customer": customer_id},
    ).all()
    told = {"fields": ["level"], "values": {"level": [before, level]}}
    for ticket in tickets:
        add_event(work, ticket, EventKind.CHANGED, details=told)
    recompute_all(work, tickets)
    work.record("customer.level_set", customer, before=before, level=level, cases=len(tickets))
    return len(tickets)
