"""The preview of applying is what applying does, due by due."""

from datetime import date, timedelta
from threading import Thread

import pytest
from sqlalchemy import delete, select

from db import session as store
from db.codes import (
    ActorKind,
    CancelReason,
    DayKind,
    EventKind,
    Priority,
    TargetUnit,
    TimerKind,
    TimerPhase,
    WaitingFor,
)
from db.models.tickets import QueueRow, Ticket, TicketEvent, Timer
from lib.shared.announcements import read_announcement
from lib.shared.calendars import AnnouncedDay, CalendarDraft, DayByHand
from lib.shared.errors import Refusal
from lib.shared.work import look
from lib.tickets import actions, policies
from lib.tickets.applying import Due, preview_calendar, preview_policies
from lib.tickets.calendars import edit_calendar, find_calendar, list_provisional_dues
from lib.tickets.policies import PolicyDraft
from lib.tickets.queue import count_lines
from lib.tickets.queue_filter import QueueFilter, QueueView
from tests.tickets.statements import statements

MOST_STATEMENTS = 26
TOMORROW = date(2026, 11, 25)
CLOSED = CalendarDraft({TOMORROW: DayByHand(DayKind.CLOSED, (), "盘点")})
NEW_YEAR = CalendarDraft(
    announcements={2027: (AnnouncedDay(date(2027, 1, 1), "元旦", is_off=True),)}
)


def stored_dues() -> dict[tuple[int, TimerKind], Due]:
    with store.ReadSession() as session:
        timers = session.scalars(select(Timer).where(Timer.phase.in_(("running", "paused"))))
        return {
            (each.ticket_id, each.kind): Due(
                each.due_at, each.remaining_seconds, each.second_remaining_seconds
            )
            for each in timers
        }


def asked(desk, query, at=None, **told):
    return look(query, actor=desk.cast.supervisor, now=at or desk.now, **told)


def wait(desk, case: int, at) -> None:
    desk.do(
        actions.start_waiting,
        at=at,
        ticket_id=case,
        version=desk.version(case),
        waiting_for=WaitingFor.PARTS,
        words="motor",
        until_at=at + timedelta(days=2),
    )


@pytest.mark.postgres_smoke
def test_rule_15_a_calendars_preview_equals_what_saving_and_applying_it_does(policy_desk, now):
    desk = policy_desk
    cases = [desk.open(at=now + timedelta(minutes=minutes)) for minutes in (0, 7, 90, 400, 600)]
    later = now + timedelta(hours=11)
    wait(desk, cases[1], later)
    done = {"ticket_id": cases[2], "version": desk.version(cases[2]), "words": "fixed"}
    desk.do(actions.complete_ticket, at=later, **done)
    told = {"calendar_id": 1, "version": 1, "draft": CLOSED}
    preview = asked(desk, preview_calendar, later, **told)
    assert preview.cases == len(cases)
    expected = stored_dues()
    for move in preview.moves:
        assert expected[move.ticket_id, move.kind] == move.before
        expected[move.ticket_id, move.kind] = move.after
    desk.do(edit_calendar, at=later, **told)
    assert stored_dues() != expected, "saving alone moves nothing"
    ids = [*preview.provisional, *preview.others]
    desk.do(policies.apply_targets, at=later, ticket_ids=ids, policies=False)
    assert stored_dues() == expected
    assert len(preview.moves) == len(cases)
    assert desk.well(later)
    assert asked(desk, preview_policies, later).moves == ()


def test_rule_15_a_paused_timer_is_among_the_cases_although_its_rest_stays(policy_desk, now):
    case = policy_desk.open()
    wait(policy_desk, case, now + timedelta(hours=1))
    later = now + timedelta(hours=2)
    preview = asked(
        policy_desk,
        preview_calendar,
        later,
        calendar_id=1,
        version=1,
        draft=CalendarDraft({date(2026, 12, 1): DayByHand(DayKind.CLOSED, (), "盘点")}),
    )
    assert (preview.moves, preview.others) == ((), (case,))


def test_rule_6_provisional_dues_are_apart_when_a_year_is_imported(policy_desk, now):
    # 27 working hours from Wednesday 30 December reach into 2027.
    late = now + timedelta(days=36)
    case, other = policy_desk.open(at=late), policy_desk.open(at=now)
    dues = asked(policy_desk, list_provisional_dues, late, calendar_id=1)
    assert dues.by_year == {2027: 1}
    assert [(each.ticket_id, each.kind) for each in dues.first] == [(case, TimerKind.RESOLUTION)]
    told = {"calendar_id": 1, "version": 1, "draft": NEW_YEAR}
    preview = asked(policy_desk, preview_calendar, late, **told)
    assert preview.provisional == (case,)
    assert other not in preview.others
    [move] = preview.moves
    assert move.provisional
    policy_desk.do(edit_calendar, at=late, **told)
    policy_desk.do(policies.apply_targets, at=late, ticket_ids=[case], policies=False)
    assert policy_desk.timer(case).due_at == move.after.at
    assert asked(policy_desk, list_provisional_dues, late, calendar_id=1).by_year == {}
    assert policy_desk.well(late)


def test_a_policys_preview_equals_what_adding_and_applying_it_does(policy_desk, now):
    cases = [policy_desk.open(priority=each) for each in (Priority.P1, Priority.P2, Priority.P1)]
    later = now + timedelta(minutes=30)
    told = {
        "kind": TimerKind.RESOLUTION,
        "unit": TargetUnit.WORKING_DAYS,
        "amount": 2,
        "calendar_id": 1,
        "clause": "Q-11",
        "second_unit": TargetUnit.CALENDAR_MINUTES,
        "second_amount": 20,
        "priority": Priority.P1,
    }
    preview = asked(policy_desk, preview_policies, later, draft=PolicyDraft(**told))
    assert [move.ticket_id for move in preview.moves] == [cases[0], cases[2]]
    assert all(move.missed for move in preview.moves), "due before the change (rule 14)"
    policy_desk.do(policies.add_policy, at=later, **told)
    policy_desk.do(policies.apply_targets, at=later, ticket_ids=list(preview.others))
    for move in preview.moves:
        assert (
            policy_desk.timer(move.ticket_id).due_at == move.after.at == now + timedelta(minutes=20)
        )
        assert policy_desk.timer(move.ticket_id).phase is TimerPhase.RUNNING
    assert policy_desk.well(later)


def test_rule_29_a_kind_without_target_gets_one_by_applying(policy_desk, now):
    case = policy_desk.open()
    draft = PolicyDraft(TimerKind.RESTORATION, TargetUnit.WORKING_MINUTES, 240, 1, "Q-11")
    [move] = asked(policy_desk, preview_policies, draft=draft).moves
    assert (move.kind, move.before, move.after.at) == (
        TimerKind.RESTORATION,
        None,
        now + timedelta(hours=4),
    )
    policy_desk.policy(240, kind=TimerKind.RESTORATION, clause="Q-11")
    policy_desk.do(policies.apply_targets, ticket_ids=[case])
    assert policy_desk.well()


def test_a_policy_to_come_moves_nothing_yet(policy_desk, now):
    policy_desk.open()
    draft = PolicyDraft(
        TimerKind.RESOLUTION,
        TargetUnit.WORKING_MINUTES,
        60,
        1,
        "S-16",
        from_at=now + timedelta(days=1),
    )
    assert asked(policy_desk, preview_policies, draft=draft).moves == ()


def test_applying_passes_over_cases_that_ended_meanwhile(policy_desk, now):
    case = policy_desk.open()
    policy_desk.do(
        actions.cancel_ticket,
        ticket_id=case,
        version=policy_desk.version(case),
        reason=CancelReason.DUPLICATE,
        words="twice",
    )
    policy_desk.do(policies.apply_targets, ticket_ids=[case])
    with store.ReadSession() as session:
        kinds = list(session.scalars(select(TicketEvent.kind)))
        assert session.get(Ticket, case).version == 2
    assert "targets_applied" not in kinds


@pytest.mark.parametrize(
    ("draft", "refusal"),
    [
        ({"amount": 0}, "target_unusable"),
        ({"second_unit": TargetUnit.CALENDAR_MINUTES}, "target_unusable"),
        ({"clause": " "}, "words_missing"),
        ({"calendar_id": 99}, "no_such_calendar"),
    ],
)
def test_a_draft_that_would_be_refused_is_refused_in_the_preview(policy_desk, draft, refusal):
    told = {
        "kind": TimerKind.HOP,
        "unit": TargetUnit.WORKING_MINUTES,
        "amount": 5,
        "calendar_id": 1,
        "clause": "S-16",
    } | draft
    with pytest.raises(Refusal, match=refusal):
        asked(policy_desk, preview_policies, draft=PolicyDraft(**told))
    with pytest.raises(Refusal, match=refusal):
        policy_desk.do(policies.add_policy, **told)


def test_an_edit_makes_a_version_and_tells_who_made_it(policy_desk, cast):
    version = policy_desk.do(edit_calendar, calendar_id=1, version=1, draft=CLOSED)
    book = asked(policy_desk, find_calendar, calendar_id=1)
    assert (version, book.version, book.versions[0].by) == (2, 2, cast.supervisor.name)
    [by_hand] = [day for day in book.days if day.source == "hand"]
    assert (by_hand.on, by_hand.kind, by_hand.name) == (TOMORROW, DayKind.CLOSED, "盘点")
    taken_back = CalendarDraft({TOMORROW: None})
    policy_desk.do(edit_calendar, calendar_id=1, version=2, draft=taken_back)
    book = asked(policy_desk, find_calendar, calendar_id=1)
    assert [day for day in book.days if day.source == "hand"] == []


def test_an_edit_of_a_version_that_somebody_else_edited_is_refused(policy_desk):
    policy_desk.do(edit_calendar, calendar_id=1, version=1, draft=CLOSED)
    with pytest.raises(Refusal, match="changed_meanwhile"):
        policy_desk.do(edit_calendar, calendar_id=1, version=1, draft=NEW_YEAR)
    with pytest.raises(Refusal, match="changed_meanwhile"):
        asked(policy_desk, preview_calendar, calendar_id=1, version=1, draft=NEW_YEAR)


@pytest.mark.parametrize(
    ("draft", "refusal"),
    [
        (CalendarDraft(), "calendar_unchanged"),
        (CalendarDraft({TOMORROW: DayByHand(DayKind.CLOSED)}), "words_missing"),
        (CalendarDraft({TOMORROW: DayByHand(DayKind.OTHER_HOURS, (), "x")}), "hours_unusable"),
        (
            CalendarDraft({TOMORROW: DayByHand(DayKind.OTHER_HOURS, ((60, 50),), "x")}),
            "hours_unusable",
        ),
        (CalendarDraft(week={}), "hours_unusable"),
    ],
)
def test_rule_6_an_edit_that_says_nothing_or_cannot_be_is_refused(policy_desk, draft, refusal):
    with pytest.raises(Refusal, match=refusal):
        policy_desk.do(edit_calendar, calendar_id=1, version=1, draft=draft)
    assert asked(policy_desk, find_calendar, calendar_id=1).version == 1


def test_rule_7_a_day_by_hand_survives_the_import_and_is_listed_with_the_day_it_beats(policy_desk):
    by_hand = CalendarDraft({date(2026, 10, 1): DayByHand(DayKind.OPEN, (), "赶工")})
    policy_desk.do(edit_calendar, calendar_id=1, version=1, draft=by_hand)
    told = b'{"year": 2026, "days": [{"name": "x", "date": "2026-10-01", "isOffDay": true}]}'
    days = read_announcement(told).days
    policy_desk.do(
        edit_calendar, calendar_id=1, version=2, draft=CalendarDraft(announcements={2026: days})
    )
    book = asked(policy_desk, find_calendar, calendar_id=1)
    found = [
        (day.source, day.kind, day.beaten)
        for day in book.days
        if day.on.isoformat() == "2026-10-01"
    ]
    assert sorted(found) == [("hand", "open", False), ("official", "closed", True)]


def test_rule_6_a_return_call_that_is_never_due_does_not_stop_the_completion(policy_desk, now):
    policy_desk.policy(4000, kind=TimerKind.RETURN_CALL, unit=TargetUnit.WORKING_DAYS)
    case = policy_desk.open()
    policy_desk.do(
        actions.complete_ticket, ticket_id=case, version=policy_desk.version(case), words="fixed"
    )
    timer = policy_desk.timer(case, TimerKind.RETURN_CALL)
    assert (timer.phase, timer.due_at) == (TimerPhase.RUNNING, None)
    assert policy_desk.well()


@pytest.mark.postgres_smoke
def test_a_batch_takes_as_many_statements_for_many_cases_as_for_few(policy_desk, now):
    cases = [policy_desk.open(at=now + timedelta(minutes=minutes)) for minutes in range(33)]
    later = now + timedelta(hours=1)
    for case in cases[1::3]:
        wait(policy_desk, case, later)
    told = {"calendar_id": 1, "version": 1, "draft": CLOSED}
    policy_desk.do(edit_calendar, at=later, **told)
    later += timedelta(minutes=1)
    policy_desk.do(policies.apply_targets, at=later, ticket_ids=cases[30:])
    asked_of = []
    for batch in (cases[:3], cases[3:30]):
        with statements(store.writer()) as asked_now:
            policy_desk.do(policies.apply_targets, at=later, ticket_ids=batch)
        asked_of.append([each for each, _ in asked_now])
    few, many = map(len, asked_of)
    assert few == many <= MOST_STATEMENTS, asked_of[1]
    assert policy_desk.well(later)


def test_a_preview_takes_as_many_statements_for_many_cases_as_for_few(policy_desk, now):
    told = {"calendar_id": 1, "version": 1, "draft": CLOSED}
    asked_of = []
    for more in (3, 30):
        for _ in range(more):
            policy_desk.open()
        asked(policy_desk, preview_calendar, **told)
        with statements(store.reader()) as asked_now:
            preview = asked(policy_desk, preview_calendar, **told)
        asked_of.append((preview.cases, len(asked_now)))
    assert [cases for cases, _ in asked_of] == [3, 33]
    assert len({number for _, number in asked_of}) == 1


def test_what_was_applied_before_an_interruption_stays_and_the_next_preview_shows_the_rest(
    policy_desk, now
):
    cases = [policy_desk.open(at=now + timedelta(minutes=minutes)) for minutes in range(5)]
    later = now + timedelta(hours=1)
    told = {"calendar_id": 1, "version": 1, "draft": CLOSED}
    preview = asked(policy_desk, preview_calendar, later, **told)
    policy_desk.do(edit_calendar, at=later, **told)
    policy_desk.do(policies.apply_targets, at=later, ticket_ids=cases[:2], policies=False)
    rest = asked(policy_desk, preview_policies, later)
    assert rest.others == tuple(cases[2:])
    assert rest.moves == tuple(move for move in preview.moves if move.ticket_id in cases[2:])


def test_a_case_that_the_open_list_lost_is_applied_to_and_listed_again(policy_desk, now):
    cases = [policy_desk.open(), policy_desk.open()]
    with store.writing() as session:
        session.execute(delete(QueueRow).where(QueueRow.ticket_id == cases[0]))
    policy_desk.policy(60)
    policy_desk.do(policies.apply_targets, ticket_ids=cases)
    assert {policy_desk.timer(case).due_at for case in cases} == {now + timedelta(hours=1)}
    assert policy_desk.well()


def test_applying_to_a_case_that_there_is_not_is_refused(policy_desk):
    case = policy_desk.open()
    with pytest.raises(Refusal, match="not_found"):
        policy_desk.do(policies.apply_targets, ticket_ids=[case, case + 1])


@pytest.mark.postgres_smoke
def test_a_fact_that_is_being_written_is_waited_for_and_counted(policy_desk, now):
    case = policy_desk.open()
    later = now + timedelta(minutes=10)
    applying = Thread(
        target=policy_desk.do,
        args=(policies.apply_targets,),
        kwargs={"at": later, "ticket_ids": [case]},
    )
    with store.writing() as session:
        fact = TicketEvent(
            ticket_id=case,
            kind=EventKind.CONTACTED,
            at=later,
            recorded_at=later,
            actor_kind=ActorKind.SYSTEM,
            outbound=True,
        )
        session.add(fact)
        session.flush()
        applying.start()
        applying.join(0.5)
        assert applying.is_alive()
    applying.join()
    assert policy_desk.timer(case, TimerKind.FIRST_RESPONSE).stopped_at == later
    assert policy_desk.well(later)


def test_applying_moves_no_case_that_nobody_has_touched(policy_desk, now):
    case = policy_desk.open()
    days_later = now + timedelta(days=3)
    policy_desk.do(policies.apply_targets, at=days_later, ticket_ids=[case])
    unmoved = QueueFilter(QueueView.NOT_MOVED)
    assert asked(policy_desk, count_lines, days_later, where=unmoved) == 1
