"""How a visit may move, when one may be planned, and what its end needs."""

from collections.abc import Collection
from datetime import datetime, timedelta

from db.codes import VisitOutcome, VisitStatus, WaitingFor
from lib.customers.rules import AFTER_VISIT
from lib.shared.errors import Refusal
from lib.tickets.rules import USUAL_WAIT, ensure_until

V = VisitStatus

MOVES: dict[VisitStatus, tuple[VisitStatus, ...]] = {
    V.PLANNED: (V.ON_THE_WAY, V.ARRIVED, V.CANCELLED),
    V.ON_THE_WAY: (V.ARRIVED, V.CANCELLED),
    V.ARRIVED: (V.DONE,),
    V.DONE: (),
    V.CANCELLED: (),
}
"""From each state the states that may follow; somebody who forgot to set out may still arrive."""

LIVE = tuple(status for status, following in MOVES.items() if following)
"""A visit in one of these holds its technician's time."""

SHORTEST = timedelta(minutes=15)
LONGEST = timedelta(hours=12)
PLANNED_AHEAD = timedelta(days=366)
LATE_AFTER = timedelta(minutes=15)
"""A visit that has not begun so long after its start is shown as late; the plan fines an hour (W-18)."""

UNDO_WITHIN = timedelta(seconds=10)
UNDO_GRACE = timedelta(seconds=5)
"""What a tap on "undo" may take to reach the desk."""

REPORT_LENGTH = 2000
SIGNER_LENGTH = 80
REASON_LENGTH = 400

WAITING_AFTER: dict[VisitOutcome, WaitingFor] = {
    VisitOutcome.WAITING_PARTS: WaitingFor.PARTS,
    VisitOutcome.WAITING_CUSTOMER: WaitingFor.CUSTOMER,
    VisitOutcome.WAITING_MAKER: WaitingFor.MAKER,
}
"""What the case waits for after a visit that did not mend the fault."""


def ensure_can_move(status: VisitStatus, to: VisitStatus) -> None:
    """Refuse `visit_move_not_allowed` when `to` does not follow `status`."""
    if to not in MOVES[status]:
        raise Refusal("visit_move_not_allowed", status=status, to=to)


def span_of(starts_at: datetime, minutes: int, now: datetime) -> tuple[datetime, datetime]:
    """The half-open span of a visit. Refuses `visit_in_past`, `visit_too_far`, `visit_length_wrong`."""
    length = timedelta(minutes=minutes)
    if not SHORTEST <= length <= LONGEST:
        raise Refusal("visit_length_wrong", least=15, most=12)
    if starts_at < now:
        raise Refusal("visit_in_past")
    if starts_at > now + PLANNED_AHEAD:
        raise Refusal("visit_too_far")
    return starts_at, starts_at + length


def is_late(status: VisitStatus, starts_at: datetime, now: datetime) -> bool:
    """Whether the technician should be there and is not (W-18)."""
    not_there = status in (VisitStatus.PLANNED, VisitStatus.ON_THE_WAY)
    return not_there and now >= starts_at + LATE_AFTER


def may_read_contact(ended_at: datetime, now: datetime) -> bool:
    """Whether the technician of a visit that ended, or should end, then still reads phone and address (P-05)."""
    return now < ended_at + AFTER_VISIT


def can_undo(since: datetime | None, now: datetime) -> bool:
    """Whether a step taken at `since` may still be taken back."""
    return since is not None and now <= since + UNDO_WITHIN + UNDO_GRACE


def missing_for(
    outcome: VisitOutcome | None, report: str, signed_by: str, *, has_signature: bool
) -> list[str]:
    """What is still needed to end a visit: `outcome`, `report`, `signed_by`, `signature`; empty when nothing.

    A repaired fault is signed for by the customer; a case that goes on waiting is not.
    """
    missing = []
    if outcome is None:
        missing.append("outcome")
    if not report.strip():
        missing.append("report")
    if outcome is VisitOutcome.FIXED:
        if not signed_by.strip():
            missing.append("signed_by")
        if not has_signature:
            missing.append("signature")
    return missing


def usual_wait(outcome: VisitOutcome, now: datetime) -> datetime | None:
    """Until when such a wait usually lasts; None for an outcome after which nobody waits."""
    waiting_for = WAITING_AFTER.get(outcome)
    return None if waiting_for is None else now + USUAL_WAIT[waiting_for]


def wait_after(outcome: VisitOutcome, until_at: datetime | None, now: datetime) -> datetime | None:
    """Until when the case is expected to wait: as told, else as usual; None when nobody waits (rule 10).

    Refuses `waiting_until_past`.
    """
    usual = usual_wait(outcome, now)
    return None if usual is None else ensure_until(until_at or usual, now)


def planned_minutes(spans: Collection[tuple[datetime, datetime]]) -> int:
    """The load of a technician: minutes over all spans."""
    return sum(int((end - start).total_seconds()) // 60 for start, end in spans)
