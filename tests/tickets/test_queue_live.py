"""What each open queue is told of a change, and what it is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from db.codes import CoverageState, FaultCode, Priority, TicketStatus
from lib.tickets import live
from lib.tickets.live import Board, Stream
from lib.tickets.queue import QueuePage
from lib.tickets.queue_filter import QueueFilter, QueueLine, QueueView
from lib.tickets.tally import Tally

NOW = 1_800_000_000
TALLY = Tally({}, 0, NOW, NOW)
LINE = QueueLine(
    id=1,
    priority=Priority.P2,
    due_at=NOW + 100,
    due_kind=None,
    paused=False,
    number="CC-2026-000001",
    company="春晖酒店有限公司",
    contact="李娜",
    fault=FaultCode.NOISE,
    warranty=CoverageState.UNKNOWN,
    status=TicketStatus.NEW,
    waiting_for=None,
    return_call=False,
    technician="",
    technician_id=None,
    owner_id=None,
)


def a_page(
    *lines: QueueLine,
    number: int = 10,
    where: QueueFilter | None = None,
    low: tuple[int, int] | None = None,
    high: tuple[int, int] | None = None,
) -> QueuePage:
    return QueuePage(where or QueueFilter(), number, list(lines), low, high, None, TALLY)


@pytest.fixture
def board() -> Board:
    board = Board()
    board.start(10)
    return board


def opened(board: Board, page: QueuePage, *, since: int = 10, session_id: int = 7) -> Stream:
    view = board.show_queue(None, session_id=session_id, page=page)
    stream = board.open(view.token, session_id=session_id, since=since, wake=lambda: None)
    assert stream is not None
    return stream


def told(stream: Stream) -> list[dict[str, Any]]:
    return [json.loads(message) for message in stream.take()]


def change(board: Board, number: int, *lines: QueueLine, ended: tuple[int, ...] = ()) -> None:
    ids = [line.id for line in lines] + list(ended)
    board.remember([(number, ticket) for ticket in ids])
    board.tell(ids, {line.id: line for line in lines}, NOW, number)


def test_a_row_that_fits_is_set_and_one_that_left_is_gone(board: Board) -> None:
    mine = QueueFilter(view=QueueView.UNASSIGNED)
    stream = opened(board, a_page(LINE, where=mine))
    change(board, 11, replace(LINE, company="改名公司"))
    change(board, 12, replace(LINE, technician_id=5))
    first, second = told(stream)
    assert first["no"] == 11
    assert "改名公司" in first["set"][0]
    assert first["gone"] == []
    assert (second["set"], second["gone"]) == ([], [1])


def test_a_change_of_a_row_on_another_page_is_not_told(board: Board) -> None:
    stream = opened(board, a_page(LINE, high=(NOW + 200, 2)))
    change(board, 11, replace(LINE, id=9, due_at=NOW + 300))
    assert told(stream) == []
    change(board, 12, replace(LINE, due_at=NOW + 300))
    assert told(stream)[0]["gone"] == [1]


def test_a_stream_opens_for_the_session_that_rendered_it_only(board: Board) -> None:
    view = board.show_queue(None, session_id=7, page=a_page(LINE))
    assert board.open(view.token, session_id=8, since=10, wake=lambda: None) is None
    assert board.open("guessed", session_id=7, since=10, wake=lambda: None) is None
    other = board.show_queue(view.token, session_id=8, page=a_page(LINE))
    assert other.token != view.token


def test_a_gap_inside_the_ring_comes_as_patches_and_a_longer_one_as_reset(board: Board) -> None:
    change(board, 11, LINE)
    stream = opened(board, a_page(), since=10)
    assert board.behind() == {stream.view.token: 10}
    assert board.changed_since(10) == {1}
    board.replay(stream.view.token, {1, 2}, {1: LINE}, NOW)
    message = told(stream)[0]
    assert len(message["set"]) == 1
    assert message["gone"] == [2]
    late = opened(board, a_page(), since=9)
    assert told(late) == [{"t": "reset"}]


def test_the_ring_forgets_the_oldest_changes(board: Board) -> None:
    for number in range(11, 11 + live.RING_CHANGES + 5):
        board.remember([(number, 1)])
    assert board.changed_since(14) is None
    assert board.changed_since(15) == {1}


def test_a_change_between_reading_and_registering_is_told_again(board: Board) -> None:
    stream = opened(board, a_page(LINE))
    page = a_page(LINE, number=10, where=QueueFilter(priority=Priority.P2))
    change(board, 11, replace(LINE, company="早先的话"))
    told(stream)
    view = board.show_queue(stream.view.token, session_id=7, page=page)
    assert view is stream.view
    assert board.behind() == {view.token: 10}


def test_patches_name_the_filter_they_were_decided_with(board: Board) -> None:
    stream = opened(board, a_page(LINE))
    change(board, 11, LINE)
    board.show_queue(
        stream.view.token, session_id=7, page=a_page(LINE, number=11, where=QueueFilter(text="cc"))
    )
    change(board, 12, LINE)
    first, second = told(stream)
    assert second["generation"] == first["generation"] + 1


def test_a_browser_that_is_too_slow_gets_one_reset(board: Board) -> None:
    stream = opened(board, a_page(LINE))
    for number in range(11, 11 + live.MOST_WAITING + 1):
        change(board, number, LINE)
    assert told(stream) == [{"t": "reset"}]


def test_a_second_stream_of_a_view_ends_the_first(board: Board) -> None:
    first = opened(board, a_page(LINE))
    second = board.open(first.view.token, session_id=7, since=10, wake=lambda: None)
    assert first.ended
    board.close(first)
    assert board.streams() == [second]


def test_a_watch_is_told_of_its_tickets_and_of_no_content(board: Board) -> None:
    watch = board.watch(None, session_id=7, tickets=[1], number=10)
    every = board.watch(None, session_id=7, tickets=None, number=10)

    def open_(token: str, wake: Callable[[], None] = lambda: None) -> Stream:
        stream = board.open(token, session_id=7, since=10, wake=wake)
        assert stream is not None
        return stream

    stock = board.watch(None, session_id=7, tickets=[live.NO_TICKET], number=10)
    one, all_, other = open_(watch.token), open_(every.token), open_(stock.token)
    change(board, 11, replace(LINE, id=2))
    change(board, 12, LINE)
    change(board, 13, ended=(0,))
    assert told(one) == [{"t": "touched", "no": 12}]
    assert told(all_) == [{"t": "touched", "no": 11}, {"t": "touched", "no": 12}]
    assert told(other) == [{"t": "touched", "no": 13}]


class Walked(dict[Any, Any]):
    """A mapping that counts how often all of it is gone through."""

    times = 0

    def items(self) -> Any:
        self.times += 1
        return super().items()


def test_a_hundred_queues_are_told_their_counts_by_two_walks_through_the_people() -> None:
    counted = {QueueView.ALL: 2, QueueView.OVERDUE: 1}
    people = Walked({(4, 7): counted, (None, 7): counted, (7, 7): counted, (4, None): counted})
    tally = Tally(people, 0, NOW, NOW)
    told = [tally.counts(QueueFilter(person_id=each)) for each in range(100)]
    assert people.times <= 2
    assert {each[QueueView.ALL] for each in told} == {8}
    assert {each[QueueView.UNASSIGNED] for each in told} == {2}
    assert (told[4][QueueView.MINE], told[7][QueueView.MINE], told[5][QueueView.MINE]) == (4, 6, 0)
    own = tally.counts(QueueFilter(person_id=4, only_of=4))
    assert (own[QueueView.ALL], own[QueueView.MINE], own[QueueView.OVERDUE]) == (4, 4, 2)


def test_counts_are_sent_only_when_they_differ(board: Board) -> None:
    stream = opened(board, a_page(LINE))
    tally = Tally({(None, None): {QueueView.ALL: 3}}, 11, NOW, NOW + 5)
    board.tell_counts(tally)
    board.tell_counts(tally)
    messages = told(stream)
    assert len(messages) == 1
    assert messages[0]["counts"]["all"] == 3


def test_what_another_process_told_of_its_open_cases_counts_until_it_falls_silent(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others() -> list[str]:
        view = board.watch(None, session_id=7, tickets=[1], number=10, opened=1, person=(3, "李娜"))
        return view.others.get(1, [])

    board.hear_elsewhere("other", 0, [(1, 4, "王丽"), (2, 5, "刘洋")])
    board.hear_elsewhere("other", 1, [(1, 6, "陈刚")])
    assert others() == ["王丽", "陈刚"]
    board.hear_elsewhere("other", 1, [])
    assert others() == ["王丽"]
    later = live.monotonic() + live.ELSEWHERE_SECONDS + 1
    monkeypatch.setattr(live, "monotonic", lambda: later)
    assert others() == []
