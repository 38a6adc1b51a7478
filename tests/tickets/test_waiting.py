"""Waiting needs a reason, somebody who waits and an expected end; other rules of the stored facts (rules 1 to 22)."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from db import session as database
from db.codes import (
    CancelReason,
    Channel,
    CommitmentKind,
    EventKind,
    FaultCode,
    MissedCause,
    NoticeKind,
    Priority,
    TicketStatus,
    TimerKind,
    TimerPhase,
    WaitingFor,
)
from db.models.messages import Notice, NoticeReceipt
from db.models.tickets import Commitment, TicketEvent
from lib.shared.errors import Refusal
from lib.shared.settings import settings
from lib.shared.work import look, system
from lib.tickets import actions, checks
from lib.tickets.intake import Caller, Place, take_call
from lib.tickets.queries import list_timers
from lib.tickets.waits import find_wait


def wait(desk, ticket_id, waiting_for=WaitingFor.CUSTOMER, **changes):
    told = {"words": "等客户确认", "until_at": desk.now + timedelta(hours=24)} | changes
    desk.step(
        actions.start_waiting, ticket_id, by=desk.cast.hotline, waiting_for=waiting_for, **told
    )


def assert_stored_is_derived(desk):
    assert look(checks.check_timers, actor=system("verify"), now=desk.now).fault is None


def test_rule_10_a_pause_keeps_its_expected_end_and_who_waits(desk):
    ticket_id = desk.take_call()
    wait(desk, ticket_id)
    ticket, row = desk.ticket(ticket_id), desk.queue_row(ticket_id)
    until = desk.now + timedelta(hours=24)
    assert (ticket.waiting_until, ticket.waiting_owner_id) == (
        until,
        desk.cast.hotline.person_id,
    )
    assert row.waiting_until == int(until.timestamp())
    with database.ReadSession() as session:
        told = session.scalar(
            select(TicketEvent.details).where(TicketEvent.kind == EventKind.WAITING_STARTED)
        )
    assert told == {
        "until_at": until.isoformat(),
        "waiting_owner_id": desk.cast.hotline.person_id,
    }
    desk.step(actions.end_waiting, ticket_id, by=desk.cast.hotline)
    ticket, row = desk.ticket(ticket_id), desk.queue_row(ticket_id)
    assert (ticket.waiting_until, ticket.waiting_owner_id, row.waiting_until) == (None, None, None)
    assert_stored_is_derived(desk)


@pytest.mark.parametrize(
    ("hours", "refusal"),
    [(None, "waiting_until_missing"), (0, "waiting_until_past"), (-1, "waiting_until_past")],
)
def test_rule_10_a_pause_without_an_end_to_come_is_refused(desk, hours, refusal):
    ticket_id = desk.take_call()
    until_at = None if hours is None else desk.now + timedelta(hours=hours)
    with pytest.raises(Refusal, match=refusal):
        wait(desk, ticket_id, until_at=until_at)
    assert desk.ticket(ticket_id).status is TicketStatus.NEW


def test_rule_10_somebody_of_the_desk_waits(desk):
    ticket_id = desk.take_call()
    with pytest.raises(Refusal, match="waiting_owner_unknown"):
        wait(desk, ticket_id, owner_id=4711)
    wait(desk, ticket_id, owner_id=desk.cast.dispatcher.person_id)
    assert desk.ticket(ticket_id).waiting_owner_id == desk.cast.dispatcher.person_id


def test_rule_10_inbound_contact_ends_only_a_pause_that_waits_for_the_customer(desk):
    for waiting_for, goes_on in ((WaitingFor.CUSTOMER, False), (WaitingFor.PARTS, True)):
        ticket_id = desk.take_call()
        wait(desk, ticket_id, waiting_for)
        desk.pass_time(minutes=5)
        desk.step(actions.log_inbound, ticket_id, by=desk.cast.hotline, words="客户来电")
        assert (desk.ticket(ticket_id).status is TicketStatus.WAITING) is goes_on
        phase = desk.timer(ticket_id, TimerKind.RESOLUTION).phase
        assert (phase is TimerPhase.PAUSED) is goes_on
    assert_stored_is_derived(desk)


def test_rule_10_who_waits_for_others_is_told_when_the_customer_got_in_touch(desk):
    ticket_id = desk.take_call()
    wait(desk, ticket_id, WaitingFor.PARTS, owner_id=desk.cast.dispatcher.person_id)
    desk.pass_time(minutes=5)
    desk.step(actions.log_inbound, ticket_id, by=desk.cast.hotline, words="客户来电")
    with database.ReadSession() as session:
        (notice,) = session.scalars(select(Notice)).all()
        (receipt,) = session.scalars(select(NoticeReceipt)).all()
    assert (notice.kind, notice.ticket_id) == (NoticeKind.REMINDER, ticket_id)
    assert receipt.person_id == desk.cast.dispatcher.person_id


def test_rule_1_a_contact_entered_late_but_made_in_time_is_no_breach(desk):
    ticket_id = desk.take_call()
    in_time = desk.now + timedelta(minutes=20)
    desk.pass_time(hours=2)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="", at=in_time)
    timer = desk.timer(ticket_id, TimerKind.FIRST_RESPONSE)
    assert (timer.stopped_at, timer.missed_cause) == (in_time, None)
    assert_stored_is_derived(desk)


def test_rule_1_a_late_entry_is_flagged_on_its_timer(desk):
    ticket_id = desk.take_call()
    in_time = desk.now + timedelta(minutes=20)
    desk.pass_time(minutes=25)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="", at=in_time)

    def response():
        rows = look(list_timers, actor=desk.cast.hotline, now=desk.now, ticket_id=ticket_id)
        return next(row for row in rows if row.kind is TimerKind.FIRST_RESPONSE)

    assert not response().late_entry
    another = desk.take_call()
    in_time = desk.now + timedelta(minutes=20)
    desk.pass_time(hours=1)
    desk.step(actions.log_contact, another, by=desk.cast.hotline, words="", at=in_time)
    ticket_id = another
    assert response().late_entry


def test_rule_9_the_expected_due_uses_the_expected_end_of_the_wait(desk):
    ticket_id = desk.take_call()
    assert look(find_wait, actor=desk.cast.hotline, now=desk.now, ticket_id=ticket_id) is None
    due_at = desk.timer(ticket_id, TimerKind.RESOLUTION).due_at
    wait(desk, ticket_id, WaitingFor.PARTS, until_at=desk.now + timedelta(hours=2))
    told = look(find_wait, actor=desk.cast.hotline, now=desk.now, ticket_id=ticket_id)
    assert (told.waiting_for, told.owner) == (WaitingFor.PARTS, desk.cast.hotline.name)
    assert (TimerKind.RESOLUTION, due_at + timedelta(hours=2)) in told.expected
    desk.pass_time(hours=3)
    late = look(find_wait, actor=desk.cast.hotline, now=desk.now, ticket_id=ticket_id)
    assert (late.is_over, late.expected) == (True, [])


def test_rule_1_a_completion_may_be_dated_back_within_its_cycle_only(desk):
    ticket_id = desk.take_call()
    received = desk.now
    desk.pass_time(hours=5)
    complete = {"by": desk.cast.hotline, "words": "好了"}
    for at in (received - timedelta(seconds=1), desk.now + timedelta(seconds=1)):
        with pytest.raises(Refusal, match="completed_out_of_time"):
            desk.step(actions.complete_ticket, ticket_id, at=at, **complete)
    at = received + timedelta(hours=1)
    desk.step(actions.complete_ticket, ticket_id, at=at, **complete)
    assert desk.ticket(ticket_id).completed_at == at
    assert desk.timer(ticket_id, TimerKind.RESOLUTION).stopped_at == at
    call = desk.return_call(ticket_id)
    assert call.due_at == desk.timer(ticket_id, TimerKind.RETURN_CALL).due_at
    assert_stored_is_derived(desk)


def take(desk, channel, received_at=None):
    return desk.do(
        take_call,
        by=desk.cast.hotline,
        caller=Caller(company="明湖公寓", contact="何静", phone="13912340000"),
        place=Place(),
        channel=channel,
        received_at=received_at,
        fault=FaultCode.NOISE,
        words="",
        priority=Priority.P3,
    )


def test_rule_12_an_answered_call_is_the_first_response_and_the_call_back_is_promised(desk):
    desk.pass_time(seconds=42)
    ticket_id = take(desk, Channel.PHONE)
    response = desk.timer(ticket_id, TimerKind.FIRST_RESPONSE)
    assert (response.phase, response.stopped_at) == (TimerPhase.STOPPED, desk.now)
    (promise,) = desk.promises(ticket_id)
    # 10:00:42 and 30 minutes, rounded up to the full minute (rule 28).
    assert promise.due_at == desk.now - timedelta(seconds=42) + timedelta(minutes=31)
    assert desk.queue_row(ticket_id).due_kind is TimerKind.PROMISE
    with database.ReadSession() as session:
        stored = session.scalars(select(Commitment)).one()
    assert (stored.kind, stored.promised_at) == (CommitmentKind.CALL_BACK, desk.now)
    assert stored.policy_id == response.policy_id
    assert_stored_is_derived(desk)


def test_rule_28_the_promise_counts_from_the_receipt_even_if_it_is_saved_later(desk):
    received = desk.now
    desk.pass_time(minutes=2, seconds=8)
    ticket_id = take(desk, Channel.PHONE, received)
    assert desk.promises(ticket_id)[0].due_at == received + timedelta(minutes=30)


def test_rule_12_a_setting_lets_only_the_call_back_count(desk, monkeypatch):
    monkeypatch.setenv("ANSWERED_CALL_IS_RESPONSE", "false")
    settings.cache_clear()
    try:
        ticket_id = take(desk, Channel.PHONE)
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert desk.timer(ticket_id, TimerKind.FIRST_RESPONSE).phase is TimerPhase.RUNNING
    assert len(desk.promises(ticket_id)) == 1


def test_rule_12_a_case_that_came_in_writing_waits_for_a_contact(desk):
    ticket_id = take(desk, Channel.EMAIL)
    assert desk.timer(ticket_id, TimerKind.FIRST_RESPONSE).phase is TimerPhase.RUNNING
    assert desk.promises(ticket_id) == []


def test_rule_18_cancelling_asks_for_a_reason_and_keeps_a_miss(desk):
    ticket_id = desk.take_call()
    desk.pass_time(hours=1)
    cancel = {"by": desk.cast.hotline, "words": "客户自行解决"}
    with pytest.raises(Refusal, match="cancel_reason_missing"):
        desk.step(actions.cancel_ticket, ticket_id, reason=None, **cancel)
    desk.step(actions.cancel_ticket, ticket_id, reason=CancelReason.NOT_NEEDED, **cancel)
    assert desk.ticket(ticket_id).cancel_reason is CancelReason.NOT_NEEDED
    timer = desk.timer(ticket_id, TimerKind.FIRST_RESPONSE)
    assert timer.missed_cause is MissedCause.TIME


@pytest.mark.parametrize(
    ("reason", "left_out"),
    [
        (CancelReason.NOT_NEEDED, False),
        (CancelReason.OTHER, False),
        (CancelReason.DUPLICATE, True),
        (CancelReason.SPAM, True),
    ],
)
def test_rule_18_a_duplicate_and_spam_leave_the_rate(desk, reason, left_out):
    ticket_id = desk.take_call()
    desk.pass_time(hours=1)
    desk.step(
        actions.cancel_ticket, ticket_id, by=desk.cast.hotline, reason=reason, words="不用处理"
    )
    timer = desk.timer(ticket_id, TimerKind.FIRST_RESPONSE)
    assert (timer.missed_cause, timer.left_out) == (MissedCause.TIME, left_out)
    assert_stored_is_derived(desk)


def test_the_next_action_stands_in_the_queue_row_and_lies_ahead(desk):
    ticket_id = desk.take_call()
    with pytest.raises(Refusal, match="next_action_past"):
        desk.step(actions.set_next_action, ticket_id, by=desk.cast.hotline, at=desk.now)
    at = desk.now + timedelta(days=2)
    desk.step(actions.set_next_action, ticket_id, by=desk.cast.hotline, at=at, words="问到货")
    assert desk.ticket(ticket_id).next_action_at == at
    assert desk.queue_row(ticket_id).next_action_at == int(at.timestamp())
    desk.step(actions.set_next_action, ticket_id, by=desk.cast.hotline, at=None)
    assert desk.queue_row(ticket_id).next_action_at is None
    assert_stored_is_derived(desk)


def test_every_step_moves_a_case_and_a_note_does_not(desk):
    ticket_id = desk.take_call()
    opened = int(desk.now.timestamp())
    assert desk.queue_row(ticket_id).moved_at == opened
    desk.pass_time(hours=3)
    desk.do(actions.add_note, by=desk.cast.hotline, ticket_id=ticket_id, words="备注")
    desk.step(actions.take_ticket, ticket_id, by=desk.cast.supervisor)
    assert desk.queue_row(ticket_id).moved_at == opened + 3 * 3600
    assert_stored_is_derived(desk)
