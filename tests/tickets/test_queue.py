"""The open queue: order, views, paging, counts, and who sees which case."""

from datetime import datetime, timedelta

import pytest

from db import session as database
from db.codes import TicketStatus, WaitingFor
from lib.shared.calendar import epoch
from lib.shared.work import look
from lib.tickets.queue import (
    PAGE_ROWS,
    SENT_FIELDS,
    QueueFilter,
    QueueView,
    find_crossing,
    read_queue,
    sent,
    tallies,
)
from tests.cast import Cast
from tests.tickets.open_cases import announce, write_open_case


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    tallies.forget()


def test_the_next_breach_comes_first_and_paused_cases_last(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        paused = write_open_case(session, now, 1, due_in=None, paused=True)
        later = write_open_case(session, now, 2, due_in=9000)
        late = write_open_case(session, now, 3, due_in=-60)
    page = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter())
    assert [line.id for line in page.lines] == [late, later, paused]


def test_pages_follow_each_other_without_gap_or_double_in_both_directions(
    cast: Cast, now: datetime
) -> None:
    with database.writing() as session:
        ids = [write_open_case(session, now, n, due_in=600 * (n // 3)) for n in range(1, 121)]

    def page(**place: tuple[int, int] | None):  # type: ignore[no-untyped-def]
        return look(read_queue, actor=cast.hotline, now=now, where=QueueFilter(), **place)

    first = page()
    second = page(after=first.lines[-1].key)
    third = page(after=second.lines[-1].key)
    seen = [line.id for part in (first, second, third) for line in part.lines]
    assert seen == ids
    assert [len(part.lines) for part in (first, second, third)] == [PAGE_ROWS, PAGE_ROWS, 20]
    assert first.low is None
    assert third.high is None
    back = page(before=third.lines[0].key)
    assert [line.id for line in back.lines] == [line.id for line in second.lines]
    assert page(before=second.lines[0].key).lines == first.lines
    assert page(after=third.lines[-1].key).lines == first.lines


def test_counts_tell_what_each_view_lists(cast: Cast, now: datetime) -> None:
    technician = cast.technician.person_id
    with database.writing() as session:
        write_open_case(session, now, 1, due_in=-5, owner_id=cast.hotline.person_id)
        write_open_case(session, now, 2, due_in=3599, technician_id=technician)
        write_open_case(
            session,
            now,
            3,
            due_in=None,
            paused=True,
            status=TicketStatus.WAITING,
            waiting_for=WaitingFor.PARTS,
        )
        write_open_case(
            session, now, 4, status=TicketStatus.COMPLETED, return_call_open=True, due_in=80_000
        )
    for actor in (cast.hotline, cast.supervisor, cast.technician):
        page = look(read_queue, actor=actor, now=now, where=QueueFilter())
        counts = page.tally.counts(page.where)
        for view in QueueView:
            listed = look(read_queue, actor=actor, now=now, where=QueueFilter(view=view)).lines
            assert counts[view] == len(listed), (actor.name, view)
    page = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter())
    assert page.tally.counts(page.where) == {
        "next_breach": 2,
        "mine": 1,
        "unassigned": 3,
        "waiting_parts": 1,
        "return_calls": 1,
        "all": 4,
        "overdue": 1,
        "due_soon": 1,
    }


def test_counts_are_made_once_a_second_for_all_sessions_and_when_the_hour_asks(
    cast: Cast, now: datetime
) -> None:
    with database.writing() as session:
        write_open_case(session, now, 1, due_in=10)
    first = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter()).tally
    again = look(read_queue, actor=cast.supervisor, now=now, where=QueueFilter()).tally
    assert again is first
    assert first.next_crossing == epoch(now) + 10


def test_a_technician_sees_the_own_cases_only(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        own = write_open_case(session, now, 1, technician_id=cast.technician.person_id)
        write_open_case(session, now, 2, technician_id=cast.second_technician.person_id)
        write_open_case(session, now, 3)
    page = look(read_queue, actor=cast.technician, now=now, where=QueueFilter())
    assert [line.id for line in page.lines] == [own]
    assert page.tally.counts(page.where)["all"] == 1


def test_typed_full_width_letters_and_capitals_find_the_number(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        found = write_open_case(session, now, 123)
        write_open_case(session, now, 124)
    where = QueueFilter(text="  ｃc-2026-０００123\n")
    page = look(read_queue, actor=cast.hotline, now=now, where=where)
    assert [line.id for line in page.lines] == [found]
    assert page.total == 1


@pytest.mark.parametrize(
    "typed",
    [
        "CC-2026-000001", "０００００1", "华庭酒店", "庭酒", "王建国", "建国", "huatingjiudian", "Hua Ting", "htjd",
        "wjg", "htjd 王", "13912345678", "9123", "5678", "139 1234 5678", "+86 139-1234-5678", "５６７８", "华庭 5678",
    ],
)  # fmt: skip
def test_one_box_finds_a_case_by_whatever_somebody_knows(
    cast: Cast, now: datetime, typed: str
) -> None:
    with database.writing() as session:
        found = write_open_case(
            session,
            now,
            1,
            customer_name="华庭酒店",
            contact_name="王建国",
            phone_digits="13912345678",
        )
        write_open_case(session, now, 2, phone_digits="02168880000")
    for actor in (cast.hotline, cast.dispatcher, cast.supervisor):
        page = look(read_queue, actor=actor, now=now, where=QueueFilter(text=typed))
        assert [line.id for line in page.lines] == [found]
        assert page.total == 1


@pytest.mark.parametrize("typed", ["13912345678", "5678", "139 1234 5678", "139", "李娜 5678"])
def test_roles_that_read_masked_phones_cannot_ask_a_phone_out_digit_by_digit(
    cast: Cast, now: datetime, typed: str
) -> None:
    with database.writing() as session:
        write_open_case(
            session,
            now,
            1,
            technician_id=cast.technician.person_id,
            phone_digits="13912345678",
        )
    for actor in (cast.technician, cast.sales, cast.quality, cast.storekeeper):
        page = look(read_queue, actor=actor, now=now, where=QueueFilter(text=typed, by_phone=True))
        assert page.lines == []
        named = look(read_queue, actor=actor, now=now, where=QueueFilter(text="李娜"))
        assert len(named.lines) == 1


def test_nothing_that_a_search_reads_goes_to_a_browser(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        write_open_case(session, now, 1, phone_digits="13912345678")
    page = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter())
    assert not {"search_key", "phone_digits"} & set(SENT_FIELDS)
    assert "13912345678" not in str(sent(page.lines[0]))


def test_time_alone_brings_a_case_over_the_line(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        late = write_open_case(session, now, 1, due_in=1)
        soon = write_open_case(session, now, 2, due_in=3602)
        write_open_case(session, now, 3, due_in=9000)
    start = epoch(now)
    with database.ReadSession() as session:
        assert set(find_crossing(session, start, start + 1)) == set()
        assert set(find_crossing(session, start + 1, start + 2)) == {late}
        assert set(find_crossing(session, start + 2, start + 3)) == {soon}
    where = QueueFilter(view=QueueView.OVERDUE)
    later = look(read_queue, actor=cast.hotline, now=now + timedelta(seconds=2), where=where)
    assert [line.id for line in later.lines] == [late]


def test_the_change_number_is_that_of_the_last_commit(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        case = write_open_case(session, now, 1)
        number = announce(session, case)
    page = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter())
    assert page.number == number
    assert [name for _, name in page.technicians] == sorted(["陈刚", "刘洋"])
