"""Group commit: who leads, who joins, and that each is told what became of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db import session as database
from db.session import Busy
from lib.shared import group_commit
from lib.shared.group_commit import GroupCommit, Undone
from tests.groups import until


class Writer:
    """Writes groups of numbers; a negative one fails its group. `closed` holds the writing up."""

    def __init__(self, most: int = 16) -> None:
        self.groups: list[list[int]] = []
        self.closed = threading.Lock()
        self.commit: GroupCommit[int] = GroupCommit(self.write, most=most)

    def write(self, take: Callable[[], Sequence[int]]) -> list[str]:
        group = list(take())
        self.groups.append(group)
        with self.closed:
            if min(group) < 0:
                raise ValueError(min(group))
            return [f"{each} is written" for each in group]


@contextmanager
def while_one_is_written(writer: Writer, numbers: Sequence[int], first: int = 0) -> Any:
    """The futures of `numbers`, all of which wait until the block ends and the writing of `first` goes on."""
    with ThreadPoolExecutor(len(numbers) + 1) as threads, writer.closed:
        leader = threads.submit(writer.commit.run, first)
        until(lambda: writer.groups)
        futures = []
        for nth, number in enumerate(numbers, 1):
            futures.append(threads.submit(writer.commit.run, number))
            until(lambda nth=nth: len(writer.commit) == nth)
        yield leader, futures


def told(future: Future[Any]) -> Any:
    error = future.exception()
    return future.result() if error is None else type(error)


def test_one_alone_is_written_at_once_and_told_its_own_error():
    writer = Writer()
    assert writer.commit.run(7) == "7 is written"
    with pytest.raises(ValueError, match="-1"):
        writer.commit.run(-1)
    assert writer.commit.run(8) == "8 is written"
    assert writer.groups == [[7], [-1], [8]]


def test_those_who_come_while_a_group_is_written_are_the_next_group():
    writer = Writer()
    with while_one_is_written(writer, [1, 2, 3, 4, 5]) as (leader, futures):
        pass
    assert told(leader) == "0 is written"
    assert [told(each) for each in futures] == [f"{n} is written" for n in range(1, 6)]
    assert writer.groups == [[0], [1, 2, 3, 4, 5]]


def test_a_group_has_its_limit_and_the_rest_is_not_forgotten():
    writer = Writer(most=2)
    with while_one_is_written(writer, [1, 2, 3, 4, 5]) as (_, futures):
        pass
    assert [told(each) for each in futures] == [f"{n} is written" for n in range(1, 6)]
    assert writer.groups == [[0], [1, 2], [3, 4], [5]]


def test_of_a_group_that_fails_each_is_told_so_and_the_next_one_is_written():
    writer = Writer(most=3)
    with while_one_is_written(writer, [1, -2, 3, 4]) as (_, futures):
        pass
    assert [told(each) for each in futures] == [Undone, Undone, Undone, "4 is written"]
    assert writer.groups == [[0], [1, -2, 3], [4]]


def test_one_who_is_in_no_group_in_time_is_told_that_the_desk_is_busy(monkeypatch):
    monkeypatch.setattr(database, "LONGEST_WAIT", 0.05)
    writer = Writer()
    with ThreadPoolExecutor(3) as threads, writer.closed:
        leader = threads.submit(writer.commit.run, 0)
        until(lambda: writer.groups)
        futures = [threads.submit(writer.commit.run, each) for each in (1, 2)]
        assert [told(each) for each in futures] == [Busy, Busy]
    assert told(leader) == "0 is written"
    assert writer.commit.run(3) == "3 is written"
    assert writer.groups == [[0], [3]]


def test_one_whose_group_is_being_written_waits_for_its_answer(monkeypatch):
    late, wait = threading.Event(), group_commit._Place.wait

    def wait_in_vain(place: Any, seconds: float = -1) -> bool:
        if place.asked == 2 and seconds > 0:
            late.wait(20)
            return False
        return wait(place, seconds)

    monkeypatch.setattr(group_commit._Place, "wait", wait_in_vain)
    writer = Writer()
    second = threading.Lock()
    with ThreadPoolExecutor(3) as threads, second:
        with writer.closed:
            threads.submit(writer.commit.run, 0)
            until(lambda: writer.groups)
            leader = threads.submit(writer.commit.run, 1)
            until(lambda: len(writer.commit) == 1)
            follower = threads.submit(writer.commit.run, 2)
            until(lambda: len(writer.commit) == 2)
            writer.closed = second
        until(lambda: len(writer.groups) == 2)
        late.set()
        sleep(0.05)
        assert not follower.done()
        second.release()
        assert (told(leader), told(follower)) == ("1 is written", "2 is written")
        second.acquire()


def test_a_leader_who_fails_before_it_takes_anybody_takes_nobody_with_it():
    started, go_on = threading.Event(), threading.Event()
    fails = iter([True, False])

    def write(take: Callable[[], Sequence[int]]) -> list[int]:
        started.set()
        go_on.wait(20)
        if next(fails):
            raise Busy
        return list(take())

    commit = GroupCommit(write, most=16)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(commit.run, 1)
        assert started.wait(20)
        others = [threads.submit(commit.run, each) for each in (2, 3)]
        until(lambda: len(commit) == 3)
        go_on.set()
    assert [told(each) for each in (first, *others)] == [Busy, 2, 3]


@settings(max_examples=30, deadline=None)
@given(
    numbers=st.lists(st.integers(-1, 40), min_size=1, max_size=60),
    threads=st.integers(1, 12),
    most=st.integers(1, 8),
)
def test_whatever_comes_together_each_is_written_once_or_told_of_its_failure(
    numbers, threads, most
):
    writer = Writer(most)

    def ask(number: int) -> Any:
        try:
            return writer.commit.run(number)
        except (Undone, ValueError) as error:
            return type(error)

    with ThreadPoolExecutor(threads) as people:
        answers = list(people.map(ask, numbers))

    assert len(writer.commit) == 0
    assert sorted(each for group in writer.groups for each in group) == sorted(numbers)
    assert all(len(group) <= most for group in writer.groups)
    for number, answer in zip(numbers, answers, strict=True):
        assert answer in ({Undone, ValueError} if number < 0 else {f"{number} is written", Undone})
    undone = [group for group in writer.groups if min(group) < 0 and len(group) > 1]
    assert answers.count(Undone) == sum(map(len, undone))
