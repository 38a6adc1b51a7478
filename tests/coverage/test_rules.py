"""When an item is under warranty."""

from datetime import UTC, date, datetime, timedelta

import pytest

from db.codes import CoverageState
from lib.coverage.rules import coverage_state, warranty_at, warranty_end, warranty_on


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (date(2025, 6, 18), 24, date(2027, 6, 18)),
        (date(2024, 2, 29), 24, date(2026, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2025, 8, 31), 6, date(2026, 2, 28)),
        (date(2025, 12, 31), 1, date(2026, 1, 31)),
        (date(2025, 11, 30), 13, date(2026, 12, 30)),
    ],
)
def test_the_last_covered_day_is_the_same_date_months_later(
    start: date, months: int, end: date
) -> None:
    assert warranty_end(start, months) == end


def test_an_item_is_covered_on_the_last_day_until_midnight_in_shanghai() -> None:
    last_minute = datetime(2027, 6, 18, 15, 59, tzinfo=UTC)
    midnight = datetime(2027, 6, 18, 16, 0, tzinfo=UTC)
    start = date(2025, 6, 18)
    assert warranty_at(last_minute, start_on=start, months=24).is_covered
    assert warranty_at(midnight, start_on=start, months=24).state is CoverageState.EXPIRED


@pytest.mark.parametrize(
    ("days_before_end", "state"),
    [
        (61, CoverageState.IN_WARRANTY),
        (60, CoverageState.EXPIRING),
        (0, CoverageState.EXPIRING),
        (-1, CoverageState.EXPIRED),
    ],
)
def test_a_warranty_is_expiring_in_its_last_sixty_days(
    days_before_end: int, state: CoverageState
) -> None:
    start = date(2025, 1, 10)
    day = warranty_end(start, 24) - timedelta(days=days_before_end)
    assert coverage_state(start, 24, day) is state


def test_without_a_start_the_warranty_is_unknown() -> None:
    assert warranty_on(date(2026, 1, 1), start_on=None, months=24).state is CoverageState.UNKNOWN


def test_without_a_term_there_is_no_warranty() -> None:
    none_given = warranty_on(date(2026, 1, 1), start_on=date(2026, 1, 1), months=0)
    assert none_given.state is CoverageState.EXPIRED
    assert none_given.ends_on is None


def test_an_item_not_yet_accepted_counts_as_covered() -> None:
    assert warranty_on(date(2026, 1, 1), start_on=date(2026, 2, 1), months=24).is_covered
