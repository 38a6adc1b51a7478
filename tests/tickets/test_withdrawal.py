"""A step taken back within 10 seconds, a change within 10 minutes: as if it had never been (rules 13, 14)."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from db import session as database
from db.codes import (
    CommitmentKind,
    CommitmentState,
    EventKind,
    FaultCode,
    MissedCause,
    Priority,
    TicketStatus,
    TimerKind,
    TimerPhase,
    WaitingFor,
)
from db.models.tickets import TicketEvent, Timer
from lib.shared.errors import Refusal
from lib.shared.work import look, system
from lib.tickets import actions, checks, commitments
from lib.tickets.withdrawal import find_undo, withdraw_step


def take_back(desk, ticket_id, *, by):
    undo = look(find_undo, actor=by, now=desk.now, ticket_id=ticket_id)
    event_id = 0 if undo is None else undo.event_id
    desk.step(withdraw_step, ticket_id, by=by, event_id=event_id)


def timers(ticket_id):
    with database.ReadSession() as session:
        rows = session.scalars(select(Timer).where(Timer.ticket_id == ticket_id))
        return {
            (row.kind, row.cycle): (row.phase, row.due_at, row.stopped_at, row.missed_cause)
            for row in rows
        }


def assert_stored_is_derived(desk):
    assert look(checks.check_timers, actor=system("verify"), now=desk.now).fault is None


def test_rule_14_the_author_withdraws_a_change_within_10_minutes_as_if_it_had_not_been(desk):
    ticket_id = desk.take_call(priority=Priority.P3)
    before = timers(ticket_id)
    desk.pass_time(minutes=5)
    changes = {"priority": Priority.P1, "fault": FaultCode.NOISE}
    desk.step(actions.change_ticket, ticket_id, by=desk.cast.hotline, **changes)
    desk.pass_time(minutes=10)
    take_back(desk, ticket_id, by=desk.cast.hotline)
    ticket = desk.ticket(ticket_id)
    assert (ticket.priority, ticket.fault) == (Priority.P3, FaultCode.MOTOR_DEAD)
    assert timers(ticket_id) == before
    assert desk.events(ticket_id)[-2:] == [EventKind.CHANGED, EventKind.WITHDRAWN]
    assert_stored_is_derived(desk)


def test_rule_14_after_10_minutes_or_by_somebody_else_a_change_stays(desk):
    ticket_id = desk.take_call(priority=Priority.P3)
    desk.step(actions.change_ticket, ticket_id, by=desk.cast.hotline, priority=Priority.P1)
    with pytest.raises(Refusal, match="withdraw_too_late"):
        take_back(desk, ticket_id, by=desk.cast.supervisor)
    desk.pass_time(minutes=10, seconds=1)
    with pytest.raises(Refusal, match="withdraw_too_late"):
        take_back(desk, ticket_id, by=desk.cast.hotline)
    assert desk.ticket(ticket_id).priority is Priority.P1


def test_a_change_of_words_cannot_be_withdrawn_because_the_old_ones_are_not_kept(desk):
    ticket_id = desk.take_call()
    desk.step(actions.change_ticket, ticket_id, by=desk.cast.hotline, words="改了")
    assert look(find_undo, actor=desk.cast.hotline, now=desk.now, ticket_id=ticket_id) is None


def test_rule_13_a_step_undone_within_10_seconds_leaves_no_trace_in_the_timers(desk):
    ticket_id = desk.take_call()
    before = timers(ticket_id)
    desk.pass_time(minutes=3)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="按错了")
    assert desk.timer(ticket_id, TimerKind.FIRST_RESPONSE).phase is TimerPhase.STOPPED
    desk.pass_time(seconds=10)
    take_back(desk, ticket_id, by=desk.cast.hotline)
    assert timers(ticket_id) == before
    assert desk.ticket(ticket_id).status is TicketStatus.NEW
    assert desk.queue_row(ticket_id).due_kind is TimerKind.FIRST_RESPONSE
    assert_stored_is_derived(desk)


def test_rule_13_a_step_stays_after_10_seconds_or_once_something_was_recorded_since(desk):
    ticket_id = desk.take_call()
    desk.step(actions.log_attempt, ticket_id, by=desk.cast.hotline, words="无人接听")
    desk.pass_time(seconds=16)
    with pytest.raises(Refusal, match="withdraw_too_late"):
        take_back(desk, ticket_id, by=desk.cast.hotline)
    desk.step(actions.log_attempt, ticket_id, by=desk.cast.hotline, words="无人接听")
    desk.pass_time(seconds=2)
    desk.step(actions.take_ticket, ticket_id, by=desk.cast.supervisor)
    assert look(find_undo, actor=desk.cast.hotline, now=desk.now, ticket_id=ticket_id) is None


def test_rule_13_an_undone_assignment_gives_the_technician_back(desk):
    ticket_id = desk.take_call()
    for technician in (desk.cast.technician, desk.cast.second_technician):
        desk.pass_time(minutes=1)
        desk.step(
            actions.assign_technician,
            ticket_id,
            by=desk.cast.dispatcher,
            technician_id=technician.person_id,
        )
    take_back(desk, ticket_id, by=desk.cast.dispatcher)
    ticket = desk.ticket(ticket_id)
    assert (ticket.technician_id, ticket.status) == (
        desk.cast.technician.person_id,
        TicketStatus.ASSIGNED,
    )
    assert_stored_is_derived(desk)


def test_rule_13_an_undone_completion_takes_its_return_call_away(desk):
    ticket_id = desk.take_call()
    desk.pass_time(minutes=1)
    desk.step(actions.complete_ticket, ticket_id, by=desk.cast.hotline, words="好了")
    take_back(desk, ticket_id, by=desk.cast.hotline)
    assert desk.return_call(ticket_id) is None
    assert (desk.ticket(ticket_id).status, desk.ticket(ticket_id).completed_at) == (
        TicketStatus.NEW,
        None,
    )
    assert desk.timer(ticket_id, TimerKind.RETURN_CALL) is None
    desk.pass_time(minutes=1)
    desk.step(actions.complete_ticket, ticket_id, by=desk.cast.hotline, words="真好了")
    assert desk.return_call(ticket_id) is not None
    assert_stored_is_derived(desk)


def test_rule_13_an_undone_end_of_waiting_waits_on_as_before(desk):
    ticket_id = desk.take_call()
    until_at = desk.now + timedelta(days=1)
    desk.pass_time(minutes=1)
    desk.step(
        actions.start_waiting,
        ticket_id,
        by=desk.cast.hotline,
        waiting_for=WaitingFor.PARTS,
        words="等电机",
        until_at=until_at,
    )
    before = timers(ticket_id)
    desk.pass_time(minutes=1)
    desk.step(actions.end_waiting, ticket_id, by=desk.cast.hotline)
    take_back(desk, ticket_id, by=desk.cast.hotline)
    ticket = desk.ticket(ticket_id)
    assert (ticket.status, ticket.waiting_for, ticket.waiting_until) == (
        TicketStatus.WAITING,
        WaitingFor.PARTS,
        until_at,
    )
    assert ticket.waiting_owner_id == desk.cast.hotline.person_id
    assert timers(ticket_id) == before
    assert_stored_is_derived(desk)


def test_rule_13_an_undone_contact_opens_the_promise_that_it_kept(desk):
    ticket_id = desk.take_call()
    commitment_id = desk.do(
        commitments.make_promise,
        by=desk.cast.hotline,
        ticket_id=ticket_id,
        kind=CommitmentKind.CALL_BACK,
        due_at=desk.now + timedelta(minutes=30),
        words="",
    )
    desk.pass_time(minutes=5)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="")
    assert desk.commitment(commitment_id).state is CommitmentState.KEPT
    take_back(desk, ticket_id, by=desk.cast.hotline)
    assert desk.commitment(commitment_id).state is CommitmentState.OPEN
    assert [timer.phase for timer in desk.promises(ticket_id)] == [TimerPhase.RUNNING]
    assert_stored_is_derived(desk)


def test_rule_14_a_change_that_breached_leaves_no_miss_when_it_is_withdrawn(desk):
    ticket_id = desk.take_call(priority=Priority.P3)
    desk.pass_time(minutes=20)
    desk.step(actions.change_ticket, ticket_id, by=desk.cast.hotline, priority=Priority.P1)
    take_back(desk, ticket_id, by=desk.cast.hotline)
    with database.ReadSession() as session:
        causes = session.scalars(
            select(Timer.missed_cause).where(Timer.missed_cause == MissedCause.CHANGE)
        ).all()
        kinds = session.scalars(select(TicketEvent.kind)).all()
    assert causes == []
    assert EventKind.WITHDRAWN in kinds
