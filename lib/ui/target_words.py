"""Targets in words: so much of a unit, or the earlier of two."""

from db.codes import TargetUnit
from lib.ui.labels import label

HOUR = 60


def amount_words(unit: TargetUnit, amount: int) -> str:
    """So much of a unit; whole hours are told as hours."""
    name = str(unit)
    in_minutes = unit in (TargetUnit.WORKING_MINUTES, TargetUnit.CALENDAR_MINUTES)
    if in_minutes and amount >= HOUR and amount % HOUR == 0:
        name, amount = name.replace("minutes", "hours"), amount // HOUR
    return label(f"target.{name}{'_one' if amount == 1 else ''}", count=amount)


def target_words(
    unit: TargetUnit,
    amount: int,
    second_unit: TargetUnit | None = None,
    second_amount: int | None = None,
) -> str:
    """A whole target (rule 8)."""
    first = amount_words(unit, amount)
    if second_unit is None or second_amount is None:
        return first
    return label("target.earlier", first=first, second=amount_words(second_unit, second_amount))
