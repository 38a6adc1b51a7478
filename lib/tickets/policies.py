"""The stored policies as the rulebook that timers are computed by, kept per process until one changes; their edits."""

from collections import OrderedDict
from datetime import datetime
from threading import Lock

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import session as database
from db.codes import Channel, CustomerLevel, EventKind, Priority, Role, TargetUnit, TimerKind
from db.models.calendars import CalendarSnapshot
from db.models.customers import Customer
from db.models.tickets import Policy, Ticket
from lib.shared.calendar import epoch
from lib.shared.calendars import calendar_version
from lib.shared.errors import Refusal
from lib.shared.work import Work, permit
from lib.tickets import targets
from lib.tickets.targets import Amount, Edition, Matter, Rulebook, overlapping

KEPT = 4
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
    key = (database.url(), *session.execute(STAMP).one())
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    book = Rulebook([policy_of(row) for row in session.scalars(select(Policy))], _editions(session))
    with _lock:
        _kept[key] = book
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
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


def matter_of(ticket: Ticket) -> Matter:
    """What the facts of a case start from: the level is told by its receipt, contracts come with their room."""
    return Matter(None, CustomerLevel.STANDARD, ticket.channel, ticket.priority)


def matter_now(session: Session, ticket: Ticket) -> Matter:
    """What of a case policies are matched by at this moment."""
    return matter_of(ticket)._replace(level=level_of(session, ticket.customer_id))


def level_of(session: Session, customer_id: int | None) -> CustomerLevel:
    """The level of a customer as it is now; of nobody the standard one."""
    customer = None if customer_id is None else session.get(Customer, customer_id)
    return CustomerLevel.STANDARD if customer is None else customer.level


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
    """A target for cycles that start from `from_at` (None: now) on; one that was open for the same ends then.

    Refuses `target_unusable` (rule 6), `policy_in_past` and `policies_overlap` (rule 29).
    """
    from_at = from_at or work.now
    if amount <= 0 or (second_unit is None) != (second_amount is None) or (second_amount or 1) <= 0:
        raise Refusal("target_unusable")
    if from_at < work.now:
        raise Refusal("policy_in_past")
    same = select(Policy).where(
        Policy.kind == kind,
        Policy.contract_id.is_not_distinct_from(contract_id),
        Policy.level.is_not_distinct_from(level),
        Policy.channel.is_not_distinct_from(channel),
        Policy.priority.is_not_distinct_from(priority),
    )
    equal = work.session.scalars(same).all()
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
    if overlapping([policy_of(row) for row in equal], policy_of(new)) is not None:
        raise Refusal("policies_overlap")
    work.record("policy.added", new, kind=kind, unit=unit, amount=amount, clause=clause)
    return new.id


@permit(Role.SUPERVISOR, Role.ADMINISTRATOR)
def apply_targets(
    work: Work, *, ticket_ids: list[int], policies: bool = True, calendars: bool = True
) -> None:
    """Judge open cases by the policies and calendars now in force: one fact per case (rule 15)."""
    from lib.tickets.actions import add_event, recompute

    for ticket_id in ticket_ids:
        ticket = work.get(Ticket, ticket_id)
        told = {"policies": policies, "calendars": calendars}
        add_event(work, ticket, EventKind.TARGETS_APPLIED, details=told)
        recompute(work, ticket)
        work.record("ticket.targets_applied", ticket, **told)
