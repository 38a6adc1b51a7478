from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, insert, select

from db import session as database
from db.codes import FaultCode, MissedCause, TicketStatus, TimerKind, TimerPhase, Verdict
from db.models.feedback import SurveyAnswer, SurveyInvitation
from db.models.tickets import QueueRow, Ticket, Timer
from lib.reports import rules
from lib.reports.queries import Apart, list_cases, read_dashboard, share_dashboard
from lib.reports.rules import Behind, Days, Measure
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import look, system
from lib.tickets.queue import count_lines, read_queue
from lib.tickets.queue_filter import QueueFilter, QueueView
from lib.tickets.timers import TimerState
from tests.reports.stores import (
    HOUR,
    a_queue_row,
    a_ticket,
    a_timer,
    calendar_id,
    write,
    write_history,
    write_own_cases,
)
from tests.tickets.open_cases import announce

SYSTEM = system("test")


def read(now, days=Days.MONTH):
    return look(read_dashboard, actor=SYSTEM, now=now, days=days)


def figures(now, days=Days.MONTH):
    return {figure.measure: figure for figure in read(now, days).figures}


def behind(now, days=Days.MONTH, **which):
    return look(list_cases, actor=SYSTEM, now=now, days=days, behind=Behind(**which))


@contextmanager
def statements() -> Iterator[list[tuple[str, object]]]:
    """Every statement that readers send, with its parameters."""
    sent: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        sent.append((statement, parameters))

    event.listen(database.reader(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.reader(), "before_cursor_execute", note)


def test_an_empty_desk_has_zeros_and_no_rates(database, now):
    told = figures(now)
    assert [told[measure].value for measure in Measure] == [0, 0, 0, None, None, None]
    assert [told[measure].meaning for measure in Measure][3:] == [None] * 3
    assert len(read(now).days) == 30
    assert read(now).causes == []


@pytest.mark.parametrize("days", list(Days))
def test_rates_count_what_the_rules_define(database, now, days):
    timers = write_own_cases(now, 600, days=60 if days is Days.WEEK else 200)
    period = rules.period_of(days, now)
    told = figures(now, days)
    for measure, kind in (
        (Measure.RESPONSE, TimerKind.FIRST_RESPONSE),
        (Measure.RESOLUTION, TimerKind.RESOLUTION),
    ):
        states = [
            TimerState(
                kind,
                1,
                row["started_at"],
                row["phase"],
                row["due_at"],
                None,
                row["stopped_at"],
                row["missed_cause"],
                left_out=row["left_out"],
            )
            for row in timers
            if row["kind"] is kind
        ]
        rates = []
        for span in (period.current, period.previous):
            counted = [rules.counted_as(state, span, now) for state in states]
            rates.append(rules.Rate(counted.count(Verdict.MET), counted.count(Verdict.MISSED)))
        assert rates[0].met
        assert rates[0].missed
        figure = told[measure]
        assert (figure.value, figure.before, figure.of) == (
            rates[0].share,
            rates[1].share,
            rates[0].of,
        )
        assert behind(now, days, measure=measure).total == rates[0].of


def test_open_overdue_and_due_soon_are_those_of_the_queue(database, now):
    write_own_cases(now, 200)
    ticket = a_ticket(900, now - HOUR)
    write(Ticket, [ticket])
    write(QueueRow, [a_queue_row(ticket, now + HOUR / 2)])
    told = figures(now)
    for measure, view in (
        (Measure.OPEN, QueueView.ALL),
        (Measure.OVERDUE, QueueView.OVERDUE),
        (Measure.DUE_SOON, QueueView.DUE_SOON),
    ):
        counted = look(count_lines, actor=SYSTEM, now=now, where=QueueFilter(view))
        assert told[measure].value == counted > 0


def test_what_the_queue_has_counted_is_taken_until_something_changes(database, now):
    write_own_cases(now, 50)
    look(read_queue, actor=SYSTEM, now=now, where=QueueFilter())
    with statements() as sent:
        before = figures(now)
    assert not any("count(*)" in told and "FROM queue_rows" in told for told, _ in sent)
    with writing() as session:
        soon = a_ticket(900, now - HOUR)
        session.execute(insert(Ticket), [soon])
        session.execute(insert(QueueRow), [a_queue_row(soon, now + HOUR / 2)])
        announce(session)
    after = figures(now)
    for measure in (Measure.OPEN, Measure.DUE_SOON):
        assert after[measure].value == before[measure].value + 1
    an_hour_on = figures(now + HOUR)
    assert an_hour_on[Measure.OVERDUE].value == after[Measure.OVERDUE].value + 1


def test_dashboards_that_are_drawn_at_once_are_read_once_and_never_from_before_a_change(
    database, now
):
    write_own_cases(now, 20)

    def shared(at):
        return look(share_dashboard, actor=SYSTEM, now=at, days=Days.MONTH)

    with statements() as sent:
        first = shared(now)
        asked = len(sent)
        assert shared(now + timedelta(milliseconds=900)) is first
    assert asked > 3
    assert len([told for told, _ in sent[asked:] if told.startswith("SELECT")]) == 1
    with writing() as session:
        session.execute(insert(Ticket), [a_ticket(900, now - HOUR)])
        announce(session)
    assert sum(day.new for day in shared(now).days) == sum(day.new for day in first.days) + 1
    assert shared(now + timedelta(seconds=1)).period.now == now + timedelta(seconds=1)


def test_what_a_change_made_missed_counts_on_the_day_of_its_due_also_before_it(database, now):
    tonight = now.astimezone(SHANGHAI).replace(hour=23, minute=0)
    assert now < tonight
    for number, due in enumerate((tonight, tonight + 2 * HOUR), 1):
        ticket = a_ticket(number, now - HOUR)
        write(Ticket, [ticket])
        missed = {"due_at": due, "missed_cause": MissedCause.MERGE}
        write(Timer, [a_timer(ticket, TimerKind.RESOLUTION, calendar_id(), **missed)])
    assert figures(now)[Measure.RESOLUTION].of == 1
    assert [row.ticket_id for row in behind(now, measure=Measure.RESOLUTION).rows] == [1]


def test_open_cases_are_compared_with_the_same_moment_a_period_ago(database, now):
    write_own_cases(now, 200)
    then = now - timedelta(days=30)
    with database_session() as session:
        rows = session.execute(select(Ticket.received_at, Ticket.closed_at)).all()
    was_open = [
        received
        for received, closed in rows
        if received <= then and (closed is None or closed > then)
    ]
    assert figures(now)[Measure.OPEN].before == len(was_open)


def test_overdue_is_compared_with_the_dues_of_that_moment(database, now):
    then = now - timedelta(days=7)
    tickets = [a_ticket(number, then - 9 * HOUR) for number in range(1, 7)]
    write(Ticket, tickets)
    calendar = calendar_id()
    dues = {
        1: {"due_at": then - HOUR, "stopped_at": then + HOUR, "phase": TimerPhase.STOPPED},
        2: {"due_at": then - HOUR},
        3: {"due_at": then - HOUR, "stopped_at": then - HOUR / 2, "phase": TimerPhase.STOPPED},
        4: {"due_at": then + HOUR / 2, "stopped_at": then + HOUR, "phase": TimerPhase.STOPPED},
        5: {"due_at": then + 2 * HOUR, "stopped_at": then + HOUR, "phase": TimerPhase.STOPPED},
    }
    write(
        Timer,
        [
            a_timer(tickets[number - 1], TimerKind.RESOLUTION, calendar, **columns)
            for number, columns in dues.items()
        ],
    )
    told = figures(now, Days.WEEK)
    assert told[Measure.OVERDUE].before == 2
    assert told[Measure.DUE_SOON].before == 1


def writing():
    return database.writing()


def database_session():
    return database.ReadSession()


def test_days_are_those_of_shanghai_and_closed_is_not_cancelled(database, now):
    midnight = now.astimezone(SHANGHAI).replace(hour=0)
    day = midnight.date() - timedelta(days=1)
    second = timedelta(seconds=1)
    closed = {"status": TicketStatus.CLOSED, "closed_at": midnight - second}
    write(
        Ticket,
        [
            a_ticket(1, midnight - second, **closed),
            a_ticket(2, midnight, status=TicketStatus.CANCELLED, closed_at=midnight),
            a_ticket(3, midnight - timedelta(days=1)),
            a_ticket(4, midnight - timedelta(days=1) - second),
        ],
    )
    days = {each.day: (each.new, each.closed) for each in read(now, Days.WEEK).days}
    assert days[day] == (2, 1)
    assert days[midnight.date()] == (1, 0)
    assert days[day - timedelta(days=1)] == (1, 0)
    new = behind(now, Days.WEEK, new_on=day)
    assert [row.ticket_id for row in new.rows] == [1, 3]
    gone = behind(now, Days.WEEK, closed_on=day)
    assert [row.ticket_id for row in gone.rows] == [1]


def test_causes_lead_to_their_cases(database, now):
    write_own_cases(now, 120)
    causes = read(now).causes
    assert causes[0].cases >= causes[-1].cases > 0
    cases = behind(now, fault=causes[0].fault)
    assert cases.total == causes[0].cases
    assert {row.fault for row in cases.rows} == {causes[0].fault}
    assert sum(cause.cases for cause in causes) == sum(each.new for each in read(now).days)


def test_missed_cases_come_first_behind_a_rate(database, now):
    write_own_cases(now, 300)
    cases = behind(now, Days.QUARTER, measure=Measure.RESOLUTION)
    verdicts = [row.verdict for row in cases.rows]
    assert len(cases.rows) == 100 < cases.total
    assert verdicts[0] is Verdict.MISSED
    assert verdicts == sorted(verdicts, key=[Verdict.MISSED, Verdict.MET].index)


def test_rule_18_what_a_change_or_a_merge_missed_and_what_is_left_out_are_listed_apart(
    database, now
):
    started, due = now - 3 * HOUR, now - 2 * HOUR
    told = (
        (MissedCause.TIME, False),
        (MissedCause.CHANGE, False),
        (MissedCause.CHANGE, False),
        (MissedCause.MERGE, False),
        (MissedCause.TIME, True),
        (None, True),
    )
    for number, (cause, left_out) in enumerate(told, 1):
        ticket = a_ticket(number, started)
        late = cause is MissedCause.TIME
        timer = a_timer(
            ticket,
            TimerKind.RESOLUTION,
            calendar_id(),
            phase=TimerPhase.STOPPED,
            due_at=due,
            stopped_at=now - HOUR if late else due - HOUR / 2,
            missed_cause=cause,
            left_out=left_out,
        )
        write(Ticket, [ticket])
        write(Timer, [timer])
    cases = behind(now, measure=Measure.RESOLUTION)
    assert cases.apart == Apart(changed=2, merged=1, left_out=1)
    assert cases.total == 4


def test_satisfaction_is_the_mean_of_the_periods_answers(database, now):
    for number, (days_ago, score) in enumerate([(1, 5), (2, 2), (40, 1), (200, 5)], start=1):
        at = now - timedelta(days=days_ago)
        write(Ticket, [a_ticket(number, at)])
        write(
            SurveyInvitation,
            [
                {
                    "id": number,
                    "ticket_id": number,
                    "cycle": 1,
                    "nonce": "",
                    "token_hash": str(number),
                    "created_at": at,
                    "expires_at": at,
                }
            ],
        )
        answer = {"invitation_id": number, "ticket_id": number, "satisfaction": score}
        write(SurveyAnswer, [answer | {"at": at, "words": "慢"}])
    figure = figures(now)[Measure.SATISFACTION]
    assert (figure.value, figure.before, figure.of) == (3.5, 1.0, 2)
    cases = behind(now, measure=Measure.SATISFACTION)
    assert [(row.ticket_id, row.satisfaction) for row in cases.rows] == [(2, 2), (1, 5)]


def test_imported_history_counts_as_open_and_nowhere_else(database, now):
    write_own_cases(now, 60)
    before = read(now)
    write_history(now, 500, first=1000, open_cases=20)
    after = read(now)
    old, new = ({each.measure: each for each in told.figures} for told in (before, after))
    assert new[Measure.OPEN].value == old[Measure.OPEN].value + 20
    assert new[Measure.OPEN].change == old[Measure.OPEN].change
    assert [new[measure] for measure in list(Measure)[3:]] == [
        old[measure] for measure in list(Measure)[3:]
    ]
    assert (after.days, after.causes) == (before.days, before.causes)


def test_reports_are_for_those_who_read_them(cast, now):
    readers = [cast.supervisor, cast.quality, cast.sales, cast.auditor]
    for actor in cast.everybody():
        if actor in readers:
            look(read_dashboard, actor=actor, now=now, days=Days.WEEK)
            continue
        for query in (read_dashboard, share_dashboard):
            with pytest.raises(Refusal, match="no_longer_allowed"):
                look(query, actor=actor, now=now, days=Days.WEEK)
        with pytest.raises(Refusal, match="no_longer_allowed"):
            look(
                list_cases,
                actor=actor,
                now=now,
                days=Days.WEEK,
                behind=Behind(fault=FaultCode.NOISE),
            )
