"""What is told to a customer, and when a step happened: promises, answered calls, stamps of devices offline."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from db.codes import MissedCause, TimerKind, TimerPhase
from lib.shared.calendar import WorkingCalendar, epoch, moment
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.tickets.targets import Target
from lib.tickets.timers import TimerState, earliest

LARGEST_SKEW = timedelta(minutes=5)
"""A device's clock that is further off is not believed (rule 22)."""
MEASURED_WITHIN = timedelta(seconds=3)
"""How far two measurements of a skew may lie apart: a weak network answers late."""
WITHDRAWAL = timedelta(minutes=10)
"""Within so long its author can take a change back as if it had not been (rule 14)."""
UNDO = timedelta(seconds=10)
"""Within so long a step can be undone as if it had not been (rule 13)."""


def promise_told(received_at: datetime, target: Target) -> datetime:
    """The instant to read out, from the receipt and not from the saving: rounded up to the full minute (rule 28)."""
    return moment(-(-epoch(earliest(target, received_at)) // 60) * 60)


@dataclass(frozen=True, slots=True)
class Call:
    """An incoming call: answered, abandoned by the caller, or still ringing."""

    offered_at: datetime
    answered_at: datetime | None = None
    abandoned_at: datetime | None = None


def answer_of(call: Call, seconds: int) -> TimerState:
    """The answer timer of a call in clock seconds (S-13); one abandoned before its due leaves the rate (rule 18)."""
    start = epoch(call.offered_at)
    due = start + seconds
    end = call.answered_at or call.abandoned_at
    phase = TimerPhase.RUNNING if end is None else TimerPhase.CANCELLED
    if call.answered_at is not None:
        phase = TimerPhase.STOPPED
    late = end is not None and epoch(end) > due
    return TimerState(
        TimerKind.ANSWER,
        1,
        moment(start),
        phase,
        moment(due),
        None,
        None if end is None else moment(epoch(end)),
        MissedCause.TIME if late else None,
        target_seconds=seconds,
    )


def needs_callback(call: Call) -> bool:
    """A caller who hung up is called back, in time or late (S-13)."""
    return call.answered_at is None and call.abandoned_at is not None


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a step of a device offline counts as done; `flagged`: its clock was not believed."""

    at: datetime
    flagged: bool


def stamp_of(
    device_at: datetime, skew: timedelta, received_at: datetime, previous_at: datetime | None
) -> Stamp:
    """The instant of a step, whatever the delay of its sync (rule 22).

    skew: device clock less server clock, measured at this sync. A stamp that would lie after its receipt shows that
    the clock was set in between; the receipt counts, and within LARGEST_SKEW it is no more than an error of the
    measurement. So is MEASURED_WITHIN before the previous step, which then counts for both. Refuses
    `stamp_before_previous`.
    """
    told = device_at - skew
    believed = abs(skew) <= LARGEST_SKEW and told <= received_at + LARGEST_SKEW
    at = (min(told, received_at) if believed else received_at).replace(microsecond=0)
    if previous_at is not None and at < previous_at:
        if previous_at - at > MEASURED_WITHIN:
            raise Refusal("stamp_before_previous", at=_seconds(at), previous=_seconds(previous_at))
        at = previous_at
    return Stamp(at, not believed)


def _seconds(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%m-%d %H:%M:%S}"


def is_withdrawal(
    changed_at: datetime, by: int | None, withdrawn_at: datetime, withdrawn_by: int | None
) -> bool:
    """Whether taking a change back removes it: only by its author and within 10 minutes (rule 14)."""
    return by is not None and by == withdrawn_by and withdrawn_at - changed_at <= WITHDRAWAL


def working_seconds_late(due_at: datetime, kept_at: datetime, calendar: WorkingCalendar) -> int:
    """How late a broken promise was kept, in working time."""
    return max(calendar.seconds_between(due_at, kept_at), 0)
