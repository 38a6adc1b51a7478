"""Purchasers and contacts of an import by the thousand: found by name, else written down."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import insert, select, tuple_

from db.models.customers import CallerKey, Contact, Customer
from lib.customers import rules
from lib.customers.actions import CONTACT_KEY_LENGTH, KEY_LENGTH
from lib.shared.work import Look, Work, permit


def ensure_customers(work: Work, names: Collection[str]) -> dict[str, int]:
    """The id of each purchaser by exact name; those not there are added, without audit rows of their own."""
    wanted = {name for name in names if name}
    if not wanted:
        return {}
    found = _customers(work, wanted)
    missing = sorted(wanted - found.keys())
    if missing:
        rows: list[dict[str, Any]] = [
            {
                "name": name,
                "search_key": rules.search_key(name, limit=KEY_LENGTH),
                "created_at": work.now,
            }
            for name in missing
        ]
        work.session.execute(insert(Customer), rows)
        added = _customers(work, set(missing))
        _write_keys(work, [(rules.name_keys(name), row_id, 0) for name, row_id in added.items()])
        found |= added
    return found


def _write_keys(work: Work, found_by: list[tuple[set[str], int, int]]) -> None:
    rows = [
        {"key": key, "customer_id": customer_id, "contact_id": contact_id}
        for keys, customer_id, contact_id in found_by
        for key in sorted(keys)
    ]
    if rows:
        work.store.execute(insert(CallerKey), rows)


def lacks_keys(look: Look) -> bool:
    """Whether there are customers and not one key: the store comes from before there were keys."""
    return (
        look.session.scalar(select(CallerKey.key).limit(1)) is None
        and look.session.scalar(select(Customer.id).limit(1)) is not None
    )


@permit()
def fill_keys(work: Work) -> None:
    """Write the search keys of all customers and contacts of a store that `lacks_keys`."""
    if not lacks_keys(Look(work.session, work.actor, work.now)):
        return
    customers = work.session.execute(select(Customer.id, Customer.name, Customer.short_name))
    for some in customers.partitions(2000):
        _write_keys(
            work, [(rules.name_keys(name, short), row_id, 0) for row_id, name, short in some]
        )
    contacts = work.session.execute(
        select(Contact.id, Contact.customer_id, Contact.name, Contact.phone_digits)
    )
    for some_contacts in contacts.partitions(2000):
        _write_keys(
            work,
            [
                (rules.name_keys(name) | rules.phone_keys(digits), owner, row_id)
                for row_id, owner, name, digits in some_contacts
            ],
        )


def _customers(work: Work, names: set[str]) -> dict[str, int]:
    # Of two purchasers of one name the older keeps being found.
    query = (
        select(Customer.name, Customer.id)
        .where(Customer.name.in_(sorted(names)))
        .order_by(Customer.id.desc())
    )
    return dict(work.session.execute(query).all())


def ensure_contacts(work: Work, wanted: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """The id of each contact by purchaser and exact name; those not there are added unverified, without a phone."""
    pairs = set(wanted)
    if not pairs:
        return {}
    found = _contacts(work, pairs)
    missing = sorted(pairs - found.keys())
    if missing:
        rows: list[dict[str, Any]] = [
            {
                "customer_id": customer_id,
                "name": name,
                "search_key": rules.search_key(name, limit=CONTACT_KEY_LENGTH),
                "created_at": work.now,
            }
            for customer_id, name in missing
        ]
        work.session.execute(insert(Contact), rows)
        added = _contacts(work, set(missing))
        _write_keys(
            work,
            [(rules.name_keys(name), owner, row_id) for (owner, name), row_id in added.items()],
        )
        found |= added
    return found


def _contacts(work: Work, pairs: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    query = (
        select(Contact.customer_id, Contact.name, Contact.id)
        .where(tuple_(Contact.customer_id, Contact.name).in_(sorted(pairs)))
        .order_by(Contact.id.desc())
    )
    return {
        (customer_id, name): contact_id
        for customer_id, name, contact_id in work.session.execute(query)
    }
