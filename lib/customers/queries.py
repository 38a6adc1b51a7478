"""Who called: finding customers, contacts and sites. Phones and addresses are masked here, by role."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import aliased

from db.codes import ActorKind, CustomerLevel
from db.models.customers import CallerKey, Contact, Customer, Site
from db.models.people import Person, RevealRecord
from lib.customers import lookup, rules
from lib.shared.errors import Refusal
from lib.shared.work import Actor, Look

SHORTEST_SEARCH = 1
UNOWNED = or_(Customer.service_owner_id.is_(None), Customer.sales_owner_id.is_(None))


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
class CustomerCard:
    """Who looks after a customer, and what must not be forgotten when they call (S-01, S-19)."""

    id: int
    version: int
    name: str
    level: CustomerLevel
    service_owner_id: int | None
    service_owner: str
    sales_owner_id: int | None
    sales_owner: str
    remember: str

    @property
    def is_owned(self) -> bool:
        return self.service_owner_id is not None and self.sales_owner_id is not None


@dataclass(frozen=True, slots=True)
class ContactRow:
    id: int
    name: str
    phone: str
    email: str
    verified: bool
    masked: bool
    version: int = 1


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

    Several words must all match; one typing error is forgiven where nothing matches exactly. Best first.
    Roles that read masked phones cannot search by phone, or they could ask it out digit by digit.
    """
    if len(rules.plain(words)) < SHORTEST_SEARCH or not may_look_up(look.actor):
        return []
    by_phone = sees_full(look.actor)
    return [
        CallerHit(
            row.customer_id,
            row.contact_id,
            row.company,
            row.short_name,
            row.contact or "",
            _phone(row.phone, full=by_phone) if row.contact_id else "",
            bool(row.verified),
        )
        for row in lookup.callers(look.session, words, by_phone=by_phone, limit=limit)
    ]


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
    whole = "".join(rules.RUNS.findall(rules.plain(name))) or name.strip()
    same = (
        each
        for each in look.session.scalars(
            select(Customer)
            .join(CallerKey, CallerKey.customer_id == Customer.id)
            .where(CallerKey.key == whole[: rules.KEY_MOST], CallerKey.contact_id == 0)
            .order_by(Customer.id)
        )
        if rules.plain(each.name) == rules.plain(name)
    )
    customer = next(same, None)
    if customer is None:
        return None
    return CustomerRow(customer.id, customer.name, customer.short_name, customer.version)


def find_card(look: Look, *, customer_id: int) -> CustomerCard:
    """The customer's card. Refuses `not_found` when there is none or the actor may not look customers up."""
    found = _cards(look, Customer.id == customer_id, 1)
    if not found:
        raise Refusal("not_found")
    return found[0]


def list_unowned(look: Look, *, limit: int = 100) -> list[CustomerCard]:
    """Customers without a service owner or a sales owner, the newest first: the list that is to be empty (S-01)."""
    return _cards(look, UNOWNED, limit)


def count_unowned(look: Look) -> int:
    """How many customers lack an owner (S-01)."""
    if not may_look_up(look.actor):
        return 0
    return look.session.scalar(select(func.count()).select_from(Customer).where(UNOWNED)) or 0


def _cards(look: Look, which: ColumnElement[bool], limit: int) -> list[CustomerCard]:
    if not may_look_up(look.actor):
        return []
    service, sales = aliased(Person), aliased(Person)
    found = look.session.execute(
        select(Customer, service.name, sales.name)
        .outerjoin(service, service.id == Customer.service_owner_id)
        .outerjoin(sales, sales.id == Customer.sales_owner_id)
        .where(which)
        .order_by(Customer.id.desc())
        .limit(limit)
    )
    return [
        CustomerCard(
            customer.id,
            customer.version,
            customer.name,
            customer.level,
            customer.service_owner_id,
            service_owner or "",
            customer.sales_owner_id,
            sales_owner or "",
            customer.remember,
        )
        for customer, service_owner, sales_owner in found
    ]


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
        version=contact.version,
    )


def site_row(site: Site, *, full: bool) -> SiteRow:
    """The site as read by somebody who may see it in full, or masked."""
    address = site.address if full else rules.mask_address(site.address)
    return SiteRow(site.id, site.name, address, site.district, masked=not full)


def _phone(phone: str, *, full: bool) -> str:
    return phone if full else rules.mask_phone(phone)
