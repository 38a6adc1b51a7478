"""The life of a case through its actions, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from db import session as database
from db.codes import (
    CancelReason,
    Channel,
    EventKind,
    Priority,
    ReturnCallResult,
    ReturnCallState,
    TicketStatus,
    TimerKind,
    TimerPhase,
    WaitingFor,
)
from db.models.people import AuditRow, Change, ChangeHead
from db.models.tickets import NEVER_DUE, QueueRow, Ticket
from lib.customers.actions import add_contact, add_customer
from lib.shared.errors import Refusal
from lib.shared.work import perform
from lib.tickets import actions


def test_a_call_becomes_a_numbered_case_with_two_running_timers(desk):
    ticket_id = desk.take_call()
    assert desk.ticket(ticket_id).number == "CC-2026-000001"
    assert desk.ticket(desk.take_call()).number == "CC-2026-000002"
    response = desk.timer(ticket_id, TimerKind.FIRST_RESPONSE)
    resolution = desk.timer(ticket_id, TimerKind.RESOLUTION)
    assert response.due_at == desk.now + timedelta(minutes=30)
    # 27 working hours from Tuesday 10:00 are three days of nine hours: Friday 10:00 in Shanghai.
    assert resolution.due_at == datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
    assert desk.queue_row(ticket_id).due_at == int(response.due_at.timestamp())


def test_timers_start_when_the_case_was_received_not_when_it_was_typed(desk):
    received = desk.now - timedelta(minutes=45)
    ticket_id = desk.take_call(received_at=received, channel=Channel.FAX)
    response = desk.timer(ticket_id, TimerKind.FIRST_RESPONSE)
    assert response.due_at == received + timedelta(minutes=30) < desk.now


def test_a_refused_case_leaves_nothing_behind(desk):
    with pytest.raises(Refusal, match="received_in_future"):
        desk.take_call(received_at=desk.now + timedelta(minutes=1))
    with database.ReadSession() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 0
        assert session.scalar(select(func.count()).select_from(AuditRow)) == 0


def test_a_role_without_the_permit_is_refused(desk):
    for actor in (desk.cast.technician, desk.cast.auditor, desk.cast.outsider):
        with pytest.raises(Refusal, match="no_longer_allowed"):
            perform(
                actions.cancel_ticket,
                actor=actor,
                now=desk.now,
                ticket_id=1,
                version=1,
                reason=CancelReason.NOT_NEEDED,
                words="x",
            )


def test_a_new_case_is_found_by_its_company_and_by_its_contact(desk):
    customer_id = desk.do(add_customer, by=desk.cast.hotline, name="云山酒店", short_name="云山")
    contact_id = desk.do(
        add_contact,
        by=desk.cast.hotline,
        customer_id=customer_id,
        name="王建国",
        phone="139 1234 5678",
    )
    ticket_id = desk.take_call(customer_id=customer_id, contact_id=contact_id)
    with database.ReadSession() as session:
        row = session.get_one(QueueRow, ticket_id)
    for part in (row.number.lower(), "云山酒店", "ysjd", "|云山|", "wangjianguo", "|wjg"):
        assert part in row.search_key
    assert row.phone_digits == "13912345678"
    assert "1391" not in row.search_key


def test_the_first_contact_stops_the_first_response(desk):
    ticket_id = desk.take_call()
    desk.pass_time(minutes=10)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="已联系")
    response = desk.timer(ticket_id, TimerKind.FIRST_RESPONSE)
    assert (response.phase, response.stopped_at) == (TimerPhase.STOPPED, desk.now)
    assert desk.ticket(ticket_id).status is TicketStatus.CONTACTED
    assert desk.queue_row(ticket_id).due_kind is TimerKind.RESOLUTION


def test_a_contact_may_be_dated_back_but_not_before_the_receipt(desk):
    ticket_id = desk.take_call()
    received = desk.now
    desk.pass_time(hours=1)
    with pytest.raises(Refusal, match="contact_out_of_time"):
        desk.step(
            actions.log_contact,
            ticket_id,
            by=desk.cast.hotline,
            words="",
            at=received - timedelta(seconds=1),
        )
    at = received + timedelta(minutes=20)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="", at=at)
    assert desk.timer(ticket_id, TimerKind.FIRST_RESPONSE).stopped_at == at


def test_waiting_for_parts_pauses_the_resolution_and_waiting_for_the_maker_does_not(desk):
    ticket_id = desk.take_call()
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="")
    desk.step(
        actions.start_waiting,
        ticket_id,
        by=desk.cast.dispatcher,
        waiting_for=WaitingFor.PARTS,
        words="等电机",
        until_at=desk.now + timedelta(days=1),
    )
    row = desk.queue_row(ticket_id)
    assert (row.paused, row.due_at, row.remaining_seconds) == (True, NEVER_DUE, 27 * 3600)
    desk.pass_time(hours=2)
    desk.step(
        actions.start_waiting,
        ticket_id,
        by=desk.cast.dispatcher,
        waiting_for=WaitingFor.MAKER,
        words="等厂家",
        until_at=desk.now + timedelta(days=1),
    )
    resolution = desk.timer(ticket_id, TimerKind.RESOLUTION)
    assert resolution.phase is TimerPhase.RUNNING
    # The due moved by exactly the two working hours of the pause.
    assert resolution.due_at == datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
    desk.step(actions.end_waiting, ticket_id, by=desk.cast.dispatcher)
    assert desk.ticket(ticket_id).waiting_for is None


def test_waiting_needs_a_reason(desk):
    ticket_id = desk.take_call()
    with pytest.raises(Refusal, match="words_missing"):
        desk.step(
            actions.start_waiting,
            ticket_id,
            by=desk.cast.hotline,
            waiting_for=WaitingFor.CUSTOMER,
            words=" ",
            until_at=desk.now + timedelta(days=1),
        )
    assert desk.ticket(ticket_id).status is TicketStatus.NEW


def completed_case(desk):
    ticket_id = desk.take_call()
    desk.step(
        actions.assign_technician,
        ticket_id,
        by=desk.cast.dispatcher,
        technician_id=desk.cast.technician.person_id,
    )
    desk.step(actions.log_contact, ticket_id, by=desk.cast.technician, words="半小时后到")
    desk.step(actions.complete_ticket, ticket_id, by=desk.cast.technician, words="换了电机")
    return ticket_id


def test_completion_opens_a_return_call_due_in_one_working_day(desk):
    ticket_id = completed_case(desk)
    call = desk.return_call(ticket_id)
    assert (call.state, call.due_at) == (ReturnCallState.OPEN, desk.now + timedelta(days=1))
    row = desk.queue_row(ticket_id)
    assert (row.due_kind, row.return_call_open) == (TimerKind.RETURN_CALL, True)
    assert desk.timer(ticket_id, TimerKind.RESOLUTION).phase is TimerPhase.STOPPED


@pytest.mark.parametrize("result", [ReturnCallResult.FIXED, ReturnCallResult.DECLINED])
def test_a_reached_or_declined_return_call_closes_the_case(desk, result):
    ticket_id = completed_case(desk)
    assert desk.call_back(ticket_id, result) == {"closed": True, "reopened": False}
    assert desk.ticket(ticket_id).status is TicketStatus.CLOSED
    assert desk.queue_row(ticket_id) is None


def test_the_third_unanswered_try_closes_the_case(desk):
    ticket_id = completed_case(desk)
    for _ in range(2):
        assert not desk.call_back(ticket_id, ReturnCallResult.NO_ANSWER)["closed"]
        assert desk.ticket(ticket_id).status is TicketStatus.COMPLETED
    assert desk.call_back(ticket_id, ReturnCallResult.NO_ANSWER)["closed"]
    assert desk.return_call(ticket_id).state is ReturnCallState.UNREACHED


def test_not_fixed_reopens_the_case_as_a_new_cycle(desk):
    ticket_id = completed_case(desk)
    desk.pass_time(hours=3)
    assert desk.call_back(ticket_id, ReturnCallResult.NOT_FIXED)["reopened"]
    ticket = desk.ticket(ticket_id)
    assert (ticket.status, ticket.cycle, ticket.completed_at) == (TicketStatus.ASSIGNED, 2, None)
    again = desk.timer(ticket_id, TimerKind.RESOLUTION, cycle=2)
    assert (again.phase, again.started_at) == (TimerPhase.RUNNING, desk.now)
    assert desk.timer(ticket_id, TimerKind.RESOLUTION, cycle=1).phase is TimerPhase.STOPPED
    desk.step(actions.complete_ticket, ticket_id, by=desk.cast.technician, words="再修")
    assert desk.call_back(ticket_id, ReturnCallResult.FIXED, cycle=2)["closed"]


def test_an_ended_return_call_takes_no_further_try(desk):
    ticket_id = completed_case(desk)
    desk.call_back(ticket_id, ReturnCallResult.FIXED)
    with pytest.raises(Refusal, match="return_call_ended"):
        desk.call_back(ticket_id, ReturnCallResult.FIXED)


def test_a_technician_works_on_his_own_cases_only(desk):
    ticket_id = desk.take_call()
    desk.step(
        actions.assign_technician,
        ticket_id,
        by=desk.cast.dispatcher,
        technician_id=desk.cast.technician.person_id,
    )
    with pytest.raises(Refusal, match="not_your_ticket"):
        desk.step(actions.log_contact, ticket_id, by=desk.cast.second_technician, words="")


def test_only_an_active_technician_can_be_sent(desk):
    ticket_id = desk.take_call()
    with pytest.raises(Refusal, match="not_a_technician"):
        desk.step(
            actions.assign_technician,
            ticket_id,
            by=desk.cast.dispatcher,
            technician_id=desk.cast.hotline.person_id,
        )


def test_the_second_of_two_savers_is_told_and_changes_nothing(desk):
    ticket_id = desk.take_call()
    seen = desk.ticket(ticket_id).version
    save = {"ticket_id": ticket_id, "version": seen}
    desk.do(actions.change_ticket, by=desk.cast.hotline, priority=Priority.P1, **save)
    with pytest.raises(Refusal, match="changed_meanwhile"):
        desk.do(actions.change_ticket, by=desk.cast.supervisor, priority=Priority.P4, **save)
    assert desk.ticket(ticket_id).priority is Priority.P1


def test_a_cancelled_case_leaves_the_queue_and_its_timers_stop_counting(desk):
    ticket_id = desk.take_call()
    desk.step(
        actions.cancel_ticket,
        ticket_id,
        by=desk.cast.supervisor,
        reason=CancelReason.NOT_NEEDED,
        words="重复来电",
    )
    assert desk.queue_row(ticket_id) is None
    assert desk.timer(ticket_id, TimerKind.RESOLUTION).phase is TimerPhase.CANCELLED
    with pytest.raises(Refusal, match="ticket_ended"):
        desk.step(actions.take_ticket, ticket_id, by=desk.cast.hotline)


def test_every_step_stands_on_the_timeline_and_on_the_live_stream(desk):
    ticket_id = completed_case(desk)
    desk.call_back(ticket_id, ReturnCallResult.FIXED)
    assert desk.events(ticket_id) == [
        EventKind.RECEIVED,
        EventKind.ASSIGNED,
        EventKind.CONTACTED,
        EventKind.COMPLETED,
        EventKind.RETURN_CALL,
        EventKind.CLOSED,
    ]
    with database.ReadSession() as session:
        touched = session.scalars(select(Change.number).order_by(Change.number)).all()
        assert list(touched) == [1, 2, 3, 4, 5]
        assert session.scalar(select(ChangeHead.number)) == 5
