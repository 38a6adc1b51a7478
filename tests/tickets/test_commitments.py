"""Promises to customers through their actions, on both databases (rule 28)."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from db import session as database
from db.codes import (
    CancelReason,
    CommitmentKind,
    CommitmentState,
    EventKind,
    Priority,
    ReturnCallResult,
    TimerKind,
    TimerPhase,
    Verdict,
    WaitingFor,
)
from db.models.tickets import Ticket
from lib.shared.errors import Refusal
from lib.shared.work import Look, permit, system
from lib.tickets import actions, checks, commitments
from lib.tickets.timers import TimerState, verdict


def promised(desk, ticket_id, kind=CommitmentKind.CALL_BACK, words="", **after):
    due_at = desk.now + timedelta(**(after or {"minutes": 30}))
    return desk.do(
        commitments.make_promise,
        by=desk.cast.hotline,
        ticket_id=ticket_id,
        kind=kind,
        due_at=due_at,
        words=words,
    )


def judged(timer, now):
    state = TimerState(
        timer.kind,
        timer.cycle,
        timer.started_at,
        timer.phase,
        timer.due_at,
        stopped_at=timer.stopped_at,
        missed_cause=timer.missed_cause,
    )
    return verdict(state, now)


def assert_stored_is_derived(desk):
    with database.ReadSession() as session:
        report = checks.check_timers(Look(session, system("verify"), desk.now))
    assert report.fault is None


def test_rule_28_a_promise_has_a_timer_due_at_the_instant_told_and_the_queue_shows_it(desk):
    ticket_id = desk.take_call()
    commitment_id = promised(desk, ticket_id, minutes=12)
    (timer,) = desk.promises(ticket_id)
    due_at = desk.now + timedelta(minutes=12)
    assert (timer.phase, timer.started_at, timer.due_at) == (
        TimerPhase.RUNNING,
        desk.now,
        due_at,
    )
    row = desk.queue_row(ticket_id)
    assert (row.due_kind, row.due_at) == (TimerKind.PROMISE, int(due_at.timestamp()))
    assert desk.commitment(commitment_id).state is CommitmentState.OPEN
    assert desk.events(ticket_id)[-1] is EventKind.PROMISED
    assert_stored_is_derived(desk)


def test_rule_28_no_pause_and_no_change_moves_a_promise(desk):
    ticket_id = desk.take_call()
    promised(desk, ticket_id, CommitmentKind.PARTS, hours=30)
    told = desk.promises(ticket_id)[0].due_at
    desk.step(
        actions.start_waiting,
        ticket_id,
        by=desk.cast.hotline,
        waiting_for=WaitingFor.CUSTOMER,
        words="等客户回复",
        until_at=desk.now + timedelta(days=1),
    )
    desk.pass_time(hours=2)
    desk.step(actions.change_ticket, ticket_id, by=desk.cast.hotline, priority=Priority.P1)
    (timer,) = desk.promises(ticket_id)
    assert (timer.phase, timer.due_at) == (TimerPhase.RUNNING, told)
    assert_stored_is_derived(desk)


def test_rule_28_the_customers_consent_makes_a_new_promise_that_the_old_one_names(desk):
    ticket_id = desk.take_call()
    commitment_id = promised(desk, ticket_id, CommitmentKind.PARTS, "电机到货", hours=4)
    desk.pass_time(hours=1)
    due_at = desk.now + timedelta(days=2)
    new_id = desk.promise(
        commitments.change_promise,
        commitment_id,
        by=desk.cast.hotline,
        due_at=due_at,
        words="客户电话同意改到后天",
    )
    old, new = desk.commitment(commitment_id), desk.commitment(new_id)
    assert (old.state, old.replaced_by_id, old.end_words) == (
        CommitmentState.CHANGED,
        new_id,
        "客户电话同意改到后天",
    )
    assert (new.state, new.due_at, new.words, new.kind) == (
        CommitmentState.OPEN,
        due_at,
        "电机到货",
        CommitmentKind.PARTS,
    )
    first, second = desk.promises(ticket_id)
    assert judged(first, desk.now + timedelta(days=9)) is Verdict.CANCELLED
    assert (second.phase, second.due_at) == (TimerPhase.RUNNING, due_at)
    assert_stored_is_derived(desk)


def test_rule_28_consent_after_the_due_leaves_the_old_promise_broken(desk):
    ticket_id = desk.take_call()
    commitment_id = promised(desk, ticket_id, CommitmentKind.REPLY, minutes=30)
    desk.pass_time(minutes=31)
    desk.promise(
        commitments.change_promise,
        commitment_id,
        by=desk.cast.hotline,
        due_at=desk.now + timedelta(hours=1),
        words="客户同意",
    )
    assert judged(desk.promises(ticket_id)[0], desk.now) is Verdict.MISSED
    assert_stored_is_derived(desk)


def test_rule_28_without_the_customers_consent_in_words_nothing_moves(desk):
    ticket_id = desk.take_call()
    commitment_id = promised(desk, ticket_id)
    with pytest.raises(Refusal, match="consent_missing"):
        desk.promise(
            commitments.change_promise,
            commitment_id,
            by=desk.cast.hotline,
            due_at=desk.now + timedelta(hours=9),
            words="  ",
        )
    assert len(desk.promises(ticket_id)) == 1


def test_rule_28_the_next_contact_by_a_person_keeps_the_promise_to_call_back(desk):
    ticket_id = desk.take_call()
    call_back = promised(desk, ticket_id)
    parts = promised(desk, ticket_id, CommitmentKind.PARTS, hours=8)
    desk.pass_time(minutes=10)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="已联系")
    kept = desk.commitment(call_back)
    assert (kept.state, kept.kept_at) == (CommitmentState.KEPT, desk.now)
    assert kept.kept_by_id == desk.cast.hotline.person_id
    assert desk.commitment(parts).state is CommitmentState.OPEN
    assert {judged(timer, desk.now) for timer in desk.promises(ticket_id)} == {
        Verdict.MET,
        Verdict.RUNNING,
    }
    assert_stored_is_derived(desk)


def test_rule_21_of_two_contacts_the_earliest_keeps_the_promise(desk):
    ticket_id = desk.take_call()
    call_back = promised(desk, ticket_id)
    earlier = desk.now + timedelta(minutes=5)
    desk.pass_time(minutes=45)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="")
    assert judged(desk.promises(ticket_id)[0], desk.now) is Verdict.MISSED
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="", at=earlier)
    assert desk.commitment(call_back).kept_at == earlier
    assert judged(desk.promises(ticket_id)[0], desk.now) is Verdict.MET
    assert_stored_is_derived(desk)


def test_an_unanswered_return_call_keeps_no_promise_and_a_reached_one_does(desk):
    ticket_id = desk.take_call()
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="")
    desk.step(actions.complete_ticket, ticket_id, by=desk.cast.hotline, words="好了")
    commitment_id = promised(desk, ticket_id)
    desk.pass_time(minutes=1)
    desk.call_back(ticket_id, ReturnCallResult.NO_ANSWER)
    assert desk.commitment(commitment_id).state is CommitmentState.OPEN
    desk.call_back(ticket_id, ReturnCallResult.FIXED)
    assert desk.commitment(commitment_id).state is CommitmentState.KEPT


def test_rule_28_cancelling_a_case_ends_its_promises_with_the_reason(desk):
    ticket_id = desk.take_call()
    commitment_id = promised(desk, ticket_id)
    desk.step(
        actions.cancel_ticket,
        ticket_id,
        by=desk.cast.supervisor,
        reason=CancelReason.NOT_NEEDED,
        words="客户撤单",
    )
    ended = desk.commitment(commitment_id)
    assert (ended.state, ended.end_words) == (CommitmentState.ENDED, "客户撤单")
    assert judged(desk.promises(ticket_id)[0], desk.now + timedelta(days=1)) is Verdict.CANCELLED
    assert_stored_is_derived(desk)


def test_a_promise_is_kept_by_hand_and_may_be_dated_back_to_it(desk):
    ticket_id = desk.take_call()
    commitment_id = promised(desk, ticket_id, CommitmentKind.PARTS)
    made = desk.now
    desk.pass_time(hours=1)
    keep = {"by": desk.cast.hotline}
    with pytest.raises(Refusal, match="kept_out_of_time"):
        desk.promise(
            commitments.keep_promise, commitment_id, at=made - timedelta(seconds=1), **keep
        )
    with pytest.raises(Refusal, match="kept_out_of_time"):
        desk.promise(
            commitments.keep_promise, commitment_id, at=desk.now + timedelta(seconds=1), **keep
        )
    at = made + timedelta(minutes=20)
    desk.promise(commitments.keep_promise, commitment_id, at=at, **keep)
    assert desk.commitment(commitment_id).kept_at == at
    assert judged(desk.promises(ticket_id)[0], desk.now) is Verdict.MET
    with pytest.raises(Refusal, match="promise_ended"):
        desk.promise(commitments.keep_promise, commitment_id, **keep)


def test_a_promise_lies_ahead_and_not_farther_than_a_year(desk):
    ticket_id = desk.take_call()
    with pytest.raises(Refusal, match="promise_in_past"):
        promised(desk, ticket_id, minutes=0)
    with pytest.raises(Refusal, match="promise_too_far"):
        promised(desk, ticket_id, days=367)
    with pytest.raises(Refusal, match="words_missing"):
        promised(desk, ticket_id, CommitmentKind.OTHER)


def test_only_a_supervisor_ends_a_promise_and_needs_a_reason(desk):
    ticket_id = desk.take_call()
    commitment_id = promised(desk, ticket_id)
    with pytest.raises(Refusal, match="no_longer_allowed"):
        desk.promise(commitments.end_promise, commitment_id, by=desk.cast.hotline, words="x")
    with pytest.raises(Refusal, match="words_missing"):
        desk.promise(commitments.end_promise, commitment_id, by=desk.cast.supervisor, words="")
    desk.pass_time(minutes=40)
    desk.promise(commitments.end_promise, commitment_id, by=desk.cast.supervisor, words="客户停业")
    assert desk.commitment(commitment_id).state is CommitmentState.ENDED
    assert judged(desk.promises(ticket_id)[0], desk.now) is Verdict.MISSED


def test_a_technician_promises_on_his_own_cases_only(desk):
    ticket_id = desk.take_call()
    with pytest.raises(Refusal, match="not_your_ticket"):
        desk.do(
            commitments.make_promise,
            by=desk.cast.technician,
            ticket_id=ticket_id,
            kind=CommitmentKind.VISIT,
            due_at=desk.now + timedelta(hours=1),
            words="",
        )


@permit()
def merge_promises(work, *, absorbed_id, survivor_id):
    commitments.move_promises(work, work.get(Ticket, absorbed_id), work.get(Ticket, survivor_id))


def test_rule_17_a_promise_moves_to_the_survivor_unchanged_and_back(desk):
    absorbed, survivor = desk.take_call(), desk.take_call()
    commitment_id = promised(desk, absorbed, CommitmentKind.PARTS, hours=5)
    told = desk.promises(absorbed)[0].due_at
    desk.pass_time(hours=1)
    ids = {"absorbed_id": absorbed, "survivor_id": survivor}
    desk.do(merge_promises, by=system("test"), **ids)
    assert desk.promises(absorbed) == []
    (moved,) = desk.promises(survivor)
    assert (moved.due_at, moved.started_at) == (told, desk.now - timedelta(hours=1))
    assert desk.commitment(commitment_id).ticket_id == survivor
    assert_stored_is_derived(desk)
    desk.pass_time(hours=1)
    desk.do(merge_promises, by=system("test"), absorbed_id=survivor, survivor_id=absorbed)
    assert desk.promises(survivor) == []
    assert desk.promises(absorbed)[0].due_at == told
    assert_stored_is_derived(desk)


def test_a_promise_made_on_an_imported_case_is_ours_and_has_a_timer(desk):
    ticket_id = desk.take_call()
    with database.writing() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.id == ticket_id)).one()
        ticket.source, ticket.external_id = "old desk", "A-1"
    promised(desk, ticket_id)
    assert [timer.phase for timer in desk.promises(ticket_id)] == [TimerPhase.RUNNING]
    assert desk.timer(ticket_id, TimerKind.RESOLUTION) is None
