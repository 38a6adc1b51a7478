"""The policies as a list: what is in force, what comes, what was, and which kinds have no target (rule 29)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from db.codes import Channel, CustomerLevel, Priority, TargetUnit, TimerKind
from db.models.calendars import Calendar
from db.models.tickets import Policy
from lib.shared.work import Look


class PolicyState(StrEnum):
    """When a policy is in force."""

    IN_FORCE = "in_force"
    FUTURE = "future"
    PAST = "past"


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A version of a policy; what is None fits every case."""

    id: int
    kind: TimerKind
    state: PolicyState
    contract_id: int | None
    level: CustomerLevel | None
    channel: Channel | None
    priority: Priority | None
    unit: TargetUnit
    amount: int
    second_unit: TargetUnit | None
    second_amount: int | None
    calendar: str
    clause: str
    from_at: datetime
    until_at: datetime | None


def list_policies(look: Look) -> list[PolicyRow]:
    """Every version by kind: in force first, then those to come, then the past; the most specific first (rule 29)."""
    rows = look.session.execute(
        select(Policy, Calendar.name).join(Calendar, Calendar.id == Policy.calendar_id)
    )
    found = [
        PolicyRow(
            policy.id,
            policy.kind,
            _state(policy, look.now),
            policy.contract_id,
            policy.level,
            policy.channel,
            policy.priority,
            policy.unit,
            policy.amount,
            policy.second_unit,
            policy.second_amount,
            calendar,
            policy.clause,
            policy.from_at,
            policy.until_at,
        )
        for policy, calendar in rows
    ]
    kinds, states = list(TimerKind), list(PolicyState)

    def place(row: PolicyRow) -> tuple[object, ...]:
        matter = (row.contract_id, row.level, row.channel, row.priority)
        is_any = tuple(each is None for each in matter)
        named = tuple(str(each) for each in matter)
        latest = -row.from_at.timestamp()
        return kinds.index(row.kind), states.index(row.state), is_any, named, latest

    return sorted(found, key=place)


def _state(policy: Policy, now: datetime) -> PolicyState:
    if policy.from_at > now:
        return PolicyState.FUTURE
    is_over = policy.until_at is not None and policy.until_at <= now
    return PolicyState.PAST if is_over else PolicyState.IN_FORCE
