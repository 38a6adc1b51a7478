"""The commitment ledger (承诺台账): every promise to a customer, what became of it, and each person's score.

What became of a promise is found on reading: kept and broken depend on its due, never on who closes it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, false, func, or_, select, true
from sqlalchemy.orm import aliased

from db.codes import CommitmentKind, CommitmentState, Role
from db.models.customers import Customer
from db.models.people import Person
from db.models.tickets import Commitment, Ticket
from lib.shared.work import Look
from lib.tickets.queries import only_visible

PAGE_ROWS = 50
READERS = frozenset({Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR, Role.QUALITY, Role.AUDITOR})
"""Who reads the ledger of the whole desk."""

Key = tuple[datetime, int]
"""A place in the order: due, then id; the latest first."""


class Outcome(StrEnum):
    """What became of a promise; derived, never stored."""

    OPEN = "open"
    KEPT = "kept"
    BROKEN = "broken"
    CHANGED = "changed"
    ENDED = "ended"


@dataclass(frozen=True)
class LedgerFilter:
    """Which promises: due within the last `days` or later, by outcome, person and kind."""

    days: int = 30
    outcome: Outcome | None = None
    person_id: int | None = None
    kind: CommitmentKind | None = None


@dataclass(frozen=True, slots=True)
class PromiseRow:
    """A promise as the ledger and the case show it."""

    id: int
    version: int
    ticket_id: int
    number: str
    company: str
    kind: CommitmentKind
    words: str
    promised_at: datetime
    promised_by: str
    due_at: datetime
    outcome: Outcome
    is_open: bool
    kept_at: datetime | None
    ended_at: datetime | None
    end_words: str


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """At most PAGE_ROWS promises; `following` is where the next page begins, None at the end."""

    rows: list[PromiseRow]
    following: Key | None


@dataclass(frozen=True, slots=True)
class Score:
    """A person's promises: the rate is kept of kept and broken; what the customer agreed to change stands apart."""

    person_id: int | None
    person: str
    kept: int
    broken: int
    changed: int
    open: int

    @property
    def of(self) -> int:
        """The denominator of the rate."""
        return self.kept + self.broken

    @property
    def rate(self) -> float | None:
        """Between 0 and 1; None when nothing was due yet."""
        return self.kept / self.of if self.of else None


def outcome_of(
    state: CommitmentState,
    due_at: datetime,
    ended_at: datetime | None,
    now: datetime,
) -> Outcome:
    """Kept at or before its due; broken when that passed before it was kept, changed or ended (rules 11, 28)."""
    if (ended_at or now) > due_at:
        return Outcome.BROKEN
    return {
        CommitmentState.OPEN: Outcome.OPEN,
        CommitmentState.KEPT: Outcome.KEPT,
        CommitmentState.CHANGED: Outcome.CHANGED,
        CommitmentState.ENDED: Outcome.ENDED,
    }[state]


def has_outcome(outcome: Outcome, now: datetime) -> ColumnElement[bool]:
    """The same as `outcome_of`, for the database."""
    late = or_(
        Commitment.ended_at > Commitment.due_at,
        and_(Commitment.ended_at.is_(None), Commitment.due_at < now),
    )
    if outcome is Outcome.BROKEN:
        return late
    in_time = or_(
        Commitment.ended_at <= Commitment.due_at,
        and_(Commitment.ended_at.is_(None), Commitment.due_at >= now),
    )
    return and_(Commitment.state == CommitmentState(outcome.value), in_time)


def list_promises(look: Look, *, where: LedgerFilter, after: Key | None = None) -> LedgerPage:
    """A page of the ledger, the latest due first, `after` a place in that order."""
    held = [_read_by(look), *_conditions(where, look.now)]
    if after is not None:
        due_at, commitment_id = after
        held.append(
            or_(
                Commitment.due_at < due_at,
                and_(Commitment.due_at == due_at, Commitment.id < commitment_id),
            )
        )
    found = look.session.execute(
        _rows()
        .where(*held)
        .order_by(Commitment.due_at.desc(), Commitment.id.desc())
        .limit(PAGE_ROWS + 1)
    ).all()
    rows = [_row(*row, now=look.now) for row in found[:PAGE_ROWS]]
    more = len(found) > PAGE_ROWS
    return LedgerPage(rows, (rows[-1].due_at, rows[-1].id) if more else None)


def list_scores(look: Look, *, where: LedgerFilter) -> list[Score]:
    """By person what became of the promises of the filter's days and kind, the most broken ones first."""
    sums: list[Any] = [
        func.sum(case((has_outcome(outcome, look.now), 1), else_=0))
        for outcome in (Outcome.KEPT, Outcome.BROKEN, Outcome.CHANGED, Outcome.OPEN)
    ]
    wanted = LedgerFilter(days=where.days, kind=where.kind, person_id=where.person_id)
    found = look.session.execute(
        select(Commitment.promised_by_id, func.coalesce(func.max(Person.name), ""), *sums)
        .outerjoin(Person, Person.id == Commitment.promised_by_id)
        .where(_read_by(look), *_conditions(wanted, look.now))
        .group_by(Commitment.promised_by_id)
    )
    scores = [Score(row[0], row[1], *(int(each) for each in row[2:])) for row in found]
    return sorted(scores, key=lambda score: (-score.broken, -score.kept, score.person))


def list_promises_of(look: Look, *, ticket_id: int) -> list[PromiseRow]:
    """The promises on a case that the actor sees, open ones first, the next due first."""
    found = look.session.execute(
        only_visible(OF_TICKET, look.actor), {"of_ticket": ticket_id}
    ).all()
    rows = [_row(*row, now=look.now) for row in found]
    return sorted(rows, key=lambda row: not row.is_open)


def _read_by(look: Look) -> ColumnElement[bool]:
    if look.actor.person_id is None or look.actor.has(*READERS):
        return true()
    return false()


def _conditions(where: LedgerFilter, now: datetime) -> list[ColumnElement[bool]]:
    held: list[ColumnElement[bool]] = [Commitment.due_at >= now - timedelta(days=where.days)]
    if where.outcome is not None:
        held.append(has_outcome(where.outcome, now))
    if where.person_id is not None:
        held.append(Commitment.promised_by_id == where.person_id)
    if where.kind is not None:
        held.append(Commitment.kind == where.kind)
    return held


def _rows() -> Any:
    by = aliased(Person)
    return (
        select(Commitment, Ticket.number, func.coalesce(Customer.name, ""), by.name)
        .join(Ticket, Ticket.id == Commitment.ticket_id)
        .outerjoin(Customer, Customer.id == Ticket.customer_id)
        .outerjoin(by, by.id == Commitment.promised_by_id)
    )


OF_TICKET = (
    _rows()
    .where(Commitment.ticket_id == bindparam("of_ticket"))
    .order_by(Commitment.due_at, Commitment.id)
)


def _row(
    commitment: Commitment, number: str, company: str, by: str | None, *, now: datetime
) -> PromiseRow:
    return PromiseRow(
        commitment.id,
        commitment.version,
        commitment.ticket_id,
        number,
        company,
        commitment.kind,
        commitment.words,
        commitment.promised_at,
        by or "",
        commitment.due_at,
        outcome_of(commitment.state, commitment.due_at, commitment.ended_at, now),
        commitment.state is CommitmentState.OPEN,
        commitment.kept_at,
        commitment.ended_at,
        commitment.end_words,
    )
