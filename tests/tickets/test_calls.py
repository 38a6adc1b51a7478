"""Calls to the hotline: answered in time or not, called back, and kept with the steps of the script."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db import session as database
from db.codes import (
    CallStep,
    Channel,
    EventKind,
    FaultCode,
    Priority,
    Verdict,
    WaitingFor,
)
from db.models.tickets import PhoneCall, Ticket, TicketEvent
from lib.shared.errors import Refusal
from lib.shared.work import look, perform
from lib.tickets import actions, calls, queries
from lib.tickets.calls import CallOutcome, CallTold
from lib.tickets.intake import Caller, Place, attach_call, take_call

PHONE = "138 1234 5678"


def told_of(now, **changes):
    """A call as the entry form tells it."""
    return {
        "caller": Caller(company="东方宾馆", contact="李娜", phone=PHONE),
        "place": Place(),
        "channel": Channel.PHONE,
        "received_at": None,
        "fault": FaultCode.NOISE,
        "words": "",
        "priority": Priority.P3,
        **changes,
    }


def log(cast, now, outcome, waited=None, *, ago=60, **changes):
    told = {"phone": PHONE} | changes
    return perform(
        calls.log_call,
        actor=cast.hotline,
        now=now,
        outcome=outcome,
        offered_at=now - timedelta(seconds=ago),
        waited_seconds=waited,
        **told,
    )


def row(call_id):
    with database.ReadSession() as session:
        return session.get(PhoneCall, call_id)


def refused(action, *arguments, **named):
    with pytest.raises(Refusal) as refusal:
        action(*arguments, **named)
    return refusal.value.key


def test_s13_a_call_is_answered_in_time_within_three_rings_and_missed_a_second_later(cast, now):
    log(cast, now, CallOutcome.ANSWERED, 3 * calls.RING_SECONDS)
    log(cast, now, CallOutcome.ANSWERED, 3 * calls.RING_SECONDS + 1)
    late, in_time = look(
        calls.list_calls, actor=cast.hotline, now=now, since=now - timedelta(hours=1)
    )
    assert (in_time.verdict, late.verdict) == (Verdict.MET, Verdict.MISSED)
    assert in_time.callback_due_at is None


def test_s13_missed_and_abandoned_calls_are_called_back_within_30_working_minutes(cast, now):
    # Tuesday 17:50 in Shanghai: ten minutes are left today, twenty count tomorrow from nine.
    evening = datetime(2026, 11, 24, 9, 50, tzinfo=UTC)
    missed = log(cast, evening, CallOutcome.MISSED, ago=0)
    hung_up = log(cast, evening, CallOutcome.ABANDONED, 8, ago=8)
    for call_id in (missed, hung_up):
        assert row(call_id).callback_due_at == datetime(2026, 11, 25, 1, 20, tzinfo=UTC)
    due = look(calls.list_callbacks, actor=cast.hotline, now=evening)
    assert [call.id for call in due] == [missed, hung_up]
    assert not due[0].is_overdue
    later = look(calls.list_callbacks, actor=cast.hotline, now=evening + timedelta(days=1))
    assert later[0].is_overdue


def test_a_call_is_called_back_once(cast, now):
    call_id = log(cast, now, CallOutcome.MISSED)
    perform(calls.mark_called_back, actor=cast.hotline, now=now, call_id=call_id, version=1)
    assert row(call_id).called_back_by_id == cast.hotline.person_id
    assert look(calls.list_callbacks, actor=cast.hotline, now=now) == []
    again = {"actor": cast.hotline, "now": now, "call_id": call_id, "version": 2}
    assert refused(perform, calls.mark_called_back, **again) == "called_back_already"
    stale = again | {"version": 1}
    assert refused(perform, calls.mark_called_back, **stale) == "changed_meanwhile"
    answered = log(cast, now, CallOutcome.ANSWERED, 5)
    other = again | {"call_id": answered, "version": 1}
    assert refused(perform, calls.mark_called_back, **other) == "callback_not_wanted"


@pytest.mark.parametrize(
    ("outcome", "waited", "changes", "key"),
    [
        (CallOutcome.ABANDONED, None, {}, "call_wait_unclear"),
        (CallOutcome.RINGING, 5, {}, "call_wait_unclear"),
        (CallOutcome.ANSWERED, -1, {}, "call_wait_unclear"),
        (CallOutcome.ANSWERED, 3601, {"ago": 4000}, "call_wait_unclear"),
        (CallOutcome.ANSWERED, 30, {"ago": 10}, "call_in_future"),
        (CallOutcome.MISSED, None, {"phone": "没有"}, "phone_unclear"),
        (CallOutcome.MISSED, None, {"phone": ""}, "call_nobody"),
        (CallOutcome.MISSED, None, {"customer_id": 99}, "not_found"),
        (CallOutcome.MISSED, None, {"words": "x" * 401}, "words_too_long"),
    ],
)
def test_a_call_that_cannot_be_is_refused(cast, now, outcome, waited, changes, key):
    assert refused(log, cast, now, outcome, waited, **changes) == key


def test_the_contact_of_a_call_is_one_of_its_customer(cast, now):
    ticket_id = perform(take_call, actor=cast.hotline, now=now, **told_of(now))
    with database.ReadSession() as session:
        contact_id = session.get(Ticket, ticket_id).contact_id
    wrong = {"contact_id": contact_id, "customer_id": None, "phone": ""}
    assert refused(log, cast, now, CallOutcome.MISSED, **wrong) == "not_of_customer"


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([CallOutcome.ANSWERED, CallOutcome.ABANDONED, CallOutcome.MISSED]),
            st.integers(0, 40),
        ),
        max_size=12,
    )
)
def test_rule_18_a_call_abandoned_before_the_target_leaves_the_answer_rate(told):
    # The statement of the store is compared with the timer of each call.
    import tempfile
    from pathlib import Path

    from tests.cast import hire_cast
    from tests.conftest import fresh_address

    now = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_address("sqlite", Path(folder)) as address,
    ):
        database.configure(address, durable=False)
        try:
            cast = hire_cast(now)
            for outcome, waited in told:
                log(cast, now, outcome, waited)
            rate = look(
                calls.find_answer_rate,
                actor=cast.hotline,
                now=now,
                since=now - timedelta(hours=1),
                until=now + timedelta(hours=1),
            )
            with database.ReadSession() as session:
                verdicts = [
                    calls.verdict_of(call, now) for call in session.scalars(select(PhoneCall))
                ]
        finally:
            database.dispose()
    assert rate.met == verdicts.count(Verdict.MET)
    assert rate.missed == verdicts.count(Verdict.MISSED)
    assert rate.left_out == verdicts.count(Verdict.CANCELLED)
    assert rate.measured + rate.left_out == len(told)


def test_rule_18_the_answer_rate_counts_a_call_in_the_period_of_its_stop_or_due(cast, now):
    log(cast, now, CallOutcome.ANSWERED, 10)
    log(cast, now, CallOutcome.ANSWERED, 20)
    log(cast, now, CallOutcome.ABANDONED, 10)
    log(cast, now, CallOutcome.ABANDONED, 16)
    log(cast, now, CallOutcome.MISSED)
    log(cast, now, CallOutcome.ANSWERED, None)

    def rate(since, until):
        return look(calls.find_answer_rate, actor=cast.hotline, now=now, since=since, until=until)

    whole = rate(now - timedelta(hours=1), now)
    assert (whole.met, whole.missed, whole.left_out, whole.unmeasured) == (1, 3, 1, 1)
    assert (whole.abandoned, whole.unanswered) == (2, 1)
    assert whole.rate == 1 / 4
    # Offered at 09:59:00, answered at :10, due at :15.
    cut = now - timedelta(seconds=48)
    assert rate(now - timedelta(hours=1), cut).met == 1
    assert rate(now - timedelta(hours=1), cut).missed == 0
    assert rate(cut, now).missed == 3
    assert rate(now, now + timedelta(hours=1)).rate is None


def test_s18_to_s25_each_step_of_a_call_is_stamped_and_kept_with_it(cast, now):
    began = now - timedelta(seconds=42)
    steps = {
        CallStep.COMPANY: began + timedelta(seconds=5),
        CallStep.RECORD: began + timedelta(seconds=6),
        CallStep.CONTACT: began - timedelta(hours=3),
        CallStep.FAULT: now + timedelta(hours=3),
    }
    told = CallTold(began, steps)
    ticket_id = perform(take_call, actor=cast.hotline, now=now, **told_of(now, call=told))
    with database.ReadSession() as session:
        call = session.scalars(select(PhoneCall)).one()
        ticket = session.get(Ticket, ticket_id)
    assert (call.offered_at, call.answered_at, call.ended_at) == (began, began, now)
    assert (call.ticket_id, call.customer_id) == (ticket_id, ticket.customer_id)
    assert ticket.received_at == began
    assert call.answer_due_at is None
    stamps = {CallStep(step): datetime.fromisoformat(at) for step, at in call.steps.items()}
    assert stamps == {
        CallStep.COMPANY: began + timedelta(seconds=5),
        CallStep.RECORD: began + timedelta(seconds=6),
        CallStep.CONTACT: began,
        CallStep.FAULT: now,
        CallStep.SAVE: now,
    }


@pytest.mark.parametrize("ago", [timedelta(hours=13), timedelta(seconds=-1)])
def test_a_call_that_began_long_ago_or_will_begin_is_refused(cast, now, ago):
    told = told_of(now, call=CallTold(now - ago), received_at=now)
    assert refused(perform, take_call, actor=cast.hotline, now=now, **told) == "call_out_of_time"
    with database.ReadSession() as session:
        assert session.scalar(select(Ticket.id)) is None


def test_a_call_back_from_the_list_ends_it_with_the_saving(cast, now):
    missed = log(cast, now, CallOutcome.MISSED)
    told = CallTold(now, callback_of=missed)
    ticket_id = perform(take_call, actor=cast.hotline, now=now, **told_of(now, call=told))
    assert row(missed).called_back_at == now
    assert row(missed).ticket_id == ticket_id


def test_rule_10_a_call_noted_on_an_open_case_ends_waiting_for_the_customer(cast, now):
    ticket_id = perform(take_call, actor=cast.hotline, now=now, **told_of(now))
    with database.ReadSession() as session:
        version = session.get(Ticket, ticket_id).version
    perform(
        actions.start_waiting,
        actor=cast.hotline,
        now=now,
        ticket_id=ticket_id,
        version=version,
        waiting_for=WaitingFor.CUSTOMER,
        words="等客户确认",
        until_at=now + timedelta(days=1),
    )
    later = now + timedelta(minutes=10)
    perform(
        attach_call,
        actor=cast.hotline,
        now=later,
        ticket_id=ticket_id,
        words="再次来电",
        call=CallTold(later),
    )
    shown = look(queries.find_ticket, actor=cast.hotline, now=later, ticket_id=ticket_id)
    assert shown.waiting_for is None
    with database.ReadSession() as session:
        kinds = list(session.scalars(select(TicketEvent.kind)))
        call = session.scalars(select(PhoneCall)).one()
    assert EventKind.INBOUND in kinds
    assert call.ticket_id == ticket_id


def test_phones_of_calls_are_masked_for_roles_that_do_not_call(cast, now):
    log(cast, now, CallOutcome.MISSED)
    sales = look(calls.list_callbacks, actor=cast.sales, now=now)
    assert [call.phone for call in sales] == ["138****5678"]
    assert look(calls.list_callbacks, actor=cast.technician, now=now) == []
