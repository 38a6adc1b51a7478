"""Stock moves only through its ledger, and never below zero."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.exc import DBAPIError

from db import session as store
from db.codes import MovementKind
from db.models.stock import Part, StockMovement
from lib.shared.errors import Refusal
from lib.shared.work import look, perform, system
from lib.stock import actions, queries
from tests.cast import Cast
from tests.stock.shelves import a_case, a_part, levels, refusal_of


def test_a_receipt_raises_what_is_on_hand_and_writes_a_line(cast: Cast, now: datetime):
    part_id = a_part(now, on_hand=0)
    perform(
        actions.receive_part,
        actor=cast.storekeeper,
        now=now,
        part_id=part_id,
        quantity=7,
        reason="PO 12",
    )
    [line] = look(queries.list_movements, actor=cast.storekeeper, now=now, part_id=part_id)
    assert (line.kind, line.quantity, line.on_hand_after) == (MovementKind.RECEIVE, 7, 7)
    assert (line.person_name, line.reason, line.at) == ("钱波", "PO 12", now)


def test_more_than_is_on_hand_is_refused_with_what_is_left(cast: Cast, now: datetime):
    part_id, ticket_id = a_part(now, on_hand=2), a_case(now)
    refused = refusal_of(
        actions.issue_part, cast.storekeeper, now, part_id=part_id, quantity=3, ticket_id=ticket_id
    )
    assert (refused.key, refused.params["on_hand"]) == ("stock_short", 2)
    assert levels(now) == {"MOTOR-1": 2}


@pytest.mark.parametrize("quantity", [0, -1, 10_001])
def test_a_quantity_that_no_movement_can_have_is_refused(cast: Cast, now: datetime, quantity: int):
    part_id = a_part(now, on_hand=2)
    refused = refusal_of(
        actions.receive_part, cast.storekeeper, now, part_id=part_id, quantity=quantity
    )
    assert refused.key == "quantity_out_of_range"


def test_no_more_comes_back_than_went_out_for_the_case(cast: Cast, now: datetime):
    part_id, ticket_id = a_part(now, on_hand=5), a_case(now)
    line = {"part_id": part_id, "ticket_id": ticket_id}
    perform(actions.issue_part, actor=cast.storekeeper, now=now, quantity=2, **line)
    refused = refusal_of(actions.return_part, cast.storekeeper, now, quantity=3, **line)
    assert (refused.key, refused.params["out"]) == ("return_too_many", 2)
    perform(actions.return_part, actor=cast.storekeeper, now=now, quantity=2, **line)
    assert levels(now) == {"MOTOR-1": 5}


def test_a_count_sets_the_level_and_needs_a_reason(cast: Cast, now: datetime):
    part_id = a_part(now, on_hand=5)
    count = {"part_id": part_id, "seen_on_hand": 5, "counted": 3}
    refused = refusal_of(actions.adjust_part, cast.storekeeper, now, reason="  ", **count)
    assert refused.key == "stock_reason_missing"
    perform(actions.adjust_part, actor=cast.storekeeper, now=now, reason="stocktake", **count)
    assert levels(now) == {"MOTOR-1": 3}


def test_a_count_against_a_level_that_moved_meanwhile_is_refused(cast: Cast, now: datetime):
    part_id = a_part(now, on_hand=5)
    refused = refusal_of(
        actions.adjust_part,
        cast.storekeeper,
        now,
        part_id=part_id,
        seen_on_hand=6,
        counted=4,
        reason="stocktake",
    )
    assert (refused.key, refused.params["on_hand"]) == ("stock_moved", 5)


def test_a_part_number_is_given_once_whatever_its_spelling(cast: Cast, now: datetime):
    a_part(now, on_hand=0)
    refused = refusal_of(
        actions.add_part, cast.storekeeper, now, number=" motor-1 ", name="another"
    )
    assert refused.key == "part_number_taken"


def test_a_minimum_can_be_changed_while_stock_moves(cast: Cast, now: datetime):
    part_id = a_part(now, on_hand=5)
    [seen] = look(queries.list_parts, actor=cast.storekeeper, now=now)
    perform(actions.receive_part, actor=cast.storekeeper, now=now, part_id=part_id, quantity=1)
    perform(
        actions.change_minimum,
        actor=cast.storekeeper,
        now=now,
        part_id=part_id,
        version=seen.version,
        minimum=9,
    )
    [part] = look(queries.list_parts, actor=cast.storekeeper, now=now)
    assert (part.on_hand, part.minimum, part.is_below) == (6, 9, True)


@pytest.mark.parametrize("part", ["hotline", "technician", "sales", "auditor", "outsider"])
def test_only_the_store_moves_stock_by_hand(cast: Cast, now: datetime, part: str):
    part_id = a_part(now, on_hand=5)
    refused = refusal_of(
        actions.receive_part, getattr(cast, part), now, part_id=part_id, quantity=1
    )
    assert refused.key == "no_longer_allowed"


def test_the_ledger_cannot_be_rewritten(cast: Cast, now: datetime):
    a_part(now, on_hand=5)
    for statement in (update(StockMovement).values(quantity=9), delete(StockMovement)):
        with pytest.raises(DBAPIError, match="append_only"), store.writing() as session:
            session.execute(statement)


def test_the_last_part_goes_to_exactly_one_of_eight_takers(cast: Cast, now: datetime):
    ticket_id = a_case(now)
    for round_number in range(5):
        part_id = a_part(now, on_hand=1, number=f"LAST-{round_number}")
        together = Barrier(8)

        def take(_taker: int, part_id: int = part_id, together: Barrier = together) -> str:
            together.wait()
            try:
                perform(
                    actions.issue_part,
                    actor=cast.storekeeper,
                    now=now,
                    part_id=part_id,
                    quantity=1,
                    ticket_id=ticket_id,
                )
            except Refusal as refusal:
                return refusal.key
            return "taken"

        with ThreadPoolExecutor(8) as takers:
            results = list(takers.map(take, range(8)))
        assert sorted(results) == ["stock_short"] * 7 + ["taken"]
    assert not look(queries.find_ledger_faults, actor=system("test"), now=now)


def test_a_double_click_receives_once(cast: Cast, now: datetime):
    part_id = a_part(now, on_hand=0)
    ids = {
        perform(
            actions.receive_part,
            actor=cast.storekeeper,
            now=now,
            key="form-1",
            part_id=part_id,
            quantity=4,
        )
        for _ in range(20)
    }
    assert len(ids) == 1
    assert levels(now) == {"MOTOR-1": 4}


def test_a_level_that_is_not_the_sum_of_its_ledger_is_found(cast: Cast, now: datetime):
    part_id = a_part(now, on_hand=5)
    a_part(now, on_hand=3, number="RAIL-1")
    with store.writing() as session:
        session.execute(update(Part).where(Part.id == part_id).values(on_hand=4))
    [fault] = look(queries.find_ledger_faults, actor=system("verify"), now=now)
    assert (fault.number, fault.on_hand, fault.ledger_sum) == ("MOTOR-1", 4, 5)


def test_a_line_that_does_not_follow_from_the_one_before_is_found(cast: Cast, now: datetime):
    part_id = a_part(now, on_hand=5)
    with store.writing() as session:
        session.execute(update(Part).where(Part.id == part_id).values(on_hand=6))
        session.execute(
            insert(StockMovement).values(
                part_id=part_id,
                kind=MovementKind.ADJUST,
                quantity=1,
                on_hand_after=7,
                reason="",
                at=now,
            )
        )
    [fault] = look(queries.find_ledger_faults, actor=system("verify"), now=now)
    assert fault.number == "MOTOR-1"
