"""The index of all cases, open and closed: filled by the writing transaction, asked newest first with a cap."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select, text, update
from sqlalchemy.orm import Session

from db import session as database
from db.models.customers import Contact, Customer
from db.models.people import Counter as StoredCounter
from db.models.tickets import QueueRow, Ticket
from lib.customers.rules import MANY, plain
from lib.shared.work import Look, Work, ask, permit
from lib.tickets.terms import (
    Asked,
    likely_share,
    postgresql_query,
    rarest,
    sqlite_query,
    terms_of,
    text_key,
)

FILLED = "ticket-search"
"""The counter that stands when every case is in the index."""

CASES_AT_ONCE = 1000
BUCKET = 8192
"""So many cases by id share a term of their own on PostgreSQL, so that a common word is read for the newest alone."""

WHOLE_FROM = 48
"""From so many buckets on, all of the rest is asked at once."""
FEW = 1000
"""Where no more cases are likely to be found, all are asked at once."""
TAKEN_NEXT = 150
FASTER = 4
"""At most so many times as many buckets are asked next."""
BEYOND = 2**31 - 1
"""More than any case's id."""
SAMPLED = 300
"""Cases whose terms tell on SQLite which are common."""
STATISTICS_LAST = 600.0
"""Seconds for which the store's statistics of terms are taken as read."""


def names_key(number: str, customer_key: str | None, contact_key: str | None) -> str:
    """What a search compares with, from the keys that customer and contact got when they were written."""
    return f"{MANY}{plain(number)}{customer_key or ''}{contact_key or ''}"


ADD_TERMS = text("INSERT INTO ticket_search (rowid, terms) VALUES (:ticket_id, :terms)")
PUT_TERMS = text(
    "INSERT INTO ticket_search (ticket_id, terms)"
    " VALUES (:ticket_id, array_to_tsvector(CAST(:terms AS text[])))"
    " ON CONFLICT (ticket_id) DO UPDATE SET terms = excluded.terms"
)
"""What every write of a new case asks, of SQLite and of PostgreSQL, built once."""


def put_terms(store: Connection, found_by: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Write the terms of cases, by id; one statement.

    SQLite adds them to those that the case may have already: what is no longer said is found out when the rows that
    were found are compared in full.
    """
    if not found_by:
        return
    if store.dialect.name == "sqlite":
        store.execute(
            ADD_TERMS,
            [{"ticket_id": each, "terms": " ".join(terms)} for each, terms in found_by],
        )
        return
    store.execute(
        PUT_TERMS,
        [{"ticket_id": each, "terms": [*terms, f"@{each // BUCKET}"]} for each, terms in found_by],
    )


@contextmanager
def filling(store: Connection) -> Iterator[None]:
    """A large load of terms of cases that have none, in the order of ids: pages of the index are written once."""
    if store.dialect.name == "sqlite":
        # The bytes that FTS5 gathers before it writes a segment.
        resize = "INSERT INTO ticket_search (ticket_search, rank) VALUES ('hashsize', :bytes)"
        store.execute(text(resize), {"bytes": 32 * 2**20})
        yield
        store.execute(text(resize), {"bytes": 2**20})
        return
    store.execute(text("DROP INDEX ix_ticket_search_terms"))
    yield
    store.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
    store.execute(text("CREATE INDEX ix_ticket_search_terms ON ticket_search USING gin (terms)"))


def copy_terms(store: Connection, found_by: Sequence[tuple[int, Sequence[str]]]) -> None:
    """`put_terms` for many cases that have none yet, within `filling`."""
    driver: Any = store.connection.driver_connection
    if store.dialect.name == "sqlite":
        driver.executemany(
            "INSERT INTO ticket_search (rowid, terms) VALUES (?, ?)",
            [(each, " ".join(terms)) for each, terms in found_by],
        )
        return
    with (
        driver.cursor() as cursor,
        cursor.copy("COPY ticket_search (ticket_id, terms) FROM STDIN") as copy,
    ):
        for each, terms in found_by:
            # No term holds a quote: they are letters, digits and marks of our own.
            copy.write_row((each, "'" + "' '".join([*terms, f"@{each // BUCKET}"]) + "'"))


def newest_ids(session: Session, asked: Asked, *, before: int | None, most: int) -> Iterator[int]:
    """The ids of cases that may hold what is asked, the newest first, below `before`; at most `most`."""
    if not asked:
        return
    known = statistics.read(session)
    if known.shares:
        asked = rarest(asked, known.shares)
    if database.is_sqlite():
        last = BEYOND if before is None else before
        question = {"asked": sqlite_query(asked), "before": last, "most": most}
        yield from ask(session, NEWEST_FIRST, **question).scalars()
        return
    step = 2
    if known.shares:
        last = known.newest + 1 if before is None else before
        step = _first_step(last, likely_share(asked, known.shares))
    if before is None:
        # Where all are asked at once, nobody needs to know which is the newest.
        before = BEYOND if step >= WHOLE_FROM else _newest(session) + 1
    yield from _by_buckets(session, postgresql_query(asked), before, most, step)


NEWEST_FIRST = text(
    "SELECT rowid FROM ticket_search WHERE ticket_search MATCH :asked"
    " AND rowid < :before ORDER BY rowid DESC LIMIT :most"
)
NEWEST = select(func.max(Ticket.id))


def _newest(session: Session) -> int:
    return ask(session, NEWEST).scalar() or 0


COUNTED = text(
    "SELECT (SELECT max(id) FROM tickets),"
    " CAST(CAST(most_common_elems AS text) AS text[]), most_common_elem_freqs"
    " FROM (SELECT 1) AS one LEFT JOIN pg_stats"
    " ON schemaname = current_schema() AND tablename = 'ticket_search' AND attname = 'terms'"
)


class Known(NamedTuple):
    """In which part of all cases common terms are, empty where nobody knows yet; and the newest case."""

    shares: Mapping[str, float]
    newest: int


class TermStatistics:
    """What is known of terms, at most STATISTICS_LAST old: as PostgreSQL counts them, on SQLite of the newest cases."""

    def __init__(self) -> None:
        self._read: tuple[str, float, Known] = ("", 0.0, Known({}, 0))

    def read(self, session: Session) -> Known:
        store, at, known = self._read
        if store != database.url() or time.monotonic() - at > STATISTICS_LAST:
            known = _sampled(session) if database.is_sqlite() else _counted(session)
            self._read = (database.url(), time.monotonic(), known)
        return known


def _counted(session: Session) -> Known:
    newest, terms, shares = ask(session, COUNTED).one()
    # Beyond the shares of the terms stand their least and greatest.
    return Known(dict(zip(terms or (), shares or (), strict=False)), newest or 0)


def _sampled(session: Session) -> Known:
    rows = ask(session, NEWEST_CASES).all()
    found = Counter(term for row in rows for term in _terms_of_row(row))
    shares = {term: times / len(rows) for term, times in found.items()}
    return Known(shares, rows[0].id if rows else 0)


statistics = TermStatistics()


FOUND = text(
    "WITH found AS MATERIALIZED (SELECT ticket_id FROM ticket_search"
    " WHERE terms @@ CAST(:asked AS tsquery)) "
    "SELECT ticket_id FROM found WHERE ticket_id < :before ORDER BY ticket_id DESC LIMIT :most"
)


def _first_step(before: int, share: float) -> int:
    """So many buckets to begin with for what is likely in this share of the cases below an id."""
    if before * share <= FEW:
        return WHOLE_FROM
    # The newest bucket may have just begun: with the one before it there are enough to judge by.
    return 1 if before % BUCKET * share >= TAKEN_NEXT else 2


def _by_buckets(session: Session, asked: str, before: int, most: int, step: int) -> Iterator[int]:
    bucket, found = (before - 1) // BUCKET, 0
    while bucket >= 0 and found < most:
        last = bucket - step
        here = asked
        if step < WHOLE_FROM and last >= 0:
            among = " | ".join(f"'@{each}'" for each in range(bucket, last, -1))
            here = f"({asked}) & ({among})"
        else:
            last = -1
        rest = most - found
        ids = ask(session, FOUND, asked=here, before=before, most=rest).scalars().all()
        yield from ids
        found += len(ids)
        bucket = last
        before = (last + 1) * BUCKET
        # As many more as should bring what a reader takes next, by what these brought; he may have had enough.
        needed = ceil(2 * step * min(rest, TAKEN_NEXT) / len(ids)) if ids else WHOLE_FROM
        # Where so few are found, asking for all of the rest costs less than asking again.
        step = needed if needed >= WHOLE_FROM else min(needed, FASTER * step)


def lacks_terms(look: Look) -> bool:
    """Whether the store comes from before there was an index."""
    return look.session.get(StoredCounter, FILLED) is None


@permit()
def fill_terms(work: Work) -> None:
    """Write the terms of every case of a store that `lacks_terms`, and the words of the open ones."""
    if not lacks_terms(Look(work.session, work.actor, work.now)):
        return
    store = work.store
    last = 0
    while True:
        rows = store.execute(CASES_AFTER, {"last": last}).all()
        if not rows:
            break
        put_terms(store, [(row.id, _terms_of_row(row)) for row in rows])
        words = [{"of": row.id, "key": text_key(row.title, row.words)} for row in rows]
        store.execute(WORDS_OF_OPEN, words)
        last = rows[-1].id
    work.session.add(StoredCounter(name=FILLED, value=1))


def _terms_of_row(row: Any) -> list[str]:
    names = names_key(row.number, row.customer_key, row.contact_key)
    return terms_of(names, text_key(row.title, row.words), row.phone_digits or "")


_CASES = (
    select(
        Ticket.id,
        Ticket.number,
        Ticket.title,
        Ticket.words,
        Customer.search_key.label("customer_key"),
        Contact.search_key.label("contact_key"),
        Contact.phone_digits,
    )
    .outerjoin(Customer, Customer.id == Ticket.customer_id)
    .outerjoin(Contact, Contact.id == Ticket.contact_id)
)
CASES_AFTER = _CASES.where(Ticket.id > bindparam("last")).order_by(Ticket.id).limit(CASES_AT_ONCE)
NEWEST_CASES = _CASES.order_by(Ticket.id.desc()).limit(SAMPLED)
WORDS_OF_OPEN = (
    update(QueueRow).where(QueueRow.ticket_id == bindparam("of")).values(text_key=bindparam("key"))
)
