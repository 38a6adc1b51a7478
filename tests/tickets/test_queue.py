"""The open queue: order, views, paging, counts, and who sees which case."""

from datetime import datetime

import pytest

from db import session as database
from db.codes import CoverageState, FaultCode, Priority, TicketStatus, WaitingFor
from lib.shared.calendar import epoch
from lib.shared.work import look
from lib.tickets.queue import PAGE_ROWS, count_lines, read_queue
from lib.tickets.queue_filter import (
    NOBODY,
    SENT_FIELDS,
    UNMOVED,
    QueueFilter,
    QueueLine,
    QueueView,
    Sort,
    seen_by,
    sent,
)
from lib.tickets.tally import tallies
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

    def place_of(line: QueueLine) -> tuple[int, int]:
        return line.due_at, line.id

    def page(**place: tuple[int, int] | None):  # type: ignore[no-untyped-def]
        return look(read_queue, actor=cast.hotline, now=now, where=QueueFilter(), **place)

    first = page()
    second = page(after=place_of(first.lines[-1]))
    third = page(after=place_of(second.lines[-1]))
    seen = [line.id for part in (first, second, third) for line in part.lines]
    assert seen == ids
    assert [len(part.lines) for part in (first, second, third)] == [PAGE_ROWS, PAGE_ROWS, 20]
    assert first.low is None
    assert third.high is None
    back = page(before=place_of(third.lines[0]))
    assert [line.id for line in back.lines] == [line.id for line in second.lines]
    assert page(before=place_of(second.lines[0])).lines == first.lines
    assert page(after=place_of(third.lines[-1])).lines == first.lines


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
            next_action_at=epoch(now) - 1,
            moved_at=epoch(now) - UNMOVED - 1,
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
        "follow_up": 1,
        "not_moved": 1,
    }


def test_saved_lists_are_counted_with_the_views_for_whoever_looks(
    cast: Cast, now: datetime
) -> None:
    saved = [
        QueueFilter(priority=Priority.P1),
        QueueFilter(priority=Priority.P1, view=QueueView.MINE),
        QueueFilter(view=QueueView.UNASSIGNED, status=TicketStatus.NEW),
        QueueFilter(view=QueueView.OVERDUE, technician=cast.technician.person_id),
        QueueFilter(technician=NOBODY, sort=Sort.COMPANY),
    ]
    with database.writing() as session:
        for number in range(1, 61):
            write_open_case(
                session,
                now,
                number,
                due_in=(number % 5 - 2) * 600,
                priority=list(Priority)[number % 4],
                status=TicketStatus.NEW if number % 3 else TicketStatus.ASSIGNED,
                technician_id=cast.technician.person_id if number % 2 else None,
                owner_id=cast.hotline.person_id if number % 7 else None,
            )
    for actor in (cast.hotline, cast.supervisor, cast.technician):
        page = look(read_queue, actor=actor, now=now, where=QueueFilter(), saved=saved)
        for where in saved:
            counted = look(count_lines, actor=actor, now=now, where=where)
            assert page.tally.count_of(seen_by(where, actor)) == counted, (actor.name, where)


def test_a_list_is_sorted_by_any_column_both_ways_page_by_page(cast: Cast, now: datetime) -> None:
    names = ["b", "a", "Z", "中", "文", "é", "𠀀", "\uffee", ""]
    with database.writing() as session:
        for number in range(1, 121):
            write_open_case(
                session,
                now,
                number,
                due_in=600 * (number % 7),
                priority=list(Priority)[number % 4],
                fault=list(FaultCode)[number % 3],
                coverage=list(CoverageState)[number % 2],
                customer_name=names[number % 9],
                contact_name=names[number % 5],
                technician_name=names[number % 4],
            )
    for sort in Sort:
        for descending in (False, True):
            where = QueueFilter(sort=sort, descending=descending)
            pages, after = [], None
            for _ in range(3):
                page = look(read_queue, actor=cast.hotline, now=now, where=where, after=after)
                pages.append(page.lines)
                key = where.key_of(page.lines[-1])
                after = (key[0] if isinstance(key[0], int) else None), key[1]
            lines = [line for part in pages for line in part]
            assert len({line.id for line in lines}) == 120
            assert lines == sorted(lines, key=where.key_of, reverse=descending), sort
            first = where.key_of(pages[2][0])
            before = (first[0] if isinstance(first[0], int) else None), first[1]
            back = look(read_queue, actor=cast.hotline, now=now, where=where, before=before)
            assert back.lines == pages[1], sort


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


def test_the_change_number_is_that_of_the_last_commit(cast: Cast, now: datetime) -> None:
    with database.writing() as session:
        case = write_open_case(session, now, 1)
        number = announce(session, case)
    page = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter())
    assert page.number == number
    assert [name for _, name in page.technicians] == sorted(["陈刚", "刘洋"])
