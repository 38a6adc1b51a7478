"""Movements of spare parts (Q-14): each changes `on_hand` by a guarded update and writes a line of the ledger.

`parts.on_hand` is never loaded, changed and stored: two takers of the last part would both get it. Movements leave
`parts.version` alone, so that an edit of a minimum is not refused because stock moved.
"""

from typing import NoReturn

from sqlalchemy import bindparam, select, update

from db.codes import MovementKind, Role
from db.models.stock import Part, StockMovement
from db.models.tickets import Ticket
from lib.shared.errors import Refusal
from lib.shared.work import Work, permit
from lib.stock import rules

STOCK_CHANGED = 0
"""The case number that announces changes of stock on the live stream."""

MOVE_PART = (
    update(Part)
    .where(Part.id == bindparam("of_part"), Part.on_hand + bindparam("moved") >= 0)
    .values(on_hand=Part.on_hand + bindparam("moved"))
    .returning(Part.on_hand)
)
MOVE_SEEN_PART = MOVE_PART.where(Part.on_hand == bindparam("seen"))


@permit(Role.STOREKEEPER, Role.SUPERVISOR)
def add_part(
    work: Work, *, number: str, name: str, name_en: str = "", unit: str = "", minimum: int = 0
) -> int:
    """Add a part with nothing on hand. Returns its id. Refuses `part_number_taken`."""
    number = rules.clean_number(number)
    rules.ensure_level(minimum)
    if work.session.scalar(select(Part.id).where(Part.number == number)) is not None:
        raise Refusal("part_number_taken", number=number)
    part = Part(
        number=number,
        name=rules.clean_line(name, rules.NAME_LENGTH, "part_name_wrong"),
        name_en=" ".join(name_en.split())[: rules.NAME_LENGTH],
        unit=" ".join(unit.split())[: rules.UNIT_LENGTH],
        minimum=minimum,
    )
    work.session.add(part)
    work.session.flush()
    work.record("part.added", part, number=number, minimum=minimum)
    work.touch_ticket(STOCK_CHANGED)
    return part.id


@permit(Role.STOREKEEPER, Role.SUPERVISOR)
def change_minimum(work: Work, *, part_id: int, version: int, minimum: int) -> None:
    """Set the level below which a part is shown as short."""
    rules.ensure_level(minimum)
    part = work.get(Part, part_id, version=version)
    if part.minimum == minimum:
        return
    before, part.minimum = part.minimum, minimum
    work.record("part.minimum_changed", part, before=before, after=minimum)
    work.touch_ticket(STOCK_CHANGED)


@permit(Role.STOREKEEPER)
def receive_part(work: Work, *, part_id: int, quantity: int, reason: str = "") -> int:
    """Put parts into stock. Returns the id of the ledger line."""
    rules.ensure_quantity(quantity)
    return _move(work, part_id, MovementKind.RECEIVE, quantity, reason=reason)


@permit(Role.STOREKEEPER)
def issue_part(
    work: Work,
    *,
    part_id: int,
    quantity: int,
    ticket_id: int,
    visit_id: int | None = None,
    reason: str = "",
) -> int:
    """Take parts out for a case. Returns the id of the ledger line. Refuses `stock_short`."""
    rules.ensure_quantity(quantity)
    work.get(Ticket, ticket_id)
    return _move(
        work,
        part_id,
        MovementKind.ISSUE,
        -quantity,
        ticket_id=ticket_id,
        visit_id=visit_id,
        reason=reason,
    )


@permit(Role.STOREKEEPER)
def return_part(
    work: Work,
    *,
    part_id: int,
    quantity: int,
    ticket_id: int,
    visit_id: int | None = None,
    reason: str = "",
) -> int:
    """Put back what was taken for a case. Refuses `return_too_many` beyond what is out for it."""
    rules.ensure_quantity(quantity)
    # Locks the part first, so that two returns of the same piece are counted one after the other.
    movement_id = _move(
        work,
        part_id,
        MovementKind.RETURN,
        quantity,
        ticket_id=ticket_id,
        visit_id=visit_id,
        reason=reason,
    )
    work.session.flush()
    moved = work.session.scalars(
        select(StockMovement.quantity).where(
            StockMovement.part_id == part_id, StockMovement.ticket_id == ticket_id
        )
    ).all()
    if sum(moved) > 0:
        raise Refusal("return_too_many", out=quantity - sum(moved))
    return movement_id


@permit(Role.STOREKEEPER, Role.SUPERVISOR)
def adjust_part(
    work: Work, *, part_id: int, seen_on_hand: int, counted: int, reason: str
) -> int | None:
    """Set what is on hand to what was counted. Returns the ledger line's id, None when they agree.

    Refuses `stock_reason_missing`, and `stock_moved` when stock is no longer what the counter saw.
    """
    rules.ensure_level(counted)
    reason = rules.clean_line(reason, rules.REASON_LENGTH, "stock_reason_missing")
    if counted == seen_on_hand:
        return None
    return _move(
        work,
        part_id,
        MovementKind.ADJUST,
        counted - seen_on_hand,
        seen_on_hand=seen_on_hand,
        reason=reason,
    )


def _move(
    work: Work,
    part_id: int,
    kind: MovementKind,
    quantity: int,
    *,
    seen_on_hand: int | None = None,
    ticket_id: int | None = None,
    visit_id: int | None = None,
    reason: str = "",
) -> int:
    asked = {"of_part": part_id, "moved": quantity}
    if seen_on_hand is None:
        on_hand = work.ask(MOVE_PART, **asked).scalar()
    else:
        on_hand = work.ask(MOVE_SEEN_PART, **asked, seen=seen_on_hand).scalar()
    if on_hand is None:
        _refuse(work, part_id, seen_on_hand)
    movement = StockMovement(
        part_id=part_id,
        kind=kind,
        quantity=quantity,
        on_hand_after=on_hand,
        ticket_id=ticket_id,
        visit_id=visit_id,
        person_id=work.actor.person_id,
        reason=" ".join(reason.split())[: rules.REASON_LENGTH],
        at=work.now,
    )
    work.session.add(movement)
    work.session.flush()
    work.record(
        f"stock.{kind}", movement, part_id=part_id, quantity=quantity, on_hand_after=on_hand
    )
    work.touch_ticket(STOCK_CHANGED)
    return movement.id


def _refuse(work: Work, part_id: int, seen_on_hand: int | None) -> NoReturn:
    found = work.session.execute(
        select(Part.number, Part.on_hand).where(Part.id == part_id)
    ).one_or_none()
    if found is None:
        raise Refusal("not_found")
    if seen_on_hand is not None:
        raise Refusal("stock_moved", number=found.number, on_hand=found.on_hand)
    raise Refusal("stock_short", number=found.number, on_hand=found.on_hand)
