"""The numbers above the queue: counted once for all, and moved by the lines that cross a limit with time."""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from db import session as database
from db.codes import Priority, TicketStatus
from lib.shared.calendar import epoch
from lib.shared.work import look
from lib.tickets import tally as tallying
from lib.tickets.queue import read_queue
from lib.tickets.queue_filter import HOUR, UNMOVED, QueueFilter, QueueView
from lib.tickets.tally import Tally, TallyKeeper, find_crossing, read_tally, tallies
from tests.cast import Cast
from tests.tickets.open_cases import write_open_case
from tests.tickets.statements import statements

FURTHER = [
    QueueFilter(priority=Priority.P1),
    QueueFilter(QueueView.OVERDUE, status=TicketStatus.NEW),
    QueueFilter(QueueView.NOT_MOVED, priority=Priority.P3),
]


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    tallies.forget()


def test_counts_are_made_once_a_second_for_all_sessions_and_when_the_hour_asks(
    cast: Cast, now: datetime
) -> None:
    with database.writing() as session:
        write_open_case(session, now, 1, due_in=10)
    first = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter()).tally
    again = look(read_queue, actor=cast.supervisor, now=now, where=QueueFilter()).tally
    assert again is first
    assert first.next_crossing == epoch(now) + 11


def test_time_alone_brings_a_case_over_the_line(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        late = write_open_case(session, now, 1, due_in=1)
        soon = write_open_case(session, now, 2, due_in=3602)
        write_open_case(session, now, 3, due_in=9000)
        followed = write_open_case(session, now, 4, due_in=None, next_action_at=epoch(now) + 7)
        unmoved = write_open_case(session, now, 5, due_in=None, moved_at=epoch(now) + 9 - UNMOVED)
    start = epoch(now)
    with database.ReadSession() as session:
        assert set(find_crossing(session, start, start + 1)) == set()
        assert set(find_crossing(session, start + 1, start + 2)) == {late}
        assert set(find_crossing(session, start + 2, start + 3)) == {soon}
        assert set(find_crossing(session, start + 7, start + 8)) == {followed}
        assert set(find_crossing(session, start + 9, start + 10)) == {unmoved}
    where = QueueFilter(view=QueueView.OVERDUE)
    later = look(read_queue, actor=cast.hotline, now=now + timedelta(seconds=2), where=where)
    assert [line.id for line in later.lines] == [late]


def write_many(cast: Cast, now: datetime, seed: int, many: int, within: int) -> None:
    """Cases that cross a limit of each kind within so many seconds, or have just crossed it."""
    chance = random.Random(seed)
    people = [None, cast.technician.person_id, cast.hotline.person_id]

    def near(limit: int) -> int:
        return limit + chance.randint(-3, within)

    with database.writing() as session:
        for number in range(1, many + 1):
            write_open_case(
                session,
                now,
                number,
                due_in=chance.choice([None, near(0), near(HOUR), near(2 * HOUR)]),
                next_action_at=chance.choice([None, epoch(now) + near(0)]),
                moved_at=epoch(now) + chance.choice([0, near(-UNMOVED)]),
                priority=chance.choice(list(Priority)),
                status=chance.choice([TicketStatus.NEW, TicketStatus.ASSIGNED]),
                technician_id=chance.choice(people),
                owner_id=chance.choice(people),
            )


def numbers(tally: Tally) -> tuple[object, object]:
    """What a tally tells, without the zeros that say nothing."""
    further = {
        where: {people: count for people, count in counts.items() if count}
        for where, counts in tally.further.items()
    }
    return tally.by_people, further


def walked(keeper: TallyKeeper, now: datetime, seconds: Iterable[int]) -> int:
    """Ask for the numbers second by second, each time against a new count; how often the store was asked for them."""
    asked = 0
    with database.ReadSession() as session:
        for second in seconds:
            at = epoch(now) + second
            with statements(database.reader()) as sent:
                kept = keeper.current(session, 7, at, FURTHER)
            asked += len(sent)
            anew = read_tally(session, 7, at, FURTHER)
            assert kept.number == 7
            assert kept.at <= at < kept.next_crossing
            assert numbers(kept) == numbers(anew), second
            assert kept.next_crossing <= anew.next_crossing
    return asked


@pytest.mark.postgres_smoke
@pytest.mark.parametrize("seed", range(5))
def test_numbers_that_time_moves_equal_a_new_count_at_every_second(
    cast: Cast, now: datetime, seed: int
) -> None:
    write_many(cast, now, seed, many=80, within=200)
    chance = random.Random(seed)
    walked(TallyKeeper(), now, sorted(chance.sample(range(300), 60)))
    walked(TallyKeeper(), now, range(40))


def test_a_minute_in_which_each_second_moves_a_case_is_counted_once_and_read_ahead_once(
    cast: Cast, now: datetime
) -> None:
    with database.writing() as session:
        for number in range(1, 181):
            write_open_case(session, now, number, due_in=number)
    assert walked(TallyKeeper(), now, range(60)) == 2
    assert walked(TallyKeeper(), now, range(170)) == 4


def test_more_than_can_be_read_ahead_is_counted_anew(
    cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallying, "MOST_AHEAD", 10)
    monkeypatch.setattr(tallying, "TALLY_SECONDS", 0)
    with database.writing() as session:
        for number in range(1, 31):
            write_open_case(session, now, number, due_in=number)
    walked(TallyKeeper(), now, range(40))


def test_a_change_or_a_clock_that_runs_back_is_counted_anew(
    cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallying, "TALLY_SECONDS", 0)
    write_many(cast, now, seed=9, many=20, within=60)
    keeper, at = TallyKeeper(), epoch(now)
    with database.ReadSession() as session:
        keeper.current(session, 1, at)
        moved = keeper.current(session, 1, at + 30)
        assert (moved.number, moved.at) == (1, at + 30)
        assert keeper.counted(2, at + 30) is None
        changed = keeper.current(session, 2, at + 30)
        assert (changed.number, changed.coming) == (2, ())
        back = keeper.current(session, 2, at + 10)
        assert numbers(back) == numbers(read_tally(session, 2, at + 10))


def test_the_lines_that_crossed_are_told_from_what_was_read_ahead(
    cast: Cast, now: datetime
) -> None:
    write_many(cast, now, seed=4, many=60, within=100)
    keeper, start = TallyKeeper(), epoch(now)
    with database.ReadSession() as session:
        keeper.current(session, 1, start)
        for second in range(1, 120):
            tally = keeper.current(session, 1, start + second)
            known = tally.crossed(start + second - 1, start + second)
            asked = find_crossing(session, start + second - 1, start + second)
            if known is None:
                assert second == 1, "only before the first reading ahead is it not known"
            else:
                assert {line.id: line for line in known} == asked
