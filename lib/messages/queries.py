"""Somebody's own list of notices, unread ones first, how many are unread, and who is away."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from db.codes import NoticeKind, Role, TimerKind
from db.models.customers import Customer
from db.models.messages import Absence, Notice, NoticeReceipt
from db.models.people import Person
from db.models.tickets import Ticket
from lib.shared.work import Look

PAGE = 30
LEADING = (Role.SUPERVISOR, Role.ADMINISTRATOR)


class NoticeKey(NamedTuple):
    """Where a page of notices ends: whether the last one was read already, and its receipt."""

    is_read: bool
    receipt_id: int


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """A notice in somebody's list; `customer` is the company of the case."""

    receipt_id: int
    kind: NoticeKind
    at: datetime
    read_at: datetime | None
    withdrawn_at: datetime | None
    ticket_id: int | None
    number: str
    customer: str
    timer_kind: TimerKind | None
    subject_id: int | None
    level: int
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NoticePage:
    """`after` leads to the next page; None on the last one. newest_id: of all receipts at that moment, 0 for none."""

    lines: list[NoticeLine]
    after: NoticeKey | None
    unread: int
    newest_id: int


def list_own_notices(look: Look, *, after: NoticeKey | None = None, size: int = PAGE) -> NoticePage:
    """The actor's own notices: unread ones first, then the read ones, each newest first."""
    person = look.actor.person_id
    if person is None:
        return NoticePage([], None, 0, 0)
    lines: list[NoticeLine] = []
    if after is None or not after.is_read:
        unread = _own(person).where(NoticeReceipt.read_at.is_(None))
        lines += _lines(look, unread, after.receipt_id if after else None, size + 1)
    if len(lines) <= size:
        read = _own(person).where(NoticeReceipt.read_at.is_not(None))
        below = after.receipt_id if after is not None and after.is_read else None
        lines += _lines(look, read, below, size + 1 - len(lines))
    more = len(lines) > size
    lines = lines[:size]
    end = NoticeKey(lines[-1].read_at is not None, lines[-1].receipt_id) if more else None
    newest = look.session.scalar(
        select(func.max(NoticeReceipt.id)).where(NoticeReceipt.person_id == person)
    )
    return NoticePage(lines, end, count_unread(look.session, {person})[person], newest or 0)


def _own(person: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            NoticeReceipt.id,
            Notice.kind,
            Notice.at,
            NoticeReceipt.read_at,
            Notice.withdrawn_at,
            Notice.ticket_id,
            func.coalesce(Ticket.number, ""),
            func.coalesce(Customer.name, ""),
            Notice.timer_kind,
            Notice.subject_id,
            Notice.level,
            Notice.details,
        )
        .join(Notice, Notice.id == NoticeReceipt.notice_id)
        .outerjoin(Ticket, Ticket.id == Notice.ticket_id)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .where(NoticeReceipt.person_id == person)
        .order_by(NoticeReceipt.id.desc())
    )


def _lines(
    look: Look, own: Select[*tuple[Any, ...]], below: int | None, most: int
) -> list[NoticeLine]:
    if below is not None:
        own = own.where(NoticeReceipt.id < below)
    return [NoticeLine(*row) for row in look.session.execute(own.limit(most))]


def count_unread(session: Session, people: Collection[int]) -> dict[int, int]:
    """How many notices each of `people` has not read; withdrawn ones do not count."""
    counts = dict.fromkeys(people, 0)
    counts.update(
        (person, number)
        for person, number in session.execute(
            select(NoticeReceipt.person_id, func.count())
            .join(Notice, Notice.id == NoticeReceipt.notice_id)
            .where(
                NoticeReceipt.person_id.in_(list(people)),
                NoticeReceipt.read_at.is_(None),
                Notice.withdrawn_at.is_(None),
            )
            .group_by(NoticeReceipt.person_id)
        )
    )
    return counts


@dataclass(frozen=True, slots=True)
class AbsenceLine:
    """An absence that runs or is to come; `deputy` is empty where nobody was named."""

    id: int
    person_id: int
    person: str
    deputy: str
    from_at: datetime
    until_at: datetime
    words: str
    version: int


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody with an open account."""

    id: int
    name: str


def list_absences(look: Look) -> list[AbsenceLine]:
    """Absences that run or are to come, the next first: one's own, and for those who lead the desk all."""
    deputy = aliased(Person)
    wanted = (
        select(
            Absence.id,
            Absence.person_id,
            Person.name,
            func.coalesce(deputy.name, ""),
            Absence.from_at,
            Absence.until_at,
            Absence.words,
            Absence.version,
        )
        .join(Person, Person.id == Absence.person_id)
        .outerjoin(deputy, deputy.id == Absence.deputy_id)
        .where(Absence.until_at > look.now)
        .order_by(Absence.from_at, Absence.id)
    )
    if not look.actor.has(*LEADING):
        wanted = wanted.where(Absence.person_id == look.actor.person_id)
    return [AbsenceLine(*row) for row in look.session.execute(wanted)]


def list_colleagues(look: Look) -> list[Colleague]:
    """Everybody with an open account, by name: who may be away, and who may stand in."""
    people = select(Person.id, Person.name).where(Person.active.is_(True))
    return [
        Colleague(*row) for row in look.session.execute(people.order_by(Person.name, Person.id))
    ]
