"""Saved lists: whose they are, who sees them, and what is refused."""

from datetime import date, datetime
from typing import Any

import pytest

from db.codes import Priority, Role, TicketStatus
from lib.shared.errors import Refusal
from lib.shared.work import Actor, look, perform
from lib.tickets.queue_filter import NOBODY, QueueFilter, QueueView, Scope, Sort
from lib.tickets.views import (
    SavedList,
    address_of,
    change_view,
    delete_view,
    filter_of,
    list_views,
    save_view,
)
from tests.cast import Cast

URGENT = QueueFilter(priority=Priority.P1, sort=Sort.COMPANY)


def save(actor: Actor, now: datetime, name: str, **facts: Any) -> int:
    saved: int = perform(
        save_view, actor=actor, now=now, name=name, where=facts.pop("where", URGENT), **facts
    )
    return saved


def views_of(actor: Actor, now: datetime) -> list[SavedList]:
    return look(list_views, actor=actor, now=now)


def names_of(actor: Actor, now: datetime) -> list[str]:
    return [each.name for each in views_of(actor, now)]


def test_a_list_is_kept_for_its_owner_with_filters_and_sort(cast: Cast, now: datetime) -> None:
    save(cast.hotline, now, " 紧急 ")
    (kept,) = views_of(cast.hotline, now)
    assert (kept.name, kept.owner, kept.where) == ("紧急", "", URGENT)
    assert views_of(cast.dispatcher, now) == []


def test_a_shared_list_stands_after_the_own_ones_of_the_roles_it_is_shared_with(
    cast: Cast, now: datetime
) -> None:
    save(cast.supervisor, now, "值班", shared_roles=[Role.HOTLINE, Role.STOREKEEPER])
    save(cast.hotline, now, "我的")
    assert names_of(cast.hotline, now) == ["我的", "值班"]
    assert views_of(cast.hotline, now)[1].owner == "孙芳"
    assert names_of(cast.dispatcher, now) == []
    assert views_of(cast.supervisor, now)[0].shared_roles == ("hotline",), "only who has the queue"


@pytest.mark.parametrize(
    ("name", "refusal"),
    [("", "view_name_missing"), ("紧急", "view_name_taken"), ("长" * 41, "words_too_long")],
)
def test_a_list_needs_a_name_of_its_own(cast: Cast, now: datetime, name: str, refusal: str) -> None:
    save(cast.hotline, now, "紧急")
    other = save(cast.hotline, now, "别的")
    with pytest.raises(Refusal, match=refusal):
        save(cast.hotline, now, name)
    with pytest.raises(Refusal, match=refusal):
        perform(
            change_view,
            actor=cast.hotline,
            now=now,
            view_id=other,
            version=1,
            name=name,
            shared_roles=[],
        )
    assert save(cast.dispatcher, now, "紧急"), "somebody else's names do not count"


def test_an_eleventh_list_is_refused_and_ten_are_shown(cast: Cast, now: datetime) -> None:
    for place in range(10):
        save(cast.hotline, now, f"列表 {place}")
    with pytest.raises(Refusal, match="views_full"):
        save(cast.hotline, now, "第十一")
    save(cast.supervisor, now, "共享", shared_roles=[Role.HOTLINE])
    assert len(names_of(cast.hotline, now)) == 10


def test_only_the_owner_renames_shares_and_deletes(cast: Cast, now: datetime) -> None:
    view = save(cast.supervisor, now, "值班", shared_roles=[Role.HOTLINE])
    for action, told in (
        (change_view, {"name": "别名", "shared_roles": []}),
        (delete_view, {}),
    ):
        with pytest.raises(Refusal, match="not_your_view"):
            perform(action, actor=cast.hotline, now=now, view_id=view, version=1, **told)
    perform(
        change_view,
        actor=cast.supervisor,
        now=now,
        view_id=view,
        version=1,
        name="夜班",
        shared_roles=[Role.DISPATCHER],
    )
    assert names_of(cast.dispatcher, now) == ["夜班"]
    assert names_of(cast.hotline, now) == []
    with pytest.raises(Refusal, match="changed_meanwhile"):
        perform(delete_view, actor=cast.supervisor, now=now, view_id=view, version=1)
    perform(delete_view, actor=cast.supervisor, now=now, view_id=view, version=2)
    assert names_of(cast.supervisor, now) == []


@pytest.mark.parametrize(
    "where",
    [
        QueueFilter(),
        URGENT,
        QueueFilter(
            view=QueueView.MINE,
            status=TicketStatus.NEW,
            technician=NOBODY,
            customer_id=7,
            sort=Sort.DUE,
            descending=True,
        ),
        QueueFilter(
            scope=Scope.CLOSED,
            technician=12,
            from_on=date(2026, 10, 1),
            until_on=date(2026, 11, 24),
        ),
    ],
)
def test_an_address_tells_a_filter_and_a_filter_its_address(where: QueueFilter) -> None:
    assert filter_of(address_of(where)) == where


def test_searched_words_come_into_no_address() -> None:
    assert address_of(QueueFilter(text="王建国 13912345678")) == {}


@pytest.mark.parametrize(
    "asked",
    [
        {"view": "x", "scope": "x", "status": "x", "priority": "x", "sort": "-x"},
        {"technician": "1 OR 1", "customer": "²", "from": "yesterday", "until": "2026-13-01"},
        {"sort": "-"},
    ],
)
def test_what_an_address_tells_that_means_nothing_is_left_out(asked: dict[str, str]) -> None:
    assert filter_of(asked) == QueueFilter()
