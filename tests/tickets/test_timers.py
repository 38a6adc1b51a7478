"""The rules of the clocks by their numbers, with the examples of the requirements as cases."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from db.codes import (
    Channel,
    CustomerLevel,
    MissedCause,
    NoticeKind,
    Priority,
    TargetUnit,
    TimerKind,
    TimerPhase,
    Verdict,
    WaitingFor,
)
from lib.shared.calendar import WorkingCalendar, epoch, moment
from lib.shared.errors import Refusal
from lib.shared.official_days import announced_years, official_days
from lib.tickets import notices
from lib.tickets.notices import Threshold, highest, ladder_of
from lib.tickets.promises import (
    Call,
    answer_of,
    is_withdrawal,
    needs_callback,
    promise_told,
    stamp_of,
)
from lib.tickets.targets import Amount, Edition, Matter, Policy, Rulebook, Target, overlapping
from lib.tickets.timers import (
    HOUR,
    Change,
    Facts,
    Pause,
    Promise,
    counted_at,
    expected_due,
    is_late_entry,
    merged,
    overrun,
    unmerged,
    verdict,
)
from lib.tickets.timers import timers_of as timers_by

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = ((9 * 60, 18 * 60),)
DESK = WorkingCalendar.build(
    dict.fromkeys(range(5), DAY),
    {day.on: () if day.is_off else DAY for day in official_days()},
    announced=announced_years(),
    years=(2026, 2035),
)
U = TargetUnit
WORKING = U.WORKING_MINUTES
ALWAYS = datetime(2000, 1, 1, tzinfo=SHANGHAI)
K = TimerKind


def policy(number: int, kind: TimerKind, amount: int, unit: TargetUnit = WORKING, **more) -> Policy:
    """A policy row; `second` as (unit, amount)."""
    second = more.pop("second", None)
    return Policy(
        number,
        kind,
        Amount(unit, amount),
        calendar_id=1,
        from_at=more.pop("from_at", ALWAYS),
        second=None if second is None else Amount(*second),
        **more,
    )


def book_of(*policies: Policy, editions=None) -> Rulebook:
    return Rulebook(policies, {1: editions or [Edition(0, 1, DESK)]})


DEFAULT = book_of(policy(1, K.FIRST_RESPONSE, 30), policy(2, K.RESOLUTION, 27 * 60))


def timers_of(facts: Facts, _calendar=None, targets: dict | None = None):
    """With one target in working seconds for each kind, everywhere and always; else with the defaults."""
    if targets is None:
        return timers_by(facts, DEFAULT)
    rows = [
        policy(place, kind, seconds // 60) for place, (kind, seconds) in enumerate(targets.items())
    ]
    return timers_by(facts, book_of(*rows))


def only(facts: Facts, *policies: Policy, editions=None):
    """The newest timer under these policies."""
    return timers_by(facts, book_of(*policies, editions=editions))[-1]


def at(text: str) -> datetime:
    """Month-day and time of 2026, in the desk's words: "09-22 10:00"."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


def warned(facts: Facts, book: Rulebook, now: str, thresholds=None) -> list[notices.Step]:
    """The warnings reached by then, in the order of time."""
    reached = ladder_of(7, facts, book, at(now), thresholds=thresholds).reached
    steps = [step for step in reached if step.kind is NoticeKind.WARNING]
    return sorted(steps, key=lambda step: step.at)


def waiting(started: str, ended: str | None = None, on: WaitingFor = WaitingFor.CUSTOMER) -> Pause:
    return Pause(at(started), None if ended is None else at(ended), on)


def resolution(facts: Facts, hours: float = 27):
    """The newest resolution timer with a target in working hours."""
    return timers_of(facts, DESK, {TimerKind.RESOLUTION: int(hours * HOUR)})[-1]


def response(facts: Facts, minutes: int = 30):
    (timer,) = timers_of(facts, DESK, {TimerKind.FIRST_RESPONSE: minutes * 60})
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


def a_resolution(minutes: int, unit: TargetUnit = WORKING, **more) -> Policy:
    return policy(1, K.RESOLUTION, minutes, unit, **more)


def test_rule_1_a_stop_recorded_late_but_in_time_is_no_breach_and_is_flagged():
    timer = response(Facts(at("09-22 10:00"), contacts=(at("09-22 10:20"),)))
    assert verdict(timer, at("09-22 12:00")) is Verdict.MET
    assert is_late_entry(timer, recorded_at=at("09-22 11:00"))
    assert not is_late_entry(timer, recorded_at=at("09-22 10:25"))


def test_rule_2_a_timer_can_be_paused_and_missed():
    timer = resolution(Facts(at("09-22 09:00"), pauses=(waiting("09-22 14:00"),)), hours=4)
    assert (timer.phase, verdict(timer, at("09-22 15:00"))) == (TimerPhase.PAUSED, Verdict.MISSED)


def test_rule_3_a_case_typed_late_is_late_at_birth_and_sends_one_notice_the_highest():
    facts, book = Facts(at("09-22 09:00")), book_of(policy(1, K.FIRST_RESPONSE, 30))
    reached = ladder_of(7, facts, book, at("09-22 09:40")).reached
    assert [each.key.split(":")[-1] for each in reached] == ["50", "75", "90", "due"]
    assert [each.kind for each in highest(reached).values()] == [NoticeKind.OVERDUE]


@pytest.mark.parametrize("amount", [0, -5])
def test_rule_6_a_threshold_that_leaves_nothing_to_count_is_none(amount):
    target = Target(Amount(WORKING, 30), DESK)
    assert notices.part_of(target, Threshold(minutes_left=30 - amount), 0) is None


def test_rule_6_a_due_in_a_year_without_data_follows_the_weekdays_and_is_provisional():
    timer = resolution(Facts(at("12-31 17:00")), hours=2)
    assert timer.due_at == datetime(2027, 1, 1, 10, tzinfo=SHANGHAI)
    assert DESK.is_provisional(epoch(timer.due_at))
    assert not DESK.is_provisional(epoch(at("12-31 18:00")))


def test_rule_7_hours_of_a_date_beat_the_week():
    short = WorkingCalendar.build(
        dict.fromkeys(range(5), DAY), {at("09-22 00:00").date(): ((540, 600),)}, years=(2026, 2026)
    )
    timer = only(Facts(at("09-22 09:00")), a_resolution(120), editions=[Edition(0, 1, short)])
    assert timer.due_at == at("09-23 10:00")


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("10-09 15:00", "10-10 15:00"),
        ("10-11 10:00", "10-12 18:00"),
        ("09-30 20:00", "10-08 18:00"),
    ],
)
def test_rule_8_a_working_day_ends_at_the_same_clock_time(start, due):
    assert only(Facts(at(start)), a_resolution(1, U.WORKING_DAYS)).due_at == at(due)


def test_rule_8_a_working_day_that_ends_on_a_short_day_ends_at_its_close():
    short = WorkingCalendar.build(
        dict.fromkeys(range(5), DAY), {at("10-10 00:00").date(): ((540, 720),)}, years=(2026, 2026)
    )
    timer = only(
        Facts(at("10-09 15:00")), a_resolution(1, U.WORKING_DAYS), editions=[Edition(0, 1, short)]
    )
    assert timer.due_at == at("10-10 12:00")


def test_rule_8_of_two_targets_the_earlier_one_counts():
    both = a_resolution(480, second=(U.CALENDAR_MINUTES, 3 * 1440))
    assert only(Facts(at("09-21 09:00")), both).due_at == at("09-21 17:00")
    assert only(Facts(at("09-30 17:00")), both).due_at == at("10-03 17:00")


def test_rule_9_in_calendar_time_a_pause_takes_out_all_of_it():
    pauses = (Pause(at("09-21 20:00"), at("09-22 08:00"), WaitingFor.PARTS),)
    timer = only(Facts(at("09-21 10:00"), pauses=pauses), a_resolution(24 * 60, U.CALENDAR_MINUTES))
    assert timer.due_at == at("09-22 22:00")


def test_rule_9_the_expected_due_uses_the_expected_end_of_the_pause():
    timer = resolution(Facts(at("09-22 09:00"), pauses=(waiting("09-22 10:00"),)), hours=4)
    assert expected_due(timer, at("09-22 16:00")) == at("09-23 10:00")
    assert timer.due_at is None


@pytest.mark.parametrize("why", [WaitingFor.PARTS, WaitingFor.APPRAISAL, WaitingFor.CUSTOMER])
def test_rule_9_waiting_for_the_customer_parts_or_an_appraisal_pauses_the_resolution(why):
    facts = Facts(at("09-22 09:00"), pauses=(waiting("09-22 10:00", "09-22 11:00", why),))
    assert resolution(facts, hours=4).due_at == at("09-22 14:00")


def test_rule_9_the_first_response_pauses_only_for_the_customer_after_a_logged_attempt():
    tried = (at("09-22 09:05"),)

    def due(on: WaitingFor, attempts=tried, started: str = "09-22 09:10"):
        facts = Facts(
            at("09-22 09:00"), attempts=attempts, pauses=(waiting(started, "09-22 10:10", on),)
        )
        return response(facts).due_at

    assert due(WaitingFor.CUSTOMER) == at("09-22 10:30")
    assert due(WaitingFor.CUSTOMER, attempts=()) == at("09-22 09:30")
    assert due(WaitingFor.CUSTOMER, started="09-22 09:04") == at("09-22 09:30")
    assert due(WaitingFor.PARTS) == at("09-22 09:30")


def test_rule_9_a_return_call_and_a_promise_never_pause():
    facts = Facts(
        at("09-22 09:00"),
        completed=(at("09-22 12:00"),),
        promises=(Promise(at("09-22 09:00"), at("09-22 09:30")),),
        pauses=(waiting("09-22 09:10"),),
    )
    told = timers_by(facts, book_of(policy(1, K.RETURN_CALL, 1, U.WORKING_DAYS)))
    assert [(timer.kind, timer.due_at, timer.phase) for timer in told] == [
        (K.PROMISE, at("09-22 09:30"), TimerPhase.RUNNING),
        (K.RETURN_CALL, at("09-23 12:00"), TimerPhase.RUNNING),
    ]


def changed(when: str, priority: Priority, author: int = 7) -> Change:
    return Change(at(when), author, Matter(priority=priority))


BY_PRIORITY = book_of(
    policy(1, K.RESOLUTION, 240),
    policy(2, K.RESOLUTION, 15, priority=Priority.P1),
    policy(3, K.RESOLUTION, 30, priority=Priority.P2),
)


def test_rule_11_a_change_after_the_breach_heals_nothing():
    facts = Facts(
        at("09-22 09:00"),
        matter=Matter(priority=Priority.P2),
        changes=(changed("09-22 10:00", Priority.P3),),
    )
    (timer,) = timers_by(facts, BY_PRIORITY)
    assert (timer.due_at, timer.missed_cause) == (at("09-22 09:30"), MissedCause.TIME)
    assert verdict(timer, at("09-22 10:00")) is Verdict.MISSED


def test_rule_11_the_last_parameters_alone_do_not_judge():
    facts = Facts(
        at("09-22 09:00"),
        matter=Matter(priority=Priority.P2),
        changes=(changed("09-22 10:00", Priority.P3),),
        completed=(at("09-22 10:30"),),
    )
    (timer,) = timers_by(facts, BY_PRIORITY)
    assert verdict(timer, at("09-22 11:00")) is Verdict.MISSED


def test_rule_13_a_new_cycle_takes_the_target_in_force_when_it_starts():
    book = book_of(
        a_resolution(240, until_at=at("09-25 00:00")),
        policy(2, K.RESOLUTION, 60, from_at=at("09-25 00:00")),
    )
    facts = Facts(at("09-22 09:00"), completed=(at("09-22 12:00"),), reopened=(at("09-28 10:00"),))
    assert [timer.due_at for timer in timers_by(facts, book)] == [
        at("09-22 13:00"),
        at("09-28 11:00"),
    ]


def test_rule_14_a_new_due_before_the_change_is_missed_by_change_and_by_its_author():
    facts = Facts(
        at("09-21 09:00"),
        matter=Matter(priority=Priority.P3),
        pauses=(waiting("09-21 09:20"),),
        changes=(changed("09-21 10:00", Priority.P1),),
    )
    (timer,) = timers_by(facts, BY_PRIORITY)
    assert (timer.due_at, timer.missed_cause, timer.missed_by_id) == (
        at("09-21 09:15"),
        MissedCause.CHANGE,
        7,
    )


def test_rule_14_a_change_keeps_the_pauses():
    facts = Facts(
        at("09-21 09:00"),
        matter=Matter(priority=Priority.P3),
        pauses=(waiting("09-21 09:20"),),
        changes=(changed("09-21 10:00", Priority.P2),),
    )
    (timer,) = timers_by(facts, BY_PRIORITY)
    assert (timer.phase, timer.remaining_seconds) == (TimerPhase.PAUSED, 10 * 60)
    assert verdict(timer, at("09-21 12:00")) is Verdict.PAUSED


def test_rule_14_a_stopped_timer_is_never_judged_again():
    facts = Facts(
        at("09-22 09:00"),
        matter=Matter(priority=Priority.P3),
        completed=(at("09-22 12:00"),),
        changes=(changed("09-22 12:30", Priority.P1),),
    )
    (timer,) = timers_by(facts, BY_PRIORITY)
    assert (timer.due_at, verdict(timer, at("09-23 12:00"))) == (at("09-22 13:00"), Verdict.MET)


def test_rule_14_only_the_author_withdraws_a_change_and_only_within_10_minutes():
    when = at("09-22 10:00")
    assert is_withdrawal(when, 7, at("09-22 10:10"), 7)
    assert not is_withdrawal(when, 7, at("09-22 10:10:01"), 7)
    assert not is_withdrawal(when, 7, at("09-22 10:05"), 8)


@pytest.mark.parametrize(
    ("entered", "due", "judged"),
    [
        ("09-10 12:00", "09-11 13:00", Verdict.RUNNING),
        ("09-11 12:00", "09-10 13:30", Verdict.MISSED),
    ],
)
def test_rule_15_a_day_entered_as_closed_moves_open_cases_only_when_applied(entered, due, judged):
    closed = WorkingCalendar.build(
        dict.fromkeys(range(5), DAY), {at("09-10 00:00").date(): ()}, years=(2026, 2026)
    )
    editions = [Edition(0, 1, DESK), Edition(epoch(at(entered)), 2, closed)]
    start = at("09-10 09:30")
    left = only(Facts(start), a_resolution(240), editions=editions)
    assert (left.due_at, left.target.calendar_version) == (at("09-10 13:30"), 1)
    applied = Facts(start, changes=(Change(at(entered), calendars_at=at(entered)),))
    timer = only(applied, a_resolution(240), editions=editions)
    assert timer.due_at == at(due)
    assert verdict(timer, at("09-11 12:00")) is judged


def test_rule_15_an_edited_policy_is_for_new_cycles_unless_applied():
    rows = (
        a_resolution(240, until_at=at("09-22 10:00")),
        policy(2, K.RESOLUTION, 120, from_at=at("09-22 10:00")),
    )
    assert only(Facts(at("09-22 09:00")), *rows).due_at == at("09-22 13:00")
    applied = (Change(at("09-22 10:00"), policies_at=at("09-22 10:00")),)
    timer = only(Facts(at("09-22 09:00"), changes=applied), *rows)
    assert (timer.due_at, timer.target.policy_id, timer.plan) == (at("09-22 11:00"), 2, 1)


def test_rule_16_a_transfer_starts_a_hop_and_leaves_the_customers_timers_alone():
    facts = Facts(
        at("09-22 09:00"),
        held=(at("09-22 09:10"), at("09-22 10:00")),
        completed=(at("09-22 11:00"),),
    )
    told = timers_by(facts, book_of(a_resolution(240), policy(2, K.HOP, 30)))
    assert [(timer.kind, timer.cycle, timer.due_at) for timer in told] == [
        (K.RESOLUTION, 1, at("09-22 13:00")),
        (K.HOP, 1, at("09-22 09:40")),
        (K.HOP, 2, at("09-22 10:30")),
    ]
    assert [timer.stopped_at for timer in told[1:]] == [at("09-22 10:00"), at("09-22 11:00")]


def test_rule_16_a_reopening_starts_a_hop_anew_and_nobody_gets_what_is_completed():
    facts = Facts(
        at("09-22 09:00"),
        held=(at("09-22 09:10"), at("09-22 11:20"), at("09-22 12:00")),
        completed=(at("09-22 11:00"),),
        reopened=(at("09-22 12:00"),),
    )
    hops = timers_by(facts, book_of(policy(2, K.HOP, 30)))
    assert [(hop.cycle, hop.started_at, hop.stopped_at) for hop in hops] == [
        (1, at("09-22 09:10"), at("09-22 11:00")),
        (2, at("09-22 12:00"), None),
    ]


RESPONSE = book_of(policy(1, K.FIRST_RESPONSE, 30), policy(2, K.RESOLUTION, 240))


def test_rule_17_contacts_of_both_cases_count_at_their_own_times():
    b = Facts(at("09-22 09:00"), contacts=(at("09-22 09:20"),))
    a, _ = merged(Facts(at("09-22 10:00")), b, at("09-22 11:00"), RESPONSE)
    first, resolution_timer = timers_by(a, RESPONSE)
    assert (first.started_at, first.stopped_at) == (at("09-22 09:00"), at("09-22 09:20"))
    assert verdict(first, at("09-22 12:00")) is Verdict.MET
    assert resolution_timer.started_at == at("09-22 09:00")


def test_rule_17_what_the_absorbed_case_missed_the_survivor_missed_once():
    b = Facts(at("09-22 09:00"))
    survivor = Facts(at("09-22 10:00"), contacts=(at("09-22 10:10"),))
    a, over = merged(survivor, b, at("09-22 11:00"), RESPONSE, author_id=3)
    first = timers_by(a, RESPONSE)[0]
    assert (first.missed_cause, first.missed_by_id) == (MissedCause.MERGE, 3)
    assert verdict(first, at("09-22 11:00")) is Verdict.MISSED
    absorbed_first, absorbed_resolution = timers_by(over, RESPONSE)
    assert over.left_out
    assert verdict(absorbed_first, at("09-23 11:00")) is Verdict.MISSED
    assert absorbed_resolution.phase is TimerPhase.CANCELLED
    assert timers_by(survivor, RESPONSE)[0].missed_cause is None, "undone: as if never merged"


def test_rule_17_a_message_of_the_absorbed_case_ends_a_pause_at_the_merge_not_earlier():
    survivor = Facts(at("09-22 09:00"), pauses=(waiting("09-22 10:00"),))
    a, _ = merged(survivor, Facts(at("09-22 10:30")), at("09-22 11:00"), RESPONSE)
    assert a.pauses[0].ended_at == at("09-22 11:00")
    parts = Facts(at("09-22 09:00"), pauses=(waiting("09-22 10:00", on=WaitingFor.PARTS),))
    b, _ = merged(parts, Facts(at("09-22 10:30")), at("09-22 11:00"), RESPONSE)
    assert b.pauses[0].ended_at is None


def test_rule_17_after_an_undone_merge_contacts_in_between_count_for_both():
    b = Facts(at("09-22 09:00"))
    a = Facts(at("09-22 08:00"), contacts=(at("09-22 09:20"), at("09-22 09:50")))
    back = unmerged(b, a, at("09-22 09:10"), at("09-22 09:30"))
    assert timers_by(back, RESPONSE)[0].stopped_at == at("09-22 09:20")


def test_rule_17_a_promise_moves_to_the_survivor_unchanged():
    promise = Promise(at("09-22 09:00"), at("09-22 09:36"))
    a, _ = merged(
        Facts(at("09-22 10:00")),
        Facts(at("09-22 09:00"), promises=(promise,)),
        at("09-22 11:00"),
        RESPONSE,
    )
    told = [timer for timer in timers_by(a, RESPONSE) if timer.kind is K.PROMISE]
    assert [(timer.due_at, timer.phase) for timer in told] == [
        (at("09-22 09:36"), TimerPhase.RUNNING)
    ]


def test_rule_18_a_timer_belongs_to_its_stop_if_met_and_to_its_due_if_missed():
    met = response(Facts(at("09-22 10:00"), contacts=(at("09-22 10:20"),)))
    late = response(Facts(at("09-22 10:00"), contacts=(at("09-22 11:00"),)))
    open_timer = response(Facts(at("09-22 10:00")))
    now = at("09-22 10:10")
    assert counted_at(met, now) == (Verdict.MET, at("09-22 10:20"))
    assert counted_at(late, now) == (Verdict.MISSED, at("09-22 10:30"))
    assert counted_at(open_timer, now) is None
    assert counted_at(open_timer, at("09-22 10:31")) == (Verdict.MISSED, at("09-22 10:30"))


def test_rule_18_a_call_abandoned_before_the_target_leaves_the_rate_after_it_is_missed():
    offered = at("09-22 10:00")
    early = Call(offered, abandoned_at=offered + timedelta(seconds=15))
    late = Call(offered, abandoned_at=offered + timedelta(seconds=16))
    answered = Call(offered, answered_at=offered + timedelta(seconds=15))
    assert counted_at(answer_of(early, 15), at("09-22 11:00")) is None
    assert counted_at(answer_of(late, 15), at("09-22 11:00"))[0] is Verdict.MISSED
    assert counted_at(answer_of(answered, 15), at("09-22 11:00"))[0] is Verdict.MET
    assert [needs_callback(call) for call in (early, late, answered)] == [True, True, False]


def test_rule_19_a_warning_comes_when_its_share_has_been_counted_rounded_up():
    reached = warned(
        Facts(at("09-22 17:50")),
        book_of(policy(1, K.FIRST_RESPONSE, 25)),
        "09-23 10:00",
        {K.FIRST_RESPONSE: [*notices.DEFAULT_THRESHOLDS, Threshold(minutes_left=5)]},
    )
    assert [(each.threshold, moment(each.at)) for each in reached] == [
        (Threshold(50), at("09-23 09:03")),
        (Threshold(75), at("09-23 09:09")),
        (Threshold(minutes_left=5), at("09-23 09:10")),
        (Threshold(90), at("09-23 09:13")),
    ]


def test_rule_19_a_pause_moves_a_warning_and_a_change_of_the_target_makes_new_ones():
    facts = Facts(
        at("09-22 09:00"),
        matter=Matter(priority=Priority.P3),
        pauses=(waiting("09-22 10:00", "09-22 11:00"),),
        changes=(Change(at("09-22 12:30"), 7, Matter(priority=Priority.P4)),),
    )
    book = book_of(policy(1, K.RESOLUTION, 240), policy(2, K.RESOLUTION, 300, priority=Priority.P4))
    half = {K.RESOLUTION: [Threshold(50)]}
    reached = warned(facts, book, "09-23 09:00", half)
    assert [(each.height[0], moment(each.at)) for each in reached] == [
        (0, at("09-22 12:00")),
        (1, at("09-22 12:30")),
    ]


def test_rule_19_a_stop_sends_no_further_warning():
    facts = Facts(at("09-22 09:00"), contacts=(at("09-22 09:16"),))
    half = {K.FIRST_RESPONSE: [Threshold(50), Threshold(75)]}
    reached = warned(facts, DEFAULT, "09-22 12:00", half)
    assert [each.threshold.percent for each in reached] == [50]
    void = ladder_of(7, facts, DEFAULT, at("09-22 12:00"), thresholds=half).void
    assert [key.split(":", 3)[3] for key in void] == ["0:75", "0:due", "0:up1", "0:up2"]


@pytest.mark.parametrize(
    ("minutes", "used", "flagged"),
    [(5, "09-22 09:55", False), (-5, "09-22 10:05", False), (5.1, "09-22 12:00", True)],
)
def test_rule_22_a_stamp_made_offline_is_corrected_by_the_clocks_skew(minutes, used, flagged):
    stamp = stamp_of(at("09-22 10:00"), timedelta(minutes=minutes), at("09-22 12:00"), None)
    assert (stamp.at, stamp.flagged) == (at(used), flagged)


@pytest.mark.parametrize(("minutes", "flagged"), [(5, False), (5.1, True), (60, True)])
def test_rule_22_a_stamp_after_its_receipt_counts_as_received_and_far_after_it_is_not_believed(
    minutes, flagged
):
    received = at("09-22 10:00")
    stamp = stamp_of(received + timedelta(minutes=minutes), timedelta(), received, None)
    assert (stamp.at, stamp.flagged) == (received, flagged)


@pytest.mark.parametrize("seconds", [1, 3])
def test_rule_22_two_steps_in_a_breath_may_be_measured_in_the_wrong_order(seconds):
    previous = at("09-22 10:00")
    stamp = stamp_of(
        previous - timedelta(seconds=seconds), timedelta(), at("09-22 10:01"), previous
    )
    assert (stamp.at, stamp.flagged) == (previous, False)


def test_rule_22_a_stamp_before_the_previous_step_is_refused():
    with pytest.raises(Refusal, match="stamp_before_previous"):
        stamp_of(at("09-22 10:00"), timedelta(), at("09-22 12:00"), at("09-22 10:01"))


def test_rule_27_a_second_run_of_the_scheduler_delivers_nothing_again():
    facts = Facts(at("09-22 09:00"))
    first = ladder_of(7, facts, DEFAULT, at("09-22 09:20")).reached
    again = ladder_of(7, facts, DEFAULT, at("09-22 09:21")).reached
    assert [each.key for each in first] == [each.key for each in again] != []
    known = {each.key for each in first}
    assert highest(each for each in again if each.key not in known) == {}


def test_the_next_look_is_due_when_the_next_rung_is_reached_and_none_while_paused():
    facts = Facts(at("09-22 09:00"))
    book = book_of(policy(1, K.FIRST_RESPONSE, 30), policy(2, K.RESOLUTION, 240))
    for now, then in (
        ("09-22 09:00", "09-22 09:15:00"),
        ("09-22 09:15", "09-22 09:23:00"),
        ("09-22 09:29", "09-22 09:30:01"),
        ("09-22 09:31", "09-22 10:00:00"),
    ):
        assert moment(ladder_of(7, facts, book, at(now)).next_at) == at(then)
    paused = replace(facts, contacts=(at("09-22 09:10"),), pauses=(waiting("09-22 09:20"),))
    assert ladder_of(7, paused, book, at("09-22 10:00")).next_at is None


def test_rule_28_a_promise_is_the_due_rounded_up_to_the_minute_from_the_receipt():
    target = Target(Amount(WORKING, 30), DESK)
    assert promise_told(at("09-21 14:05:42"), target) == at("09-21 14:36:00")
    assert promise_told(at("09-21 14:05:00"), target) == at("09-21 14:35:00")


def test_rule_28_only_the_customers_consent_moves_a_promise():
    old = Promise(at("09-21 14:00"), at("09-21 14:36"), changed_at=at("09-21 14:20"))
    new = Promise(at("09-21 14:20"), at("09-21 16:00"), kept_at=at("09-21 15:00"))
    facts = Facts(
        at("09-21 14:00"),
        promises=(new, old),
        pauses=(waiting("09-21 14:01"),),
        changes=(changed("09-21 14:10", Priority.P1),),
    )
    told = timers_by(facts, book_of())
    assert [(timer.due_at, verdict(timer, at("09-22 09:00"))) for timer in told] == [
        (at("09-21 14:36"), Verdict.CANCELLED),
        (at("09-21 16:00"), Verdict.MET),
    ]


def test_rule_28_cancelling_a_case_ends_its_promises():
    promise = Promise(at("09-21 14:00"), at("09-21 14:36"))
    (timer,) = timers_by(
        Facts(at("09-21 14:00"), promises=(promise,), ended_at=at("09-21 14:10")), book_of()
    )
    assert timer.phase is TimerPhase.CANCELLED


def test_rule_29_the_first_difference_decides_which_policy_is_the_most_specific():
    rows = [
        policy(1, K.RESOLUTION, 10),
        policy(2, K.RESOLUTION, 20, priority=Priority.P1),
        policy(3, K.RESOLUTION, 30, channel=Channel.PHONE),
        policy(4, K.RESOLUTION, 40, level=CustomerLevel.KEY),
        policy(5, K.RESOLUTION, 50, contract_id=9),
    ]

    def chosen(**told) -> int:
        facts = Facts(at("09-22 09:00"), matter=Matter(**told))
        return timers_by(facts, book_of(*rows))[0].target.policy_id

    everything = {
        "contract_id": 9,
        "level": CustomerLevel.KEY,
        "channel": Channel.PHONE,
        "priority": Priority.P1,
    }
    assert chosen(**everything) == 5
    assert chosen(**everything | {"contract_id": None}) == 4
    assert chosen(channel=Channel.PHONE, priority=Priority.P1) == 3
    assert chosen(priority=Priority.P1) == 2
    assert chosen(priority=Priority.P2) == 1


def test_rule_29_the_policy_is_that_of_the_cycles_start_and_no_match_is_no_target():
    rows = [a_resolution(60, from_at=at("09-22 10:00"), until_at=at("09-22 12:00"))]
    starts = ["09-22 09:59:59", "09-22 10:00", "09-22 12:00"]
    assert [len(timers_by(Facts(at(start)), book_of(*rows))) for start in starts] == [0, 1, 0]


def test_rule_29_two_equal_rows_that_overlap_in_time_are_found():
    first = a_resolution(60, until_at=at("09-22 12:00"))
    assert overlapping([first], policy(2, K.RESOLUTION, 90, from_at=at("09-22 11:59"))) is first
    assert overlapping([first], policy(2, K.RESOLUTION, 90, from_at=at("09-22 12:00"))) is None
    assert overlapping([first], policy(2, K.RESOLUTION, 90, priority=Priority.P1)) is None


def test_the_next_reply_runs_from_the_first_unanswered_message_to_a_human_answer():
    facts = Facts(
        at("09-22 09:00"),
        contacts=(at("09-22 09:10"), at("09-22 11:00")),
        inbound=(at("09-22 09:05"), at("09-22 10:00"), at("09-22 10:30"), at("09-22 12:00")),
    )
    told = timers_by(facts, book_of(policy(1, K.NEXT_REPLY, 60)))
    assert [(timer.started_at, timer.due_at, timer.stopped_at) for timer in told] == [
        (at("09-22 10:00"), at("09-22 11:00"), at("09-22 11:00")),
        (at("09-22 12:00"), at("09-22 13:00"), None),
    ]


def test_diagnosis_runs_from_the_first_contact_to_the_coded_fault_in_each_cycle():
    facts = Facts(
        at("09-22 09:00"),
        contacts=(at("09-22 09:10"), at("09-24 10:00")),
        diagnosed=(at("09-22 10:00"),),
        completed=(at("09-22 11:00"),),
        reopened=(at("09-24 09:00"),),
    )
    told = timers_by(facts, book_of(policy(1, K.DIAGNOSIS, 60)))
    assert [(timer.cycle, timer.started_at, timer.stopped_at) for timer in told] == [
        (1, at("09-22 09:10"), at("09-22 10:00")),
        (2, at("09-24 10:00"), None),
    ]


def test_restoration_stops_when_the_thing_is_usable_again_at_the_latest_with_the_completion():
    told = timers_by(
        Facts(
            at("09-22 09:00"),
            usable=(at("09-22 10:00"),),
            completed=(at("09-22 11:00"), at("09-24 12:00")),
            reopened=(at("09-24 09:00"),),
        ),
        book_of(policy(1, K.RESTORATION, 60)),
    )
    assert [timer.stopped_at for timer in told] == [at("09-22 10:00"), at("09-24 12:00")]


def test_a_step_runs_from_entering_a_state_to_leaving_it():
    facts = Facts(at("09-22 09:00"), entered=(at("09-22 09:00"), at("09-22 10:00")))
    told = timers_by(facts, book_of(policy(1, K.STEP, 30)))
    assert [(timer.cycle, timer.due_at, timer.stopped_at) for timer in told] == [
        (1, at("09-22 09:30"), at("09-22 10:00")),
        (2, at("09-22 10:30"), None),
    ]


def test_a_return_call_is_due_one_working_day_after_the_completion_and_ends_with_its_last_try():
    facts = Facts(
        at("09-22 09:00"), completed=(at("09-30 15:00"),), calls_ended=(at("10-08 10:00"),)
    )
    timer = only(facts, policy(1, K.RETURN_CALL, 1, U.WORKING_DAYS))
    assert (timer.due_at, timer.stopped_at) == (at("10-08 15:00"), at("10-08 10:00"))
