"""Items with their warranty as it stands now."""

from dataclasses import dataclass

from lib.coverage.rules import Warranty, warranty_at
from lib.items.queries import ItemRow, list_items
from lib.shared.work import Look


@dataclass(frozen=True, slots=True)
class CoveredItem:
    item: ItemRow
    warranty: Warranty


def list_covered_items(
    look: Look, *, customer_id: int, site_id: int | None = None
) -> list[CoveredItem]:
    """A customer's items, each with its warranty state today (W-01, S-19)."""
    return [
        CoveredItem(
            item,
            warranty_at(look.now, start_on=item.warranty_start_on, months=item.warranty_months),
        )
        for item in list_items(look, customer_id=customer_id, site_id=site_id)
    ]
