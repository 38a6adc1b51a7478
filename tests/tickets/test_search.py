"""Open and closed cases by one box: words of the text, Chinese substrings, names, numbers and phones."""

import random
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, text

from db import session as database
from db.codes import Channel, CoverageState, FaultCode, Priority, TicketStatus
from db.models.customers import Contact, Customer
from db.models.people import Counter
from db.models.tickets import QueueRow, Ticket
from lib.customers.rules import search_key
from lib.shared.errors import Refusal
from lib.shared.work import look, perform, system
from lib.tickets import actions, closed, search
from lib.tickets.closed import read_cases
from lib.tickets.queue import PAGE_ROWS, read_queue
from lib.tickets.queue_filter import QueueFilter, Scope, searchable
from lib.tickets.search import newest_ids, put_terms
from lib.tickets.tally import tallies
from lib.tickets.terms import KNOWN_BEYOND, RAREST, Asked, asked_of, likely_share, rarest, terms_of
from tests.cast import Cast
from tests.tickets.statements import statements

ALL = QueueFilter(scope=Scope.ALL)
PHONES = ["13912345678", "02168888888x801", ""]
TEXTS = [
    "客厅电动窗帘电机不转，遥控器没有反应",
    "卧室罗马帘拉绳断了",
    "The motor of curtain 12 makes a NOISE",
    "轨道变形 ABC-200 型",
    "面料起毛，批号 F2306-9001",
    "面料褪色，批号 F2306-117",
    "",
]
COMPANIES = ["华庭酒店有限公司", "Sunny Hotel", "长安银行", "重庆饭店"]
CONTACTS = ["王建国", "李娜", "O'Neil", "单雄"]


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    tallies.forget()


def write_cases(now: datetime, told: list[dict[str, Any]]) -> list[int]:
    """Cases with customer, contact and terms, as an import writes them; their ids."""
    ids = []
    with database.writing() as session:
        for place, facts in enumerate(told, 1):
            company, contact = facts.get("company", COMPANIES[0]), facts.get("contact", CONTACTS[0])
            customer = Customer(
                name=f"{company}",
                search_key=search_key(company, limit=600),
                created_at=now,
            )
            session.add(customer)
            session.flush()
            person = Contact(
                customer_id=customer.id,
                name=contact,
                phone=facts.get("phone", ""),
                phone_digits=facts.get("phone", ""),
                search_key=search_key(contact, limit=400),
                created_at=now,
            )
            session.add(person)
            session.flush()
            ticket = Ticket(
                number=f"CC-2026-{place:06d}",
                channel=Channel.PHONE,
                status=facts.get("status", TicketStatus.CLOSED),
                priority=facts.get("priority", Priority.P3),
                fault=FaultCode.NOISE,
                coverage=CoverageState.UNKNOWN,
                words=facts.get("words", ""),
                customer_id=customer.id,
                contact_id=person.id,
                received_at=facts.get("received_at", now),
                entered_at=now,
                technician_id=facts.get("technician_id"),
            )
            session.add(ticket)
            session.flush()
            ids.append(ticket.id)
        session.execute(delete(Counter).where(Counter.name == search.FILLED))
    perform(search.fill_terms, actor=system("test"), now=now)
    return ids


def found(actor: Any, now: datetime, words: str, where: QueueFilter = ALL) -> list[int]:
    page = look(read_cases, actor=actor, now=now, where=replace(where, text=words))
    return [line.id for line in page.lines]


@pytest.mark.parametrize(
    "typed",
    [
        "电机", "电动窗帘", "遥控器没", "华庭酒店", "庭酒", "王建", "huatingjiudian", "htjd",
        "wangjian", "wjg", "13912345678", "5678", "139 1234 5678", "CC-2026-000001", "０００００1",
        "王 5678", "电机 华庭", "wjg 遥控", "电机 5678",
    ],
)  # fmt: skip
def test_one_box_finds_a_closed_case_by_whatever_somebody_knows(
    cast: Cast, now: datetime, typed: str
) -> None:
    wanted, _ = write_cases(
        now,
        [
            {"words": TEXTS[0], "phone": PHONES[0]},
            {"words": TEXTS[1], "company": "Sunny Hotel", "contact": "李娜", "phone": PHONES[1]},
        ],
    )
    assert found(cast.hotline, now, typed) == [wanted]


def test_words_of_another_script_are_found_whole_and_in_any_case(cast: Cast, now: datetime) -> None:
    ids = write_cases(now, [{"words": each} for each in TEXTS])
    assert found(cast.hotline, now, "noise motor") == [ids[2]]
    assert found(cast.hotline, now, "ＡＢＣ") == [ids[3]]
    assert found(cast.hotline, now, "abc-200") == [ids[3]]


@pytest.mark.parametrize("typed", ["13912345678", "5678", "139 1234 5678"])
def test_roles_that_read_masked_phones_find_no_closed_case_by_phone(
    cast: Cast, now: datetime, typed: str
) -> None:
    (wanted,) = write_cases(now, [{"words": TEXTS[0], "phone": PHONES[0]}])
    assert found(cast.supervisor, now, typed) == [wanted]
    for actor in (cast.sales, cast.quality, cast.auditor):
        assert found(actor, now, typed) == []
        assert found(actor, now, "电机") == [wanted]


def test_a_technician_finds_the_own_cases_only(cast: Cast, now: datetime) -> None:
    own, _ = write_cases(
        now,
        [{"words": TEXTS[0], "technician_id": cast.technician.person_id}, {"words": TEXTS[0]}],
    )
    assert found(cast.technician, now, "电机") == [own]


def test_a_list_of_closed_cases_needs_words_a_customer_or_at_most_92_days(
    cast: Cast, now: datetime
) -> None:
    old, new = write_cases(now, [{"received_at": now - timedelta(days=200)}, {}])
    today = now.date()

    def listed(**where: Any) -> list[int]:
        asked = QueueFilter(scope=Scope.CLOSED, **where)
        page = look(read_cases, actor=cast.auditor, now=now, where=asked)
        return [line.id for line in page.lines]

    for where in (
        {},
        {"text": "%"},
        {"from_on": today},
        {"status": TicketStatus.CLOSED},
    ):
        with pytest.raises(Refusal, match="closed_needs_narrowing"):
            listed(**where)
    for first, last in ((today - timedelta(days=92), today), (today, today - timedelta(days=1))):
        with pytest.raises(Refusal, match="closed_range_too_long"):
            listed(from_on=first, until_on=last)
    assert listed(from_on=today - timedelta(days=91), until_on=today) == [new]
    assert listed(from_on=date(2020, 1, 1), until_on=date(2020, 2, 1)) == []
    assert listed(text="huating") == [new, old]
    with database.ReadSession() as session:
        customer = session.get_one(Ticket, old).customer_id
    assert listed(customer_id=customer) == [old]


def test_a_single_chinese_character_is_looked_for_in_the_newest_cases(
    cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {"words": "罗马帘拉绳断了"}
    oldest, *_, newest = write_cases(now, [held, *[{"words": "电机不转"} for _ in range(60)], held])
    page = look(read_cases, actor=cast.hotline, now=now, where=replace(ALL, text="帘"))
    assert [line.id for line in page.lines] == [newest, oldest]
    assert not page.cut_short
    monkeypatch.setattr(closed, "MOST_LOOKED_AT", 40)
    page = look(read_cases, actor=cast.hotline, now=now, where=replace(ALL, text="帘"))
    assert [line.id for line in page.lines] == [newest]
    assert page.cut_short
    with statements(database.reader()) as sent:
        look(read_cases, actor=cast.hotline, now=now, where=replace(ALL, text="鑫"))
    assert len(sent) <= 8


def test_pages_of_a_search_follow_each_other_newest_first(cast: Cast, now: datetime) -> None:
    ids = write_cases(now, [{"words": "窗帘"} for _ in range(PAGE_ROWS + 7)])
    first = look(read_cases, actor=cast.hotline, now=now, where=replace(ALL, text="窗帘"))
    assert first.high is not None
    assert first.total is None
    last = look(
        read_cases, actor=cast.hotline, now=now, where=replace(ALL, text="窗帘"), after=first.high
    )
    assert [line.id for page in (first, last) for line in page.lines] == ids[::-1]
    today = now.date()
    ranged = QueueFilter(scope=Scope.CLOSED, from_on=today, until_on=today)
    first = look(read_cases, actor=cast.hotline, now=now, where=ranged)
    last = look(read_cases, actor=cast.hotline, now=now, where=ranged, after=first.high)
    assert [line.id for page in (first, last) for line in page.lines] == ids[::-1]


def test_an_open_case_is_found_by_what_it_says_now(cast: Cast, now: datetime) -> None:
    customer, contact = _customer(now)
    case = perform(
        actions.open_ticket,
        actor=cast.hotline,
        now=now,
        customer_id=customer,
        contact_id=contact,
        site_id=None,
        item_id=None,
        channel=Channel.PHONE,
        received_at=now,
        fault=FaultCode.NOISE,
        words="客厅窗帘异响",
        priority=Priority.P3,
    )
    assert found(cast.hotline, now, "异响") == [case]
    open_ = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter(text="窗帘异"))
    assert [line.id for line in open_.lines] == [case]
    perform(
        actions.change_ticket,
        actor=cast.hotline,
        now=now,
        ticket_id=case,
        version=1,
        words="书房卷帘卡住",
    )
    for words, ids in (("异响", []), ("卷帘", [case]), ("华庭 卡住", [case])):
        assert found(cast.hotline, now, words) == ids
        page = look(read_queue, actor=cast.hotline, now=now, where=QueueFilter(text=words))
        assert [line.id for line in page.lines] == ids


def _customer(now: datetime) -> tuple[int, int]:
    with database.writing() as session:
        customer = Customer(
            name="华庭酒店", search_key=search_key("华庭酒店", limit=600), created_at=now
        )
        session.add(customer)
        session.flush()
        contact = Contact(
            customer_id=customer.id,
            name="王建国",
            search_key=search_key("王建国", limit=400),
            created_at=now,
        )
        session.add(contact)
        session.flush()
        return customer.id, contact.id


def test_cases_of_before_there_was_an_index_are_filled_in_once(cast: Cast, now: datetime) -> None:
    (case,) = write_cases(now, [{"words": TEXTS[0], "status": TicketStatus.NEW}])
    assert not look(search.lacks_terms, actor=system("test"), now=now)
    with database.writing() as session:
        session.execute(delete(Counter).where(Counter.name == search.FILLED))
    assert look(search.lacks_terms, actor=system("test"), now=now)
    perform(search.fill_terms, actor=system("test"), now=now)
    perform(search.fill_terms, actor=system("test"), now=now)
    assert found(cast.hotline, now, "电机") == [case]


@pytest.fixture(scope="module")
def store(module_database: str) -> Iterator[list[tuple[int, tuple[str, str, str]]]]:
    """Many cases of few words, so that common and rare ones meet; a bucket is 64 of them on PostgreSQL, 40 are few."""
    bucket, search.BUCKET = search.BUCKET, 64
    few, search.FEW = search.FEW, 40
    chance = random.Random(5)
    now = datetime.fromisoformat("2026-11-24T10:00:00+08:00")
    cases = []
    with database.writing() as session:
        for place in range(1, 701):
            names = f"|cc-2026-{place:06d}" + "".join(
                search_key(chance.choice(each), limit=400) for each in (COMPANIES, CONTACTS)
            )
            words = chance.choice([*TEXTS, "窗帘", "窗帘", "窗帘"])
            cases.append((place, (names, searchable(words), chance.choice(PHONES))))
            session.add(
                Ticket(
                    id=place,
                    number=f"CC-2026-{place:06d}",
                    channel=Channel.PHONE,
                    status=TicketStatus.CLOSED,
                    priority=Priority.P3,
                    fault=FaultCode.NOISE,
                    coverage=CoverageState.UNKNOWN,
                    received_at=now,
                    entered_at=now,
                )
            )
        session.flush()
        put_terms(session.connection(), [(each, terms_of(*told)) for each, told in cases])
    if not database.is_sqlite():
        with database.writing() as session:
            session.execute(text("ANALYZE ticket_search"))
    yield cases
    search.BUCKET, search.FEW = bucket, few


TYPED = [
    "窗帘", "罗马帘", "电机不转", "noise", "华庭", "sunny", "sun", "htjd", "wjg", "ln", "cayh", "chongqing", "单雄",
    "5678", "801", "02168888888",
    "cc-2026-000007", "0007", "窗帘 htjd", "窗帘 王", "王 5678", "139 1234 5678", "abc-200",
    "f2306-900", "f2306-90", "f2306-9001", "批号f2306-900",
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_index_misses_no_case_that_holds_the_words(
    store: list[tuple[int, tuple[str, str, str]]], data: st.DataObject
) -> None:
    typed = searchable(data.draw(st.sampled_from(TYPED)))
    before = data.draw(st.sampled_from([None, 1, 64, 65, 300, 701]))
    most = data.draw(st.sampled_from([1, 50, 1000]))
    counted = data.draw(st.booleans())
    asked = asked_of(typed, by_phone=True)
    with (
        database.ReadSession() as session,
        nullcontext()
        if counted
        else patch.object(search.statistics, "read", return_value=search.Known({}, 0)),
    ):
        ids = list(newest_ids(session, asked, before=before, most=most))
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) <= most
    holding = [
        each
        for each, told in reversed(store)
        if (before is None or each < before) and _holds(told, typed)
    ]
    if len(ids) < most:
        assert set(holding) <= set(ids)
    else:
        assert {each for each in holding if each >= ids[-1]} <= set(ids)


def _holds(told: tuple[str, str, str], typed: str) -> bool:
    names, words, phone = told
    if "".join(typed.split()).isdigit() and "".join(typed.split()) in phone:
        return True
    return all(
        word in names or word in words or (word.isdigit() and word in phone)
        for word in typed.split()
    )


def test_the_statistics_of_the_store_tell_common_terms_from_rare_ones(
    store: list[tuple[int, tuple[str, str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_of("窗帘", by_phone=True)
    monkeypatch.setattr(search, "statistics", search.TermStatistics())
    with statements(database.reader()) as sent, database.ReadSession() as session:
        assert list(islice(newest_ids(session, asked, before=None, most=1), 1))
        assert list(islice(newest_ids(session, asked, before=None, most=1), 1))
    read = [told for told, _ in sent if "pg_stats" in told]
    assert len(read) == (0 if database.is_sqlite() else 1), "once in ten minutes"
    if read:
        with database.ReadSession() as session:
            shares = search.statistics.read(session).shares
        assert shares["窗帘"] > 0.3 > shares["批号"] > 0


def test_what_is_likely_rare_is_asked_at_once_and_the_common_from_the_newest_on(
    store: list[tuple[int, tuple[str, str, str]]],
) -> None:
    for typed, at_once in (("huatingjiudian", False), ("02168888888", False), ("f2306-117", True)):
        asked = asked_of(searchable(typed), by_phone=True)
        with statements(database.reader()) as sent, database.ReadSession() as session:
            list(islice(newest_ids(session, asked, before=None, most=1000), 1))
        questions = [str(values) for told, values in sent if "FROM ticket_search" in told]
        assert len(questions) == 1
        # SQLite walks its index from the newest on whatever is asked.
        assert ("@" not in questions[0]) == (at_once or database.is_sqlite()), typed


TERM_SHARES = {"~ian": 1.0, "~hua": 0.25, "~aji": 0.02, "电机": 0.3}


@given(st.sets(st.sampled_from([*TERM_SHARES, *(f"~{nth}" for nth in "abcdefg")]), min_size=1))
def test_the_rarest_terms_are_asked_for_and_only_terms_that_were_asked(way: set[str]) -> None:
    asked = Asked(((tuple(sorted(way)), ("cc",)),), tuple(sorted(way)))
    kept = rarest(asked, TERM_SHARES)
    (first, second), phone = kept.words[0], kept.phone
    assert second == ("cc",)
    for left in (first, phone):
        assert len(left) == min(len(way), RAREST)
        assert set(left) <= way
        most = max(TERM_SHARES.get(term, 0) for term in left)
        assert all(TERM_SHARES.get(term, 0) >= most for term in way - set(left))


@pytest.mark.parametrize(
    ("words", "phone", "shares", "likely"),
    [
        (((("电机",),),), (), TERM_SHARES, 0.3),
        (((("~hua", "~ian", "~aji"),),), (), TERM_SHARES, 0.25 * 0.02),
        (((("~hua",), ("电机",)),), (), TERM_SHARES, 0.55),
        (((("~hua",),), (("~aji",),)), (), TERM_SHARES, 0.02),
        (((("~zzz",),),), (), TERM_SHARES, 0.02 / KNOWN_BEYOND),
        ((), ("#123", "#234"), {"#123": 0.5, "#234": 0.5}, 0.25),
    ],
)
def test_how_many_cases_are_likely_found(
    words: tuple[tuple[tuple[str, ...], ...], ...],
    phone: tuple[str, ...],
    shares: dict[str, float],
    likely: float,
) -> None:
    assert likely_share(Asked(words, phone), shares) == pytest.approx(likely)


def test_of_a_lot_only_its_own_cases_are_looked_at(
    store: list[tuple[int, tuple[str, str, str]]],
) -> None:
    asked = asked_of(searchable("F2306-900"), by_phone=True)
    with database.ReadSession() as session:
        ids = list(newest_ids(session, asked, before=None, most=1000))
    assert ids == [each for each, told in reversed(store) if "f2306-900" in told[1]]
    assert ids


def test_a_store_that_does_not_count_its_terms_is_judged_by_its_newest_cases(
    cast: Cast, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "statistics", search.TermStatistics())
    write_cases(now, [{"words": "电机异响"} for _ in range(30)] + [{"words": "电机不转"}] * 10)
    with statements(database.reader()) as sent:
        assert (
            len(found(cast.hotline, now, "电机")) == len(found(cast.hotline, now, "电机不转")) + 30
        )
    newest_first = "ORDER BY tickets.id DESC"
    samples = [told for told, _ in sent if "customer_key" in told and newest_first in told]
    with database.ReadSession() as session:
        shares = search.statistics.read(session).shares
    if database.is_sqlite():
        assert len(samples) == 1, "once in ten minutes"
        assert (shares["电机"], shares["不转"]) == (1.0, 0.25)
    else:
        assert samples == []


def test_a_search_looks_into_the_index_and_reads_no_more_rows_than_it_may(
    cast: Cast, now: datetime
) -> None:
    write_cases(now, [{"words": TEXTS[0]} for _ in range(30)])
    # What is common the first search of ten minutes asks besides, and of who works here the first since a change.
    for most in (7, 5):
        with statements(database.reader()) as sent:
            found(cast.hotline, now, "电机")
        assert len(sent) <= most, "\n".join(told for told, _ in sent)
    with database.ReadSession() as session:
        if database.is_sqlite():
            plan = session.execute(
                text(
                    "EXPLAIN QUERY PLAN SELECT rowid FROM ticket_search"
                    " WHERE ticket_search MATCH '\"电机\"' ORDER BY rowid DESC LIMIT 50"
                )
            ).all()
            assert "VIRTUAL TABLE INDEX" in plan[0][-1]
            assert not any("TEMP B-TREE" in row[-1] for row in plan)
        else:
            session.execute(text("SET enable_seqscan = off"))
            plan = session.execute(
                text("EXPLAIN " + search.FOUND.text), {"asked": "'电机'", "before": 99, "most": 50}
            ).all()
            assert any("ix_ticket_search_terms" in row[0] for row in plan)
        assert session.query(QueueRow).count() == 0
