"""Stored policies and calendar versions: what new cycles get, what open cases keep, and what applying does."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from db import session as store
from db.codes import (
    Channel,
    CustomerLevel,
    EventKind,
    MissedCause,
    Priority,
    TargetUnit,
    TimerKind,
    TimerPhase,
    WaitingFor,
)
from db.models.customers import Customer
from db.models.tickets import TicketEvent
from lib.shared.calendars import calendar_named, edit_calendar
from lib.shared.errors import Refusal
from lib.shared.work import look, system
from lib.tickets import actions, policies
from lib.tickets.checks import check_timers
from lib.tickets.explain import Why, explain_timer, find_timer_marks
from lib.tickets.levels import set_customer_level

WORKING = TargetUnit.WORKING_MINUTES


@pytest.mark.postgres_smoke
def test_a_new_policy_is_for_new_cycles_and_ends_the_one_before(policy_desk, now):
    old = policy_desk.open()
    later = now + timedelta(minutes=10)
    number = policy_desk.policy(60, at=later - timedelta(seconds=1))
    new = policy_desk.open(at=later)
    assert policy_desk.timer(old).due_at - now > timedelta(days=2)
    assert (policy_desk.timer(new).policy_id, policy_desk.timer(new).due_at) == (
        number,
        later + timedelta(hours=1),
    )
    assert policy_desk.well()


def test_rule_15_cases_of_the_very_second_of_a_saving_keep_their_targets(policy_desk, now):
    before = policy_desk.open()
    policy_desk.policy(60, at=now)
    after = policy_desk.open()
    usual = policy_desk.timer(before).due_at
    assert usual - now > timedelta(days=2)
    assert policy_desk.timer(after).due_at == usual
    assert policy_desk.well()
    policy_desk.do(policies.apply_targets, ticket_ids=[before])
    assert policy_desk.timer(before).due_at == now + timedelta(hours=1)
    assert policy_desk.timer(after).due_at == usual
    assert policy_desk.well()


def test_applying_policies_to_an_open_case_writes_one_fact_and_moves_its_due(policy_desk, now):
    case = policy_desk.open()
    later = now + timedelta(minutes=10)
    policy_desk.policy(60, at=later)
    policy_desk.do(policies.apply_targets, at=later, ticket_ids=[case])
    assert (policy_desk.timer(case).due_at, policy_desk.timer(case).plan) == (
        now + timedelta(hours=1),
        1,
    )
    with store.ReadSession() as session:
        kinds = session.scalars(select(TicketEvent.kind).where(TicketEvent.ticket_id == case))
        assert list(kinds).count(EventKind.TARGETS_APPLIED) == 1
    assert policy_desk.well()


def test_a_priority_that_makes_the_target_too_short_is_missed_by_change(policy_desk, now, cast):
    policy_desk.policy(15, priority=Priority.P1)
    case = policy_desk.open()
    later = now + timedelta(minutes=30)
    policy_desk.do(
        actions.change_ticket,
        at=later,
        ticket_id=case,
        version=policy_desk.version(case),
        priority=Priority.P1,
    )
    timer = policy_desk.timer(case)
    assert (timer.missed_cause, timer.missed_by_id) == (
        MissedCause.CHANGE,
        cast.supervisor.person_id,
    )
    assert timer.due_at == now + timedelta(minutes=15)
    policy_desk.do(
        actions.change_ticket,
        at=later + timedelta(minutes=9),
        ticket_id=case,
        version=policy_desk.version(case),
        priority=Priority.P3,
    )
    assert policy_desk.timer(case).missed_cause is None, "withdrawn by its author within 10 minutes"
    assert policy_desk.well()


def test_an_edited_calendar_moves_an_open_case_only_when_it_is_applied(policy_desk, now):
    case = policy_desk.open()
    before = policy_desk.timer(case)
    later = now + timedelta(minutes=10)
    with store.writing() as session:
        calendar = calendar_named(session)
        edit_calendar(
            session,
            calendar_id=calendar.id,
            version=calendar.version,
            now=later,
            days={date(2026, 11, 25): ()},
        )
    policy_desk.do(actions.add_note, at=later, ticket_id=case, words="note")
    assert (policy_desk.timer(case).due_at, policy_desk.timer(case).calendar_version) == (
        before.due_at,
        1,
    )
    assert policy_desk.well()
    policy_desk.do(policies.apply_targets, at=later, ticket_ids=[case])
    assert policy_desk.timer(case).calendar_version == 2
    assert policy_desk.timer(case).due_at > before.due_at
    assert policy_desk.timer(policy_desk.open(at=later)).calendar_version == 2
    assert policy_desk.well()


def test_rule_16_a_transfer_ends_a_hop_and_starts_the_next_and_leaves_the_customers_timers_alone(
    policy_desk, now, cast
):
    policy_desk.policy(30, kind=TimerKind.HOP)
    case = policy_desk.open(channel=Channel.EMAIL)

    def told_to_the_customer():
        kinds = (TimerKind.FIRST_RESPONSE, TimerKind.RESOLUTION)
        [first], [resolution] = (policy_desk.timers(case, kind) for kind in kinds)
        return [
            (each.cycle, each.policy_id, each.started_at, each.phase, each.due_at, each.plan)
            for each in (first, resolution)
        ]

    def assign(technician, at):
        policy_desk.do(
            actions.assign_technician,
            at=at,
            actor=cast.dispatcher,
            ticket_id=case,
            version=policy_desk.version(case),
            technician_id=technician.person_id,
        )

    before = told_to_the_customer()
    assert policy_desk.timers(case, TimerKind.HOP) == []
    given, passed_on = now + timedelta(minutes=5), now + timedelta(minutes=50)
    assign(cast.technician, given)
    assign(cast.second_technician, passed_on)
    assert told_to_the_customer() == before
    done = passed_on + timedelta(minutes=20)
    hops = policy_desk.timers(case, TimerKind.HOP)
    assert [(hop.cycle, hop.started_at, hop.stopped_at, hop.missed_cause) for hop in hops] == [
        (1, given, passed_on, MissedCause.TIME),
        (2, passed_on, None, None),
    ]
    policy_desk.do(
        actions.complete_ticket,
        at=done,
        ticket_id=case,
        version=policy_desk.version(case),
        words="fixed",
    )
    assert [hop.stopped_at for hop in policy_desk.timers(case, TimerKind.HOP)] == [passed_on, done]
    assert policy_desk.well(at=done)


def test_rule_29_the_most_specific_policy_wins_when_a_case_is_opened(policy_desk, now):
    priority = policy_desk.policy(20, priority=Priority.P1)
    channel = policy_desk.policy(30, channel=Channel.EMAIL)
    level = policy_desk.policy(40, level=CustomerLevel.KEY)
    policy_desk.policy(50, contract_id=9)

    def matched(**told) -> tuple[int, timedelta]:
        timer = policy_desk.timer(policy_desk.open(at=now, **told))
        return timer.policy_id, timer.due_at - now

    email, urgent = {"channel": Channel.EMAIL}, {"priority": Priority.P1}
    default, long = matched()
    assert default not in (priority, channel, level)
    assert long > timedelta(hours=2)
    assert matched(**urgent) == (priority, timedelta(minutes=20))
    assert matched(**email) == (channel, timedelta(minutes=30))
    assert matched(**urgent, **email) == (channel, timedelta(minutes=30))
    with store.ReadSession() as session:
        version = session.get(Customer, policy_desk.customer).version
    told = {"customer_id": policy_desk.customer, "version": version, "level": CustomerLevel.KEY}
    policy_desk.do(set_customer_level, **told)
    assert matched(**urgent, **email) == (level, timedelta(minutes=40))
    assert policy_desk.well()


def test_rule_29_the_policy_is_that_of_the_receipt_and_not_of_the_entry(policy_desk, now):
    later = now + timedelta(minutes=10)
    number = policy_desk.policy(60, at=later - timedelta(seconds=1))
    typed_late = policy_desk.open(at=later, received_at=later - timedelta(seconds=1))
    assert policy_desk.timer(typed_late).policy_id != number
    assert policy_desk.timer(policy_desk.open(at=later)).policy_id == number
    assert policy_desk.well(at=later)


def test_rule_29_no_match_is_no_timer_and_told_as_no_target(policy_desk, now, cast):
    policy_desk.policy(30, kind=TimerKind.RESTORATION, priority=Priority.P1)
    unmatched, matched = policy_desk.open(), policy_desk.open(priority=Priority.P1)
    for case, timers, is_without in ((unmatched, 0, True), (matched, 1, False)):
        assert len(policy_desk.timers(case, TimerKind.RESTORATION)) == timers
        marks = look(find_timer_marks, actor=cast.hotline, now=now, ticket_id=case)
        assert (TimerKind.RESTORATION in marks.no_target) is is_without
        assert TimerKind.RESOLUTION not in marks.no_target
    assert policy_desk.well()


def test_equal_policies_that_overlap_are_refused(policy_desk, now):
    policy_desk.policy(60, at=now, from_at=now + timedelta(days=2), priority=Priority.P2)
    with pytest.raises(Refusal, match="policies_overlap"):
        policy_desk.policy(90, at=now, from_at=now + timedelta(days=1), priority=Priority.P2)


@pytest.mark.parametrize(
    "told",
    [{"amount": 0}, {"amount": 5, "second_unit": WORKING}, {"amount": 5, "second_amount": 5}],
)
def test_rule_6_a_target_of_zero_or_half_told_is_refused(policy_desk, told):
    with pytest.raises(Refusal, match="target_unusable"):
        policy_desk.policy(**told)


def test_waiting_after_a_logged_attempt_pauses_the_first_response_until_the_customer_calls(
    policy_desk, now
):
    case = policy_desk.open()
    tried = now + timedelta(minutes=5)
    policy_desk.do(
        actions.log_attempt,
        at=tried,
        ticket_id=case,
        version=policy_desk.version(case),
        words="busy",
    )
    policy_desk.do(
        actions.start_waiting,
        at=tried,
        ticket_id=case,
        version=policy_desk.version(case),
        waiting_for=WaitingFor.CUSTOMER,
        words="call back",
        until_at=now + timedelta(days=1),
    )
    paused = policy_desk.timer(case, TimerKind.FIRST_RESPONSE)
    assert (paused.phase, paused.remaining_seconds) == (TimerPhase.PAUSED, 25 * 60)
    back = now + timedelta(hours=1)
    policy_desk.do(
        actions.log_inbound,
        at=back,
        ticket_id=case,
        version=policy_desk.version(case),
        words="here",
    )
    assert policy_desk.timer(case, TimerKind.FIRST_RESPONSE).due_at == back + timedelta(minutes=25)
    assert policy_desk.well()


def test_a_completed_case_has_a_return_call_timer_that_ends_with_the_call(policy_desk, now):
    case = policy_desk.open()
    policy_desk.do(
        actions.complete_ticket, ticket_id=case, version=policy_desk.version(case), words="fixed"
    )
    timer = policy_desk.timer(case, TimerKind.RETURN_CALL)
    assert (timer.phase, timer.due_at) == (TimerPhase.RUNNING, now + timedelta(days=1))
    assert policy_desk.well()


def test_a_sample_of_cases_can_be_checked(policy_desk, now):
    for _ in range(6):
        policy_desk.open()
    assert look(check_timers, actor=system("verify"), now=now, sample=3).cases == 3


def test_a_stored_timer_is_explained_from_its_facts(policy_desk, now, cast):
    case = policy_desk.open()
    told = look(
        explain_timer,
        actor=cast.hotline,
        now=now,
        ticket_id=case,
        kind=TimerKind.RESOLUTION,
        cycle=1,
    ).explanation
    assert told.lines[-1].total_seconds == 27 * 3600
    assert told.lines[-1].end_at == policy_desk.timer(case).due_at
    assert {line.why for line in told.lines} == {Why.COUNTED, Why.OUTSIDE_HOURS}
    with pytest.raises(Refusal, match="no_such_timer"):
        look(
            explain_timer, actor=cast.hotline, now=now, ticket_id=case, kind=TimerKind.STEP, cycle=1
        )
