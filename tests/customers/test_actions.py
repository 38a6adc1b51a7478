"""Writing customers down, finding them, and who reads their phones."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from db import session as database
from db.models.customers import Contact
from db.models.people import AuditRow, Person, RevealRecord
from lib.customers import actions, queries
from lib.shared.errors import Refusal
from lib.shared.work import Actor, look, perform
from tests.cast import Cast

PHONE = "021-6888 8888 转 801"


@pytest.fixture
def company(cast: Cast, now: datetime) -> int:
    return perform(
        actions.add_customer, actor=cast.hotline, now=now, name="惠派国际公司", short_name="惠派"
    )


@pytest.fixture
def contact(company: int, cast: Cast, now: datetime) -> int:
    return perform(
        actions.add_contact,
        actor=cast.hotline,
        now=now,
        customer_id=company,
        name="高桂英",
        phone=PHONE,
    )


def find(actor: Actor, now: datetime, words: str) -> list[str]:
    hits = look(queries.find_callers, actor=actor, now=now, words=words)
    return [f"{hit.company}/{hit.contact}" for hit in hits]


@pytest.mark.parametrize(
    "words",
    [
        "惠派",
        "国际",
        "huipaiguoji",
        "hpgj",
        "ＨＰＧＪ",
        "高桂英",
        "gaoguiying",
        "ggy",
        "惠派 高",
        "6888",
        "021-6888 8888",
        "０２１６８８８",
        "转801",
        "+86 21 6888",
    ],
)
def test_a_caller_is_found_by_whatever_is_said_first(
    contact: int, cast: Cast, now: datetime, words: str
) -> None:
    assert find(cast.hotline, now, words) == ["惠派国际公司/高桂英"]


@pytest.mark.parametrize("words", ["", "  ", "%", "_", "惠派 李", "9999", "xyz"])
def test_a_caller_is_not_found_by_anything_else(
    contact: int, cast: Cast, now: datetime, words: str
) -> None:
    assert find(cast.hotline, now, words) == []


def test_a_company_without_contacts_is_found_too(company: int, cast: Cast, now: datetime) -> None:
    assert find(cast.hotline, now, "惠派") == ["惠派国际公司/"]


def test_the_beginning_of_a_name_comes_before_its_middle(cast: Cast, now: datetime) -> None:
    for name in ("上海东方窗饰", "东方宾馆"):
        perform(actions.add_customer, actor=cast.hotline, now=now, name=name)
    assert find(cast.hotline, now, "东方") == ["东方宾馆/", "上海东方窗饰/"]


def test_a_contact_from_the_hotline_needs_name_and_phone_and_is_unverified(
    company: int, contact: int, cast: Cast, now: datetime
) -> None:
    for name, phone, key in (
        ("", PHONE, "contact_name_missing"),
        ("李娜", " ", "phone_missing"),
        ("李娜", "没有", "phone_unclear"),
    ):
        with pytest.raises(Refusal) as refused:
            perform(
                actions.add_contact,
                actor=cast.hotline,
                now=now,
                customer_id=company,
                name=name,
                phone=phone,
            )
        assert refused.value.key == key
    (row,) = look(queries.list_contacts, actor=cast.hotline, now=now, customer_id=company)
    assert (row.id, row.verified, row.phone) == (contact, False, PHONE)


def test_the_same_contact_is_not_written_twice(
    company: int, contact: int, cast: Cast, now: datetime
) -> None:
    again = perform(
        actions.add_contact,
        actor=cast.hotline,
        now=now,
        customer_id=company,
        name=" 高桂英 ",
        phone="０２１－６８８８８８８８－８０１",
    )
    assert again == contact


def test_a_company_of_the_same_name_is_refused(company: int, cast: Cast, now: datetime) -> None:
    with pytest.raises(Refusal) as refused:
        perform(actions.add_customer, actor=cast.hotline, now=now, name=" 惠派国际公司")
    assert refused.value.key == "company_known"
    perform(actions.add_customer, actor=cast.hotline, now=now, name="惠派国际公司上海分公司")


def test_a_site_knows_its_district(company: int, cast: Cast, now: datetime) -> None:
    perform(
        actions.add_site,
        actor=cast.hotline,
        now=now,
        customer_id=company,
        name="总部",
        address="上海市浦东新区世纪大道100号",
    )
    (site,) = look(queries.list_sites, actor=cast.sales, now=now, customer_id=company)
    assert (site.district, site.address) == ("浦东新区", "上海市浦东新区****")


def test_other_roles_read_masked_phones_and_cannot_search_by_phone(
    contact: int, company: int, cast: Cast, now: datetime
) -> None:
    for actor in (cast.sales, cast.quality, cast.auditor):
        (row,) = look(queries.list_contacts, actor=actor, now=now, customer_id=company)
        assert row.masked
        assert "6888 8888" not in row.phone
        assert find(actor, now, "6888") == []
        (hit,) = look(queries.find_callers, actor=actor, now=now, words="惠派")
        assert hit.phone == row.phone


def test_technicians_and_outsiders_look_no_customers_up(
    contact: int, company: int, cast: Cast, now: datetime
) -> None:
    for actor in (cast.technician, cast.outsider, cast.administrator):
        assert find(actor, now, "惠派") == []
        assert look(queries.list_contacts, actor=actor, now=now, customer_id=company) == []
        with pytest.raises(Refusal):
            look(queries.find_customer, actor=actor, now=now, customer_id=company)


def test_a_phone_is_revealed_for_a_reason_and_for_ten_minutes(
    contact: int, company: int, cast: Cast, now: datetime
) -> None:
    with pytest.raises(Refusal) as refused:
        perform(
            actions.reveal_contact,
            actor=cast.quality,
            now=now,
            contact_id=contact,
            site_id=None,
            reason=" ",
        )
    assert refused.value.key == "reason_missing"
    perform(
        actions.reveal_contact,
        actor=cast.quality,
        now=now,
        contact_id=contact,
        site_id=None,
        reason="核对投诉",
    )

    def phone(actor: Actor, minutes: int) -> str:
        at = now + timedelta(minutes=minutes)
        return look(queries.list_contacts, actor=actor, now=at, customer_id=company)[0].phone

    assert phone(cast.quality, 9) == PHONE
    assert phone(cast.quality, 10) != PHONE
    assert phone(cast.sales, 1) != PHONE
    with database.ReadSession() as session:
        record = session.scalars(select(RevealRecord)).one()
        audit = session.scalars(select(AuditRow).order_by(AuditRow.id.desc())).first()
        assert record.reason == "核对投诉"
        assert audit is not None
        assert (audit.action, audit.subject_id) == ("customer.revealed", contact)
        assert PHONE not in str(audit.details)


def test_a_technician_cannot_reveal_any_contact_by_id(
    contact: int, cast: Cast, now: datetime
) -> None:
    with pytest.raises(Refusal):
        perform(
            actions.reveal_contact,
            actor=cast.technician,
            now=now,
            contact_id=contact,
            site_id=None,
            reason="想看",
        )
    with database.ReadSession() as session:
        assert session.scalar(select(func.count()).select_from(RevealRecord)) == 0
        assert session.scalar(select(func.count()).select_from(Contact)) == 1


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"sales_owner_id": "technician"}, "owner_not_of_sales"),
        ({"service_owner_id": 9999}, "not_found"),
        ({"remember": "x" * 401}, "words_too_long"),
        ({"version": 7}, "changed_meanwhile"),
    ],
)
def test_s01_an_owner_is_somebody_of_the_desk(cast, now, changes, key):
    customer_id = perform(actions.add_customer, actor=cast.hotline, now=now, name="华庭酒店")
    told = {"version": 1, "service_owner_id": None, "sales_owner_id": None, "remember": ""}
    told |= {
        name: getattr(cast, value).person_id
        if isinstance(value, str) and hasattr(cast, value)
        else value
        for name, value in changes.items()
    }
    with pytest.raises(Refusal) as refused:
        perform(actions.change_card, actor=cast.hotline, now=now, customer_id=customer_id, **told)
    assert refused.value.key == key


def test_s01_somebody_who_left_becomes_no_owner_but_may_stay_one(cast, now):
    customer_id = perform(actions.add_customer, actor=cast.hotline, now=now, name="华庭酒店")
    told = {
        "customer_id": customer_id,
        "service_owner_id": None,
        "sales_owner_id": cast.sales.person_id,
        "remember": "",
    }
    perform(actions.change_card, actor=cast.hotline, now=now, version=1, **told)
    with database.writing() as session:
        session.get(Person, cast.sales.person_id).active = False
    told["remember"] = "先打电话"
    perform(actions.change_card, actor=cast.hotline, now=now, version=2, **told)
    told["service_owner_id"] = cast.sales.person_id
    with pytest.raises(Refusal) as refused:
        perform(actions.change_card, actor=cast.hotline, now=now, version=3, **told)
    assert refused.value.key == "owner_not_active"
    assert look(queries.count_unowned, actor=cast.hotline, now=now) == 1
    assert look(queries.list_unowned, actor=cast.technician, now=now) == []
