"""The level of a customer, which policies are matched by: a change is a fact of every open case (rule 14)."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select

from db.codes import CustomerLevel, EventKind, Role
from db.models.customers import Customer
from db.models.tickets import Ticket
from lib.shared.work import Look, Work, permit
from lib.tickets import rules
from lib.tickets.actions import add_event, recompute
from lib.tickets.queries import visible_to


@dataclass(frozen=True, slots=True)
class LevelRow:
    """The level of a case's customer; `open_cases` follow a change of it."""

    customer_id: int
    version: int
    level: CustomerLevel
    open_cases: int


def find_level(look: Look, *, ticket_id: int) -> LevelRow | None:
    """The level of the customer of a case that the actor may see; None without a customer."""
    row = look.session.execute(
        select(Customer.id, Customer.version, Customer.level)
        .join(Ticket, Ticket.customer_id == Customer.id)
        .where(Ticket.id == ticket_id, visible_to(look.actor))
    ).one_or_none()
    if row is None:
        return None
    of_customer = select(func.count()).select_from(Ticket).where(_is_open(row.id))
    return LevelRow(*row, look.session.scalar(of_customer) or 0)


def _is_open(customer_id: int) -> ColumnElement[bool]:
    return and_(Ticket.customer_id == customer_id, Ticket.status.not_in(rules.ENDED_STATUSES))


@permit(Role.SALES, Role.SUPERVISOR)
def set_customer_level(work: Work, *, customer_id: int, version: int, level: CustomerLevel) -> int:
    """Give a customer another level; timers of the open cases follow the policies for it. Answers how many cases."""
    customer = work.get(Customer, customer_id, version=version)
    before = customer.level
    if before is level:
        return 0
    customer.level = level
    tickets = work.session.scalars(
        select(Ticket).where(_is_open(customer_id)).order_by(Ticket.id)
    ).all()
    told = {"fields": ["level"], "values": {"level": [before, level]}}
    for ticket in tickets:
        add_event(work, ticket, EventKind.CHANGED, details=told)
        recompute(work, ticket)
    work.record("customer.level_set", customer, before=before, level=level, cases=len(tickets))
    return len(tickets)
