"""Parts and a case for the tests of stock."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from db import session as store
from db.codes import Channel, CoverageState, FaultCode, Priority, TicketStatus
from db.models.tickets import Ticket
from lib.shared.errors import Refusal
from lib.shared.work import Actor, look, perform, system
from lib.stock import actions, queries

STORE = system("test")


def a_part(
    now: datetime,
    *,
    on_hand: int,
    minimum: int = 0,
    number: str = "MOTOR-1",
    name: str = "轨道电机",
    name_en: str = "Track motor",
) -> int:
    """A part with its first receipt in the ledger. Its id."""
    part_id = perform(
        actions.add_part,
        actor=STORE,
        now=now,
        number=number,
        name=name,
        name_en=name_en,
        minimum=minimum,
    )
    if on_hand:
        perform(actions.receive_part, actor=STORE, now=now, part_id=part_id, quantity=on_hand)
    return part_id


def a_case(now: datetime, number: str = "CC-2026-000001") -> int:
    """A case without customer, enough to book parts to. Its id."""
    with store.writing() as session:
        ticket = Ticket(
            number=number,
            status=TicketStatus.NEW,
            priority=Priority.P3,
            channel=Channel.PHONE,
            fault=FaultCode.MOTOR_DEAD,
            coverage=CoverageState.UNKNOWN,
            received_at=now,
            entered_at=now,
        )
        session.add(ticket)
        session.flush()
        return ticket.id


def levels(now: datetime) -> dict[str, int]:
    """Number to what is on hand."""
    return {part.number: part.on_hand for part in look(queries.list_parts, actor=STORE, now=now)}


def refusal_of(
    action: Callable[..., Any], actor: Actor, now: datetime, **arguments: Any
) -> Refusal:
    """The refusal that the action must answer with."""
    with pytest.raises(Refusal) as caught:
        perform(action, actor=actor, now=now, **arguments)
    return caught.value
