"""Parts as the storekeeper reads them, the ledger of a part, and the proof that both agree."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from db.codes import MovementKind
from db.models.people import Person
from db.models.stock import Part, StockMovement
from db.models.tickets import Ticket
from lib.shared.work import Look
from lib.stock import rules


@dataclass(frozen=True)
class PartFilter:
    """`search`: letters of number, name, pinyin or initials. `short_only`: below their minimum."""

    search: str = ""
    short_only: bool = False


@dataclass(frozen=True)
class PartRow:
    id: int
    number: str
    name: str
    name_en: str
    unit: str
    on_hand: int
    minimum: int
    version: int

    @property
    def is_below(self) -> bool:
        return rules.is_below_minimum(self.on_hand, self.minimum)


@dataclass(frozen=True)
class MovementRow:
    id: int
    kind: MovementKind
    quantity: int
    on_hand_after: int
    ticket_id: int | None
    ticket_number: str
    person_name: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class LedgerFault:
    """A part whose `on_hand` is not the sum of its ledger, or whose ledger does not add up line by line."""

    part_id: int
    number: str
    on_hand: int
    ledger_sum: int


def list_parts(look: Look, *, where: PartFilter = PartFilter()) -> list[PartRow]:
    """Active parts: those below their minimum first (the largest gap first), then by number."""
    is_short = Part.on_hand < Part.minimum
    gap = case((is_short, Part.on_hand - Part.minimum), else_=0)
    statement = (
        select(
            Part.id,
            Part.number,
            Part.name,
            Part.name_en,
            Part.unit,
            Part.on_hand,
            Part.minimum,
            Part.version,
        )
        .where(Part.active)
        .order_by(gap, Part.number)
    )
    if where.short_only:
        statement = statement.where(is_short)
    # A desk keeps hundreds of parts, not millions: pinyin is compared here, not in the database.
    return [
        PartRow(*row)
        for row in look.session.execute(statement)
        if rules.is_found(where.search, row.number, row.name, row.name_en)
    ]


def count_short_parts(look: Look) -> int:
    """How many active parts are below their minimum."""
    return (
        look.session.scalar(
            select(func.count()).select_from(Part).where(Part.active, Part.on_hand < Part.minimum)
        )
        or 0
    )


def list_movements(
    look: Look, *, part_id: int, before_id: int | None = None, most: int = 50
) -> list[MovementRow]:
    """The ledger of a part, newest first, at most `most` lines, those before `before_id` when given."""
    statement = (
        select(
            StockMovement.id,
            StockMovement.kind,
            StockMovement.quantity,
            StockMovement.on_hand_after,
            StockMovement.ticket_id,
            func.coalesce(Ticket.number, ""),
            func.coalesce(Person.name, ""),
            StockMovement.reason,
            StockMovement.at,
        )
        .outerjoin(Ticket, Ticket.id == StockMovement.ticket_id)
        .outerjoin(Person, Person.id == StockMovement.person_id)
        .where(StockMovement.part_id == part_id)
        .order_by(StockMovement.id.desc())
        .limit(most)
    )
    if before_id is not None:
        statement = statement.where(StockMovement.id < before_id)
    return [MovementRow(*row) for row in look.session.execute(statement)]


def find_ledger_faults(look: Look) -> list[LedgerFault]:
    """Parts whose stock and ledger disagree; empty when all is well. Read by `./run verify`."""
    running: dict[int, int] = {}
    crooked: set[int] = set()
    movements = select(
        StockMovement.part_id, StockMovement.quantity, StockMovement.on_hand_after
    ).order_by(StockMovement.part_id, StockMovement.id)
    for part_id, quantity, on_hand_after in look.session.execute(movements):
        running[part_id] = running.get(part_id, 0) + quantity
        if running[part_id] != on_hand_after:
            crooked.add(part_id)
    parts = select(Part.id, Part.number, Part.on_hand).order_by(Part.id)
    return [
        LedgerFault(part_id, number, on_hand, running.get(part_id, 0))
        for part_id, number, on_hand in look.session.execute(parts)
        if part_id in crooked or running.get(part_id, 0) != on_hand
    ]
