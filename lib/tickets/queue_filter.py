"""What a list of open cases is narrowed to and sorted by, and who may see it.

`matches` and `conditions` say the same thing twice, for a row in memory and for the database; a property test holds
them together. Both read `queue_rows` alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    or_,
    select,
)

from db.codes import (
    CoverageState,
    FaultCode,
    Priority,
    Role,
    TicketStatus,
    TimerKind,
    WaitingFor,
)
from db.models.tickets import QueueRow
from lib.customers.queries import sees_full
from lib.customers.rules import phone_fragment, plain
from lib.shared.work import Actor

HOUR = 3600
UNMOVED = 24 * HOUR
"""Seconds after which a case that nobody moves is listed (S-06)."""
LONGEST_SEARCH = 60
MOST_WORDS = 6
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


def lines_query(held: Collection[ColumnElement[bool]]) -> Select[Any]:
    """Select the columns of QueueLine where all of `held` hold."""
    columns: list[Any] = list(COLUMNS.values())
    return select(*columns).where(*held)
