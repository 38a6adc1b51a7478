"""A customer's level: cases that come later have it from their receipt, open ones get it as a fact."""

from datetime import timedelta

import pytest

from db import session as store
from db.codes import CancelReason, CustomerLevel, MissedCause, TimerKind
from db.models.customers import Customer
from lib.shared.errors import Refusal
from lib.shared.work import look
from lib.tickets import actions
from lib.tickets.levels import find_level, set_customer_level


def set_level(policy_desk, level: CustomerLevel, at):
    with store.ReadSession() as session:
        version = session.get(Customer, policy_desk.customer).version
    return policy_desk.do(
        set_customer_level, at=at, customer_id=policy_desk.customer, version=version, level=level
    )


def test_rule_14_a_level_moves_open_cases_of_the_customer_and_not_those_that_ended(
    policy_desk, now
):
    policy_desk.policy(60, level=CustomerLevel.KEY)
    case, ended = policy_desk.open(), policy_desk.open()
    policy_desk.do(
        actions.cancel_ticket,
        ticket_id=ended,
        version=policy_desk.version(ended),
        reason=CancelReason.DUPLICATE,
        words="twice",
    )
    before = policy_desk.timer(ended).due_at
    later = now + timedelta(minutes=10)
    assert set_level(policy_desk, CustomerLevel.KEY, later) == 1
    assert policy_desk.timer(case).due_at == now + timedelta(hours=1)
    assert policy_desk.timer(ended).due_at == before
    assert policy_desk.timer(policy_desk.open(at=later)).due_at == later + timedelta(hours=1)
    assert policy_desk.well()


def test_rule_29_a_case_keeps_the_level_of_its_receipt_until_a_fact_changes_it(policy_desk, now):
    policy_desk.policy(60, level=CustomerLevel.KEY)
    policy_desk.open()
    later = now + timedelta(minutes=10)
    set_level(policy_desk, CustomerLevel.KEY, later)
    case = policy_desk.open(at=later)
    policy_desk.do(
        actions.log_contact,
        at=later,
        ticket_id=case,
        version=policy_desk.version(case),
        words="called",
    )
    assert policy_desk.timer(case).due_at == later + timedelta(hours=1)
    much_later = later + timedelta(minutes=30)
    set_level(policy_desk, CustomerLevel.IMPORTANT, much_later)
    assert policy_desk.timer(case).due_at > later + timedelta(days=2)
    assert policy_desk.well()


def test_rule_14_a_level_that_comes_too_late_is_missed_by_change_with_its_author(
    policy_desk, now, cast
):
    policy_desk.policy(15, level=CustomerLevel.KEY, kind=TimerKind.FIRST_RESPONSE)
    case = policy_desk.open()
    set_level(policy_desk, CustomerLevel.KEY, now + timedelta(minutes=20))
    timer = policy_desk.timer(case, TimerKind.FIRST_RESPONSE)
    assert (timer.missed_cause, timer.missed_by_id) == (
        MissedCause.CHANGE,
        cast.supervisor.person_id,
    )
    assert policy_desk.well()


def test_a_level_changed_by_somebody_else_meanwhile_is_refused(policy_desk, now):
    policy_desk.open()
    set_level(policy_desk, CustomerLevel.KEY, now)
    with pytest.raises(Refusal, match="changed_meanwhile"):
        policy_desk.do(
            set_customer_level,
            customer_id=policy_desk.customer,
            version=1,
            level=CustomerLevel.STANDARD,
        )


def test_the_level_of_a_case_is_shown_with_the_open_cases_that_follow_it(policy_desk, now, cast):
    case = policy_desk.open()
    row = look(find_level, actor=cast.sales, now=now, ticket_id=case)
    assert (row.level, row.open_cases) == (CustomerLevel.STANDARD, 1)
