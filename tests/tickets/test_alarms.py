"""What the scheduler tells, to whom, and that it tells it once: on the stored side."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import event, select, update

from db import session as database
from db.codes import (
    CommitmentKind,
    NoticeKind,
    Priority,
    ReturnCallResult,
    TargetUnit,
    TimerKind,
    WaitingFor,
)
from db.models.messages import Absence, Notice, NoticeReceipt
from db.models.tickets import NEVER_DUE, PhoneCall, QueueRow, Ticket
from lib import jobs
from lib.jobs import Worker
from lib.shared.calendars import calendar_named
from lib.shared.errors import Refusal
from lib.shared.work import look, perform, system
from lib.tickets import actions, alarms, queries
from lib.tickets.commitments import make_promise
from lib.tickets.policies import add_policy

JOBS = system("jobs")
K = TimerKind


def look_around(desk):
    """One run of the scheduler, as often as it has something left."""
    while perform(alarms.tell_what_is_due, actor=JOBS, now=desk.now):
        pass


def notices(kind=None, timer_kind=None):
    with database.ReadSession() as session:
        found = session.scalars(select(Notice).order_by(Notice.at, Notice.id)).all()
    return [
        each
        for each in found
        if kind in (None, each.kind) and timer_kind in (None, each.timer_kind)
    ]


def told(notice):
    with database.ReadSession() as session:
        return set(
            session.scalars(
                select(NoticeReceipt.person_id).where(NoticeReceipt.notice_id == notice.id)
            )
        )


def ids(*people):
    return {each.person_id for each in people}


def away(desk, person, deputy=None):
    with database.writing() as session:
        session.add(
            Absence(
                person_id=person.person_id,
                deputy_id=deputy.person_id if deputy else None,
                from_at=desk.now - timedelta(hours=1),
                until_at=desk.now + timedelta(days=3),
            )
        )


def minutes_after(desk, began):
    return (desk.now - began).total_seconds() / 60


def test_rule_19_each_warning_reaches_the_owner_when_its_share_has_been_counted(desk):
    began = desk.now
    desk.take_call()
    heard = {}
    for _ in range(62):
        look_around(desk)
        for notice in notices(timer_kind=K.FIRST_RESPONSE):
            heard.setdefault(notice.key, minutes_after(desk, began))
        desk.pass_time(seconds=30)
    assert sorted(heard.values())[:3] == [15, 23, 27]
    warnings = notices(NoticeKind.WARNING, K.FIRST_RESPONSE)
    assert [each.details["percent"] for each in warnings] == [50, 75, 90]
    assert [each.at - began for each in warnings] == [
        timedelta(minutes=15),
        timedelta(minutes=23),
        timedelta(minutes=27),
    ]
    assert all(told(each) == ids(desk.cast.hotline) for each in warnings)


def test_rule_20_the_due_and_the_levels_above_it_reach_who_holds_the_role_then(desk):
    ticket_id = desk.take_call()
    desk.step(
        actions.assign_technician,
        ticket_id,
        by=desk.cast.dispatcher,
        technician_id=desk.cast.technician.person_id,
    )
    desk.pass_time(minutes=30)
    look_around(desk)
    assert notices(NoticeKind.OVERDUE) == [], "due exactly then is still in time"
    desk.pass_time(seconds=1)
    look_around(desk)
    (overdue,) = notices(NoticeKind.OVERDUE)
    assert told(overdue) == ids(desk.cast.hotline, desk.cast.technician, desk.cast.dispatcher)
    desk.pass_time(minutes=30)
    look_around(desk)
    (up,) = notices(NoticeKind.ESCALATION)
    assert (up.level, told(up)) == (1, ids(desk.cast.supervisor))
    away(desk, desk.cast.administrator, desk.cast.quality)
    desk.pass_time(hours=4)
    look_around(desk)
    last = notices(NoticeKind.ESCALATION)[-1]
    assert (last.level, told(last)) == (2, ids(desk.cast.quality))


def test_rule_20_a_level_where_nobody_is_there_passes_it_on_and_alarms_the_administrator(desk):
    desk.take_call()
    away(desk, desk.cast.supervisor)
    desk.pass_time(minutes=31)
    look_around(desk)
    desk.pass_time(minutes=30)
    look_around(desk)
    (up,) = notices(NoticeKind.ESCALATION)
    assert told(up) == ids(desk.cast.administrator)
    (alarm,) = notices(NoticeKind.NOBODY_THERE)
    assert told(alarm) == ids(desk.cast.administrator)


def test_rule_19_after_downtime_all_are_recorded_and_only_the_highest_is_delivered(desk):
    desk.take_call()
    desk.pass_time(minutes=28)
    look_around(desk)
    recorded = notices(timer_kind=K.FIRST_RESPONSE)
    assert [(each.details["percent"], each.delivered) for each in recorded] == [
        (50, False),
        (75, False),
        (90, True),
    ]
    assert [len(told(each)) for each in recorded] == [0, 0, 1]


def test_rule_3_a_case_typed_late_tells_its_highest_state_once(desk):
    desk.take_call(received_at=desk.now - timedelta(minutes=40))
    look_around(desk)
    (delivered,) = [each for each in notices(timer_kind=K.FIRST_RESPONSE) if each.delivered]
    assert delivered.kind is NoticeKind.OVERDUE
    assert len(notices(timer_kind=K.FIRST_RESPONSE)) == 4
    look_around(desk)
    assert len([each for each in notices() if told(each)]) == 1


def test_rule_3_imported_history_is_silent(desk):
    ticket_id = desk.take_call()
    with database.writing() as session:
        session.execute(
            update(Ticket).where(Ticket.id == ticket_id).values(source="old desk", external_id="1")
        )
    desk.pass_time(days=5)
    look_around(desk)
    assert notices() == []
    assert desk.queue_row(ticket_id).notice_at == NEVER_DUE


def test_rule_27_two_workers_at_once_and_a_restart_make_no_doubles(desk):
    for _ in range(12):
        desk.take_call()
    desk.pass_time(minutes=31)

    def run():
        for _ in range(4):
            perform(alarms.tell_what_is_due, actor=JOBS, now=desk.now)

    both = [threading.Thread(target=run) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    look_around(desk)
    with database.ReadSession() as session:
        keys = Counter(session.scalars(select(Notice.key)))
        twice = Counter(session.execute(select(NoticeReceipt.notice_id, NoticeReceipt.person_id)))
    assert len(keys) == 12 * 4
    assert max(keys.values()) == max(twice.values()) == 1
    assert len(twice) == 12 * 2


def test_rule_27_a_run_that_dies_before_its_commit_has_told_nothing_and_is_made_up_for(desk):
    desk.take_call()
    desk.pass_time(minutes=31)

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    event.listen(database.WriteSession, "before_commit", die)
    try:
        with pytest.raises(Killed):
            perform(alarms.tell_what_is_due, actor=JOBS, now=desk.now)
    finally:
        event.remove(database.WriteSession, "before_commit", die)
    assert notices() == []
    look_around(desk)
    assert len(notices(NoticeKind.OVERDUE)) == 1


def test_rule_27_the_worker_tells_at_each_beat_and_only_under_the_lease(desk):
    desk.take_call()
    desk.pass_time(minutes=31)
    one, other = (
        Worker(moment=lambda: desk.now, jobs=[], every_beat=jobs.EVERY_BEAT) for _ in range(2)
    )
    assert one.beat()
    assert not other.beat()
    assert len(notices(NoticeKind.OVERDUE)) == 1
    desk.pass_time(minutes=35)
    assert one.beat()
    assert len(notices(NoticeKind.ESCALATION)) == 1


def test_rule_1_a_stop_recorded_late_withdraws_what_was_told(desk):
    ticket_id = desk.take_call()
    received = desk.now
    desk.pass_time(minutes=45)
    look_around(desk)
    (overdue,) = notices(NoticeKind.OVERDUE)
    assert overdue.withdrawn_at is None
    at = received + timedelta(minutes=20)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="", at=at)
    look_around(desk)
    states = {
        each.details.get("percent", "due"): each.withdrawn_at is not None
        for each in notices(timer_kind=K.FIRST_RESPONSE)
    }
    assert states == {50: False, 75: True, 90: True, "due": True}


def test_rule_1_a_case_that_ends_with_its_late_entry_withdraws_at_once(desk):
    ticket_id = desk.take_call()
    received = desk.now
    desk.pass_time(minutes=45)
    look_around(desk)
    at = received + timedelta(minutes=20)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="", at=at)
    desk.step(actions.complete_ticket, ticket_id, by=desk.cast.hotline, words="修好")
    desk.call_back(ticket_id, ReturnCallResult.FIXED)
    assert desk.queue_row(ticket_id) is None
    (overdue,) = notices(NoticeKind.OVERDUE)
    assert overdue.withdrawn_at is not None


def test_a_stop_after_the_due_withdraws_nothing_and_ends_the_escalation(desk):
    ticket_id = desk.take_call()
    desk.pass_time(minutes=45)
    look_around(desk)
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="")
    desk.pass_time(hours=2)
    look_around(desk)
    (overdue,) = notices(NoticeKind.OVERDUE)
    assert overdue.withdrawn_at is None
    assert notices(NoticeKind.ESCALATION) == []


def test_a_pause_repeats_no_warning_and_tells_nothing_while_it_lasts(desk):
    ticket_id = desk.take_call()
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="")
    desk.pass_time(days=2)
    look_around(desk)
    before = len(notices(timer_kind=K.RESOLUTION))
    assert before
    desk.step(
        actions.start_waiting,
        ticket_id,
        by=desk.cast.dispatcher,
        waiting_for=WaitingFor.PARTS,
        words="等电机",
        **waiting_arguments(desk),
    )
    desk.pass_time(days=9)
    look_around(desk)
    assert len(notices(timer_kind=K.RESOLUTION)) == before
    desk.step(actions.end_waiting, ticket_id, by=desk.cast.dispatcher)
    look_around(desk)
    assert len(notices(timer_kind=K.RESOLUTION)) == before


def waiting_arguments(desk):
    return {"until_at": desk.now + timedelta(days=3)}


def test_rule_19_a_change_that_moves_the_due_makes_a_new_plan_with_warnings_of_its_own(desk):
    with database.ReadSession() as session:
        calendar = calendar_named(session).id
    desk.do(
        add_policy,
        by=desk.cast.supervisor,
        kind=K.FIRST_RESPONSE,
        unit=TargetUnit.WORKING_MINUTES,
        amount=120,
        calendar_id=calendar,
        clause="S-16",
        priority=Priority.P4,
    )
    desk.pass_time(minutes=1)
    ticket_id = desk.take_call()
    desk.pass_time(minutes=16)
    look_around(desk)
    desk.step(actions.change_ticket, ticket_id, by=desk.cast.dispatcher, priority=Priority.P4)
    desk.pass_time(minutes=45)
    look_around(desk)
    warnings = notices(NoticeKind.WARNING, K.FIRST_RESPONSE)
    assert [each.key.split(":")[-2:] for each in warnings] == [["0", "50"], ["1", "50"]]
    assert notices(NoticeKind.OVERDUE) == []


def test_rule_28_a_promise_is_told_before_its_due_and_when_it_is_broken(desk):
    ticket_id = desk.take_call()
    desk.do(
        make_promise,
        by=desk.cast.hotline,
        ticket_id=ticket_id,
        kind=CommitmentKind.CALL_BACK,
        due_at=desk.now + timedelta(hours=2),
        words="两点前回电",
    )
    desk.pass_time(minutes=89)
    look_around(desk)
    assert notices(NoticeKind.PROMISE_DUE) == []
    desk.pass_time(minutes=1)
    look_around(desk)
    (soon,) = notices(NoticeKind.PROMISE_DUE)
    assert told(soon) == ids(desk.cast.hotline)
    desk.pass_time(minutes=31)
    look_around(desk)
    (broken,) = notices(NoticeKind.OVERDUE, K.PROMISE)
    assert broken.ticket_id == ticket_id


def test_rule_10_whoever_waits_is_reminded_when_the_pause_was_to_end(desk):
    ticket_id = desk.take_call()
    desk.step(actions.log_contact, ticket_id, by=desk.cast.hotline, words="")
    until = desk.now + timedelta(hours=3)
    desk.step(
        actions.start_waiting,
        ticket_id,
        by=desk.cast.dispatcher,
        waiting_for=WaitingFor.PARTS,
        words="等电机",
        **waiting_arguments(desk),
    )
    with database.writing() as session:
        session.execute(
            update(Ticket)
            .where(Ticket.id == ticket_id)
            .values(waiting_until=until, waiting_owner_id=desk.cast.dispatcher.person_id)
        )
    look_around(desk)
    assert notices(NoticeKind.REMINDER) == []
    desk.pass_time(hours=3)
    look_around(desk)
    look_around(desk)
    (reminder,) = notices(NoticeKind.REMINDER)
    assert told(reminder) == ids(desk.cast.dispatcher)


def test_a_callback_that_is_due_is_told_once_to_the_hotline(desk):
    with database.writing() as session:
        session.add(
            PhoneCall(
                offered_at=desk.now,
                abandoned_at=desk.now,
                callback_due_at=desk.now + timedelta(minutes=20),
            )
        )
    for minutes in (19, 1, 5):
        desk.pass_time(minutes=minutes)
        perform(alarms.tell_of_callbacks, actor=JOBS, now=desk.now)
    (due,) = notices(NoticeKind.CALLBACK_DUE)
    assert told(due) == ids(desk.cast.hotline)


def test_a_calendar_without_days_of_the_next_year_is_told_once_from_november_on(desk):
    for _ in range(2):
        perform(alarms.tell_of_missing_days, actor=JOBS, now=desk.now)
    missing = notices(NoticeKind.NO_DATA)
    assert [each.details["year"] for each in missing] == [2027]
    assert told(missing[0]) == ids(desk.cast.supervisor, desk.cast.administrator)


def test_a_look_reads_the_cases_that_are_due_and_not_all_open_ones(desk):
    quiet = [desk.take_call() for _ in range(30)]
    look_around(desk)
    with database.writing() as session:
        session.execute(
            update(QueueRow)
            .where(QueueRow.ticket_id.in_(quiet))
            .values(notice_at=QueueRow.notice_at + 86_400)
        )
    desk.pass_time(minutes=20)
    busy = desk.take_call()
    statements = []

    def count(_connection, _cursor, statement, *_):
        statements.append(statement)

    event.listen(database.writer(), "before_cursor_execute", count)
    try:
        looked = perform(alarms.tell_what_is_due, actor=JOBS, now=desk.now)
    finally:
        event.remove(database.writer(), "before_cursor_execute", count)
    assert looked == 1
    assert len([each for each in statements if not each.startswith(("BEGIN", "SET"))]) <= 12
    with database.ReadSession() as session:
        due = (
            select(QueueRow.ticket_id)
            .where(QueueRow.notice_at <= 1)
            .order_by(QueueRow.notice_at, QueueRow.ticket_id)
        )
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite() else "EXPLAIN "
        if not database.is_sqlite():
            session.connection().exec_driver_sql("SET LOCAL enable_seqscan = off")
        text = str(due.compile(database.reader(), compile_kwargs={"literal_binds": True}))
        plan = str(session.connection().exec_driver_sql(explain + text).all())
    assert "ix_queue_rows_notice" in plan
    assert desk.queue_row(busy).notice_at > desk.now.timestamp()


def test_a_technician_who_stands_in_reads_the_case_he_was_told_of_and_no_other(desk):
    ticket_id, other = desk.take_call(), desk.take_call()
    for each in (ticket_id, other):
        desk.step(
            actions.assign_technician,
            each,
            by=desk.cast.dispatcher,
            technician_id=desk.cast.technician.person_id,
        )
    away(desk, desk.cast.technician, desk.cast.second_technician)
    with database.writing() as session:
        session.execute(
            update(QueueRow).where(QueueRow.ticket_id == other).values(notice_at=NEVER_DUE)
        )
    desk.pass_time(minutes=16)
    look_around(desk)
    deputy = desk.cast.second_technician
    assert look(queries.find_ticket, actor=deputy, now=desk.now, ticket_id=ticket_id)
    with pytest.raises(Refusal, match="ticket_not_found"):
        look(queries.find_ticket, actor=deputy, now=desk.now, ticket_id=other)
