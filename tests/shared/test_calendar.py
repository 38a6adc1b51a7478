"""Working time, against the examples of the desk's rules and a counter that walks minute by minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.shared.calendar import NoDue, OutsideCalendar, Shut, WorkingCalendar, epoch
from lib.shared.official_days import announced_years, official_days

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = ((9 * 60, 18 * 60),)
WEEK = dict.fromkeys(range(5), DAY)
OFFICIAL = {day.on: () if day.is_off else DAY for day in official_days()}
DESK = WorkingCalendar.build(WEEK, OFFICIAL, years=(2000, 2040))
HOUR = 3600


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def shown(instant: datetime) -> str:
    return instant.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("received", "hours", "due"),
    [
        ("2026-09-22 09:00:00", 4, "2026-09-22 13:00:00"),
        ("2026-09-22 17:00:00", 2, "2026-09-23 10:00:00"),
        ("2026-09-22 03:00:00", 1, "2026-09-22 10:00:00"),
        ("2026-09-30 17:30:00", 1, "2026-10-08 09:30:00"),
        ("2026-09-19 12:00:00", 1, "2026-09-20 10:00:00"),
        ("2026-10-09 17:59:59", 9, "2026-10-10 17:59:59"),
        ("2006-12-29 17:00:00", 2, "2006-12-30 10:00:00"),
        ("2005-10-03 10:00:00", 1, "2005-10-03 11:00:00"),
        ("2026-12-31 17:00:00", 2, "2027-01-01 10:00:00"),
    ],
)
def test_a_due_skips_closed_time_and_knows_make_up_days(received, hours, due):
    assert shown(DESK.due_after(at(received), hours * HOUR)) == due


def test_counted_exactly_at_closing_is_due_at_todays_close():
    assert shown(DESK.due_after(at("2026-09-22 17:00:00"), HOUR)) == "2026-09-22 18:00:00"
    assert shown(DESK.due_after(at("2026-09-22 09:00:00"), 18 * HOUR)) == "2026-09-23 18:00:00"


def test_received_exactly_at_closing_has_nothing_left_today():
    assert shown(DESK.due_after(at("2026-09-22 18:00:00"), 1)) == "2026-09-23 09:00:01"
    assert not DESK.is_open(at("2026-09-22 18:00:00"))
    assert DESK.is_open(at("2026-09-22 09:00:00"))


def test_a_lunch_break_does_not_count():
    lunch = WorkingCalendar.build(
        dict.fromkeys(range(5), ((810, 1080), (540, 720))), years=(2026, 2027)
    )
    assert shown(lunch.due_after(at("2026-09-22 11:00:00"), 2 * HOUR)) == "2026-09-22 14:30:00"
    assert shown(lunch.due_after(at("2026-09-22 11:00:00"), HOUR)) == "2026-09-22 12:00:00"
    assert lunch.seconds_between(at("2026-09-22 00:00:00"), at("2026-09-23 00:00:00")) == 7.5 * HOUR


def test_a_night_shift_runs_through_midnight():
    night = WorkingCalendar.build({0: ((1320, 1440),), 1: ((0, 360),)}, years=(2026, 2026))
    assert shown(night.due_after(at("2026-09-21 23:00:00"), 2 * HOUR)) == "2026-09-22 01:00:00"
    assert night.is_open(at("2026-09-22 00:00:00"))


def test_seconds_between_is_signed_and_exact_to_the_second():
    early, late = at("2026-09-30 17:59:58"), at("2026-10-08 09:00:03")
    assert DESK.seconds_between(early, late) == 5
    assert DESK.seconds_between(late, early) == -5


def test_fractions_of_a_second_are_cut():
    start = at("2026-09-22 10:00:00") + timedelta(milliseconds=900)
    assert shown(DESK.due_after(start, 60)) == "2026-09-22 10:01:00"


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-10-09 15:00:00", "2026-10-10 15:00:00"),
        ("2026-10-11 10:00:00", "2026-10-12 18:00:00"),
        ("2026-09-30 20:00:00", "2026-10-08 18:00:00"),
    ],
)
def test_a_working_day_ends_at_the_same_clock_time(received, due):
    assert shown(DESK.due_after_working_days(at(received), 1)) == due


def test_a_working_day_that_ends_after_a_short_day_ends_at_its_close():
    short = WorkingCalendar.build(
        WEEK, OFFICIAL | {date(2026, 10, 10): ((540, 720),)}, years=(2026, 2026)
    )
    assert (
        shown(short.due_after_working_days(at("2026-10-09 15:00:00"), 1)) == "2026-10-10 12:00:00"
    )


def test_a_working_day_whose_clock_time_lies_before_the_opening_ends_at_the_close_before():
    late = WorkingCalendar.build({0: DAY, 1: ((780, 1080),)}, years=(2026, 2026))
    assert shown(late.due_after_working_days(at("2026-09-21 10:00"), 1)) == "2026-09-21 18:00:00"


def test_time_is_told_in_stretches_with_the_reason_why_it_does_not_count():
    told = [
        (shown(datetime.fromtimestamp(part.start, UTC))[5:16], part.shut)
        for part in DESK.stretches(
            epoch(at("2026-09-24 17:00:00")), epoch(at("2026-09-27 10:00:00"))
        )
    ]
    assert told == [
        ("09-24 17:00", None),
        ("09-24 18:00", Shut.HOURS),
        ("09-25 00:00", Shut.DAY_OFF),
        ("09-26 00:00", Shut.DAY_OFF),
        ("09-27 00:00", Shut.DAY_OFF),
    ]
    weekend = list(
        DESK.stretches(epoch(at("2026-09-12 12:00:00")), epoch(at("2026-09-12 13:00:00")))
    )
    assert [part.shut for part in weekend] == [Shut.WEEKEND]


def test_the_next_opening_is_now_while_open():
    assert shown(DESK.next_opening(at("2026-09-22 10:00:00"))) == "2026-09-22 10:00:00"
    assert shown(DESK.next_opening(at("2026-09-30 18:00:00"))) == "2026-10-08 09:00:00"


def test_a_calendar_without_open_time_is_refused():
    with pytest.raises(ValueError, match="open time"):
        WorkingCalendar.build({}, {date(2026, 1, 1): ()})


@pytest.mark.parametrize(
    "hours", [((540, 600), (590, 700)), ((600, 540),), ((540, 1441),), ((-1, 60),), ((540, 540),)]
)
def test_hours_that_overlap_or_leave_the_day_are_refused(hours):
    with pytest.raises(ValueError, match="hours"):
        WorkingCalendar.build({0: hours})


def test_a_due_farther_than_five_years_is_an_error():
    rare = WorkingCalendar.build(
        {}, {date(2020, 1, 1): DAY, date(2030, 1, 1): DAY}, years=(2019, 2031)
    )
    with pytest.raises(NoDue):
        rare.due_after(at("2020-01-01 17:00:00"), 2 * HOUR)
    with pytest.raises(NoDue):
        rare.due_after(at("2030-01-01 17:00:00"), 2 * HOUR)


def test_instants_outside_the_built_years_are_an_error_not_a_wrong_number():
    with pytest.raises(OutsideCalendar):
        DESK.seconds_between(at("1999-12-31 10:00:00"), at("2000-01-04 10:00:00"))
    with pytest.raises(OutsideCalendar):
        DESK.seconds_between(at("2040-12-31 10:00:00"), at("2041-01-02 10:00:00"))


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        DESK.is_open(datetime(2026, 9, 22, 10))  # noqa: DTZ001


def test_the_official_days_reach_from_2007_to_2026():
    assert announced_years() == frozenset(range(2007, 2027))
    assert not DESK.is_working_day(date(2026, 10, 7))
    assert DESK.is_working_day(date(2026, 10, 10))
    assert DESK.is_working_day(date(2006, 12, 31)), "announced for 2007"
    assert sum(DESK.is_working_day(date(2026, 1, 1) + timedelta(days=n)) for n in range(365)) == 248


def test_a_day_of_25_hours_counts_by_the_clock_on_the_wall():
    berlin = ZoneInfo("Europe/Berlin")
    whole_day = WorkingCalendar.build({6: ((0, 1440),)}, zone="Europe/Berlin", years=(2026, 2026))
    start = at("2026-10-25 00:00:00", berlin)
    assert whole_day.seconds_between(start, at("2026-10-26 00:00:00", berlin)) == 25 * HOUR


ZONES = st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Asia/Kathmandu"])
MINUTES = st.integers(0, 1440)
HOURS = st.lists(MINUTES, min_size=0, max_size=6, unique=True).map(
    lambda minutes: tuple(zip(sorted(minutes)[::2], sorted(minutes)[1::2], strict=False))
)
FIRST = datetime(2026, 10, 26, tzinfo=UTC)
SPAN = 12 * 1440


def open_minutes(weekly, exceptions, zone) -> list[bool]:
    """Whether the desk is open, for each minute from FIRST on: the slow truth."""
    answer = []
    for minute in range(SPAN):
        wall = (FIRST + timedelta(minutes=minute)).astimezone(zone)
        hours = exceptions.get(wall.date(), weekly.get(wall.weekday(), ()))
        now = wall.hour * 60 + wall.minute
        answer.append(any(opens <= now < closes for opens, closes in hours))
    return answer


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.integers(0, 6), HOURS, min_size=1),
    st.dictionaries(
        st.integers(0, 11).map(lambda n: date(2026, 10, 26) + timedelta(days=n)), HOURS, max_size=4
    ),
    ZONES,
    st.lists(st.tuples(st.integers(0, SPAN - 1), st.integers(0, 1000)), min_size=1, max_size=8),
)
def test_every_answer_equals_a_walk_minute_by_minute(weekly, exceptions, zone, questions):
    if not any(weekly.values()) and not any(exceptions.values()):
        return
    calendar = WorkingCalendar.build(weekly, exceptions, zone=zone, years=(2026, 2026))
    is_open = open_minutes(weekly, exceptions, ZoneInfo(zone))
    for start, amount in questions:
        begin = FIRST + timedelta(minutes=start)
        assert calendar.is_open(begin) == is_open[start]
        end = min(start + amount, SPAN - 1)
        counted = sum(is_open[start:end])
        assert calendar.seconds_between(begin, FIRST + timedelta(minutes=end)) == counted * 60
        if counted:
            due = next(n for n in range(start, end + 1) if sum(is_open[start:n]) == counted)
            assert calendar.due_after(begin, counted * 60) == FIRST + timedelta(minutes=due)
