"""Deadlines for a file of starts and working hours: the calendar's answer for any spreadsheet."""

import csv
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from pathlib import Path
from typing import IO

from lib.shared.calendar import NoDue, OutsideCalendar, WorkingCalendar
from lib.shared.calendars import calendar_named
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Look

START, HOURS, DEADLINE, REASON = "start", "business_hours", "deadline", "reason"
TIME_FORMS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
)
MOST_HOURS = Decimal(100_000)


class NotComputed(ValueError):
    """Why a row has no deadline; a word of the column `reason`."""


@dataclass(frozen=True, slots=True)
class DueCounts:
    """How many rows got a deadline, and how many a reason."""

    computed: int
    refused: int


def write_dues(look: Look, *, file: Path, calendar: str, out: IO[str]) -> DueCounts:
    """Copy a CSV with the deadline of each row: the earliest instant at which its hours have been counted.

    Needs the columns `start` (Shanghai wall time unless it tells an offset) and `business_hours` (decimals allowed).
    Other columns and the form of the time stay; a row that cannot be computed gets an empty deadline and a `reason`.
    Refuses `no_such_calendar`, `due_file_unreadable` and `due_columns_missing`.
    """
    time = calendar_named(look.session, calendar).time
    computed = refused = 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as given:
            rows = csv.DictReader(given, restkey="", restval="")
            columns = list(rows.fieldnames or ())
            missing = [name for name in (START, HOURS) if name not in columns]
            if missing:
                raise Refusal("due_columns_missing", columns=", ".join(missing))
            columns += [name for name in (DEADLINE, REASON) if name not in columns]
            writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            for row in rows:
                try:
                    told = {DEADLINE: due_text(row[START], row[HOURS], time), REASON: ""}
                    computed += 1
                except NotComputed as why:
                    told = {DEADLINE: "", REASON: str(why)}
                    refused += 1
                writer.writerow(row | told)
    except (OSError, UnicodeDecodeError, csv.Error):
        raise Refusal("due_file_unreadable") from None
    return DueCounts(computed, refused)


def due_text(start: str, hours: str, time: WorkingCalendar) -> str:
    """The deadline in the form in which the start is written. Raises NotComputed."""
    begun, form = _start(start.strip())
    try:
        due = time.due_after(begun, _seconds(hours.strip())).astimezone(begun.tzinfo)
    except (NoDue, OutsideCalendar):
        raise NotComputed("no deadline within five years") from None
    if not form:
        return due.isoformat()
    if due.second and not form.endswith("%S"):
        form += ":%S"
    return due.strftime(form)


def _start(told: str) -> tuple[datetime, str]:
    """The instant, and the form it is written in ("" for one with an offset)."""
    if not told:
        raise NotComputed("start is empty")
    for form in TIME_FORMS:
        try:
            return datetime.strptime(told, form).replace(tzinfo=SHANGHAI), form
        except ValueError:
            continue
    try:
        instant = datetime.fromisoformat(told)
    except ValueError:
        raise NotComputed("start is not a time") from None
    if instant.tzinfo is None or instant.year < 2:
        raise NotComputed("start is not a time")
    return instant.replace(microsecond=0), ""


def _seconds(told: str) -> int:
    """Whole seconds; a fraction of one counts as one, since a due is the earliest instant that suffices."""
    if not told:
        raise NotComputed("business_hours is empty")
    try:
        hours = Decimal(told)
    except InvalidOperation:
        raise NotComputed("business_hours is not a number") from None
    if not hours.is_finite():
        raise NotComputed("business_hours is not a number")
    if hours <= 0:
        raise NotComputed("business_hours must be above zero")
    if hours > MOST_HOURS:
        raise NotComputed("no deadline within five years")
    return int((hours * 3600).to_integral_value(ROUND_CEILING))
