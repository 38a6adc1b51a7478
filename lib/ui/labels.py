"""Words, times and numbers on the screen, in the language of the person who looks."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache

import streamlit as st
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent

from db.codes import Language
from lib.shared import words
from lib.shared.clock import SHANGHAI

LANGUAGE_KEY = "language"
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-!|$~:@&])")


class _Run(threading.local):
    """The run of a page that this thread is in."""

    language: Language | None = None


_run = _Run()


@contextmanager
def one_language() -> Iterator[None]:
    """Ask for the language once in this run, of some hundred labels; it is chosen before."""
    _run.language = language()
    try:
        yield
    finally:
        _run.language = None


def language() -> Language:
    """The language of this browser's screens; fragments and callbacks see it too."""
    if _run.language is not None:
        return _run.language
    return Language(st.session_state.get(LANGUAGE_KEY, Language.ZH_CN))


@cache
def _locale(spoken: Language) -> Locale:
    return Locale.parse(spoken.value)


def label(key: str, **params: object) -> str:
    """The words for `key` in the language of the screen. Params are put in as they are: escape stored text."""
    return words.text(language(), key, **params)


def code_label(code: StrEnum) -> str:
    """The words of a stored code, e.g. `ticket_status.new`."""
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(code).__name__).lower()
    return label(f"{kind}.{code.value}")


def when(instant: datetime | None, *, seconds: bool = False) -> str:
    """An instant as date and time in Shanghai, "" for None."""
    if instant is None:
        return ""
    pattern = "yyyy-MM-dd HH:mm:ss" if seconds else "yyyy-MM-dd HH:mm"
    return format_datetime(instant.astimezone(SHANGHAI), pattern, locale=_locale(language()))


def clock_time(instant: datetime | None) -> str:
    """An instant as hour and minute in Shanghai, "" for None."""
    return (
        format_datetime(instant.astimezone(SHANGHAI), "HH:mm", locale=_locale(language()))
        if instant
        else ""
    )


def day(on: date | None) -> str:
    """A day with its weekday, "" for None."""
    return format_date(on, "yyyy-MM-dd EEE", locale=_locale(language())) if on else ""


def span(length: timedelta) -> str:
    """A length of time in hours and minutes, below an hour in minutes and seconds, below a minute in seconds."""
    total = int(length.total_seconds())
    sign, total = ("-", -total) if total < 0 else ("", total)
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return sign + label("span.hours", hours=hours, minutes=f"{minutes:02}")
    if not minutes:
        return sign + label("span.seconds", seconds=seconds)
    return sign + label("span.minutes", minutes=minutes, seconds=f"{seconds:02}")


def number(value: int | float | Decimal) -> str:
    return str(format_decimal(value, locale=_locale(language())))


def percent(value: float | None, *, digits: int = 1) -> str:
    """A share between 0 and 1, a dash for None (nothing to divide by)."""
    if value is None:
        return "–"
    pattern = "0." + "0" * digits + "%" if digits else "0%"
    return str(format_percent(value, pattern, locale=_locale(language())))


def escape(stored: str) -> str:
    """Stored text made harmless for Markdown: it shows as typed and can load or format nothing (security 12)."""
    return MARKDOWN.sub(r"\\\1", stored).replace("\n", "  \n")
