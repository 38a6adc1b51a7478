"""The stored policies as the rulebook that timers are computed by, kept per process until one changes; their edits."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import session as database
from db.codes import Channel, CustomerLevel, EventKind, Priority, Role, TargetUnit, TimerKind
from db.models.calendars import Calendar, CalendarSnapshot
from db.models.customers import Customer
from db.models.tickets import Policy, Ticket
from lib.shared.calendar import epoch
from lib.shared.calendars import STANDARD, calendar_version
from lib.shared.errors import Refusal
from lib.shared.work import Look, Work, ask, permit
from lib.tickets import rules, targets
from lib.tickets.targets import Amount, Edition, Matter, Rulebook, overlapping

KEPT = 4
CLAUSE_LENGTH = 20
LARGEST_AMOUNT = 5_000_000
"""More than any unit can count within five years."""
STAMP = select(
    select(func.max(CalendarSnapshot.id)).scalar_subquery(),
    select(func.max(Policy.id)).scalar_subquery(),
    select(func.sum(Policy.version)).scalar_subquery(),
)
"""Another stamp, another rulebook: calendar versions are only added, policies added and ended."""

_kept: OrderedDict[tuple[object, ...], Rulebook] = OrderedDict()
_lock = Lock()


def rulebook(session: Session) -> Rulebook:
    """All policies and calendar versions; built once per state of the database and process."""
    key = (database.url(), *ask(session, STAMP).one())
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    book = Rulebook(
        [policy_of(row) for row in session.scalars(select(Policy))],
        _editions(session),
        desk_calendar_id=session.scalar(select(Calendar.id).where(Calendar.name == STANDARD)),
    )
    with _lock:
        _kept[key] = book
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return book


def rulebook_of(door: Work | Look) -> Rulebook:
    """The same, asked of the database once per transaction."""
    if "rulebook" not in door.session.info:
        door.session.info["rulebook"] = rulebook(door.session)
    book: Rulebook = door.session.info["rulebook"]
    return book


def _editions(session: Session) -> dict[int, list[Edition]]:
    columns = (CalendarSnapshot.calendar_id, CalendarSnapshot.version, CalendarSnapshot.from_at)
    found: dict[int, list[Edition]] = {}
    for calendar_id, version, from_at in session.execute(select(*columns).order_by(*columns[:2])):
        time = calendar_version(session, calendar_id, version).time
        found.setdefault(calendar_id, []).append(Edition(epoch(from_at), version, time))
    return found


def policy_of(row: Policy) -> targets.Policy:
    """A stored policy as the rules read it."""
    second = None
    if row.second_unit is not None and row.second_amount is not None:
        second = Amount(row.second_unit, row.second_amount)
    return targets.Policy(
        row.id,
        row.kind,
        Amount(row.unit, row.amount),
        row.calendar_id,
        row.from_at,
        row.until_at,
        row.contract_id,
        row.level,
        row.channel,
        row.priority,
        second,
        row.clause,
    )


class Case(Protocol):
    """What of a case its facts start from: a ticket, or some columns of one."""

    @property
    def id(self) -> int: ...
    @property
    def received_at(self) -> datetime: ...
    @property
    def channel(self) -> Channel: ...
    @property
    def priority(self) -> Priority: ...


def matter_of(case: Case) -> Matter:
    """What the facts of a case start from: the level is told by its receipt, contracts come with their room."""
    return Matter(None, CustomerLevel.STANDARD, case.channel, case.priority)


def matter_now(session: Session, ticket: Ticket) -> Matter:
    """What of a case policies are matched by at this moment."""
    return matter_of(ticket)._replace(level=level_of(session, ticket.customer_id))


def level_of(session: Session, customer_id: int | None) -> CustomerLevel:
    """The level of a customer as it is now; of nobody the standard one."""
    customer = None if customer_id is None else session.get(Customer, customer_id)
    return CustomerLevel.STANDARD if customer is None else customer.level


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """A target as somebody types it, for cycles that start from `from_at` (None: the second after the saving) on."""

    kind: TimerKind
    unit: TargetUnit
    amount: int
    calendar_id: int
    clause: str
    from_at: datetime | None = None
    second_unit: TargetUnit | None = None
    second_amount: int | None = None
    contract_id: int | None = None
    level: CustomerLevel | None = None
    channel: Channel | None = None
    priority: Priority | None = None

    def starts(self, now: datetime) -> datetime:
        """Refuses `target_unusable` (rule 6), `policy_in_past`, and `words_missing` without a clause."""
        half = (self.second_unit is None) != (self.second_amount is None)
        if half or self.amount <= 0 or (self.second_amount or 1) <= 0:
            raise Refusal("target_unusable")
        if max(self.amount, self.second_amount or 0) > LARGEST_AMOUNT:
            raise Refusal("target_unusable")
        if self.from_at is not None and self.from_at <= now:
            raise Refusal("policy_in_past")
        rules.ensure_words(self.clause, limit=CLAUSE_LENGTH)
        return self.from_at or targets.next_second(now)

    def rule(self, now: datetime) -> targets.Policy:
        """The draft as the rules read it, under the id 0."""
        second = None
        if self.second_unit is not None and self.second_amount is not None:
            second = Amount(self.second_unit, self.second_amount)
        return targets.Policy(
            0,
            self.kind,
            Amount(self.unit, self.amount),
            self.calendar_id,
            self.starts(now),
            None,
            self.contract_id,
            self.level,
            self.channel,
            self.priority,
            second,
            self.clause,
        )


def drafted_policies(book: Rulebook, draft: PolicyDraft, now: datetime) -> Rulebook:
    """The rulebook as saving the draft would make it. Refuses as `add_policy` does."""
    new = draft.rule(now)
    if draft.calendar_id not in book.calendars:
        raise Refusal("no_such_calendar", name=str(draft.calendar_id))
    return Rulebook([*_ended(book.policies, new), new], book.calendars)


def _ended(stored: Iterable[targets.Policy], new: targets.Policy) -> list[targets.Policy]:
    """The stored policies once the new one begins: the equal one that was open ends then. Refuses overlaps."""
    ended = []
    for policy in stored:
        is_equal = (policy.kind, policy.matter) == (new.kind, new.matter)
        if is_equal and policy.until_at is None and policy.from_at < new.from_at:
            policy = replace(policy, until_at=new.from_at)
        ended.append(policy)
    if overlapping(ended, new) is not None:
        raise Refusal("policies_overlap")
    return ended


@permit(Role.SUPERVISOR, Role.ADMINISTRATOR)
def add_policy(
    work: Work,
    *,
    kind: TimerKind,
    unit: TargetUnit,
    amount: int,
    calendar_id: int,
    clause: str,
    from_at: datetime | None = None,
    second_unit: TargetUnit | None = None,
    second_amount: int | None = None,
    contract_id: int | None = None,
    level: CustomerLevel | None = None,
    channel: Channel | None = None,
    priority: Priority | None = None,
) -> int:
    """A target for cycles that start from `from_at` (None: the next second) on; the open one for the same ends then.

    Refuses `target_unusable` (rule 6), `policy_in_past`, `words_missing` without a clause, `no_such_calendar` and
    `policies_overlap` (rule 29).
    """
    if work.session.get(Calendar, calendar_id) is None:
        raise Refusal("no_such_calendar", name=str(calendar_id))
    draft = PolicyDraft(
        kind,
        unit,
        amount,
        calendar_id,
        clause,
        from_at,
        second_unit,
        second_amount,
        contract_id,
        level,
        channel,
        priority,
    )
    from_at = draft.starts(work.now)
    same = select(Policy).where(
        Policy.kind == kind,
        Policy.contract_id.is_not_distinct_from(contract_id),
        Policy.level.is_not_distinct_from(level),
        Policy.channel.is_not_distinct_from(channel),
        Policy.priority.is_not_distinct_from(priority),
    )
    equal = work.session.scalars(same).all()
    _ended([policy_of(row) for row in equal], draft.rule(work.now))
    for row in equal:
        if row.until_at is None and row.from_at < from_at:
            row.until_at = from_at
    new = Policy(
        kind=kind,
        unit=unit,
        amount=amount,
        second_unit=second_unit,
        second_amount=second_amount,
        calendar_id=calendar_id,
        clause=clause,
        from_at=from_at,
        contract_id=contract_id,
        level=level,
        channel=channel,
        priority=priority,
    )
    work.session.add(new)
    work.session.flush()
    work.record(
        "policy.added",
        new,
        kind=kind,
        unit=unit,
        amount=amount,
        second_unit=second_unit,
        second_amount=second_amount,
        clause=clause,
        level=level,
        channel=channel,
        priority=priority,
    )
    return new.id


@permit(Role.SUPERVISOR, Role.ADMINISTRATOR)
def apply_targets(
    work: Work, *, ticket_ids: list[int], policies: bool = True, calendars: bool = True
) -> None:
    """Judge open cases by the policies and calendars now in force: one fact per case (rule 15).

    At most 500 at a time, or others wait too long. Cases that ended meanwhile are left as they are. Refuses
    `not_found`.
    """
    from lib.tickets.actions import add_event
    from lib.tickets.batches import recompute_all

    # Whoever writes a fact of one of them meanwhile waits, and finds this one.
    asked = select(Ticket).where(Ticket.id.in_(ticket_ids)).order_by(Ticket.id).with_for_update()
    found = work.session.scalars(asked).all()
    if len(found) != len(set(ticket_ids)):
        raise Refusal("not_found")
    told = {"policies": policies, "calendars": calendars}
    tickets = [
        ticket
        for ticket in found
        if ticket.status not in rules.ENDED_STATUSES and not ticket.source
    ]
    for ticket in tickets:
        add_event(work, ticket, EventKind.TARGETS_APPLIED, details=told)
        work.record("ticket.targets_applied", ticket, **told)
    recompute_all(work, tickets)
