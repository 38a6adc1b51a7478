"""Purchasers and contacts of an import by the thousand: found by name, else written down."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import insert, select, tuple_

from db.models.customers import Contact, Customer
from lib.customers import rules
from lib.customers.actions import CONTACT_KEY_LENGTH, KEY_LENGTH
from lib.shared.work import Work


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
        found |= _customers(work, set(missing))
    return found


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
        found |= _contacts(work, set(missing))
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
