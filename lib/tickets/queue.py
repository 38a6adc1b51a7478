"""The open queue: which rows a view holds, in which order, and who may see them.

`matches` and `conditions` say the same thing twice, for a row in memory and for the database; a property test holds
them together. Both read `queue_rows` alone.
"""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from time import monotonic
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from db.codes import (
    CoverageState,
    FaultCode,
    Priority,
    Role,
    TicketStatus,
    TimerKind,
    WaitingFor,
)
from db.models.people import ChangeHead, Person, PersonRole
from db.models.tickets import NEVER_DUE, QueueRow
from lib.customers.queries import sees_full
from lib.customers.rules import phone_fragment, plain
from lib.shared.calendar import epoch
from lib.shared.work import Actor, Look

PAGE_ROWS = 50
HOUR = 3600
LONGEST_SEARCH = 60
MOST_WORDS = 6
TALLY_SECONDS = 1.0
NOBODY = 0
"""As `QueueFilter.technician`: no technician yet."""

Key = tuple[int, int]
"""A place in the order: due in epoch seconds, then the ticket's id."""


class QueueView(StrEnum):
    """A named part of the open cases; overdue and due soon depend on the hour."""

    NEXT_BREACH = "next_breach"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    WAITING_PARTS = "waiting_parts"
    RETURN_CALLS = "return_calls"
    ALL = "all"
    OVERDUE = "overdue"
    DUE_SOON = "due_soon"


OPEN_STATUSES = tuple(
    status
    for status in TicketStatus
    if status not in (TicketStatus.CLOSED, TicketStatus.CANCELLED, TicketStatus.MERGED)
)

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

    @property
    def is_narrowed(self) -> bool:
        """Whether more than the view narrows it, so that the view's count is not the total."""
        return bool(
            self.status or self.priority or self.technician is not None or searchable(self.text)
        )


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

    @property
    def key(self) -> Key:
        return self.due_at, self.id


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
}
"""Column of the store for each field of QueueLine, in its order."""

KEPT_BACK = ("technician_id", "owner_id", "search_key", "phone_digits")
SENT_FIELDS = tuple(name for name in COLUMNS if name not in KEPT_BACK)
"""What the browser gets of a line, in this order."""


def sent(line: QueueLine) -> list[Any]:
    """The line as the browser gets it: codes, not words."""
    return [getattr(line, name) for name in SENT_FIELDS]


@dataclass(frozen=True)
class Tally:
    """Open cases by technician and owner (None: nobody), and when time alone changes a number next."""

    by_people: Mapping[tuple[int | None, int | None], Mapping[QueueView, int]]
    number: int
    at: int
    next_crossing: int

    def counts(self, where: QueueFilter) -> dict[str, int]:
        """Cases per view for somebody who looks with `where`."""
        seen = [
            (technician, owner, counts)
            for (technician, owner), counts in self.by_people.items()
            if where.only_of is None or technician == where.only_of
        ]
        totals = {
            view.value: sum(counts.get(view, 0) for _, _, counts in seen) for view in QueueView
        }
        totals[QueueView.MINE] = sum(
            counts[QueueView.ALL]
            for technician, owner, counts in seen
            if where.person_id is not None and where.person_id in (technician, owner)
        )
        totals[QueueView.UNASSIGNED] = sum(
            counts[QueueView.ALL] for technician, _, counts in seen if technician is None
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


def _holds_text(where: QueueFilter, line: QueueLine) -> bool:
    asked = sought(where.text, where.by_phone)
    if asked.phone and asked.phone in line.phone_digits:
        return True
    return all(
        word in line.search_key or (digits and digits in line.phone_digits)
        for word, digits in asked.words
    )


def _text_condition(where: QueueFilter) -> ColumnElement[bool]:
    asked = sought(where.text, where.by_phone)
    held: ColumnElement[bool] = and_(
        *(
            or_(_contains(QueueRow.search_key, word), _contains(QueueRow.phone_digits, digits))
            if digits
            else _contains(QueueRow.search_key, word)
            for word, digits in asked.words
        )
    )
    return or_(held, _contains(QueueRow.phone_digits, asked.phone)) if asked.phone else held


def matches(where: QueueFilter, line: QueueLine, now: int) -> bool:
    """Whether the filter holds a line at `now` (epoch seconds)."""
    if where.only_of is not None and line.technician_id != where.only_of:
        return False
    if where.status and line.status is not where.status:
        return False
    if where.priority and line.priority is not where.priority:
        return False
    if where.technician is not None and (line.technician_id or NOBODY) != where.technician:
        return False
    if where.text and not _holds_text(where, line):
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
        case QueueView.ALL:
            return True


def conditions(where: QueueFilter, now: int) -> list[ColumnElement[bool]]:
    """The same as `matches`, for the database."""
    held: list[ColumnElement[bool]] = []
    if where.only_of is not None:
        held.append(QueueRow.technician_id == where.only_of)
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


def _view_condition(where: QueueFilter, now: int) -> list[ColumnElement[bool]]:
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
        case QueueView.ALL:
            return []


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    # SQLite's LIKE takes ASCII capitals for small letters; keys and searched words have none.
    contained: ColumnElement[bool] = column.contains(text, autoescape=True)
    return contained


def read_queue(
    look: Look, *, where: QueueFilter, after: Key | None = None, before: Key | None = None
) -> QueuePage:
    """A page of at most PAGE_ROWS lines in the order of their due, `after` or `before` a place in it.

    The change number is read before the rows, so that a change in between is announced again, never lost.
    """
    where = seen_by(where, look.actor)
    now = epoch(look.now)
    number = read_change_number(look)
    lines, low, high = _page(look.session, where, now, after, before)
    tally = tallies.current(look.session, number, now)
    total = None
    if where.is_narrowed:
        whole = low is None and high is None
        total = len(lines) if whole else _count(look.session, where, now)
    return QueuePage(where, number, lines, low, high, total, tally, list_technicians(look.session))


def _page(
    session: Session, where: QueueFilter, now: int, after: Key | None, before: Key | None
) -> tuple[list[QueueLine], Key | None, Key | None]:
    backwards = before is not None
    query = lines_query(conditions(where, now))
    if before is not None:
        query = query.where(_is_beyond(before, backwards=True)).order_by(
            QueueRow.due_at.desc(), QueueRow.ticket_id.desc()
        )
    else:
        if after is not None:
            query = query.where(_is_beyond(after, backwards=False))
        query = query.order_by(QueueRow.due_at, QueueRow.ticket_id)
    found = [QueueLine(*row) for row in session.execute(query.limit(PAGE_ROWS + 1))]
    lines, more = found[:PAGE_ROWS], found[PAGE_ROWS:]
    beyond = more[0].key if more else None
    if backwards:
        if len(lines) < PAGE_ROWS:
            return _page(session, where, now, None, None)
        return lines[::-1], beyond, before
    if after is not None and not lines:
        return _page(session, where, now, None, None)
    return lines, after, beyond


def _is_beyond(key: Key, *, backwards: bool) -> ColumnElement[bool]:
    due_at, ticket_id = key
    if backwards:
        return or_(
            QueueRow.due_at < due_at,
            and_(QueueRow.due_at == due_at, QueueRow.ticket_id < ticket_id),
        )
    return or_(
        QueueRow.due_at > due_at,
        and_(QueueRow.due_at == due_at, QueueRow.ticket_id > ticket_id),
    )


def lines_query(held: Collection[ColumnElement[bool]]) -> Select[Any]:
    """Select the columns of QueueLine where all of `held` hold."""
    columns: list[Any] = list(COLUMNS.values())
    return select(*columns).where(*held)


def read_change_number(look: Look) -> int:
    """The newest change number; whoever reads it before the rows misses no change."""
    return look.session.scalar(select(ChangeHead.number)) or 0


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
    """The lines that time alone made overdue, or due within the hour, after `since` and up to `now`."""
    late = and_(QueueRow.due_at >= since, QueueRow.due_at < now)
    soon = and_(QueueRow.due_at >= since + HOUR, QueueRow.due_at < now + HOUR)
    found = session.execute(lines_query([or_(late, soon)]).limit(500))
    return {line.id: line for line in (QueueLine(*row) for row in found)}


def list_technicians(session: Session) -> list[tuple[int, str]]:
    """Active technicians, id and name, by name."""
    found = session.execute(
        select(Person.id, Person.name)
        .join(PersonRole)
        .where(PersonRole.role == Role.TECHNICIAN, Person.active)
        .order_by(Person.name, Person.id)
    )
    return [(person_id, name) for person_id, name in found]


class TallyKeeper:
    """The tally of this process: counted at most once a second, and only when a change or the hour asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[str, Tally, float] | None = None

    def current(self, session: Session, number: int, now: int) -> Tally:
        """The tally at change `number` and `now`, at most a second old."""
        store = str(session.get_bind().engine.url)
        with self._lock:
            if self._kept is not None and self._kept[0] == store:
                _, tally, loaded_at = self._kept
                unchanged = tally.number == number and tally.at <= now < tally.next_crossing
                if unchanged or monotonic() - loaded_at < TALLY_SECONDS:
                    return tally
            tally = read_tally(session, number, now)
            self._kept = (store, tally, monotonic())
            return tally

    def forget(self) -> None:
        """Count anew at the next question; for tests that write and count within one second."""
        with self._lock:
            self._kept = None


tallies = TallyKeeper()


def read_tally(session: Session, number: int, now: int) -> Tally:
    """Count the open cases per technician, owner and view in one statement."""
    views = (
        QueueView.OVERDUE,
        QueueView.DUE_SOON,
        QueueView.NEXT_BREACH,
        QueueView.WAITING_PARTS,
        QueueView.RETURN_CALLS,
    )
    sums = [
        func.sum(case((and_(*_view_condition(QueueFilter(view), now)), 1), else_=0))
        for view in views
    ]
    late_next = func.min(case((QueueRow.due_at >= now, QueueRow.due_at)))
    soon_next = func.min(case((QueueRow.due_at >= now + HOUR, QueueRow.due_at)))
    people = (QueueRow.technician_id, QueueRow.owner_id)
    found = session.execute(
        select(*people, func.count(), late_next, soon_next, *sums).group_by(*people)
    ).all()
    by_people = {
        (row[0], row[1]): {QueueView.ALL: int(row[2])}
        | {view: int(total) for view, total in zip(views, row[5:], strict=True)}
        for row in found
    }
    crossings = [row[3] for row in found if row[3] is not None]
    crossings += [row[4] - HOUR for row in found if row[4] is not None]
    return Tally(by_people, number, now, min(crossings, default=NEVER_DUE))
