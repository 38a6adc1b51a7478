"""Writing down purchasers, their contacts and sites, and showing a masked contact for a reason."""

from sqlalchemy import insert, select

from db.codes import Role
from db.models.customers import CallerKey, Contact, Customer, Site
from db.models.people import Person, RevealRecord
from lib.customers import rules
from lib.customers.queries import find_customer_named
from lib.shared.errors import Refusal
from lib.shared.work import Look, Work, permit

KEY_LENGTH = 600
CONTACT_KEY_LENGTH = 400
REASON_AT_LEAST = 2
REMEMBER_LENGTH = 400


@permit(Role.HOTLINE, Role.DISPATCHER, Role.SALES, Role.SUPERVISOR)
def add_customer(work: Work, *, name: str, short_name: str = "") -> int:
    """Write down a purchaser. Refuses `company_missing`, and `company_known` for a name in use."""
    name = rules.clean(name, 120, missing="company_missing")
    short_name = rules.clean(short_name, 60)
    known = find_customer_named(Look(work.session, work.actor, work.now), name=name)
    if known is not None:
        raise Refusal("company_known")
    customer = Customer(
        name=name,
        short_name=short_name,
        search_key=rules.search_key(name, short_name, limit=KEY_LENGTH),
        created_at=work.now,
    )
    work.session.add(customer)
    work.session.flush()
    work.session.execute(
        insert(CallerKey),
        [
            {"key": key, "customer_id": customer.id, "contact_id": 0}
            for key in sorted(rules.name_keys(name, short_name))
        ]
        or [{"key": name[: rules.KEY_MOST], "customer_id": customer.id, "contact_id": 0}],
    )
    work.record("customer.added", customer)
    return customer.id


@permit(Role.HOTLINE, Role.DISPATCHER, Role.SALES, Role.SUPERVISOR)
def add_contact(
    work: Work,
    *,
    customer_id: int,
    name: str,
    phone: str,
    email: str = "",
    verified: bool = False,
) -> int:
    """Write down a person at a customer; name and phone required, unverified from the hotline (S-20).

    A contact of the same name and phone is answered instead of written twice.
    Refuses `contact_name_missing`, `phone_missing`, `phone_unclear`, `email_unclear`.
    """
    customer = work.get(Customer, customer_id)
    name = rules.clean(name, 80, missing="contact_name_missing")
    phone = rules.clean(phone, 40, missing="phone_missing")
    if not rules.is_phone(phone):
        raise Refusal("phone_unclear")
    email = rules.clean(email, 120)
    if email and not _looks_like_email(email):
        raise Refusal("email_unclear")
    digits = rules.phone_digits(phone)[:40]
    for known in work.session.scalars(
        select(Contact).where(Contact.customer_id == customer.id, Contact.phone_digits == digits)
    ):
        if rules.plain(known.name) == rules.plain(name):
            return known.id
    contact = Contact(
        customer_id=customer.id,
        name=name,
        phone=phone,
        phone_digits=digits,
        email=email,
        verified=verified,
        search_key=rules.search_key(name, limit=CONTACT_KEY_LENGTH),
        created_at=work.now,
    )
    work.session.add(contact)
    work.session.flush()
    for key in sorted(rules.name_keys(name) | rules.phone_keys(digits)):
        work.write(CallerKey, key=key, customer_id=customer.id, contact_id=contact.id)
    work.record("contact.added", contact, customer_id=customer.id, verified=verified)
    return contact.id


@permit(Role.HOTLINE, Role.DISPATCHER, Role.SALES, Role.SUPERVISOR)
def verify_contact(work: Work, *, contact_id: int, version: int) -> None:
    """Mark a contact as checked with the customer (S-20)."""
    contact = work.get(Contact, contact_id, version=version)
    contact.verified = True
    work.record("contact.verified", contact)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.SALES, Role.SUPERVISOR)
def add_site(
    work: Work, *, customer_id: int, name: str, address: str = "", district: str = ""
) -> int:
    """Write down a place of a customer. A site of the same name is answered instead of written twice.

    The district is read from the address when it is not given. Refuses `site_missing`.
    """
    customer = work.get(Customer, customer_id)
    name = rules.clean(name, 120, missing="site_missing")
    address = rules.clean(address, 240)
    for known in work.session.scalars(select(Site).where(Site.customer_id == customer.id)):
        if rules.plain(known.name) == rules.plain(name):
            return known.id
    site = Site(
        customer_id=customer.id,
        name=name,
        address=address,
        district=rules.clean(district, 60) or rules.district_of(address),
        created_at=work.now,
    )
    work.session.add(site)
    work.session.flush()
    work.record("site.added", site, customer_id=customer.id)
    return site.id


@permit(Role.HOTLINE, Role.SALES, Role.SUPERVISOR)
def change_card(
    work: Work,
    *,
    customer_id: int,
    version: int,
    service_owner_id: int | None,
    sales_owner_id: int | None,
    remember: str,
) -> int:
    """Who looks after a customer (S-01), and what must not be forgotten when they call (S-19). Answers the id.

    Refuses `owner_not_active` and `owner_not_of_sales`; somebody who was the owner before may stay.
    """
    customer = work.get(Customer, customer_id, version=version)
    if len(remember.strip()) > REMEMBER_LENGTH:
        raise Refusal("words_too_long", limit=REMEMBER_LENGTH)
    lines = [rules.clean(line, REMEMBER_LENGTH) for line in remember.strip().splitlines()]
    changed = []
    if service_owner_id != customer.service_owner_id:
        _ensure_owner(work, service_owner_id)
        customer.service_owner_id = service_owner_id
        changed.append("service_owner_id")
    if sales_owner_id != customer.sales_owner_id:
        _ensure_owner(work, sales_owner_id, Role.SALES)
        customer.sales_owner_id = sales_owner_id
        changed.append("sales_owner_id")
    if "\n".join(lines) != customer.remember:
        customer.remember = "\n".join(lines)
        changed.append("remember")
    if changed:
        work.record("customer.card_changed", customer, fields=changed)
    return customer.id


def _ensure_owner(work: Work, person_id: int | None, role: Role | None = None) -> None:
    if person_id is None:
        return
    person = work.get(Person, person_id)
    if not person.active:
        raise Refusal("owner_not_active")
    if role is not None and role not in {held.role for held in person.roles}:
        raise Refusal("owner_not_of_sales")


@permit(Role.SALES, Role.QUALITY, Role.STOREKEEPER)
def reveal_contact(
    work: Work, *, contact_id: int | None, site_id: int | None, reason: str
) -> list[int]:
    """Show a contact's phone and a site's address in full to the actor for ten minutes (P-05).

    Recorded with its reason and audited. Answers the records' ids. Refuses `reason_missing`.
    """
    reason = rules.clean(reason, 200, missing="reason_missing")
    if len(reason) < REASON_AT_LEAST:
        raise Refusal("reason_missing")
    if work.actor.person_id is None:
        raise Refusal("no_longer_allowed")
    shown: list[Contact | Site] = []
    if contact_id is not None:
        shown.append(work.get(Contact, contact_id))
    if site_id is not None:
        shown.append(work.get(Site, site_id))
    records = []
    for subject in shown:
        record = RevealRecord(
            person_id=work.actor.person_id,
            subject_kind=subject.__tablename__,
            subject_id=subject.id,
            reason=reason,
            at=work.now,
            until=work.now + rules.REVEAL_LASTS,
        )
        work.session.add(record)
        work.session.flush()
        work.record("customer.revealed", subject, reveal_record_id=record.id)
        records.append(record.id)
    return records


def _looks_like_email(email: str) -> bool:
    name, at, domain = email.rpartition("@")
    return bool(name and at and "." in domain.strip(".")) and not any(map(str.isspace, email))
