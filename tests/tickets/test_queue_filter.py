"""`matches` and `conditions` decide alike: for a row in memory and in both stores."""

import random
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db import session as database
from db.codes import CoverageState, FaultCode, Priority, TicketStatus, WaitingFor
from lib.shared.calendar import epoch
from lib.tickets.queue import find_lines, page_of
from lib.tickets.queue_filter import (
    NOBODY,
    UNMOVED,
    Key,
    QueueFilter,
    QueueLine,
    QueueView,
    Sort,
    conditions,
    lines_query,
    matches,
    searchable,
)
from lib.tickets.rules import OPEN_STATUSES
from tests.cast import hire_cast
from tests.tickets.open_cases import write_open_case

COMPANIES = [
    "春晖酒店有限公司", "ABC Curtains", "abc_百分之5%", "Éclair Hotel", "back\\slash", "Straße 9", "ＡＢＣ全角", "",
]  # fmt: skip
CONTACTS = ["李娜", "单雄", "O'Neil", ""]
PHONES = ["13812345678", "02168888888x801", "4000112233", ""]
WORDS = ["客厅窗帘 100% 打不开", "motor_noise", ""]
TYPED = [
    "窗帘", "100%", "motor_", "打不开 5678",
    *COMPANIES, *CONTACTS, *PHONES, "%", "_", "\\", "|", "é", "ß", "00001", "cc-2026", "酒店", "a", "chjd",
    "ln", "shan", "chunhui jiudian", "ln 5678", "138 1234 5678", "1234", "x801", "５６７８", "酒店　李",
    "a b c d e f g h",
]  # fmt: skip


@pytest.fixture(scope="module")
def store(module_database: str) -> tuple[int, list[int]]:
    now = datetime.fromisoformat("2026-11-24T10:00:00+08:00")
    cast = hire_cast(now)
    people = [None, cast.technician.person_id, cast.second_technician.person_id]
    chance = random.Random(7)
    with database.writing() as session:
        for number in range(1, 161):
            status = chance.choice(OPEN_STATUSES)
            waits = chance.choice(list(WaitingFor)) if status is TicketStatus.WAITING else None
            write_open_case(
                session,
                now,
                number,
                status=status,
                waiting_for=waits,
                priority=chance.choice(list(Priority)),
                fault=chance.choice(list(FaultCode)),
                coverage=chance.choice(list(CoverageState)),
                technician_id=chance.choice(people),
                owner_id=chance.choice(people),
                customer_name=chance.choice(COMPANIES),
                contact_name=chance.choice(CONTACTS),
                phone_digits=chance.choice(PHONES),
                words=chance.choice(WORDS),
                customer_id=chance.choice([None, 1, 2]),
                next_action_at=chance.choice([None, epoch(now), epoch(now) - 1, epoch(now) + 1]),
                moved_at=epoch(now) - UNMOVED + chance.choice([-1, 0, 1, UNMOVED]),
                return_call_open=status is TicketStatus.COMPLETED,
                due_in=chance.choice([None, -1, 0, 1, 3599, 3600, 3601, -86400, 86400]),
            )
    return epoch(now), [person for person in people if person]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_row_is_in_the_list_exactly_when_it_matches(
    store: tuple[int, list[int]], data: st.DataObject
) -> None:
    now, people = store
    persons = st.sampled_from([None, *people])
    piece = st.sampled_from(TYPED)
    where = QueueFilter(
        view=data.draw(st.sampled_from(list(QueueView))),
        status=data.draw(st.sampled_from([None, *OPEN_STATUSES])),
        priority=data.draw(st.sampled_from([None, None, *Priority])),
        technician=data.draw(st.sampled_from([None, None, NOBODY, *people])),
        text=searchable(data.draw(st.one_of(st.just(""), piece, st.text(max_size=3)))),
        person_id=data.draw(persons),
        customer_id=data.draw(st.sampled_from([None, None, 1, 3])),
        only_of=data.draw(persons),
        by_phone=data.draw(st.booleans()),
    )
    moment = now + data.draw(st.sampled_from([0, 0, 1, -1, 3600, -3600]))
    with database.ReadSession() as session:
        listed = {row[0] for row in session.execute(lines_query(conditions(where, moment)))}
        every = find_lines(session, range(1, 161))
    assert len(every) == 160
    assert listed == {line.id for line in every.values() if matches(where, line, moment)}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_lies_beyond_a_place_is_the_same_for_a_row_and_for_the_store(
    store: tuple[int, list[int]], data: st.DataObject
) -> None:
    where = QueueFilter(
        sort=data.draw(st.sampled_from(list(Sort))), descending=data.draw(st.booleans())
    )
    with database.ReadSession() as session:
        every = find_lines(session, range(1, 161))
        place: Key = where.key_of(every[data.draw(st.integers(1, 160))])
        backwards = data.draw(st.booleans())
        sides = (None, place) if backwards else (place, None)
        lines, low, high = page_of(session, where, store[0], *sides)

    def held(line: QueueLine) -> bool:
        key = where.key_of(line)
        above = low is None or where.is_beyond(key, low)
        return above and (high is None or where.is_beyond(high, key))

    assert [line.id for line in lines] == [
        line.id
        for line in sorted(every.values(), key=where.key_of, reverse=where.descending)
        if held(line)
    ]
