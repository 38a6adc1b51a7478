"""The right caller among the first five, found through keys and never by reading all contacts."""

import random

import pytest
from sqlalchemy import event, text

from db import session as database
from lib.customers import actions, queries
from lib.shared.work import look, perform, system, together

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗曾单仇解查盖任区"
GIVEN = (
    "桂英",
    "秀兰",
    "建国",
    "雅楠",
    "思远",
    "志强",
    "丽华",
    "玉兰",
    "子涵",
    "一鸣",
    "长江",
    "重阳",
)
PLACES = ("上海", "重庆", "长沙", "厦门", "苏州", "六安", "成都", "昆明")
FIRMS = ("惠派", "锦绣", "东方", "瑞和", "天长", "明德", "永乐", "新桥", "银杏", "海澜")
TRADES = ("酒店", "医院", "窗饰", "学校", "置业")


@pytest.fixture
def callers(database, now):
    chance = random.Random(4711)
    names = [
        f"{place}{firm}{trade}有限公司" for place in PLACES for firm in FIRMS for trade in TRADES
    ]
    people = []
    with together() as steps:
        for name in names:
            owner = steps.perform(actions.add_customer, actor=system("test"), now=now, name=name)
            for _ in range(2):
                person = chance.choice(SURNAMES) + chance.choice(GIVEN)
                phone = f"1{chance.choice('358')}{chance.randrange(10**9):09d}"
                if chance.random() < 0.2:
                    phone = f"021-6{chance.randrange(10**7):07d}转{chance.randrange(100, 999)}"
                contact = steps.perform(
                    actions.add_contact,
                    actor=system("test"),
                    now=now,
                    customer_id=owner,
                    name=person,
                    phone=phone,
                )
                people.append((contact, name, person, phone))
    return people


def swapped(words, chance):
    at = chance.randrange(1, len(words) - 1)
    return (
        words[:at] + words[at + 1] + words[at] + words[at + 2 :] if at + 1 < len(words) else words
    )


def queries_for(company, person, phone, chance):
    from lib.customers import rules

    stem = rules.stem(company)
    told = rules.spellings(person)
    firm = rules.spellings(stem)[0]
    letters = "".join(each[0] for each in firm)
    digits = rules.phone_digits(phone).partition("x")[0]
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in digits)
    return [
        f"{stem} {person}",
        f"{stem[2:]} {stem[:2]} {''.join(chance.choice(told))}",
        f"{letters} {''.join(each[0] for each in told[0])}",
        wide,
        phone,
        swapped(digits, chance),
        f"{stem} {swapped(''.join(told[0]), chance)}",
        f"{digits[:3]} {digits[3:7]} {digits[7:]}",
    ]


def test_the_right_caller_is_among_the_first_five_for_95_in_100_of_400_questions(
    callers, cast, now
):
    chance = random.Random(7)
    asked = right = 0
    for contact, company, person, phone in chance.sample(callers, 50):
        for words in queries_for(company, person, phone, chance):
            hits = look(queries.find_callers, actor=cast.hotline, now=now, words=words)
            asked += 1
            right += contact in [hit.contact_id for hit in hits[:5]]
    assert asked == 400
    assert right >= 0.95 * asked


@pytest.mark.parametrize("words", ["惠派 王", "gaoguiying", "5678", "021-6888 8888 转 801"])
def test_a_search_reads_ranges_of_keys_and_scans_no_table(callers, cast, now, words):
    sent = []

    def note(_connection, _cursor, statement, parameters, *_):
        sent.append((statement, parameters))

    event.listen(database.reader(), "before_cursor_execute", note)
    try:
        look(queries.find_callers, actor=cast.hotline, now=now, words=words)
    finally:
        event.remove(database.reader(), "before_cursor_execute", note)
    searches = [each for each in sent if "caller_keys" in each[0]]
    assert searches
    with database.writer().connect() as connection:
        if not database.is_sqlite():
            connection.execute(text("ANALYZE"))
        plain = "EXPLAIN " if not database.is_sqlite() else "EXPLAIN QUERY PLAN "
        for statement, parameters in searches:
            plan = str(connection.exec_driver_sql(plain + statement, parameters).all())
            assert "SCAN caller_keys" not in plan
            assert "SCAN contacts" not in plan
            assert "Seq Scan" not in plan


def test_a_masked_role_finds_no_phone_even_with_a_typing_error(callers, cast, now):
    _, _, _, phone = callers[0]
    for words in (phone, phone[:-1] + "0", phone[-4:]):
        assert look(queries.find_callers, actor=cast.sales, now=now, words=words) == []


def test_an_old_store_gets_its_keys_once(callers, cast, now):
    from lib.customers import bulk

    with database.writing() as session:
        before = session.execute(text("SELECT count(*) FROM caller_keys")).scalar()
        session.execute(text("DELETE FROM caller_keys"))
    perform(bulk.fill_keys, actor=system("test"), now=now)
    with database.writing() as session:
        assert session.execute(text("SELECT count(*) FROM caller_keys")).scalar() == before
