"""Writing items down and reading them with their warranty."""

from datetime import date, datetime

import pytest

from db.codes import CoverageState, ItemKind
from lib.coverage.queries import list_covered_items
from lib.customers.actions import add_customer, add_site
from lib.items.actions import add_item
from lib.shared.errors import Refusal
from lib.shared.work import look, perform
from tests.cast import Cast


@pytest.fixture
def customer(cast: Cast, now: datetime) -> int:
    return perform(add_customer, actor=cast.hotline, now=now, name="东方宾馆")


@pytest.fixture
def site(customer: int, cast: Cast, now: datetime) -> int:
    return perform(add_site, actor=cast.hotline, now=now, customer_id=customer, name="主楼")


def test_an_item_is_listed_with_its_place_and_warranty(
    customer: int, site: int, cast: Cast, now: datetime
) -> None:
    perform(
        add_item,
        actor=cast.hotline,
        now=now,
        site_id=site,
        kind=ItemKind.MOTOR_TRACK,
        name="电动轨道 M2",
        room="301",
        warranty_start_on=date(2024, 12, 10),
    )
    (covered,) = look(list_covered_items, actor=cast.hotline, now=now, customer_id=customer)
    assert (covered.item.site_name, covered.item.room) == ("主楼", "301")
    assert covered.warranty.ends_on == date(2026, 12, 10)
    assert covered.warranty.state is CoverageState.EXPIRING


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"name": ""}, "item_name_missing"),
        ({"name": "电" * 121}, "words_too_long"),
        ({"warranty_months": 601}, "warranty_term_unclear"),
        ({"warranty_months": -1}, "warranty_term_unclear"),
        ({"warranty_start_on": date(1, 1, 1)}, "warranty_start_unclear"),
        ({"warranty_start_on": date(2040, 1, 1)}, "warranty_start_unclear"),
    ],
)
def test_an_item_that_cannot_be_is_refused(
    site: int, cast: Cast, now: datetime, change: dict[str, object], key: str
) -> None:
    told = {"site_id": site, "kind": ItemKind.CURTAIN, "name": "窗帘"} | change
    with pytest.raises(Refusal) as refused:
        perform(add_item, actor=cast.hotline, now=now, **told)
    assert refused.value.key == key


def test_technicians_do_not_list_a_customers_items(
    customer: int, site: int, cast: Cast, now: datetime
) -> None:
    perform(
        add_item,
        actor=cast.hotline,
        now=now,
        site_id=site,
        kind=ItemKind.CURTAIN,
        name="窗帘",
    )
    assert look(list_covered_items, actor=cast.technician, now=now, customer_id=customer) == []
