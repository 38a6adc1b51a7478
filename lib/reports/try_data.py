"""Trying the desk on real logs: import them, report their clocks, and name every cell that is not as expected.

The folder has logs in `eventlogs/` and `requests/`, `expected/NAME.cases.csv.gz` for each mapping that comes with
the product, `expected/deadlines.csv` and the announced days in `cn/holiday_YEAR.json`.
"""

import csv
import gzip
import json
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from time import perf_counter

from db import session as database
from lib.reports.timer_report import COLUMNS, write_timer_report
from lib.shared.calendars import STANDARD, calendar_named
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.official_days import official_days
from lib.shared.work import look, system
from lib.tickets.history import import_history
from lib.tickets.mapping import MAPPINGS, load_mapping
from lib.tickets.staging import Progress, no_progress, staged

TIME_FORM = "%Y-%m-%d %H:%M:%S"


@dataclass
class Tried:
    """What one log gave: differing cells per column, and how long it took."""

    name: str
    cases: int = 0
    expected: int = 0
    new: int = 0
    new_again: int = 0
    refused: int = 0
    import_seconds: float = 0
    report_seconds: float = 0
    columns: tuple[str, ...] = ()
    differences: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether every cell is as expected and the second import added nothing."""
        return not self.differences and not self.new_again and self.cases == self.expected > 0


def try_logs(
    folder: Path, reports: Path, now: datetime, progress: Progress = no_progress
) -> Iterator[Tried]:
    """Import and compare each log that has a mapping here, into the configured database.

    Refuses `no_logs_there` when the folder holds none of them.
    """
    found = False
    for mapping in sorted(MAPPINGS.glob("*.toml")):
        logs = [
            path
            for path in sorted(folder.glob(f"*/{mapping.stem}.*"))
            if path.parent.name != "expected"
        ]
        expected = folder / "expected" / f"{mapping.stem}.cases.csv.gz"
        if logs and expected.exists():
            found = True
            yield try_log(logs[0], mapping.stem, expected, reports, now, progress)
    if not found:
        raise Refusal("no_logs_there")


def try_log(
    log: Path,
    name: str,
    expected: Path,
    reports: Path,
    now: datetime,
    progress: Progress = no_progress,
) -> Tried:
    """Import a log twice, report it once, and compare with the expected cases."""
    mapping = load_mapping(Path(name))
    tried = Tried(mapping.name)
    began = perf_counter()
    with staged(log, mapping, now, progress) as stage:
        first = import_history(log, mapping, stage, now=now, progress=progress)
    tried.import_seconds = perf_counter() - began
    tried.new, tried.refused = first.cases_new, first.cases_refused
    began = perf_counter()
    out = reports / f"{Path(name).stem}.csv"
    tried.cases = look(
        write_timer_report,
        actor=system("report"),
        now=now,
        source=first.source,
        calendar=STANDARD,
        out=out,
    )
    tried.report_seconds = perf_counter() - began
    compare(out, expected, tried)
    with staged(log, mapping, now, progress) as stage:
        tried.new_again = import_history(log, mapping, stage, now=now).cases_new
    return tried


def compare(report: Path, expected: Path, tried: Tried) -> None:
    """Count the cells of the report that differ from the expected file, in the columns they share."""
    with gzip.open(expected, "rt", encoding="utf-8", newline="") as file:
        wanted = {row["case_id"]: row for row in csv.DictReader(file)}
    tried.expected = len(wanted)
    with report.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            other = wanted.pop(row["case_id"], None)
            if other is None:
                _differs(tried, "case_id", row["case_id"], "", row["case_id"])
                continue
            tried.columns = tuple(name for name in COLUMNS if name in other)
            for name in tried.columns:
                if row[name] != other[name]:
                    _differs(tried, name, row["case_id"], other[name], row[name])
    for case_id in wanted:
        _differs(tried, "case_id", case_id, case_id, "")


def _differs(tried: Tried, column: str, case: str, expected: str, here: str) -> None:
    tried.differences[column] += 1
    if len(tried.examples) < 10:
        tried.examples.append(f"{case} {column}: expected {expected or '-'}, here {here or '-'}")


def try_official_days(folder: Path) -> tuple[int, list[str]]:
    """How many announced days the folder has, and those that the product holds otherwise."""
    theirs: dict[date, bool] = {}
    for path in sorted((folder / "cn").glob("holiday_*.json")):
        for day in json.loads(path.read_text(encoding="utf-8"))["days"]:
            theirs[date.fromisoformat(day["date"])] = day["isOffDay"]
    ours = {day.on: day.is_off for day in official_days()}
    with database.ReadSession() as session:
        calendar = calendar_named(session).time
    wrong = [
        str(on)
        for on in sorted(theirs.keys() | ours.keys())
        if theirs.get(on) != ours.get(on) or calendar.is_working_day(on) is theirs.get(on)
    ]
    return len(theirs), wrong


def try_deadlines(folder: Path) -> tuple[int, list[str]]:
    """How many deadlines the folder has, and those that the calendar computes otherwise."""
    with database.ReadSession() as session:
        calendar = calendar_named(session).time
    wrong = []
    with (folder / "expected" / "deadlines.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        start = datetime.strptime(row["start"], TIME_FORM).replace(tzinfo=SHANGHAI)
        due = calendar.due_after(start, round(float(row["business_hours"]) * 3600))
        shown = due.astimezone(SHANGHAI).strftime(TIME_FORM)
        if shown != row["deadline"]:
            wrong.append(f"{row['start']} + {row['business_hours']} h: {shown}")
    return len(rows), wrong


def peak_megabytes() -> float:
    """The most memory this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def try_all(
    folder: Path,
    reports: Path,
    now: datetime,
    say: Callable[[str], None],
    progress: Progress = no_progress,
) -> bool:
    """Try everything and say line by line what came out; whether all was as expected."""
    well = True
    total = 0
    for tried in try_logs(folder, reports, now, progress):
        total += tried.cases
        cells = sum(tried.differences.values())
        say(
            f"{tried.name}: {tried.cases} cases, {tried.refused} refused, {cells} differences in "
            f"{len(tried.columns)} columns; second import {tried.new_again} new; "
            f"import {tried.import_seconds:.1f} s, report {tried.report_seconds:.1f} s, "
            f"peak {peak_megabytes():.0f} MB"
        )
        for column, count in tried.differences.most_common():
            say(f"  {column}: {count}")
        for example in tried.examples:
            say(f"  {example}")
        well = well and tried.well
    for what, (number, wrong) in (
        ("official days", try_official_days(folder)),
        ("deadlines", try_deadlines(folder)),
    ):
        say(f"{what}: {number}, {len(wrong)} differences")
        for line in wrong[:10]:
            say(f"  {line}")
        well = well and not wrong and number > 0
    say(f"{total} cases, {'all as expected' if well else 'NOT as expected'}")
    return well
