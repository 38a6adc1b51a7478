"""`matches` and `conditions` decide alike: for a row in memory and in both stores."""

import random
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db import session as database
from db.codes import CoverageState, FaultCode, Priority, TicketStatus, WaitingFor
from lib.shared.calendar import epoch
from lib.tickets.queue import (
    NOBODY,
    OPEN_STATUSES,
    QueueFilter,
    QueueView,
    conditions,
    find_lines,
    lines_query,
    matches,
    searchable,
)
from tests.cast import hire_cast
from tests.tickets.open_cases import write_open_case

COMPANIES = [
    "春晖酒店有限公司", "ABC Curtains", "abc_百分之5%", "Éclair Hotel", "back\\slash", "Straße 9", "ＡＢＣ全角", "",
]  # fmt: skip
CONTACTS = ["李娜", "单雄", "O'Neil", ""]
PHONES = ["13812345678", "02168888888x801", "4000112233", ""]
TYPED = [
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
        only_of=data.draw(persons),
        by_phone=data.draw(st.booleans()),
    )
    moment = now + data.draw(st.sampled_from([0, 0, 1, -1, 3600, -3600]))
    with database.ReadSession() as session:
        listed = {row[0] for row in session.execute(lines_query(conditions(where, moment)))}
        every = find_lines(session, range(1, 161))
    assert len(every) == 160
    assert listed == {line.id for line in every.values() if matches(where, line, moment)}
