"""Who called: finding customers, contacts and sites. Phones and addresses are masked here, by role."""

from dataclasses import dataclass

from sqlalchemy import and_, case, or_, select
from sqlalchemy.sql import ColumnElement

from db.codes import ActorKind
from db.models.customers import Contact, Customer, Site
from db.models.people import RevealRecord
from lib.customers import rules
from lib.shared.errors import Refusal
from lib.shared.work import Actor, Look

SHORTEST_SEARCH = 1
MOST_TOKENS = 6


@dataclass(frozen=True, slots=True)
class CallerHit:
    """A customer, with a contact unless only the customer is known."""

    customer_id: int
    contact_id: int | None
    company: str
    short_name: str
    contact: str
    phone: str
    verified: bool


@dataclass(frozen=True, slots=True)
class CustomerRow:
    id: int
    name: str
    short_name: str
    version: int


@dataclass(frozen=True, slots=True)
class ContactRow:
    id: int
    name: str
    phone: str
    email: str
    verified: bool
    masked: bool


@dataclass(frozen=True, slots=True)
class SiteRow:
    id: int
    name: str
    address: str
    district: str
    masked: bool


def may_look_up(actor: Actor) -> bool:
    """Whether the actor may look customers up at all."""
    return actor.kind is ActorKind.SYSTEM or actor.has(*rules.CUSTOMER_READERS)


def sees_full(actor: Actor) -> bool:
    """Whether the actor's role reads every phone and address in full (P-05)."""
    return actor.kind is ActorKind.SYSTEM or actor.has(*rules.FULL_SIGHT)


def revealed(look: Look, kind: str, subject_ids: list[int]) -> set[int]:
    """Which of these rows of table `kind` the actor has asked, with a reason, to see in full just now."""
    if look.actor.person_id is None or not subject_ids:
        return set()
    return set(
        look.session.scalars(
            select(RevealRecord.subject_id).where(
                RevealRecord.person_id == look.actor.person_id,
                RevealRecord.subject_kind == kind,
                RevealRecord.subject_id.in_(subject_ids),
                RevealRecord.until > look.now,
            )
        )
    )


def find_callers(look: Look, *, words: str, limit: int = 8) -> list[CallerHit]:
    """Callers by company, short name, contact, any fragment of the phone, full pinyin or initials (S-18).

    Several words must all match. Best first: a phone in full, then beginnings of names, then the rest.
    Roles that read masked phones cannot search by phone, or they could ask it out digit by digit.
    """
    whole = rules.plain(words)
    if len(whole) < SHORTEST_SEARCH or not may_look_up(look.actor):
        return []
    by_phone = sees_full(look.actor)
    fragment = rules.phone_fragment(words) if by_phone else ""
    tokens = whole.split()[:MOST_TOKENS]
    matches: ColumnElement[bool] = and_(*(_matches(token, by_phone) for token in tokens))
    if fragment:
        matches = or_(matches, Contact.phone_digits.contains(fragment, autoescape=True))
    first = tokens[0]
    start = f"{rules.MANY}{first}"
    in_full = [(Contact.phone_digits == fragment, 0)] if fragment else []
    rank = case(
        *in_full,
        (Contact.search_key.contains(f"{start}{rules.MANY}", autoescape=True), 1),
        (Customer.search_key.contains(f"{start}{rules.MANY}", autoescape=True), 1),
        (Customer.search_key.contains(start, autoescape=True), 2),
        (Contact.search_key.contains(start, autoescape=True), 3),
        else_=4,
    )
    found = look.session.execute(
        select(Customer, Contact)
        .outerjoin(Contact, Contact.customer_id == Customer.id)
        .where(matches)
        .order_by(rank, Customer.name, Contact.verified.desc(), Contact.name, Contact.id)
        .limit(limit)
    ).all()
    return [
        CallerHit(
            customer.id,
            contact.id if contact else None,
            customer.name,
            customer.short_name,
            contact.name if contact else "",
            _phone(contact.phone, full=by_phone) if contact else "",
            contact.verified if contact else False,
        )
        for customer, contact in found
    ]


def _matches(token: str, by_phone: bool) -> ColumnElement[bool]:
    ways = [
        Customer.search_key.contains(token, autoescape=True),
        Contact.search_key.contains(token, autoescape=True),
    ]
    fragment = rules.phone_fragment(token)
    if by_phone and fragment:
        ways.append(Contact.phone_digits.contains(fragment, autoescape=True))
    return or_(*ways)


def find_customer(look: Look, *, customer_id: int) -> CustomerRow:
    """Refuses `not_found` when there is none or the actor may not look customers up."""
    customer = look.session.get(Customer, customer_id)
    if customer is None or not may_look_up(look.actor):
        raise Refusal("not_found")
    return CustomerRow(customer.id, customer.name, customer.short_name, customer.version)


def find_customer_named(look: Look, *, name: str) -> CustomerRow | None:
    """The customer of exactly this name, width and case aside; for "this company exists already"."""
    if not may_look_up(look.actor) or not rules.plain(name):
        return None
    start = f"{rules.MANY}{rules.plain(name)}"
    customer = look.session.scalars(
        select(Customer)
        .where(
            or_(
                Customer.search_key == start,
                Customer.search_key.startswith(f"{start}{rules.MANY}", autoescape=True),
            )
        )
        .order_by(Customer.id)
    ).first()
    if customer is None:
        return None
    return CustomerRow(customer.id, customer.name, customer.short_name, customer.version)


def list_contacts(look: Look, *, customer_id: int) -> list[ContactRow]:
    """The customer's contacts, verified first."""
    if not may_look_up(look.actor):
        return []
    contacts = look.session.scalars(
        select(Contact)
        .where(Contact.customer_id == customer_id)
        .order_by(Contact.verified.desc(), Contact.name, Contact.id)
    ).all()
    shown = revealed(look, Contact.__tablename__, [contact.id for contact in contacts])
    return [
        contact_row(contact, full=sees_full(look.actor) or contact.id in shown)
        for contact in contacts
    ]


def list_sites(look: Look, *, customer_id: int) -> list[SiteRow]:
    """The customer's sites by name."""
    if not may_look_up(look.actor):
        return []
    sites = look.session.scalars(
        select(Site).where(Site.customer_id == customer_id).order_by(Site.name, Site.id)
    ).all()
    shown = revealed(look, Site.__tablename__, [site.id for site in sites])
    return [site_row(site, full=sees_full(look.actor) or site.id in shown) for site in sites]


def contact_row(contact: Contact, *, full: bool) -> ContactRow:
    """The contact as read by somebody who may see it in full, or masked."""
    email = contact.email if full else rules.mask_email(contact.email)
    return ContactRow(
        contact.id,
        contact.name,
        _phone(contact.phone, full=full),
        email,
        contact.verified,
        masked=not full,
    )


def site_row(site: Site, *, full: bool) -> SiteRow:
    """The site as read by somebody who may see it in full, or masked."""
    address = site.address if full else rules.mask_address(site.address)
    return SiteRow(site.id, site.name, address, site.district, masked=not full)


def _phone(phone: str, *, full: bool) -> str:
    return phone if full else rules.mask_phone(phone)
