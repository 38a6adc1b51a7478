"""The open queue: which rows a page of it holds, in which order."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    desc,
    func,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from db import session as database
from db.codes import (
    Role,
)
from db.models.people import Person, PersonRole
from db.models.tickets import QueueRow
from lib.shared.calendar import epoch
from lib.shared.errors import Refusal
from lib.shared.work import Look, ask, read_change_number
from lib.tickets.queue_filter import (
    COLUMNS,
    ORDERS,
    Key,
    Place,
    QueueFilter,
    QueueLine,
    Sort,
    conditions,
    lines_query,
    seen_by,
)
from lib.tickets.tally import Tally, countable, tallies

PAGE_ROWS = 50


@dataclass(frozen=True)
class QueuePage:
    """One page of the queue. `low` and `high` are the open ends between which this page lies (None: no end)."""

    where: QueueFilter
    number: int
    lines: list[QueueLine]
    low: Key | None
    high: Key | None
    total: int | None
    tally: Tally
    technicians: list[tuple[int, str]] = field(default_factory=list)
    cut_short: bool = False
    """Whether older cases were not looked at."""
    refusal: Refusal | None = None


def read_queue(
    look: Look,
    *,
    where: QueueFilter,
    after: Place | None = None,
    before: Place | None = None,
    saved: Collection[QueueFilter] = (),
) -> QueuePage:
    """A page of at most PAGE_ROWS lines in the filter's order, `after` or `before` a place in it.

    The change number is read before the rows, so that a change in between is announced again, never lost.
    `saved`: filters whose cases are counted with the others.
    """
    where = seen_by(where, look.actor)
    now = epoch(look.now)
    number = read_change_number(look)
    keys = [_key_at(look.session, where, place) for place in (after, before)]
    lines, low, high = page_of(look.session, where, now, *keys)
    tally = tallies.current(look.session, number, now, {countable(each) for each in saved})
    total = None
    if where.is_narrowed:
        whole = low is None and high is None
        total = len(lines) if whole else _count(look.session, where, now)
    people = technicians.at(look.session, number)
    return QueuePage(where, number, lines, low, high, total, tally, people)


def _key_at(session: Session, where: QueueFilter, place: Place | None) -> Key | None:
    if place is None:
        return None
    value, ticket_id = place
    if value is not None:
        return value, ticket_id
    line = find_lines(session, [ticket_id]).get(ticket_id)
    return None if line is None else where.key_of(line)


def page_of(
    session: Session, where: QueueFilter, now: int, after: Key | None, before: Key | None
) -> tuple[list[QueueLine], Key | None, Key | None]:
    """At most PAGE_ROWS lines, and the open ends between which they lie; the first page when nothing is beyond."""
    backwards = before is not None
    start = before if backwards else after
    falling = where.descending != backwards
    # What somebody looks for may be a name or a telephone number: it is not kept.
    build = _page_statement if where.text else _kept_page_statement
    statement = build(where, falling=falling, further=start is not None)
    asked: dict[str, Any] = {"now": now}
    if start is not None:
        asked |= {"start_at": start[0], "start_id": start[1]}
    found = [QueueLine(*row) for row in ask(session, statement, **asked)]
    lines, more = found[:PAGE_ROWS], found[PAGE_ROWS:]
    beyond = where.key_of(more[0]) if more else None
    if backwards:
        if len(lines) < PAGE_ROWS:
            return page_of(session, where, now, None, None)
        return lines[::-1], beyond, before
    if after is not None and not lines:
        return page_of(session, where, now, None, None)
    return lines, after, beyond


def _page_statement(where: QueueFilter, *, falling: bool, further: bool) -> Select[Any]:
    """A page of the list as of `now`; a `further` one lies beyond `start_at` and `start_id`."""
    value = _sorted_by(where)
    query = lines_query(conditions(where, bindparam("now", type_=BigInteger)))
    if further:
        query = query.where(_is_beyond(value, falling=falling))
    order = (value, QueueRow.ticket_id)
    return query.order_by(*[desc(each) for each in order] if falling else order).limit(
        PAGE_ROWS + 1
    )


_kept_page_statement = lru_cache(maxsize=256)(_page_statement)


def _is_beyond(value: ColumnElement[Any], *, falling: bool) -> ColumnElement[bool]:
    at: BindParameter[Any] = bindparam("start_at")
    ticket_id = bindparam("start_id", type_=Integer)
    if falling:
        return or_(value < at, and_(value == at, QueueRow.ticket_id < ticket_id))
    return or_(value > at, and_(value == at, QueueRow.ticket_id > ticket_id))


class _ByCode(FunctionElement[str]):
    """A text compared by its characters' numbers, as Python and the browser do."""

    inherit_cache = True


@compiles(_ByCode)
def _plain_text(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(_ByCode, "postgresql")
def _collated_text(element: Any, compiler: Any, **options: Any) -> str:
    return f'{compiler.process(element.clauses, **options)} COLLATE "C"'


def _sorted_by(where: QueueFilter) -> ColumnElement[Any]:
    if where.sort is Sort.DUE:
        return QueueRow.due_at.expression
    column: Any = COLUMNS[where.sort]
    order = ORDERS.get(where.sort)
    if order is None:
        by_code: ColumnElement[Any] = _ByCode(column)
        return by_code
    return case({code: place for place, code in enumerate(order)}, value=column)


TECHNICIANS = (
    select(Person.id, Person.name)
    .join(PersonRole)
    .where(PersonRole.role == Role.TECHNICIAN, Person.active)
    .order_by(Person.name, Person.id)
)
"""What every page of the queue asks, built once."""


def count_lines(look: Look, *, where: QueueFilter) -> int:
    """How many open cases the filter holds for the actor."""
    return _count(look.session, seen_by(where, look.actor), epoch(look.now))


def _count(session: Session, where: QueueFilter, now: int) -> int:
    held = conditions(where, now)
    return session.scalar(select(func.count()).select_from(QueueRow).where(*held)) or 0


def find_lines(session: Session, ids: Collection[int]) -> dict[int, QueueLine]:
    """The lines of these tickets that are still open, by id."""
    found = session.execute(lines_query([QueueRow.ticket_id.in_(ids)]))
    return {line.id: line for line in (QueueLine(*row) for row in found)}


class _Technicians:
    """Active technicians, id and name, by name: asked again when something has changed, who works there or else."""

    def __init__(self) -> None:
        self._kept: tuple[str, int, list[tuple[int, str]]] = ("", 0, [])

    def at(self, session: Session, number: int) -> list[tuple[int, str]]:
        """As they were at change `number`, that of this very transaction."""
        store, changed, people = self._kept
        if (store, changed) != (database.url(), number):
            people = [(person_id, name) for person_id, name in ask(session, TECHNICIANS)]
            self._kept = (database.url(), number, people)
        return people


technicians = _Technicians()
