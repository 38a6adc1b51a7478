"""The figures of a report as tiles: value, change by its meaning, definition on hover, the cases behind by a click."""

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from lib.reports.rules import OF_THIS_MOMENT, Days, Figure, Meaning, Measure
from lib.shared.assets import asset
from lib.ui.components import loader
from lib.ui.labels import label, number, percent

_tiles = st.components.v2.component("desk_figures", js=loader("figures.js"))

VIEWS = {Measure.OPEN: "all", Measure.OVERDUE: "overdue", Measure.DUE_SOON: "due_soon"}
"""The queue's view that lists the cases behind a count of this moment."""

RATES = (Measure.RESPONSE, Measure.RESOLUTION)


def show(key: str, figures: Sequence[Figure], days: Days, pressed: str | None) -> Measure | None:
    """Draw the tiles. Answers the measure that was clicked in this run."""
    answer = _tiles(
        key=key,
        data={
            "tiles": [_tile(figure, days, pressed) for figure in figures],
            "words": {"definition": label("report.definition")},
            "style": asset("figures.css").address,
        },
        on_chosen_change=lambda: None,
    )
    chosen = answer.chosen
    return Measure(chosen) if chosen in set(Measure) else None


def _tile(figure: Figure, days: Days, pressed: str | None) -> dict[str, object]:
    measure = figure.measure
    return {
        "code": measure,
        "title": label(f"measure.{measure}"),
        "value": _value(figure),
        "unit": label("report.of_five") if measure is Measure.SATISFACTION else "",
        "change": _change(figure),
        "meaning": figure.meaning or "",
        "arrow": 0 if not figure.change else (1 if figure.change > 0 else -1),
        "base": _base(figure, days),
        "definition": label(f"measure.{measure}.definition", days=int(days)),
        "pressed": pressed == measure,
        "address": _address(measure, days),
    }


def _value(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    if figure.measure in RATES:
        return percent(figure.value)
    return f"{figure.value:.1f}" if figure.measure is Measure.SATISFACTION else number(figure.value)


def _change(figure: Figure) -> str:
    change, meaning = figure.change, figure.meaning
    if change is None or meaning is None:
        return label("report.no_comparison")
    if meaning is Meaning.SAME:
        return label("meaning.same")
    size = abs(change)
    if figure.measure in RATES:
        told = label("report.points", points=f"{size * 100:.1f}")
    else:
        told = f"{size:.2f}" if figure.measure is Measure.SATISFACTION else number(size)
    return f"{told} {label(f'meaning.{meaning}')}"


def _base(figure: Figure, days: Days) -> str:
    """What the figure rests on or is compared with."""
    if figure.measure in OF_THIS_MOMENT:
        return label("report.than_then", days=int(days))
    kind = "answers" if figure.measure is Measure.SATISFACTION else "timers"
    return label(f"report.of_{kind}", count=number(figure.of))


def _address(measure: Measure, days: Days) -> str:
    if measure in VIEWS:
        return f"/tickets_queue?{urlencode({'view': VIEWS[measure]})}"
    return f"/reports_dashboard?{urlencode({'days': str(days), 'cases': str(measure)})}"
