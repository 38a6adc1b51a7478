"""A year as a grid of twelve months in one block; a tap on a day hands it over."""

from collections.abc import Callable, Sequence
from datetime import date

import streamlit as st
from babel.dates import get_day_names, get_month_names

from lib.shared.announcements import hours_words
from lib.shared.assets import asset
from lib.tickets.calendar_year import Look, YearDay
from lib.ui.components import loader
from lib.ui.labels import day, label, language

_grid = st.components.v2.component("desk_year", js=loader("year.js"))

MARKED = (Look.OFF, Look.MAKE_UP, Look.OTHER_HOURS)


def show(
    key: str,
    days: Sequence[YearDay],
    *,
    chosen: date | None,
    today: date,
    on_choose: Callable[[date], None] | None,
    form: str,
) -> None:
    """Draw the year; without `on_choose` it is only looked at. `form`: the selector of what a chosen day fills."""

    def choose() -> None:
        told = st.session_state[key].get("chosen")
        known = {each.on.isoformat(): each.on for each in days}
        if on_choose is not None and isinstance(told, str) and told in known:
            on_choose(known[told])

    locale = str(language())
    weekdays = get_day_names("narrow", locale=locale)
    months = get_month_names("wide", context="stand-alone", locale=locale)
    _grid(
        key=key,
        data={
            "months": [
                {
                    "name": months[month],
                    "days": [_told(each, today) for each in days if each.on.month == month],
                    "offset": date(days[0].on.year, month, 1).weekday(),
                }
                for month in range(1, 13)
            ],
            "weekdays": [weekdays[number] for number in range(7)],
            "chosen": chosen.isoformat() if chosen is not None else "",
            "form": form,
            "may_choose": on_choose is not None,
            "legend": [[str(look), _word(look), label(f"calendar.look.{look}")] for look in Look],
            "hand": label("calendar.by_hand"),
            "draft": label("calendar.in_draft"),
            "style": asset("year.css").address,
        },
        on_chosen_change=choose,
    )


def _told(each: YearDay, today: date) -> dict[str, object]:
    hours = hours_words(each.hours) or label("calendar.no_hours")
    title = " · ".join(
        filter(None, (day(each.on), label(f"calendar.look.{each.look}"), each.name, hours))
    )
    told: dict[str, object] = {"on": each.on.isoformat(), "look": str(each.look), "title": title}
    if each.look in MARKED:
        told["word"] = _word(each.look)
    for name, holds in (
        ("hand", each.by_hand),
        ("draft", each.in_draft),
        ("today", each.on == today),
    ):
        if holds:
            told[name] = True
    return told


def _word(look: Look) -> str:
    return label(f"calendar.word.{look}") if look in MARKED else ""
