"""What hangs at a customer's sites."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from db.codes import ItemKind
from db.models.customers import Site
from db.models.items import Item
from lib.customers.queries import may_look_up
from lib.shared.work import Look


@dataclass(frozen=True, slots=True)
class ItemRow:
    id: int
    site_id: int
    site_name: str
    kind: ItemKind
    name: str
    room: str
    opening: str
    fabric_lot: str
    warranty_start_on: date | None
    warranty_months: int


def list_items(look: Look, *, customer_id: int, site_id: int | None = None) -> list[ItemRow]:
    """The items of a customer, of one site if given, by site, room and opening (S-21)."""
    if not may_look_up(look.actor):
        return []
    found = (
        select(Item, Site.name)
        .join(Site, Site.id == Item.site_id)
        .where(Site.customer_id == customer_id)
    )
    if site_id is not None:
        found = found.where(Item.site_id == site_id)
    found = found.order_by(Site.name, Item.room, Item.opening, Item.name, Item.id)
    return [item_row(item, site_name) for item, site_name in look.session.execute(found)]


def item_row(item: Item, site_name: str) -> ItemRow:
    """The item with the name of its site."""
    return ItemRow(
        item.id,
        item.site_id,
        site_name,
        item.kind,
        item.name,
        item.room,
        item.opening,
        item.fabric_lot,
        item.warranty_start_on,
        item.warranty_months,
    )
