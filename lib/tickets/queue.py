"""The open queue: which rows a view holds, in which order, and who may see them.

`matches` and `conditions` say the same thing twice, for a row in memory and for the database; a property test holds
them together. Both read `queue_rows` alone.
"""

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import cached_property, lru_cache
from time import monotonic
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
    literal,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from db import session as database
from db.codes import (
    CoverageState,
    FaultCode,
    Priority,
    Role,
    TicketStatus,
    TimerKind,
    WaitingFor,
)
from db.models.people import Person, PersonRole
from db.models.tickets import NEVER_DUE, QueueRow
from lib.customers.queries import sees_full
from lib.customers.rules import phone_fragment, plain
from lib.shared.calendar import epoch
from lib.shared.errors import Refusal
from lib.shared.work import Actor, Look, ask, read_change_number

PAGE_ROWS = 50
HOUR = 3600
UNMOVED = 24 * HOUR
"""Seconds after which a case that nobody moves is listed (S-06)."""
LONGEST_SEARCH = 60
MOST_WORDS = 6
TALLY_SECONDS = 1.0
MOST_SAVED = 100
SAVED_SECONDS = 60.0
"""Saved lists that nobody has looked at for so long are not counted."""
NOBODY = 0
"""As `QueueFilter.technician`: no technician yet."""

Key = tuple[int | str, int]
"""A place in the order: what is sorted by, as `QueueFilter.key_of` tells it, then the ticket's id."""

Place = tuple[int | None, int]
"""A place as an address tells it: a text (None) names people and stays out of it, and is asked of the row."""


class QueueView(StrEnum):
    """A named part of the open cases; overdue and due soon depend on the hour."""

    NEXT_BREACH = "next_breach"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    WAITING_PARTS = "waiting_parts"
    RETURN_CALLS = "return_calls"
    FOLLOW_UP = "follow_up"
    NOT_MOVED = "not_moved"
    ALL = "all"
    OVERDUE = "overdue"
    DUE_SOON = "due_soon"


class Scope(StrEnum):
    """Which cases a list is about; all but the open ones are read newest first (`lib.tickets.closed`)."""

    OPEN = "open"
    CLOSED = "closed"
    ALL = "all"


class Sort(StrEnum):
    """What the open list is sorted by; equal ones by id."""

    DUE = "due"
    PRIORITY = "priority"
    NUMBER = "number"
    COMPANY = "company"
    CONTACT = "contact"
    FAULT = "fault"
    WARRANTY = "warranty"
    STATUS = "status"
    TECHNICIAN = "technician"


ORDERS: Mapping[Sort, tuple[str, ...]] = {
    Sort.PRIORITY: tuple(Priority),
    Sort.FAULT: tuple(FaultCode),
    Sort.WARRANTY: tuple(CoverageState),
    Sort.STATUS: tuple(TicketStatus),
}
"""Codes are sorted as they are listed, not by their letters."""


SEES_ALL = frozenset(set(Role) - {Role.TECHNICIAN})
"""Who sees every open case; a technician without another role sees the own ones."""


@dataclass(frozen=True)
class QueueFilter:
    """What a list of open cases is narrowed to.

    `person_id` is whose "mine" is; `only_of` and `by_phone` (whether words may be looked for in phones) are set by
    who looks.
    """

    view: QueueView = QueueView.ALL
    status: TicketStatus | None = None
    priority: Priority | None = None
    technician: int | None = None
    text: str = ""
    person_id: int | None = None
    only_of: int | None = None
    by_phone: bool = False
    customer_id: int | None = None
    scope: Scope = Scope.OPEN
    from_on: date | None = None
    until_on: date | None = None
    sort: Sort = Sort.DUE
    descending: bool = False

    @property
    def is_narrowed(self) -> bool:
        """Whether more than the view narrows it, so that the view's count is not the total."""
        return bool(
            self.status
            or self.priority
            or self.technician is not None
            or self.customer_id is not None
            or searchable(self.text)
        )

    def key_of(self, line: "QueueLine") -> Key:
        """The line's place in the order of this list; texts are ordered by their characters' numbers."""
        if self.sort is Sort.DUE:
            return line.due_at, line.id
        value = getattr(line, self.sort)
        order = ORDERS.get(self.sort)
        return value if order is None else order.index(value), line.id

    def is_beyond(self, key: Key, other: Key) -> bool:
        """Whether `key` comes after `other` in the order of this list."""
        return key < other if self.descending else key > other


@dataclass(frozen=True)
class QueueLine:
    """One open case as lists show it; times in epoch seconds."""

    id: int
    priority: Priority
    due_at: int
    due_kind: TimerKind | None
    paused: bool
    number: str
    company: str
    contact: str
    fault: FaultCode
    warranty: CoverageState
    status: TicketStatus
    waiting_for: WaitingFor | None
    return_call: bool
    technician: str
    technician_id: int | None
    owner_id: int | None
    version: int = 1
    search_key: str = ""
    phone_digits: str = ""
    text_key: str = ""
    customer_id: int | None = None
    received_at: int = 0
    next_action_at: int | None = None
    moved_at: int = 0


COLUMNS = {
    "id": QueueRow.ticket_id,
    "priority": QueueRow.priority,
    "due_at": QueueRow.due_at,
    "due_kind": QueueRow.due_kind,
    "paused": QueueRow.paused,
    "number": QueueRow.number,
    "company": QueueRow.customer_name,
    "contact": QueueRow.contact_name,
    "fault": QueueRow.fault,
    "warranty": QueueRow.coverage,
    "status": QueueRow.status,
    "waiting_for": QueueRow.waiting_for,
    "return_call": QueueRow.return_call_open,
    "technician": QueueRow.technician_name,
    "technician_id": QueueRow.technician_id,
    "owner_id": QueueRow.owner_id,
    "version": QueueRow.version,
    "search_key": QueueRow.search_key,
    "phone_digits": QueueRow.phone_digits,
    "text_key": QueueRow.text_key,
    "customer_id": QueueRow.customer_id,
    "received_at": QueueRow.received_at,
    "next_action_at": QueueRow.next_action_at,
    "moved_at": QueueRow.moved_at,
}
"""Column of the store for each field of QueueLine, in its order."""

KEPT_BACK = (
    "technician_id",
    "owner_id",
    "search_key",
    "phone_digits",
    "text_key",
    "customer_id",
    "next_action_at",
    "moved_at",
)
SENT_FIELDS = tuple(name for name in COLUMNS if name not in KEPT_BACK)
"""What the browser gets of a line, in this order."""


def sent(line: QueueLine) -> list[Any]:
    """The line as the browser gets it: codes, not words."""
    return [getattr(line, name) for name in SENT_FIELDS]


People = tuple[int | None, int | None]
"""Technician and owner of cases (None: nobody)."""


@dataclass(frozen=True)
class Tally:
    """Open cases by technician and owner (None: nobody), and when time alone changes a number next."""

    by_people: Mapping[People, Mapping[QueueView, int]]
    number: int
    at: int
    next_crossing: int
    further: Mapping["QueueFilter", Mapping[People, int]] = field(default_factory=dict)
    """The same of further filters, as `countable` makes them."""

    def holds_at(self, number: int, now: int) -> bool:
        """Whether neither a change nor time alone has changed a number since it was counted."""
        return self.number == number and self.at <= now < self.next_crossing

    def counts(self, where: QueueFilter) -> dict[str, int]:
        """Cases per view for somebody who looks with `where`."""
        if where.only_of is None:
            mine = self._of_person.get(where.person_id, 0) if where.person_id is not None else 0
            return self._of_all | {QueueView.MINE: mine}
        return _counted(
            [each for each in self.by_people.items() if each[0][0] == where.only_of],
            where.person_id,
        )

    @cached_property
    def _of_all(self) -> dict[str, int]:
        """What everybody gets who sees all, counted once: a hundred streams ask every second."""
        return _counted(list(self.by_people.items()), None)

    @cached_property
    def _of_person(self) -> Mapping[int | None, int]:
        """All cases of each technician or owner."""
        found: Counter[int | None] = Counter()
        for people, counts in self.by_people.items():
            for person_id in set(people):
                found[person_id] += counts[QueueView.ALL]
        return found

    def count_of(self, where: QueueFilter) -> int | None:
        """Cases that a filter holds; None when it was not among those counted this second."""
        by_people = self.further.get(countable(where))
        if by_people is None:
            return None
        return sum(
            count
            for (technician, owner), count in by_people.items()
            if _concerns(where, technician, owner)
        )


def _counted(
    seen: Sequence[tuple[People, Mapping[QueueView, int]]], person_id: int | None
) -> dict[str, int]:
    totals = {view.value: sum(counts.get(view, 0) for _, counts in seen) for view in QueueView}
    totals[QueueView.MINE] = sum(
        counts[QueueView.ALL]
        for people, counts in seen
        if person_id is not None and person_id in people
    )
    totals[QueueView.UNASSIGNED] = sum(
        counts[QueueView.ALL] for (technician, _), counts in seen if technician is None
    )
    return totals


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


def seen_by(where: QueueFilter, actor: Actor) -> QueueFilter:
    """The filter narrowed to what the actor may see."""
    sees_all = actor.person_id is None or actor.has(*SEES_ALL)
    return replace(
        where,
        person_id=actor.person_id,
        only_of=None if sees_all else actor.person_id,
        text=searchable(where.text),
        by_phone=sees_full(actor),
    )


def countable(where: QueueFilter) -> QueueFilter:
    """The part of a filter that is counted for everybody; whom it concerns is told by technician and owner."""
    by_people = where.view in (QueueView.MINE, QueueView.UNASSIGNED)
    return QueueFilter(
        view=QueueView.ALL if by_people else where.view,
        status=where.status,
        priority=where.priority,
        customer_id=where.customer_id,
    )


def _concerns(where: QueueFilter, technician: int | None, owner: int | None) -> bool:
    if where.only_of is not None and technician != where.only_of:
        return False
    if where.technician is not None and (technician or NOBODY) != where.technician:
        return False
    if where.view is QueueView.UNASSIGNED:
        return technician is None
    if where.view is QueueView.MINE:
        return where.person_id is not None and where.person_id in (technician, owner)
    return True


def searchable(text: str) -> str:
    """Typed words as search keys are written: full-width forms narrowed, small letters, single spaces."""
    return plain("".join(c if c.isprintable() else " " for c in text))[:LONGEST_SEARCH]


@dataclass(frozen=True, slots=True)
class Sought:
    """What a typed text looks for: each word, with the digits it may be of a phone; and the whole as one phone."""

    words: tuple[tuple[str, str], ...]
    phone: str


@lru_cache(1024)
def sought(text: str, by_phone: bool) -> Sought:
    """Take a searchable text apart. Without `by_phone` no phone is looked into, or it could be asked out."""
    words = text.split()[:MOST_WORDS]
    fragment = phone_fragment if by_phone else lambda _: ""
    whole = fragment(text) if len(words) > 1 else ""
    return Sought(tuple((word, fragment(word)) for word in words), whole)


def holds_text(where: QueueFilter, line: QueueLine) -> bool:
    """Whether a line holds the words of the filter."""
    asked = sought(where.text, where.by_phone)
    if asked.phone and asked.phone in line.phone_digits:
        return True
    return all(
        word in line.search_key or word in line.text_key or (digits and digits in line.phone_digits)
        for word, digits in asked.words
    )


def _text_condition(where: QueueFilter) -> ColumnElement[bool]:
    asked = sought(where.text, where.by_phone)
    held: ColumnElement[bool] = and_(
        *(
            or_(
                _contains(QueueRow.search_key, word),
                _contains(QueueRow.text_key, word),
                *([_contains(QueueRow.phone_digits, digits)] if digits else []),
            )
            for word, digits in asked.words
        )
    )
    return or_(held, _contains(QueueRow.phone_digits, asked.phone)) if asked.phone else held


def matches(where: QueueFilter, line: QueueLine, now: int) -> bool:
    """Whether the filter holds a line at `now` (epoch seconds)."""
    if where.only_of is not None and line.technician_id != where.only_of:
        return False
    if where.customer_id is not None and line.customer_id != where.customer_id:
        return False
    if where.status and line.status is not where.status:
        return False
    if where.priority and line.priority is not where.priority:
        return False
    if where.technician is not None and (line.technician_id or NOBODY) != where.technician:
        return False
    if where.text and not holds_text(where, line):
        return False
    match where.view:
        case QueueView.OVERDUE:
            return line.due_at < now
        case QueueView.DUE_SOON:
            return now <= line.due_at < now + HOUR
        case QueueView.NEXT_BREACH:
            return line.due_at < now + HOUR
        case QueueView.MINE:
            return where.person_id is not None and where.person_id in (
                line.owner_id,
                line.technician_id,
            )
        case QueueView.UNASSIGNED:
            return line.technician_id is None
        case QueueView.WAITING_PARTS:
            return line.waiting_for is WaitingFor.PARTS
        case QueueView.RETURN_CALLS:
            return line.return_call
        case QueueView.FOLLOW_UP:
            return line.next_action_at is not None and line.next_action_at < now
        case QueueView.NOT_MOVED:
            return line.moved_at < now - UNMOVED
        case QueueView.ALL:
            return True


def conditions(where: QueueFilter, now: int | BindParameter[int]) -> list[ColumnElement[bool]]:
    """The same as `matches`, for the database."""
    held: list[ColumnElement[bool]] = []
    if where.only_of is not None:
        held.append(QueueRow.technician_id == where.only_of)
    if where.customer_id is not None:
        held.append(QueueRow.customer_id == where.customer_id)
    if where.status:
        held.append(QueueRow.status == where.status)
    if where.priority:
        held.append(QueueRow.priority == where.priority)
    if where.technician is not None:
        nobody = where.technician == NOBODY
        held.append(
            QueueRow.technician_id.is_(None)
            if nobody
            else QueueRow.technician_id == where.technician
        )
    if where.text:
        held.append(_text_condition(where))
    held.extend(_view_condition(where, now))
    return held


def _view_condition(where: QueueFilter, now: int | BindParameter[int]) -> list[ColumnElement[bool]]:
    match where.view:
        case QueueView.OVERDUE:
            return [QueueRow.due_at < now]
        case QueueView.DUE_SOON:
            return [QueueRow.due_at >= now, QueueRow.due_at < now + HOUR]
        case QueueView.NEXT_BREACH:
            return [QueueRow.due_at < now + HOUR]
        case QueueView.MINE:
            mine = where.person_id or -1
            return [or_(QueueRow.owner_id == mine, QueueRow.technician_id == mine)]
        case QueueView.UNASSIGNED:
            return [QueueRow.technician_id.is_(None)]
        case QueueView.WAITING_PARTS:
            return [QueueRow.waiting_for == WaitingFor.PARTS]
        case QueueView.RETURN_CALLS:
            return [QueueRow.return_call_open.is_(True)]
        case QueueView.FOLLOW_UP:
            return [QueueRow.next_action_at < now]
        case QueueView.NOT_MOVED:
            return [QueueRow.moved_at < now - UNMOVED]
        case QueueView.ALL:
            return []


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    # SQLite's LIKE takes ASCII capitals for small letters; keys and searched words have none.
    contained: ColumnElement[bool] = column.contains(text, autoescape=True)
    return contained


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
    return QueuePage(where, number, lines, low, high, total, tally, list_technicians(look.session))


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


def lines_query(held: Collection[ColumnElement[bool]]) -> Select[Any]:
    """Select the columns of QueueLine where all of `held` hold."""
    columns: list[Any] = list(COLUMNS.values())
    return select(*columns).where(*held)


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


def find_crossing(session: Session, since: int, now: int) -> dict[int, QueueLine]:
    """The lines that time alone brought into a view, after `since` and up to `now`."""
    due, action, moved = QueueRow.due_at, QueueRow.next_action_at, QueueRow.moved_at
    crossed = or_(
        and_(due >= since, due < now),
        and_(due >= since + HOUR, due < now + HOUR),
        and_(action >= since, action < now),
        and_(moved >= since - UNMOVED, moved < now - UNMOVED),
    )
    found = session.execute(lines_query([crossed]).limit(500))
    return {line.id: line for line in (QueueLine(*row) for row in found)}


def list_technicians(session: Session) -> list[tuple[int, str]]:
    """Active technicians, id and name, by name."""
    return [(person_id, name) for person_id, name in ask(session, TECHNICIANS)]


class TallyKeeper:
    """The tally of this process: counted at most once a second, and only when a change or the hour asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[str, Tally, float] | None = None
        self._wanted: dict[QueueFilter, float] = {}

    def current(
        self, session: Session, number: int, now: int, wanted: Collection[QueueFilter] = ()
    ) -> Tally:
        """The tally at change `number` and `now`, at most a second old; `wanted`: countable filters to count too."""
        with self._lock:
            self._want(wanted)
            if self._kept is not None and self._kept[0] == database.url():
                _, tally, loaded_at = self._kept
                unchanged = tally.holds_at(number, now)
                complete = all(each in tally.further for each in wanted)
                if (unchanged and complete) or monotonic() - loaded_at < TALLY_SECONDS:
                    return tally
            tally = read_tally(session, number, now, list(self._wanted))
            self._kept = (database.url(), tally, monotonic())
            return tally

    def counted(self, number: int, now: int) -> Tally | None:
        """The tally if it is exact at change `number` and `now`; None where it would have to be counted."""
        with self._lock:
            if self._kept is None or self._kept[0] != database.url():
                return None
            tally = self._kept[1]
            return tally if tally.holds_at(number, now) else None

    def _want(self, wanted: Collection[QueueFilter]) -> None:
        at = monotonic()
        self._wanted.update(dict.fromkeys(wanted, at))
        if len(self._wanted) > MOST_SAVED:
            newest = sorted(self._wanted, key=self._wanted.__getitem__, reverse=True)
            self._wanted = {each: self._wanted[each] for each in newest[:MOST_SAVED]}
        for each in [each for each, last in self._wanted.items() if at - last > SAVED_SECONDS]:
            del self._wanted[each]

    def forget(self) -> None:
        """Count anew at the next question; for tests that write and count within one second."""
        with self._lock:
            self._kept = None
            self._wanted.clear()


tallies = TallyKeeper()


def read_tally(
    session: Session, number: int, now: int, further: Collection[QueueFilter] = ()
) -> Tally:
    """Count the open cases per technician, owner, view and further filter in one statement."""
    views = [
        QueueView.OVERDUE,
        QueueView.DUE_SOON,
        QueueView.NEXT_BREACH,
        QueueView.WAITING_PARTS,
        QueueView.RETURN_CALLS,
        QueueView.FOLLOW_UP,
        QueueView.NOT_MOVED,
    ]
    filters = [QueueFilter(view) for view in views] + list(further)
    sums = [func.sum(_one_if(conditions(where, now))) for where in filters]
    # What time alone will change next, of each kind: the first that comes is when to count again.
    crossings = [
        (QueueRow.due_at, now, 0),
        (QueueRow.due_at, now + HOUR, HOUR),
        (QueueRow.next_action_at, now, 0),
        (QueueRow.moved_at, now - UNMOVED, -UNMOVED),
    ]
    nexts = [func.min(case((column >= at, column))) for column, at, _ in crossings]
    people = (QueueRow.technician_id, QueueRow.owner_id)
    found = session.execute(select(*people, func.count(), *nexts, *sums).group_by(*people)).all()
    by_people: dict[People, dict[QueueView, int]] = {}
    of_further: dict[QueueFilter, dict[People, int]] = {where: {} for where in further}
    coming = [NEVER_DUE]
    for technician, owner, all_, *rest in found:
        firsts, totals = rest[: len(nexts)], [int(total) for total in rest[len(nexts) :]]
        by_people[technician, owner] = {
            QueueView.ALL: int(all_),
            **dict(zip(views, totals, strict=False)),
        }
        for where, total in zip(further, totals[len(views) :], strict=True):
            of_further[where][technician, owner] = total
        coming += [
            first - ahead
            for first, (_, _, ahead) in zip(firsts, crossings, strict=True)
            if first is not None
        ]
    return Tally(by_people, number, now, min(coming), of_further)


def _one_if(held: Collection[ColumnElement[bool]]) -> ColumnElement[int]:
    return case((and_(*held), 1), else_=0) if held else literal(1)
