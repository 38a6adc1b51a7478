"""Who calls, found by anything that a caller may tell: what finds a customer, or the number of a case (S-18)."""

import re

from sqlalchemy import select

from db.models.customers import Contact, Customer
from db.models.tickets import Ticket
from lib.customers import rules
from lib.customers.queries import CallerHit, find_callers, may_look_up, sees_full
from lib.shared.clock import SHANGHAI
from lib.shared.work import Look
from lib.tickets.queries import visible_to

NUMBER = re.compile(r"^(?:cc[- ]?(?:(?P<year>\d{4})[- ]?)?|(?P<bare>20\d{2})-)(?P<number>\d{1,6})$")


def case_number(words: str, year: int) -> str | None:
    """The number of a case as typed: `CC-2026-000123`, `2026-123`, or `cc123` for one of `year`."""
    found = NUMBER.match(rules.plain(words))
    if found is None:
        return None
    return f"CC-{found['year'] or found['bare'] or year}-{int(found['number']):06d}"


def find_any_caller(look: Look, *, words: str, limit: int = 8) -> list[CallerHit]:
    """`find_callers`, and the caller of a case by its number."""
    number = case_number(words, look.now.astimezone(SHANGHAI).year)
    if number is None or not may_look_up(look.actor):
        return find_callers(look, words=words, limit=limit)
    row = look.session.execute(
        select(Customer, Contact)
        .join(Ticket, Ticket.customer_id == Customer.id)
        .outerjoin(Contact, Contact.id == Ticket.contact_id)
        .where(Ticket.number == number, visible_to(look.actor))
    ).one_or_none()
    if row is None:
        return find_callers(look, words=words, limit=limit)
    customer, contact = row
    phone = "" if contact is None else contact.phone
    return [
        CallerHit(
            customer.id,
            None if contact is None else contact.id,
            customer.name,
            customer.short_name,
            "" if contact is None else contact.name,
            phone if sees_full(look.actor) else rules.mask_phone(phone),
            contact is not None and contact.verified,
        )
    ]
