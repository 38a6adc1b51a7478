"""Charts of reports: each specification is built once per language, a run sends its data alone."""

from collections.abc import Sequence
from functools import lru_cache
from json import dumps
from typing import Any

import altair as alt
import pandas as pd

from db.codes import FaultCode, Language
from lib.reports.rules import Cause, DayCount
from lib.shared.words import text

Spec = dict[str, Any]

NEW, CLOSED = "new", "closed"
BLUE, ORANGE, VERMILION = "#0072B2", "#E69F00", "#D55E00"
HEIGHT = 330
PICK = "pick"
"""The name of the selection in every chart."""

DAYS_FIELDS = ("day", "kind")
CAUSES_FIELDS = ("fault",)


def days_data(days: Sequence[DayCount]) -> pd.DataFrame:
    """A row per day and kind."""
    return pd.DataFrame(
        [
            (each.day.isoformat(), each.day.strftime("%m-%d"), kind, cases)
            for each in days
            for kind, cases in ((NEW, each.new), (CLOSED, each.closed))
        ],
        columns=["day", "short", "kind", "cases"],
    )


def causes_data(causes: Sequence[Cause]) -> pd.DataFrame:
    """A row per fault, the most frequent first."""
    return pd.DataFrame(
        [(str(each.fault), each.cases, each.cumulative) for each in causes],
        columns=["fault", "cases", "cumulative"],
    )


@lru_cache
def days_chart(language: Language) -> Spec:
    """New and closed cases by day: two lines apart by colour, dash and shape; a click picks a day's cases."""
    words = {kind: text(language, f"report.{kind}") for kind in (NEW, CLOSED)}
    pick = alt.selection_point(name=PICK, fields=list(DAYS_FIELDS), on="click", nearest=True)
    order = [NEW, CLOSED]
    named = _named(words)
    base = alt.Chart(alt.NamedData("source")).encode(
        x=alt.X(
            "short:O",
            sort=None,
            title=None,
            axis=alt.Axis(labelAngle=0, labelOverlap="greedy", labelSeparation=8, ticks=False),
        ),
        y=alt.Y("cases:Q", title=None, axis=alt.Axis(tickMinStep=1, format="d", tickCount=5)),
        color=alt.Color(
            "kind:N",
            sort=order,
            scale=alt.Scale(domain=order, range=[ORANGE, BLUE]),
            legend=alt.Legend(
                title=None, orient="top", labelExpr=named, symbolSize=90, symbolStrokeWidth=0
            ),
        ),
        strokeDash=alt.StrokeDash(
            "kind:N", sort=order, scale=alt.Scale(domain=order, range=[[5, 3], [1, 0]]), legend=None
        ),
        tooltip=[
            alt.Tooltip("day:N", title=text(language, "report.day")),
            alt.Tooltip("name:N", title=text(language, "report.kind")),
            alt.Tooltip("cases:Q", title=text(language, "report.count")),
        ],
    )
    points = base.mark_point(filled=True, size=64, opacity=1, cursor="pointer").encode(
        shape=alt.Shape(
            "kind:N",
            sort=order,
            scale=alt.Scale(domain=order, range=["diamond", "circle"]),
            legend=None,
        ),
        strokeDash=alt.value([1, 0]),
    )
    chart = alt.layer(base.mark_line(strokeWidth=2), points.add_params(pick))
    return _spec(chart.transform_calculate(name=named.replace("datum.value", "datum.kind")))


@lru_cache
def causes_chart(language: Language) -> Spec:
    """Cases by fault, the most frequent first, with the share that they reach together; a click picks a fault."""
    words = {str(fault): text(language, f"fault_code.{fault}") for fault in FaultCode}
    pick = alt.selection_point(name=PICK, fields=list(CAUSES_FIELDS), on="click")
    named = _named(words)
    share = text(language, "report.cumulative")
    base = (
        alt.Chart(alt.NamedData("source"))
        .transform_calculate(name=named.replace("datum.value", "datum.fault"))
        .encode(
            y=alt.Y(
                "fault:N",
                sort=None,
                title=None,
                axis=alt.Axis(
                    labelExpr=named, labelLimit=150, labelOverlap=False, ticks=False, labelPadding=6
                ),
            ),
            tooltip=[
                alt.Tooltip("name:N", title=text(language, "report.fault")),
                alt.Tooltip("cases:Q", title=text(language, "report.count")),
                alt.Tooltip("cumulative:Q", title=share, format=".0%"),
            ],
        )
    )
    bars = base.mark_bar(color=BLUE, cursor="pointer").encode(
        x=alt.X("cases:Q", title=None, axis=alt.Axis(tickMinStep=1, format="d", tickCount=5))
    )
    reached = base.mark_line(
        color=VERMILION,
        strokeWidth=2,
        point=alt.OverlayMarkDef(color=VERMILION, size=40, filled=True),
    ).encode(
        x=alt.X(
            "cumulative:Q",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(
                orient="top", format=".0%", title=share, titleFontSize=12, tickCount=5, grid=False
            ),
        ),
        order=alt.Order("cumulative:Q"),
    )
    # A line's own datum is its first point; so the whole row of a fault is what is clicked.
    rows = base.mark_bar(opacity=0.001, cursor="pointer", height={"band": 1}).encode(
        x=alt.XDatum(1, scale=alt.Scale(domain=[0, 1]), axis=None)
    )
    layers = alt.layer(bars, reached, rows.add_params(pick))
    return _spec(layers.resolve_scale(x="independent"))


def _named(words: dict[str, str]) -> str:
    """A Vega expression that turns a code into its words."""
    return f"{dumps(words, ensure_ascii=False)}[datum.value]"


def _spec(chart: Any) -> Spec:
    chart = chart.properties(height=HEIGHT, usermeta={"embedOptions": {"actions": False}})
    spec: Spec = chart.to_dict()
    spec.pop("data", None)
    return spec
