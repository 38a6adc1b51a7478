"""The official days off and make-up working days of mainland China, as facts shipped with the product."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from lib.shared.settings import ROOT

FACTS = ROOT / "db" / "official_days"


@dataclass(frozen=True, slots=True)
class OfficialDay:
    """One announced day: off (closed) or a make-up working day (open although a weekend)."""

    on: date
    name: str
    is_off: bool
    announced_for: int


@cache
def official_days() -> tuple[OfficialDay, ...]:
    """Every announced day by date; a day announced twice keeps the later year's word."""
    years: dict[str, dict[str, dict[str, list[str]]]] = {}
    for path in sorted(FACTS.glob("*.toml")):
        years |= tomllib.loads(path.read_text(encoding="utf-8"))
    days = {
        on: OfficialDay(on, name, key == "off", int(year))
        for year, occasions in years.items()
        for name, lists in occasions.items()
        for key, texts in lists.items()
        for text in texts
        for on in _run(text)
    }
    return tuple(days[on] for on in sorted(days))


def announced_years() -> frozenset[int]:
    """The years for which an announcement is known; later years follow the plain week."""
    return frozenset(day.announced_for for day in official_days())


def _run(text: str) -> Iterator[date]:
    first, _, last = text.partition("..")
    on, end = date.fromisoformat(first), date.fromisoformat(last or first)
    while on <= end:
        yield on
        on += timedelta(days=1)
