"""The listener on both stores: whatever process commits, the board hears of it soon, once and in order."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import delete, text

from db import session as database
from db.models.people import DeskSession
from db.models.tickets import QueueRow
from lib.people.actions import open_session_for
from lib.people.sessions import find_session, hash_token
from lib.shared import clock
from lib.shared.work import look, perform, system
from lib.tickets.live import Board, Stream, View
from lib.tickets.queue import read_queue
from lib.tickets.queue_filter import QueueFilter
from lib.tickets.tally import tallies
from lib.web.live import Listener, make_bell
from tests.cast import Cast
from tests.serving import SOON
from tests.tickets.open_cases import announce, write_open_case

TEST = system("test")


class Ear:
    """A stream's messages, waited for."""

    def __init__(self, board: Board, cast: Cast) -> None:
        now = clock.now()
        person = cast.hotline.person_id
        token = perform(open_session_for, actor=TEST, now=now, person_id=person)
        facts = look(find_session, actor=TEST, now=now, token_hash=hash_token(token))
        assert facts is not None
        self.session_id = facts.row_id
        page = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter())
        self._rang = threading.Event()
        view = board.show_queue(None, session_id=facts.row_id, page=page)
        stream = board.open(
            view.token, session_id=facts.row_id, since=page.number, wake=self._rang.set
        )
        assert stream is not None
        self.stream: Stream = stream
        self._heard: list[dict[str, Any]] = []

    def hear(self, kind: str, seconds: float = 3) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._heard += [json.loads(message) for message in self.stream.take()]
            while self._heard:
                message = self._heard.pop(0)
                if message["t"] == kind:
                    return message
            self._rang.wait(0.05)
            self._rang.clear()
        raise AssertionError(f"no {kind} within {seconds} s")


@pytest.fixture
def board(database: str) -> Iterator[Board]:
    tallies.forget()
    board = Board()
    listener = Listener(board)
    listener.start()
    time.sleep(0.3)
    yield board
    listener.stop()


def committed(*tickets: int) -> int:
    with database.writing() as session:
        number = announce(session, *tickets)
        if not database.is_sqlite():
            session.execute(text("SELECT pg_notify('desk', :number)"), {"number": str(number)})
    return number


@pytest.mark.postgres_smoke
def test_a_commit_reaches_the_open_queues_within_a_second(board: Board, cast: Cast) -> None:
    ear = Ear(board, cast)
    with database.writing() as session:
        case = write_open_case(session, clock.now(), 1)
    number = committed(case)
    began = time.monotonic()
    patch = ear.hear("patch")
    assert time.monotonic() - began < SOON
    assert (patch["no"], patch["set"][0][0]) == (number, case)
    while ear.hear("counts")["counts"]["all"] != 1:
        continue
    with database.writing() as session:
        session.execute(delete(QueueRow))
    committed(case)
    assert ear.hear("patch")["gone"] == [case]


def test_many_commits_come_as_few_messages(board: Board, cast: Cast) -> None:
    ear = Ear(board, cast)
    with database.writing() as session:
        cases = [write_open_case(session, clock.now(), number) for number in range(1, 31)]
    numbers = [committed(case) for case in cases]
    told: set[int] = set()
    messages = 0
    while len(told) < len(cases):
        patch = ear.hear("patch")
        messages += 1
        told |= {row[0] for row in patch["set"]}
    assert patch["no"] == numbers[-1]
    assert messages < len(cases)


def test_the_stream_ends_when_its_session_ends(board: Board, cast: Cast) -> None:
    ear = Ear(board, cast)
    with database.writing() as session:
        session.get_one(DeskSession, ear.session_id).revoked_at = clock.now()
    deadline = time.monotonic() + 5
    while not ear.stream.ended and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ear.stream.ended


def test_a_listener_that_lost_the_store_comes_back_and_misses_nothing(
    cast: Cast, now: datetime
) -> None:
    tallies.forget()
    board = Board()
    broken = threading.Event()

    class Bell:
        def wait(self, seconds: float) -> bool:
            if broken.is_set():
                raise OSError("the store is away")
            time.sleep(seconds)
            return False

        def tell(self, words: str) -> None: ...

        def heard(self) -> list[str]:
            return []

        def close(self) -> None: ...

    listener = Listener(board, Bell)
    listener.start()
    try:
        time.sleep(0.3)
        ear = Ear(board, cast)
        broken.set()
        with database.writing() as session:
            case = write_open_case(session, now, 1)
        committed(case)
        time.sleep(0.2)
        broken.clear()
        assert ear.hear("patch", seconds=5)["set"][0][0] == case
    finally:
        listener.stop()


@pytest.mark.parametrize("others", [1, 60])
def test_processes_of_one_store_tell_each_other_who_has_which_case_open(
    cast: Cast, others: int
) -> None:
    if database.is_sqlite():
        bell = make_bell()
        bell.tell("nobody else serves this store")
        assert bell.heard() == []
        bell.close()
        return
    here, elsewhere = Board(), Board()
    listeners = [Listener(here), Listener(elsewhere)]
    for listener in listeners:
        listener.start()
    try:
        time.sleep(0.3)

        def show(board: Board, case: int, person: tuple[int, str]) -> View:
            return board.watch(
                None, session_id=1, tickets=[case], number=0, opened=case, person=person
            )

        def others_at(case: int) -> list[str]:
            return show(here, case, (9_999, "李娜")).others.get(case, [])

        views = [show(elsewhere, case, (case, f"王丽{case}")) for case in range(1, others + 1)]
        wait_for(lambda: all(others_at(view.opened) == [view.person[1]] for view in views))
        for view in views:
            view.left_at = None
        wait_for(lambda: not any(others_at(view.opened) for view in views))
    finally:
        for listener in listeners:
            listener.stop()


def wait_for(met: Callable[[], bool], seconds: float = 8) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
