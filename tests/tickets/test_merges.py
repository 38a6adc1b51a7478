"""Two reports of one fault as one case, and apart again (rule 17), through the actions on both databases."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db import session as database
from db.codes import (
    CancelReason,
    Channel,
    CommitmentKind,
    EventKind,
    MissedCause,
    Priority,
    TicketStatus,
    TimerKind,
    TimerPhase,
    Verdict,
    WaitingFor,
)
from db.models.tickets import Commitment, TicketMerge, Timer
from lib.reports import rules as report_rules
from lib.reports.queries import list_cases, read_dashboard
from lib.reports.rules import Behind, Days, Measure
from lib.shared.errors import Refusal
from lib.shared.work import look, system
from lib.tickets import actions
from lib.tickets.checks import check_timers
from lib.tickets.commitments import change_promise, make_promise
from lib.tickets.merges import merge_tickets, undo_merge
from lib.tickets.timers import TimerState, verdict

RESPONSE, RESOLUTION = TimerKind.FIRST_RESPONSE, TimerKind.RESOLUTION


def merge(desk, absorbed, survivor, by=None) -> int:
    version = desk.ticket(absorbed).version
    return desk.do(
        merge_tickets,
        by=by or desk.cast.hotline,
        absorbed_id=absorbed,
        survivor_id=survivor,
        version=version,
        words="同一故障",
    )


def undo(desk, merge_id):
    return desk.do(undo_merge, by=desk.cast.hotline, merge_id=merge_id)


def two_cases(desk):
    """B received at 09:00, A at 10:00; it is 10:00."""
    b = desk.take_call(received_at=desk.now - timedelta(hours=1), words="B")
    a = desk.take_call(words="A")
    return a, b


def contact(desk, ticket_id, *, at=None, words="已联系"):
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words=words, at=at)


def wait_for(desk, ticket_id, what=WaitingFor.CUSTOMER):
    desk.step(
        actions.start_waiting,
        ticket_id,
        by=desk.cast.hotline,
        waiting_for=what,
        words="等",
        until_at=desk.now + timedelta(days=3),
    )


def judged(timer, now) -> Verdict:
    return verdict(
        TimerState(
            timer.kind,
            timer.cycle,
            timer.started_at,
            timer.phase,
            timer.due_at,
            timer.remaining_seconds,
            timer.stopped_at,
            timer.missed_cause,
        ),
        now,
    )


def timers(ticket_id) -> list[dict]:
    """All columns of the stored timers but their ids, which a recompute may renew."""
    columns = [column for column in Timer.__table__.c if column.name != "id"]
    with database.ReadSession() as session:
        found = session.execute(
            select(*columns).where(Timer.ticket_id == ticket_id).order_by(Timer.kind, Timer.cycle)
        )
        return [dict(row._mapping) for row in found]


def shown(desk, ticket_id) -> dict:
    """What the open list shows of the case; its version and the next look for notices go on."""
    row = desk.queue_row(ticket_id)
    return (
        {}
        if row is None
        else {
            column.name: getattr(row, column.name)
            for column in row.__table__.c
            if column.name not in ("version", "change_number", "moved_at", "notice_at")
        }
    )


def assert_verified(desk):
    report = look(check_timers, actor=system("test"), now=desk.now)
    assert report.fault is None, report.fault


def test_rule_17_the_example_a_contact_of_the_absorbed_case_meets_the_survivors_target(desk):
    a, b = two_cases(desk)
    contact(desk, b, at=desk.now - timedelta(minutes=40))
    desk.pass_time(hours=1)
    merge(desk, b, a)
    first = desk.timer(a, RESPONSE)
    received = desk.now - timedelta(hours=2)
    assert (first.started_at, first.stopped_at) == (received, received + timedelta(minutes=20))
    assert judged(first, desk.now) is Verdict.MET
    assert desk.timer(a, RESOLUTION).started_at == received
    assert desk.ticket(a).received_at == received
    over = desk.ticket(b)
    assert (over.status, over.merged_into_id) == (TicketStatus.MERGED, a)
    assert desk.timer(b, RESOLUTION).phase is TimerPhase.CANCELLED
    assert judged(desk.timer(b, RESPONSE), desk.now) is Verdict.MET
    assert desk.queue_row(b) is None
    assert desk.queue_row(a) is not None
    assert_verified(desk)


def test_rule_17_what_the_absorbed_case_missed_the_survivor_missed_once_by_the_merge(desk):
    a, b = two_cases(desk)
    contact(desk, a)
    desk.pass_time(hours=1)
    merge(desk, b, a, by=desk.cast.supervisor)
    first = desk.timer(a, RESPONSE)
    assert (first.missed_cause, first.missed_by_id) == (
        MissedCause.MERGE,
        desk.cast.supervisor.person_id,
    )
    assert judged(desk.timer(b, RESPONSE), desk.now) is Verdict.MISSED
    board = look(read_dashboard, actor=desk.cast.supervisor, now=desk.now, days=Days.WEEK)
    figure = next(each for each in board.figures if each.measure is Measure.RESPONSE)
    assert (figure.value, figure.of) == (0, 1), "missed once, of one"
    behind = look(
        list_cases,
        actor=desk.cast.supervisor,
        now=desk.now,
        days=Days.WEEK,
        behind=Behind(measure=Measure.RESPONSE),
    )
    assert [(row.ticket_id, row.cause) for row in behind.rows] == [(a, MissedCause.MERGE)]
    assert behind.total == 1
    assert_verified(desk)


def test_rule_17_a_message_of_the_absorbed_case_ends_the_wait_for_the_customer_at_the_merge(desk):
    a = desk.take_call()
    contact(desk, a)
    wait_for(desk, a)
    desk.pass_time(minutes=30)
    b = desk.take_call()
    desk.pass_time(minutes=30)
    merge_id = merge(desk, b, a)
    assert (desk.ticket(a).status, desk.ticket(a).waiting_for) == (TicketStatus.CONTACTED, None)
    resolution = desk.timer(a, RESOLUTION)
    assert resolution.phase is TimerPhase.RUNNING
    unpaused = desk.now - timedelta(hours=1) + timedelta(seconds=resolution.target_seconds)
    assert resolution.due_at > unpaused + timedelta(minutes=59)
    assert_verified(desk)
    desk.pass_time(minutes=10)
    undo(desk, merge_id)
    assert desk.ticket(a).waiting_for is WaitingFor.CUSTOMER
    assert desk.timer(a, RESOLUTION).phase is TimerPhase.PAUSED
    assert_verified(desk)


def test_rule_17_a_case_that_waits_for_parts_waits_on(desk):
    a = desk.take_call()
    contact(desk, a)
    wait_for(desk, a, WaitingFor.PARTS)
    desk.pass_time(minutes=30)
    merge(desk, desk.take_call(), a)
    assert desk.ticket(a).waiting_for is WaitingFor.PARTS
    assert_verified(desk)


def test_rule_17_promises_move_to_the_survivor_unchanged_and_back(desk):
    a, b = two_cases(desk)
    due = desk.now + timedelta(hours=2)
    told = {"kind": CommitmentKind.VISIT, "due_at": due, "words": "下午上门"}
    promise = desk.do(make_promise, by=desk.cast.hotline, ticket_id=b, **told)
    desk.pass_time(minutes=5)
    merge_id = merge(desk, b, a)
    assert [timer.due_at for timer in desk.promises(a)] == [due]
    assert desk.promises(b) == []
    assert desk.commitment(promise).ticket_id == a
    assert_verified(desk)
    desk.pass_time(minutes=5)
    later = desk.promise(
        change_promise,
        promise,
        by=desk.cast.hotline,
        due_at=due + timedelta(hours=1),
        words="客户同意",
    )
    undo(desk, merge_id)
    assert desk.commitment(later).ticket_id == b, "what took its place goes back with it"
    assert desk.promises(a) == []
    assert [timer.due_at for timer in desk.promises(b)] == [due, due + timedelta(hours=1)]
    assert_verified(desk)


def test_rule_17_merging_into_an_absorbed_case_goes_to_its_survivor(desk):
    a, b = two_cases(desk)
    c = desk.take_call()
    merge(desk, b, a)
    merge(desk, c, b)
    assert desk.ticket(c).merged_into_id == a
    with pytest.raises(Refusal, match="merge_itself"):
        merge(desk, a, b)
    assert_verified(desk)


def test_rule_17_undo_is_refused_while_a_later_merge_builds_on_it(desk):
    a, b = two_cases(desk)
    c = desk.take_call()
    first = merge(desk, b, a)
    second = merge(desk, a, c)
    with pytest.raises(Refusal, match="merge_built_upon"):
        undo(desk, first)
    undo(desk, second)
    undo(desk, first)
    with pytest.raises(Refusal, match="merge_undone"):
        undo(desk, first)
    assert desk.ticket(b).status is TicketStatus.NEW
    assert_verified(desk)


def test_rule_17_a_third_case_brings_what_it_had_absorbed(desk):
    a, b = two_cases(desk)
    c = desk.take_call()
    merge(desk, b, a)
    desk.pass_time(minutes=5)
    merge(desk, a, c)
    resolution = desk.timer(c, RESOLUTION)
    assert resolution.started_at == desk.ticket(b).received_at == desk.ticket(c).received_at
    assert desk.timer(c, RESPONSE).missed_cause is MissedCause.MERGE
    assert_verified(desk)


def test_rule_17_of_two_merges_the_first_is_undone_and_the_second_stays(desk):
    a, b = two_cases(desk)
    c = desk.take_call(received_at=desk.now - timedelta(minutes=30))
    first = merge(desk, b, a)
    merge(desk, c, a)
    undo(desk, first)
    assert desk.ticket(a).received_at == desk.ticket(c).received_at
    assert desk.timer(a, RESPONSE).started_at == desk.ticket(c).received_at
    assert_verified(desk)


def test_rule_17_contacts_between_merge_and_undo_count_for_both(desk):
    a = desk.take_call()
    b = desk.take_call()
    desk.pass_time(minutes=5)
    merge_id = merge(desk, b, a)
    desk.pass_time(minutes=5)
    contact(desk, a)
    spoken = desk.now
    desk.pass_time(minutes=5)
    undo(desk, merge_id)
    assert [desk.timer(each, RESPONSE).stopped_at for each in (a, b)] == [spoken, spoken]
    assert_verified(desk)


def test_rule_17_a_message_between_merge_and_undo_ends_the_wait_of_both(desk):
    a, b = two_cases(desk)
    wait_for(desk, b)
    desk.pass_time(minutes=5)
    merge_id = merge(desk, b, a)
    desk.pass_time(minutes=5)
    desk.step(actions.log_inbound, a, by=desk.cast.hotline, words="客户来电")
    desk.pass_time(minutes=5)
    undo(desk, merge_id)
    back = desk.ticket(b)
    assert (back.status, back.waiting_for) == (TicketStatus.CONTACTED, None)
    assert desk.timer(b, RESOLUTION).phase is TimerPhase.RUNNING
    assert_verified(desk)


def test_a_wait_that_another_one_followed_is_not_brought_back_by_the_undo(desk):
    a = desk.take_call()
    contact(desk, a)
    wait_for(desk, a)
    desk.pass_time(minutes=5)
    b = desk.take_call()
    merge_id = merge(desk, b, a)
    desk.pass_time(minutes=5)
    wait_for(desk, a, WaitingFor.PARTS)
    desk.pass_time(minutes=5)
    undo(desk, merge_id)
    assert desk.ticket(a).waiting_for is WaitingFor.PARTS
    assert_verified(desk)
    desk.step(actions.end_waiting, a, by=desk.cast.hotline)
    assert desk.timer(a, RESOLUTION).phase is TimerPhase.RUNNING
    assert_verified(desk)


def test_a_merge_is_refused_where_it_would_hide_something(desk):
    a, b = two_cases(desk)
    with pytest.raises(Refusal, match="merge_itself"):
        merge(desk, a, a)
    desk.step(actions.complete_ticket, b, by=desk.cast.supervisor, words="修好")
    with pytest.raises(Refusal, match="merge_completed"):
        merge(desk, b, a)
    c = desk.take_call()
    cancel = {"reason": CancelReason.NOT_NEEDED, "words": "不需要"}
    desk.step(actions.cancel_ticket, c, by=desk.cast.supervisor, **cancel)
    with pytest.raises(Refusal, match="ticket_ended"):
        merge(desk, c, a)
    with pytest.raises(Refusal, match="ticket_ended"):
        merge(desk, a, c)
    with pytest.raises(Refusal, match="no_longer_allowed"):
        merge(desk, a, b, by=desk.cast.technician)
    merge(desk, a, b)
    assert desk.ticket(b).status is TicketStatus.COMPLETED
    assert_verified(desk)


def test_whoever_saw_the_survivor_before_the_merge_is_told_of_it(desk):
    b = desk.take_call(received_at=desk.now - timedelta(minutes=5))
    a = desk.take_call(received_at=desk.now - timedelta(minutes=10))
    seen = desk.ticket(a).version
    merge(desk, b, a)
    with pytest.raises(Refusal, match="changed_meanwhile"):
        desk.do(
            actions.change_ticket,
            by=desk.cast.hotline,
            ticket_id=a,
            version=seen,
            priority=Priority.P1,
        )


def test_nothing_is_written_on_an_absorbed_case_but_notes(desk):
    a, b = two_cases(desk)
    merge(desk, b, a)
    with pytest.raises(Refusal, match="ticket_ended"):
        contact(desk, b)
    assert desk.events(b)[-1] is EventKind.MERGED


def test_an_absorbed_case_leaves_the_figures_of_this_moment(desk):
    a, b = two_cases(desk)
    merge(desk, b, a)
    board = look(read_dashboard, actor=desk.cast.supervisor, now=desk.now, days=Days.WEEK)
    figures = {each.measure: each.value for each in board.figures}
    assert figures[Measure.OPEN] == 1
    period = report_rules.period_of(Days.WEEK, desk.now)
    assert sum(day.closed for day in board.days) == 0
    assert period.now == desk.now


STEPS = ("contact", "attempt", "inbound", "wait_customer", "wait_parts", "end_wait", "priority")


def take_step(desk, ticket_id, step):
    """One step, if the case allows it now."""
    by = desk.cast.supervisor
    run = {
        "contact": lambda: contact(desk, ticket_id),
        "attempt": lambda: desk.step(actions.log_attempt, ticket_id, by=by, words="没接"),
        "inbound": lambda: desk.step(actions.log_inbound, ticket_id, by=by, words="来电"),
        "wait_customer": lambda: wait_for(desk, ticket_id),
        "wait_parts": lambda: wait_for(desk, ticket_id, WaitingFor.PARTS),
        "end_wait": lambda: desk.step(actions.end_waiting, ticket_id, by=by),
        "priority": lambda: desk.step(
            actions.change_ticket, ticket_id, by=by, priority=Priority.P1
        ),
    }
    with suppress(Refusal):
        run[step]()


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    before=st.lists(
        st.tuples(st.booleans(), st.sampled_from(STEPS), st.integers(1, 300)), max_size=6
    ),
    apart=st.integers(0, 200),
    idle=st.integers(0, 600),
)
def test_rule_17_merge_then_undo_leaves_both_cases_as_if_never_merged(desk, before, apart, idle):
    b = desk.take_call(received_at=desk.now - timedelta(minutes=apart), channel=Channel.EMAIL)
    a = desk.take_call()
    for of_a, step, minutes in before:
        take_step(desk, a if of_a else b, step)
        desk.pass_time(minutes=minutes)
    seen = [(timers(each), shown(desk, each), desk.ticket(each).status) for each in (a, b)]
    received = desk.ticket(a).received_at
    merge_id = merge(desk, b, a)
    assert_verified(desk)
    desk.pass_time(minutes=idle)
    undo(desk, merge_id)
    assert_verified(desk)
    told = [(timers(each), shown(desk, each), desk.ticket(each).status) for each in (a, b)]
    for now, before_it in zip(told, seen, strict=True):
        for part, part_before in zip(now, before_it, strict=True):
            assert part == part_before
    assert desk.ticket(a).received_at == received


def test_a_merge_stands_on_record_also_after_its_undoing(desk):
    a, b = two_cases(desk)
    merge_id = merge(desk, b, a)
    undo(desk, merge_id)
    with database.ReadSession() as session:
        kept = session.get(TicketMerge, merge_id)
        assert (kept.absorbed_id, kept.survivor_id) == (b, a)
        assert (kept.undone_at, kept.undone_by_id) == (desk.now, desk.cast.hotline.person_id)
        assert session.scalars(select(Commitment.id)).all() == []
    assert desk.events(a)[-2:] == [EventKind.ABSORBED, EventKind.MERGE_UNDONE]
    assert desk.events(b)[-2:] == [EventKind.MERGED, EventKind.MERGE_UNDONE]
