"""The rules of the clocks by their numbers, then generated histories against a counter that walks minutes."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.codes import TimerKind, TimerPhase, Verdict, WaitingFor
from lib.shared.calendar import WorkingCalendar
from lib.shared.official_days import official_days
from lib.tickets.timers import HOUR, MINUTE, Facts, Pause, overrun, timers_of, verdict

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = ((9 * 60, 18 * 60),)
DESK = WorkingCalendar.build(
    dict.fromkeys(range(5), DAY),
    {day.on: () if day.is_off else DAY for day in official_days()},
    years=(2026, 2035),
)


def at(text: str) -> datetime:
    """Month-day and time of 2026, in the desk's words: "09-22 10:00"."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


def waiting(started: str, ended: str | None = None, on: WaitingFor = WaitingFor.CUSTOMER) -> Pause:
    return Pause(at(started), None if ended is None else at(ended), on)


def resolution(facts: Facts, hours: float = 27):
    """The newest resolution timer with a target in working hours."""
    return timers_of(facts, DESK, {TimerKind.RESOLUTION: int(hours * HOUR)})[-1]


def response(facts: Facts, minutes: int = 30):
    (timer,) = timers_of(facts, DESK, {TimerKind.FIRST_RESPONSE: minutes * MINUTE})
    return timer


def test_rule_1_the_order_of_the_facts_does_not_matter():
    first, second = waiting("09-22 10:00", "09-22 11:00"), waiting("09-22 14:00", "09-22 15:00")
    one = Facts(
        at("09-21 09:00"), contacts=(at("09-21 10:00"), at("09-21 09:20")), pauses=(first, second)
    )
    other = Facts(
        at("09-21 09:00"), contacts=(at("09-21 09:20"), at("09-21 10:00")), pauses=(second, first)
    )
    assert timers_of(one, DESK) == timers_of(other, DESK)


def test_every_case_has_a_first_response_and_a_resolution_target():
    response_timer, resolution_timer = timers_of(Facts(at("09-22 10:00")), DESK)
    assert (response_timer.kind, response_timer.due_at) == (
        TimerKind.FIRST_RESPONSE,
        at("09-22 10:30"),
    )
    assert (resolution_timer.kind, resolution_timer.due_at) == (
        TimerKind.RESOLUTION,
        at("09-28 10:00"),
    )


def test_rule_2_running_is_overdue_only_after_its_due():
    timer = response(Facts(at("09-22 10:00")))
    assert verdict(timer, at("09-22 10:30")) is Verdict.RUNNING
    assert verdict(timer, at("09-22 10:30:01")) is Verdict.MISSED


def test_rule_3_the_clock_starts_when_the_case_was_received():
    timer = response(Facts(at("09-22 10:00"), contacts=(at("09-22 10:45"),)))
    assert timer.due_at == at("09-22 10:30")
    assert verdict(timer, at("09-22 11:00")) is Verdict.MISSED


@pytest.mark.parametrize("received", ["09-30 18:00", "10-03 12:00", "10-08 09:00"])
def test_rule_4_outside_hours_counting_begins_at_the_next_opening(received):
    assert response(Facts(at(received))).due_at == at("10-08 09:30")


def test_rule_5_met_when_stopped_in_the_second_of_the_due():
    assert (
        verdict(
            response(Facts(at("09-22 17:30"), contacts=(at("09-22 18:00"),))), at("12-01 10:00")
        )
        is Verdict.MET
    )


def test_rule_5_a_reply_in_the_evening_after_a_due_at_closing_is_missed_with_no_working_overrun():
    timer = response(Facts(at("09-30 17:00"), contacts=(at("09-30 20:00"),)), minutes=60)
    assert timer.due_at == at("09-30 18:00")
    assert verdict(timer, at("10-08 10:00")) is Verdict.MISSED
    over = overrun(timer, DESK, at("10-08 10:00"))
    assert (over.wall, over.working_seconds) == (timedelta(hours=2), 0)


def test_a_timer_met_has_no_overrun():
    assert (
        overrun(
            response(Facts(at("09-22 10:00"), contacts=(at("09-22 10:05"),))),
            DESK,
            at("09-23 10:00"),
        )
        is None
    )


def test_rule_6_a_target_never_counted_is_that_timers_own_error():
    timer = resolution(Facts(at("09-22 10:00")), hours=50_000)
    assert (timer.phase, timer.due_at) == (TimerPhase.RUNNING, None)
    assert verdict(timer, at("12-01 10:00")) is Verdict.RUNNING


def test_rule_9_a_pause_takes_out_the_open_time_only():
    facts = Facts(at("09-30 16:00"), pauses=(waiting("09-30 17:00", "10-08 10:00"),))
    assert resolution(facts, hours=4).due_at == at("10-08 13:00")


def test_rule_9_overlapping_pauses_count_once():
    pauses = (
        waiting("09-22 10:00", "09-22 12:00"),
        waiting("09-22 11:00", "09-22 13:00", WaitingFor.PARTS),
    )
    assert resolution(Facts(at("09-22 09:00"), pauses=pauses), hours=4).due_at == at("09-22 16:00")


def test_rule_9_several_pauses_add_up():
    pauses = (waiting("09-22 10:00", "09-22 11:00"), waiting("09-22 12:00", "09-22 13:00"))
    assert resolution(Facts(at("09-22 09:00"), pauses=pauses), hours=4).due_at == at("09-22 15:00")


@pytest.mark.parametrize(
    ("started", "due"), [("09-22 12:59:59", "09-22 13:59:59"), ("09-22 13:00", "09-22 13:00")]
)
def test_rule_9_a_pause_moves_the_due_only_if_it_starts_before_it(started, due):
    pauses = (
        Pause(at(started), at(started) + timedelta(minutes=59, seconds=59), WaitingFor.CUSTOMER),
    )
    due_at = resolution(Facts(at("09-22 09:00"), pauses=pauses), hours=4).due_at
    assert due_at == at(due)


def test_rule_9_while_paused_there_is_no_due_but_what_remains():
    timer = resolution(Facts(at("09-22 09:00"), pauses=(waiting("09-22 10:00"),)), hours=4)
    assert (timer.phase, timer.due_at, timer.remaining_seconds) == (
        TimerPhase.PAUSED,
        None,
        3 * HOUR,
    )
    assert verdict(timer, at("12-01 10:00")) is Verdict.PAUSED


def test_rule_9_a_pause_open_when_the_timer_starts_counts_from_the_start():
    timer = resolution(Facts(at("09-22 12:00"), pauses=(waiting("09-22 10:00"),)), hours=4)
    assert timer.remaining_seconds == 4 * HOUR


def test_rule_9_completion_ends_an_open_pause():
    facts = Facts(
        at("09-22 09:00"), pauses=(waiting("09-22 10:00"),), completed=(at("09-23 10:00"),)
    )
    timer = resolution(facts, hours=2)
    assert (timer.phase, timer.remaining_seconds) == (TimerPhase.STOPPED, None)
    assert timer.due_at == at("09-23 11:00")
    assert verdict(timer, at("12-01 10:00")) is Verdict.MET


def test_waiting_for_the_maker_does_not_pause_the_customers_clock():
    facts = Facts(
        at("09-22 09:00"), pauses=(waiting("09-22 10:00", "09-22 12:00", WaitingFor.MAKER),)
    )
    assert resolution(facts, hours=4).due_at == at("09-22 13:00")


def test_waiting_does_not_pause_the_first_response():
    assert response(Facts(at("09-22 09:00"), pauses=(waiting("09-22 09:10"),))).due_at == at(
        "09-22 09:30"
    )


def test_rule_11_a_pause_after_the_breach_does_not_heal_it():
    timer = resolution(Facts(at("09-22 09:00"), pauses=(waiting("09-22 13:05"),)), hours=4)
    assert (timer.phase, timer.due_at) == (TimerPhase.PAUSED, at("09-22 13:00"))
    assert verdict(timer, at("09-22 14:00")) is Verdict.MISSED


def test_rule_11_closing_does_not_erase_a_miss():
    timer = resolution(
        Facts(at("09-22 09:00"), completed=(at("09-22 14:00"),), ended_at=at("09-23 10:00")),
        hours=4,
    )
    assert verdict(timer, at("12-01 10:00")) is Verdict.MISSED


def test_rule_12_the_first_of_several_contacts_stops_the_first_response():
    timer = response(Facts(at("09-22 09:00"), contacts=(at("09-22 11:00"), at("09-22 09:29"))))
    assert (timer.stopped_at, timer.phase) == (at("09-22 09:29"), TimerPhase.STOPPED)
    assert verdict(timer, at("12-01 10:00")) is Verdict.MET


def test_rule_12_completing_is_not_a_contact():
    assert (
        response(Facts(at("09-22 09:00"), completed=(at("09-22 09:10"),))).phase
        is TimerPhase.RUNNING
    )


def test_rule_13_a_reopening_starts_a_new_cycle_and_keeps_the_old_verdict():
    facts = Facts(at("09-22 09:00"), completed=(at("09-22 12:00"),), reopened=(at("09-28 10:00"),))
    first, second = timers_of(facts, DESK, {TimerKind.RESOLUTION: 4 * HOUR})
    assert (first.cycle, first.stopped_at, verdict(first, at("12-01 10:00"))) == (
        1,
        at("09-22 12:00"),
        Verdict.MET,
    )
    assert (second.cycle, second.started_at, second.due_at) == (
        2,
        at("09-28 10:00"),
        at("09-28 14:00"),
    )


def test_rule_13_a_reopening_does_not_start_the_first_response_anew():
    facts = Facts(
        at("09-22 09:00"),
        contacts=(at("09-22 09:10"),),
        completed=(at("09-22 12:00"),),
        reopened=(at("09-28 10:00"),),
    )
    assert response(facts).stopped_at == at("09-22 09:10")


def test_rule_13_pauses_of_an_old_cycle_do_not_move_the_new_one():
    facts = Facts(
        at("09-22 09:00"),
        completed=(at("09-22 12:00"),),
        reopened=(at("09-28 10:00"),),
        pauses=(waiting("09-22 10:00"), waiting("09-28 11:00", "09-28 12:00")),
    )
    assert resolution(facts, hours=4).due_at == at("09-28 15:00")


def test_rule_18_cancelling_a_case_does_not_remove_a_miss():
    in_time = resolution(Facts(at("09-22 09:00"), ended_at=at("09-22 12:00")), hours=4)
    late = resolution(Facts(at("09-22 09:00"), ended_at=at("09-22 13:00:01")), hours=4)
    assert verdict(in_time, at("12-01 10:00")) is Verdict.CANCELLED
    assert verdict(late, at("12-01 10:00")) is Verdict.MISSED


def test_rule_21_of_two_stops_the_earliest_wins():
    facts = Facts(at("09-22 09:00"), completed=(at("09-22 12:30"), at("09-22 12:00")))
    assert resolution(facts, hours=4).stopped_at == at("09-22 12:00")


START = datetime(2026, 9, 18, 12, tzinfo=SHANGHAI)
LENGTH = 6 * 1440
MOMENT = st.integers(0, LENGTH)
SHORT_DAYS = WorkingCalendar.build(
    {
        0: ((540, 720), (780, 1080)),
        1: ((600, 660),),
        2: ((0, 1440),),
        4: ((540, 1080),),
        5: ((1200, 1440),),
    },
    {START.date() + timedelta(days=3): ((600, 900),), START.date() + timedelta(days=4): ()},
    years=(2026, 2033),
)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


IS_OPEN = [SHORT_DAYS.is_open(minute(number)) for number in range(4 * LENGTH)]


@settings(max_examples=400, deadline=None)
@given(
    received=MOMENT,
    pauses=st.lists(st.tuples(MOMENT, st.one_of(st.none(), st.integers(0, 3000))), max_size=4),
    steps=st.lists(MOMENT, max_size=4, unique=True),
    ended=st.one_of(st.none(), MOMENT),
    target=st.integers(1, 900),
)
def test_generated_histories_equal_a_walk_minute_by_minute(received, pauses, steps, ended, target):
    steps = sorted(step for step in steps if step > received)
    ended = None if ended is None or ended < max([received, *steps]) else ended
    facts = Facts(
        minute(received),
        completed=tuple(minute(step) for step in steps[::2]),
        reopened=tuple(minute(step) for step in steps[1::2]),
        pauses=tuple(
            Pause(
                minute(start), None if length is None else minute(start + length), WaitingFor.PARTS
            )
            for start, length in pauses
        ),
        ended_at=None if ended is None else minute(ended),
    )
    timers = timers_of(facts, SHORT_DAYS, {TimerKind.RESOLUTION: target * MINUTE})
    starts, stops = [received, *steps[1::2]], steps[::2]
    assert len(timers) == len(starts)
    for number, (timer, start) in enumerate(zip(timers, starts, strict=True)):
        stop = stops[number] if number < len(stops) else ended
        own = [pause for pause in pauses if number == 0 or pause[0] >= stops[number - 1]]
        due, remaining, is_paused = walk(start, stop, own, target)
        assert timer.due_at == (None if due is None else minute(due))
        assert timer.remaining_seconds == (None if remaining is None else remaining * MINUTE)
        assert (timer.phase is TimerPhase.PAUSED) == is_paused


def walk(start, stop, pauses, target):
    """Due minute, minutes remaining while paused, and whether it is paused: by counting every minute."""
    spans = [(begin, begin + length if length is not None else None) for begin, length in pauses]
    if stop is not None:
        spans = [
            (begin, min(stop, stop if end is None else end)) for begin, end in spans if begin < stop
        ]
    open_from = min((max(begin, start) for begin, end in spans if end is None), default=None)
    counted = 0
    for now in range(start, 4 * LENGTH):
        if counted == target:
            return now, None, open_from is not None
        if open_from is not None and now >= open_from:
            return None, target - counted, True
        in_pause = any(begin <= now and (end is None or now < end) for begin, end in spans)
        counted += IS_OPEN[now] and not in_pause
    raise AssertionError("the walk is too short")
