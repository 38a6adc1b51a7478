"""Links, splits, and a fault that is back, through the actions on both databases (rule 13)."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from db import session as database
from db.codes import (
    CancelReason,
    EventKind,
    FaultCode,
    LinkKind,
    MissedCause,
    ReturnCallResult,
    ReturnCallState,
    TicketStatus,
    TimerKind,
    TimerPhase,
)
from db.models.people import AuditRow
from db.models.tickets import TicketEvent, TicketLink
from lib.shared.errors import Refusal
from lib.shared.work import look, system
from lib.tickets import actions
from lib.tickets.checks import check_timers
from lib.tickets.links import (
    Return,
    how_by_record,
    link_tickets,
    split_ticket,
    take_back,
    unlink_tickets,
)
from lib.tickets.merges import merge_tickets, undo_merge
from lib.tickets.relations import Tie, list_relations

RESOLUTION = TimerKind.RESOLUTION


def link(desk, one, another, kind=LinkKind.RELATED):
    return desk.do(link_tickets, by=desk.cast.hotline, ticket_id=one, other_id=another, kind=kind)


def links():
    with database.ReadSession() as session:
        return [
            (each.ticket_id, each.other_id, each.kind)
            for each in session.scalars(select(TicketLink).order_by(TicketLink.id))
        ]


def event_of(ticket_id, kind):
    with database.ReadSession() as session:
        return session.scalars(
            select(TicketEvent).where(TicketEvent.ticket_id == ticket_id, TicketEvent.kind == kind)
        ).first()


def audited(action):
    with database.ReadSession() as session:
        return list(session.scalars(select(AuditRow.details).where(AuditRow.action == action)))


def closed_case(desk, result):
    ticket_id = desk.take_call()
    desk.step(actions.complete_ticket, ticket_id, by=desk.cast.supervisor, words="修好")
    desk.pass_time(hours=1)
    for _ in range(3 if result is ReturnCallResult.NO_ANSWER else 1):
        desk.call_back(ticket_id, result)
    desk.pass_time(hours=1)
    return ticket_id


def come_back(desk, ticket_id, how, **told):
    return desk.step(take_back, ticket_id, by=desk.cast.hotline, how=how, words="又坏了", **told)


def assert_verified(desk):
    report = look(check_timers, actor=system("test"), now=desk.now)
    assert report.fault is None, report.fault


def test_two_cases_are_linked_once_and_both_tell_it(desk):
    one, another = desk.take_call(), desk.take_call()
    link_id = link(desk, one, another)
    assert links() == [(one, another, LinkKind.RELATED)]
    assert desk.events(one)[-1] is desk.events(another)[-1] is EventKind.LINKED
    for pair in ((one, another), (another, one)):
        with pytest.raises(Refusal, match="linked_already"):
            link(desk, *pair, kind=LinkKind.DUPLICATE)
    desk.do(unlink_tickets, by=desk.cast.hotline, link_id=link_id)
    assert links() == []
    assert audited("ticket.unlinked") == [{"other_id": another, "kind": "related"}]


def test_a_link_to_itself_or_to_a_cancelled_case_is_refused(desk):
    one, another = desk.take_call(), desk.take_call()
    with pytest.raises(Refusal, match="link_itself"):
        link(desk, one, one)
    with pytest.raises(Refusal, match="link_by_verb"):
        link(desk, one, another, kind=LinkKind.RECURRENCE)
    cancel = {"reason": CancelReason.NOT_NEEDED, "words": "不需要"}
    desk.step(actions.cancel_ticket, another, by=desk.cast.supervisor, **cancel)
    with pytest.raises(Refusal, match="link_cancelled"):
        link(desk, one, another)
    with pytest.raises(Refusal, match="link_cancelled"):
        link(desk, another, one)


def test_rule_13_a_split_off_case_is_received_when_its_message_was_and_misses_stay_behind(desk):
    old = desk.take_call(received_at=desk.now - timedelta(hours=2))
    desk.step(actions.log_inbound, old, by=desk.cast.hotline, words="窗帘也撕破了")
    message = event_of(old, EventKind.INBOUND)
    desk.pass_time(minutes=10)
    new = desk.step(
        split_ticket,
        old,
        by=desk.cast.hotline,
        event_id=message.id,
        fault=FaultCode.FABRIC_TORN,
        words="窗帘撕破",
    )
    case = desk.ticket(new)
    assert (case.received_at, case.fault) == (message.at, FaultCode.FABRIC_TORN)
    first = desk.timer(new, TimerKind.FIRST_RESPONSE)
    assert (first.started_at, first.missed_cause) == (message.at, None)
    assert links() == [(new, old, LinkKind.SPLIT)]
    assert desk.events(old)[-1] is EventKind.SPLIT_OFF
    assert desk.timer(old, TimerKind.FIRST_RESPONSE).due_at < desk.now, "it stays overdue itself"
    assert_verified(desk)
    with pytest.raises(Refusal, match="split_no_message"):
        desk.step(
            split_ticket,
            new,
            by=desk.cast.hotline,
            event_id=message.id,
            fault=FaultCode.NOISE,
            words="x",
        )


def test_rule_13_confirmed_and_back_is_a_new_linked_case(desk):
    old = closed_case(desk, ReturnCallResult.FIXED)
    new = come_back(desk, old, Return.RECURRENCE)
    assert new != old
    assert links() == [(new, old, LinkKind.RECURRENCE)]
    assert desk.ticket(new).received_at == desk.now
    assert desk.ticket(old).status is TicketStatus.CLOSED
    assert audited("ticket.taken_back_against_record") == []
    assert_verified(desk)


@pytest.mark.parametrize("result", [ReturnCallResult.DECLINED, ReturnCallResult.NO_ANSWER])
def test_rule_13_never_confirmed_and_back_is_a_new_cycle_of_the_same_case(desk, result):
    old = closed_case(desk, result)
    assert come_back(desk, old, Return.REOPENING) == old
    case = desk.ticket(old)
    assert (case.status, case.cycle, case.closed_at) == (TicketStatus.NEW, 2, None)
    again = desk.timer(old, RESOLUTION, cycle=2)
    assert (again.phase, again.started_at) == (TimerPhase.RUNNING, desk.now)
    assert desk.timer(old, RESOLUTION).phase is TimerPhase.STOPPED
    assert desk.queue_row(old) is not None
    assert_verified(desk)
    desk.step(actions.complete_ticket, old, by=desk.cast.supervisor, words="再修")
    assert desk.call_back(old, ReturnCallResult.FIXED, cycle=2)["closed"]
    assert_verified(desk)


def test_rule_13_before_the_return_call_the_same_case_goes_on_and_the_call_is_over(desk):
    old = desk.take_call()
    desk.step(actions.complete_ticket, old, by=desk.cast.supervisor, words="修好")
    desk.pass_time(minutes=30)
    assert come_back(desk, old, Return.REOPENING) == old
    assert desk.return_call(old).state is ReturnCallState.DONE
    assert desk.ticket(old).cycle == 2
    assert_verified(desk)


@pytest.mark.parametrize(
    ("result", "how"),
    [
        (ReturnCallResult.FIXED, Return.REOPENING),
        (ReturnCallResult.NO_ANSWER, Return.RECURRENCE),
    ],
)
def test_rule_13_a_choice_against_the_record_needs_a_reason_and_is_audited(desk, result, how):
    old = closed_case(desk, result)
    with pytest.raises(Refusal, match="return_reason_missing"):
        come_back(desk, old, how)
    come_back(desk, old, how, reason="客户说从未修好")
    assert audited("ticket.taken_back_against_record")[0]["how"] == how
    assert_verified(desk)


def test_rule_13_what_the_record_says(desk):
    assert how_by_record(ReturnCallState.DONE, TicketStatus.CLOSED) is Return.RECURRENCE
    for state in (ReturnCallState.DECLINED, ReturnCallState.UNREACHED, None):
        assert how_by_record(state, TicketStatus.CLOSED) is Return.REOPENING
    assert how_by_record(ReturnCallState.OPEN, TicketStatus.COMPLETED) is Return.REOPENING


def test_an_open_case_does_not_come_back(desk):
    with pytest.raises(Refusal, match="not_completed"):
        come_back(desk, desk.take_call(), Return.REOPENING)


def test_rule_11_a_reopening_keeps_the_miss_of_the_cycle_before(desk):
    old = desk.take_call()
    desk.pass_time(days=30)
    desk.step(actions.complete_ticket, old, by=desk.cast.supervisor, words="修好")
    desk.call_back(old, ReturnCallResult.DECLINED)
    come_back(desk, old, Return.REOPENING)
    assert desk.timer(old, RESOLUTION).missed_cause is MissedCause.TIME
    assert_verified(desk)


def test_the_page_of_a_case_names_the_others_and_what_may_be_the_same_report(desk):
    one, twin = desk.take_call(), desk.take_call()
    other_fault = desk.take_call(fault=FaultCode.NOISE)
    long_ago = desk.take_call(received_at=desk.now - timedelta(days=31))

    def ties(ticket_id):
        rows = look(list_relations, actor=desk.cast.hotline, now=desk.now, ticket_id=ticket_id)
        return {row.id: row.tie for row in rows}

    assert ties(one) == {twin: Tie.POSSIBLE}
    link(desk, one, other_fault, LinkKind.DUPLICATE)
    assert ties(one) == {twin: Tie.POSSIBLE, other_fault: Tie.DUPLICATE}
    version = desk.ticket(twin).version
    told = {"absorbed_id": twin, "survivor_id": one, "version": version}
    merge_id = desk.do(merge_tickets, by=desk.cast.hotline, **told)
    assert ties(one) == {twin: Tie.ABSORBED, other_fault: Tie.DUPLICATE}
    assert ties(twin) == {one: Tie.INTO}
    desk.do(undo_merge, by=desk.cast.hotline, merge_id=merge_id)
    assert ties(twin) == {one: Tie.POSSIBLE}
    assert ties(long_ago) == {}
    with pytest.raises(Refusal, match="ticket_not_found"):
        look(list_relations, actor=desk.cast.technician, now=desk.now, ticket_id=one)
