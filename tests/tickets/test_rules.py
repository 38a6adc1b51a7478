"""States and moves, return calls, and what facts mean for the timers."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from db.codes import (
    EventKind,
    ReturnCallResult,
    TicketStatus,
    TimerKind,
    TimerPhase,
    WaitingFor,
)
from lib.shared.errors import Refusal
from lib.tickets import rules
from lib.tickets.timers import TimerState

AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def test_every_state_has_its_moves():
    assert set(rules.MOVES) == set(TicketStatus)
    assert all(to in TicketStatus for moves in rules.MOVES.values() for to in moves)


def test_a_completed_case_closes_or_is_reopened_and_nothing_else():
    assert set(rules.legal_moves(TicketStatus.COMPLETED)) == {
        TicketStatus.CLOSED,
        TicketStatus.NEW,
        TicketStatus.ASSIGNED,
    }


@pytest.mark.parametrize("status", [TicketStatus.CLOSED, TicketStatus.CANCELLED])
def test_nothing_follows_an_ended_case(status):
    assert status in rules.ENDED_STATUSES
    for to in TicketStatus:
        with pytest.raises(Refusal, match="move_not_allowed"):
            rules.ensure_can_move(status, to)
    with pytest.raises(Refusal, match="ticket_ended"):
        rules.ensure_open(status)


def test_no_case_closes_without_being_completed_first():
    closers = [status for status, moves in rules.MOVES.items() if TicketStatus.CLOSED in moves]
    assert closers == [TicketStatus.COMPLETED]


@pytest.mark.parametrize(
    ("result", "tries", "ends"),
    [
        (ReturnCallResult.FIXED, 1, True),
        (ReturnCallResult.NOT_FIXED, 1, True),
        (ReturnCallResult.DECLINED, 1, True),
        (ReturnCallResult.NO_ANSWER, 1, False),
        (ReturnCallResult.NO_ANSWER, 2, False),
        (ReturnCallResult.NO_ANSWER, 3, True),
    ],
)
def test_a_return_call_ends_when_reached_declined_or_tried_three_times(result, tries, ends):
    assert rules.return_call_ends(result, tries) is ends


def test_a_case_cannot_be_received_in_the_future():
    rules.ensure_received_in_time(AT, AT)
    with pytest.raises(Refusal, match="received_in_future"):
        rules.ensure_received_in_time(AT + timedelta(seconds=1), AT)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("   ", "words_missing"),
        ("x" * 4001, "words_too_long"),
        ("a\x00b", "words_unreadable"),
        ("a\ud800b", "words_unreadable"),
    ],
)
def test_words_that_cannot_be_kept_are_refused(words, refusal):
    with pytest.raises(Refusal, match=refusal):
        rules.ensure_words(words)


def test_words_are_kept_as_typed():
    assert rules.ensure_words("  轨道<b>变形</b> =1+1 ") == "轨道<b>变形</b> =1+1"


def test_waiting_becomes_a_pause_that_stays_open_until_it_ends():
    started = rules.Fact(EventKind.WAITING_STARTED, AT, WaitingFor.PARTS)
    ended = rules.Fact(EventKind.WAITING_ENDED, AT + timedelta(hours=2), WaitingFor.PARTS)
    assert rules.facts_of(AT, [started]).pauses[0].ended_at is None
    assert rules.facts_of(AT, [started, ended]).pauses[0].ended_at == ended.at


def test_a_note_is_no_contact():
    note = rules.Fact(EventKind.NOTE, AT)
    call = rules.Fact(EventKind.CONTACTED, AT, outbound=True)
    assert rules.facts_of(AT, [note]).contacts == ()
    assert rules.facts_of(AT, [note, call]).contacts == (AT,)


def handed(kind, minute, technician=None, recorded=None):
    """An event of that minute; an arrival is told by the technician himself."""
    at, recorded_at = (AT + timedelta(minutes=m) for m in (minute, recorded or minute))
    arrives = kind is EventKind.ARRIVED
    details = {} if arrives or technician is None else {"technician_id": technician}
    actor_id = technician if arrives else 99
    return rules.Fact(kind, at, recorded_at=recorded_at, actor_id=actor_id, details=details)


def minutes_of_handovers(*events):
    held = rules.facts_of(AT, sorted(events, key=lambda event: event.at)).held
    return [int((each - AT).total_seconds()) // 60 for each in held]


def test_rule_16_a_visit_for_another_technician_hands_the_case_over_and_one_for_the_holder_does_not():
    events = [
        handed(EventKind.ASSIGNED, 1, 5),
        handed(EventKind.SCHEDULED, 2, 5),
        handed(EventKind.SCHEDULED, 3, 6),
        handed(EventKind.VISIT_CANCELLED, 4),
        handed(EventKind.ASSIGNED, 5, 6),
        handed(EventKind.ARRIVED, 6, 5),
        handed(EventKind.ARRIVED, 7, 5),
    ]
    assert minutes_of_handovers(*events) == [1, 3, 6]


def test_rule_16_a_reopening_gives_the_case_back_to_whoever_had_it():
    reopened = handed(EventKind.REOPENED, 9)
    assert minutes_of_handovers(reopened) == []
    assert minutes_of_handovers(handed(EventKind.SCHEDULED, 2, 5), reopened) == [2, 9]


def test_rule_16_an_arrival_that_was_told_late_begins_no_earlier_than_what_the_desk_decided():
    planned, given = handed(EventKind.SCHEDULED, 1, 5), handed(EventKind.ASSIGNED, 5, 6)
    arrived = handed(EventKind.ARRIVED, 3, 5, recorded=20)
    assert minutes_of_handovers(planned, given, arrived) == [1, 5, 5]
    assert minutes_of_handovers(given, handed(EventKind.ARRIVED, 8, 5, recorded=20)) == [5, 8]


def test_rule_16_handovers_are_the_changes_of_the_cases_technician_in_any_history():
    chance = random.Random(16)
    for _ in range(500):
        technician, seen, events = None, 0, []
        for minute in range(chance.randrange(12)):
            kind = chance.choice(
                [*sorted(rules.HANDING_OVER), EventKind.NOTE, EventKind.VISIT_CANCELLED]
            )
            to = chance.choice([5, 6, 7])
            names = kind in (EventKind.ASSIGNED, EventKind.SCHEDULED, EventKind.ARRIVED)
            if kind is EventKind.REOPENED:
                seen += technician is not None
            elif names and to != technician:
                technician, seen = to, seen + 1
            told_late = kind is EventKind.ARRIVED and minute and chance.random() < 0.5
            at = chance.randrange(minute) if told_late else minute
            events.append(handed(kind, at, to if names else None, recorded=minute))
        found = minutes_of_handovers(*events)
        assert len(found) == seen
        assert found == sorted(found)


def a_timer(kind, phase, due_at=None, remaining=None):
    return TimerState(kind, 1, AT, phase, due_at, remaining)


def test_the_list_shows_the_earliest_due_that_runs():
    first = a_timer(TimerKind.FIRST_RESPONSE, TimerPhase.RUNNING, AT + timedelta(minutes=30))
    resolution = a_timer(TimerKind.RESOLUTION, TimerPhase.RUNNING, AT + timedelta(days=3))
    assert rules.next_due([first, resolution]).kind is TimerKind.FIRST_RESPONSE
    assert rules.next_due([resolution], AT + timedelta(days=1)).kind is TimerKind.RETURN_CALL


def test_a_pause_shows_only_when_nothing_runs():
    first = a_timer(TimerKind.FIRST_RESPONSE, TimerPhase.RUNNING, AT + timedelta(minutes=30))
    paused = a_timer(TimerKind.RESOLUTION, TimerPhase.PAUSED, None, 600)
    assert not rules.next_due([first, paused]).paused
    assert rules.next_due([paused]) == rules.NextDue(TimerKind.RESOLUTION, None, True, 600)


def test_a_case_without_open_timers_has_no_due():
    stopped = a_timer(TimerKind.RESOLUTION, TimerPhase.STOPPED, AT)
    assert rules.next_due([stopped]) == rules.NextDue()
