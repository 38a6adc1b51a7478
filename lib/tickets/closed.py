"""Lists that reach beyond the open cases: found by words, a customer or a range of days, the newest first.

What has ended is never listed whole: that would cost more with every year the desk works.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, bindparam, func, select

from db import session as database
from db.models.customers import Contact, Customer
from db.models.people import Person
from db.models.tickets import NEVER_DUE, QueueRow, Ticket
from lib.customers.rules import RUNS
from lib.shared.calendar import epoch, moment
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Look, read_change_number
from lib.tickets.queries import reads_all, visible_to
from lib.tickets.queue import PAGE_ROWS, QueuePage, technicians
from lib.tickets.queue_filter import (
    NOBODY,
    Key,
    Place,
    QueueFilter,
    QueueLine,
    QueueView,
    Scope,
    holds_text,
    seen_by,
)
from lib.tickets.rules import ENDED_STATUSES
from lib.tickets.search import names_key, newest_ids
from lib.tickets.tally import tallies
from lib.tickets.terms import asked_of, text_key

MOST_DAYS = 92
MOST_LOOKED_AT = 2000
"""Of so many cases that may hold the words, those that do are listed; older ones need more words."""

LEAST_AT_ONCE, LOOKED_AT_ONCE = 20, 150
"""So many are compared in full together."""


def ensure_narrowed(where: QueueFilter) -> None:
    """Refuse `closed_needs_narrowing` for a list of ended cases without words, customer or range (S-06)."""
    if RUNS.search(where.text) or where.customer_id is not None:
        return
    if where.from_on is None or where.until_on is None:
        raise Refusal("closed_needs_narrowing", days=MOST_DAYS)
    if not 0 <= (where.until_on - where.from_on).days < MOST_DAYS:
        raise Refusal("closed_range_too_long", days=MOST_DAYS)


def read_cases(look: Look, *, where: QueueFilter, after: Place | None = None) -> QueuePage:
    """A page of the cases of `where.scope`, newest first, below `after`. Refuses what `ensure_narrowed` refuses."""
    where = seen_by(where, look.actor)
    ensure_narrowed(where)
    number = read_change_number(look)
    start = None if after is None else (after[0] or 0, after[1])
    found: list[QueueLine] = []
    looked_at = 0
    candidates = _candidates(look, where, start)
    at_once = PAGE_ROWS + 1
    while len(found) <= PAGE_ROWS:
        ids = list(islice(candidates, at_once))
        if not ids:
            break
        looked_at += len(ids)
        held = [
            line for line in _lines(look, where, ids) if not where.text or holds_text(where, line)
        ]
        found += held
        # Mostly they hold the words, and few are missing; where none does, many are looked at together.
        missing = PAGE_ROWS + 1 - len(found)
        at_once = max(2 * missing, LEAST_AT_ONCE) if held else LOOKED_AT_ONCE
    lines, more = found[:PAGE_ROWS], found[PAGE_ROWS:]
    tally = tallies.current(look.session, number, epoch(look.now))
    return QueuePage(
        where,
        number,
        lines,
        start,
        (lines[-1].received_at, lines[-1].id) if more else None,
        None if more or start is not None else len(lines),
        tally,
        technicians.at(look.session, number),
        cut_short=not more and looked_at >= MOST_LOOKED_AT,
    )


def _candidates(look: Look, where: QueueFilter, start: Key | None) -> Iterator[int]:
    """Ids of the cases that may be listed, newest first; a place is told by the id, in a range by the receipt too."""
    session = look.session
    before = None if start is None else start[1]
    asked = asked_of(where.text, by_phone=where.by_phone)
    if asked and reads_all(look.actor) and where.customer_id is None:
        yield from newest_ids(session, asked, before=before, most=MOST_LOOKED_AT)
        return
    held = _conditions(look, where)
    # A single Chinese character asks the index for nothing: the newest cases are looked through for it.
    if RUNS.search(where.text) or where.customer_id is not None:
        query = select(Ticket.id).where(*held).order_by(Ticket.id.desc())
        if before is not None:
            query = query.where(Ticket.id < before)
    else:
        query = select(Ticket.id).where(*held)
        query = query.order_by(Ticket.received_at.desc(), Ticket.id.desc())
        if start is not None:
            received_at, at = moment(int(start[0])), start[1]
            query = query.where(
                Ticket.received_at <= received_at,
                (Ticket.received_at < received_at) | (Ticket.id < at),
            )
    yield from session.scalars(query.limit(MOST_LOOKED_AT))


def _conditions(look: Look, where: QueueFilter) -> list[ColumnElement[bool]]:
    held = [] if reads_all(look.actor) else [visible_to(look.actor)]
    if where.scope is Scope.CLOSED:
        held.append(Ticket.status.in_(ENDED_STATUSES))
    if where.customer_id is not None:
        held.append(Ticket.customer_id == where.customer_id)
    if where.from_on is not None:
        held.append(Ticket.received_at >= datetime.combine(where.from_on, time(), SHANGHAI))
    if where.until_on is not None:
        end = where.until_on + timedelta(days=1)
        held.append(Ticket.received_at < datetime.combine(end, time(), SHANGHAI))
    if where.status:
        held.append(Ticket.status == where.status)
    if where.priority:
        held.append(Ticket.priority == where.priority)
    if where.technician is not None:
        held.append(
            Ticket.technician_id.is_(None)
            if where.technician == NOBODY
            else Ticket.technician_id == where.technician
        )
    if where.view is QueueView.MINE:
        held.append(
            (Ticket.technician_id == where.person_id) | (Ticket.owner_id == where.person_id)
        )
    return held


ROWS = (
    select(
        Ticket.id,
        Ticket.priority,
        func.coalesce(QueueRow.due_at, NEVER_DUE).label("due_at"),
        QueueRow.due_kind,
        func.coalesce(QueueRow.paused, False).label("paused"),
        Ticket.number,
        func.coalesce(Customer.name, "").label("company"),
        func.coalesce(Contact.name, "").label("contact"),
        Ticket.fault,
        Ticket.coverage.label("warranty"),
        Ticket.status,
        Ticket.waiting_for,
        func.coalesce(QueueRow.return_call_open, False).label("return_call"),
        func.coalesce(Person.name, "").label("technician"),
        Ticket.technician_id,
        Ticket.owner_id,
        Ticket.version,
        Ticket.customer_id,
        Ticket.received_at,
        Ticket.title,
        Ticket.words,
        Customer.search_key.label("customer_key"),
        Contact.search_key.label("contact_key"),
        func.coalesce(Contact.phone_digits, "").label("phone_digits"),
    )
    .outerjoin(QueueRow, QueueRow.ticket_id == Ticket.id)
    .outerjoin(Customer, Customer.id == Ticket.customer_id)
    .outerjoin(Contact, Contact.id == Ticket.contact_id)
    .outerjoin(Person, Person.id == Ticket.technician_id)
)
"""The first columns are those of QueueLine up to its version, in its order."""
_ids: Any = bindparam("ids", expanding=True)
OF_IDS = {
    "sqlite": ROWS.where(Ticket.id.in_(_ids)),
    # One array: with a parameter for each id the driver would read the statement anew each time.
    "postgresql": ROWS.where(Ticket.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))),
}


def _lines(look: Look, where: QueueFilter, ids: list[int]) -> list[QueueLine]:
    """The rows of these cases, in their order, as far as the filter's codes hold them."""
    held = _conditions(look, where)
    query = OF_IDS[database.reader().dialect.name]
    if held:
        query = query.where(*held)
    found = {}
    for row in look.ask(query, ids=ids):
        *facts, customer_id, received_at, title, words, customer_key, contact_key, digits = row
        beside = (
            names_key(row.number, customer_key, contact_key),
            digits,
            text_key(title, words),
            customer_id,
            epoch(received_at),
        )
        found[row.id] = QueueLine(*(*facts, *beside))
    return [found[each] for each in ids if each in found]
