"""Whoever opens the stock page sees first what must be bought."""

from datetime import datetime

import pytest

from lib.shared.work import look, perform
from lib.stock import actions, queries
from lib.stock.queries import PartFilter
from tests.cast import Cast
from tests.stock.shelves import a_part


def numbers(cast: Cast, now: datetime, where: PartFilter) -> list[str]:
    found = look(queries.list_parts, actor=cast.storekeeper, now=now, where=where)
    return [part.number for part in found]


def test_parts_below_their_minimum_come_first_and_the_largest_gap_leads(cast: Cast, now: datetime):
    a_part(now, number="A-OK", on_hand=5, minimum=5)
    a_part(now, number="B-SHORT", on_hand=4, minimum=5)
    a_part(now, number="C-EMPTY", on_hand=0, minimum=5)
    a_part(now, number="D-NO-MINIMUM", on_hand=0)
    assert numbers(cast, now, PartFilter()) == ["C-EMPTY", "B-SHORT", "A-OK", "D-NO-MINIMUM"]
    assert numbers(cast, now, PartFilter(short_only=True)) == ["C-EMPTY", "B-SHORT"]
    assert look(queries.count_short_parts, actor=cast.storekeeper, now=now) == 2


@pytest.mark.parametrize(
    "letters", ["mot", "MOTOR", "电机", "gui", "gddj", "guidao", "tra", " gd dj"]
)
def test_three_letters_of_number_name_or_pinyin_find_a_part(
    cast: Cast, now: datetime, letters: str
):
    a_part(now, on_hand=1)
    a_part(now, number="CORD-9", name="拉绳", name_en="Cord", on_hand=1)
    assert numbers(cast, now, PartFilter(search=letters)) == ["MOTOR-1"]


def test_the_ledger_is_read_page_by_page_newest_first(cast: Cast, now: datetime):
    part_id = a_part(now, on_hand=1)
    for quantity in (2, 3):
        perform(
            actions.receive_part,
            actor=cast.storekeeper,
            now=now,
            part_id=part_id,
            quantity=quantity,
        )
    reads = {"actor": cast.storekeeper, "now": now, "part_id": part_id}
    first = look(queries.list_movements, most=2, **reads)
    assert [line.quantity for line in first] == [3, 2]
    rest = look(queries.list_movements, before_id=first[-1].id, **reads)
    assert [line.quantity for line in rest] == [1]
