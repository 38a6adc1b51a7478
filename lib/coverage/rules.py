"""Whether an item is under warranty on a day: last covered day = same date + n months, inclusive (W-01)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime

from db.codes import CoverageState
from lib.shared.clock import SHANGHAI

EXPIRING_DAYS = 60


@dataclass(frozen=True, slots=True)
class Warranty:
    """ends_on: the last covered day; None when the start is unknown or there is no warranty."""

    state: CoverageState
    start_on: date | None = None
    months: int = 0
    ends_on: date | None = None

    @property
    def is_covered(self) -> bool:
        return self.state in (CoverageState.IN_WARRANTY, CoverageState.EXPIRING)


UNKNOWN = Warranty(CoverageState.UNKNOWN)


def warranty_end(start_on: date, months: int) -> date:
    """The last covered day: the same date `months` later, or that month's last day (W-01; timers, rule 24).

    29 Feb 2024 + 24 months is 28 Feb 2026.
    """
    years, month = divmod(start_on.month - 1 + months, 12)
    year, month = start_on.year + years, month + 1
    return date(year, month, min(start_on.day, monthrange(year, month)[1]))


def warranty_on(day: date, *, start_on: date | None, months: int) -> Warranty:
    """The warranty as it stands on a day (W-01): covered on the last day until 24:00.

    No start day: unknown. No months: none was given, which reads as expired. Before its start (delivered,
    not yet accepted) an item counts as covered, since delivery faults are the supplier's.
    """
    if start_on is None:
        return UNKNOWN
    if months == 0:
        return Warranty(CoverageState.EXPIRED, start_on, 0, None)
    ends_on = warranty_end(start_on, months)
    left = (ends_on - day).days
    if left < 0:
        state = CoverageState.EXPIRED
    elif left <= EXPIRING_DAYS:
        state = CoverageState.EXPIRING
    else:
        state = CoverageState.IN_WARRANTY
    return Warranty(state, start_on, months, ends_on)


def coverage_state(start_on: date | None, months: int, day: date) -> CoverageState:
    """The state alone, as it is frozen on a case (W-01)."""
    return warranty_on(day, start_on=start_on, months=months).state


def warranty_at(instant: datetime, *, start_on: date | None, months: int) -> Warranty:
    """The warranty on the Shanghai day of an instant, as it is judged at report time and frozen (W-01)."""
    return warranty_on(instant.astimezone(SHANGHAI).date(), start_on=start_on, months=months)
