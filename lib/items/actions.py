"""Writing down what hangs where, and since when it is under warranty."""

from datetime import date

from db.codes import ItemKind, Role
from db.models.customers import Site
from db.models.items import Item
from lib.customers.rules import clean
from lib.shared.errors import Refusal
from lib.shared.work import Work, permit

WARRANTY_MONTHS = 24
MOST_MONTHS = 600
EARLIEST_START = date(1990, 1, 1)


@permit(Role.HOTLINE, Role.DISPATCHER, Role.SALES, Role.SUPERVISOR)
def add_item(
    work: Work,
    *,
    site_id: int,
    kind: ItemKind,
    name: str,
    room: str = "",
    opening: str = "",
    fabric_lot: str = "",
    warranty_start_on: date | None = None,
    warranty_months: int = WARRANTY_MONTHS,
) -> int:
    """Write down an installed item; a start day may be unknown (W-01).

    Refuses `item_name_missing`, `warranty_term_unclear` (0 to 600 months), `warranty_start_unclear`.
    """
    site = work.get(Site, site_id)
    if not 0 <= warranty_months <= MOST_MONTHS:
        raise Refusal("warranty_term_unclear", most=MOST_MONTHS)
    if warranty_start_on is not None and not (
        warranty_start_on >= EARLIEST_START and warranty_start_on.year <= work.now.year + 5
    ):
        raise Refusal("warranty_start_unclear")
    item = Item(
        site_id=site.id,
        kind=kind,
        name=clean(name, 120, missing="item_name_missing"),
        room=clean(room, 80),
        opening=clean(opening, 40),
        fabric_lot=clean(fabric_lot, 40),
        warranty_start_on=warranty_start_on,
        warranty_months=warranty_months,
        created_at=work.now,
    )
    work.session.add(item)
    work.session.flush()
    work.record("item.added", item, site_id=site.id)
    return item.id
