"""Where an import waits before it is written: read and checked in full, on disk, in the order of the file.

Reading and checking take most of the time and happen here, so that the one writing transaction is short; and
whatever the size of the log, only a batch of it is ever in memory.
"""

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from lib.tickets.log_cases import (
    CaseBuilder,
    NotTaken,
    PlannedCase,
    PlannedEvent,
    Refused,
)
from lib.tickets.log_readers import Cell, LogReader, LogRow
from lib.tickets.mapping import Kind, Mapping

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""
REPORT_EVERY = 500
CASE_FIELDS = tuple(field.name for field in fields(PlannedCase))
"""The events are the last of them."""

TABLES = """
CREATE TABLE cases (place INTEGER PRIMARY KEY, id TEXT UNIQUE, planned TEXT);
CREATE TABLE names (place INTEGER PRIMARY KEY, id TEXT UNIQUE, row INTEGER, refused INTEGER DEFAULT 0);
CREATE TABLE rows (place INTEGER, number INTEGER, at_row INTEGER, cells TEXT, PRIMARY KEY (place, number))
    WITHOUT ROWID;
CREATE TABLE refused (row INTEGER, case_id TEXT, column_name TEXT, value TEXT, reason TEXT);
"""

CASES_REFUSED = """
SELECT (SELECT count(DISTINCT case_id) FROM refused WHERE case_id <> '' AND reason <> 'case_twice')
     + (SELECT count(*) FROM refused WHERE case_id = '' OR reason = 'case_twice')
"""


def no_progress(_doing: str, _done: int, _total: int) -> None:
    """For those who do not watch."""


@dataclass(frozen=True)
class Stage:
    """The staged cases and refusals of one log."""

    store: sqlite3.Connection
    rows_read: int
    cases: int
    cases_refused: int

    def batches(self, size: int) -> Iterator[list[PlannedCase]]:
        """The cases that can be taken, in the order of the file."""
        last = -1
        while True:
            found = self.store.execute(
                "SELECT place, planned FROM cases WHERE place > ? ORDER BY place LIMIT ?",
                (last, size),
            ).fetchall()
            if not found:
                return
            last = found[-1][0]
            yield [_planned(json.loads(planned)) for _, planned in found]

    def refusals(self) -> Iterator[Refused]:
        """What was not taken, in the order of rows."""
        for found in self.store.execute("SELECT * FROM refused ORDER BY row, rowid"):
            yield Refused(*found)


@contextmanager
def staged(
    path: Path, mapping: Mapping, now: datetime, progress: Progress = no_progress
) -> Iterator[Stage]:
    """Read and check a whole log into a private file that is gone afterwards. Refuses what LogReader refuses."""
    with tempfile.TemporaryDirectory(prefix="curtaincall-import-") as folder:
        store = sqlite3.connect(Path(folder) / "stage.db", isolation_level=None)
        try:
            store.execute("PRAGMA journal_mode=OFF")
            store.execute("PRAGMA synchronous=OFF")
            store.executescript(TABLES)
            store.execute("BEGIN")
            reader = LogReader(path, mapping.kind, mapping.file, mapping.columns)
            builder = CaseBuilder(mapping, latest=int(now.timestamp()))
            filling = _Filling(store, reader, builder, progress)
            rows_read = filling.cases() if mapping.kind is Kind.CASES else filling.events()
            store.execute("COMMIT")
            yield Stage(
                store,
                rows_read,
                _count(store, "SELECT count(*) FROM cases"),
                _count(store, CASES_REFUSED),
            )
        finally:
            store.close()


class _Filling:
    def __init__(
        self,
        store: sqlite3.Connection,
        reader: LogReader,
        builder: CaseBuilder,
        progress: Progress,
    ) -> None:
        self._store, self._reader, self._builder = store, reader, builder
        self._progress = progress

    def cases(self) -> int:
        """Stage a log of cases; answers the rows read."""
        rows_read = 0
        for row in self._rows():
            rows_read += 1
            try:
                case = self._builder.case_id(row)
                planned = self._builder.case_of_row(case, row)
            except NotTaken as refusal:
                self._refuse(refusal.refused)
                continue
            if not self._keep(rows_read, planned):
                self._refuse(Refused(row.number, case, "", case, "case_twice"))
        return rows_read

    def events(self) -> int:
        """Stage a log of events: first the rows by case, then the cases; answers the rows read."""
        rows_read, case, place = 0, None, 0
        for row in self._rows():
            rows_read += 1
            try:
                named = self._builder.case_id(row)
            except NotTaken as refusal:
                self._refuse(refusal.refused)
                if refusal.refused.case:
                    bad = self._place_of(refusal.refused.case, row)
                    self._store.execute("UPDATE names SET refused = 1 WHERE place = ?", (bad,))
                continue
            if named != case:
                case, place = named, self._place_of(named, row)
            cells = json.dumps([_packed(cell) for cell in row.cells], ensure_ascii=False)
            self._store.execute(
                "INSERT INTO rows VALUES (?, ?, ?, ?)", (place, rows_read, row.number, cells)
            )
        self._build()
        return rows_read

    def _build(self) -> None:
        total = _count(self._store, "SELECT count(*) FROM names")
        found = self._store.execute(
            "SELECT place, id, at_row, cells FROM rows JOIN names USING (place)"
            " WHERE NOT refused ORDER BY place, number"
        )
        for place, (case, group) in enumerate(
            groupby(found, key=lambda line: (line[0], line[1])), start=1
        ):
            rows = [
                LogRow(number, tuple(_unpacked(cell) for cell in json.loads(cells)))
                for _, _, number, cells in group
            ]
            try:
                self._keep(case[0], self._builder.case_of_events(case[1], rows))
            except NotTaken as refusal:
                self._refuse(refusal.refused)
            if place % REPORT_EVERY == 0 or place == total:
                self._progress("checking", place, total)

    def _rows(self) -> Iterator[LogRow]:
        for number, row in enumerate(self._reader.rows()):
            if number % REPORT_EVERY == 0:
                self._progress("reading", self._reader.position, self._reader.size)
            yield row
        self._progress("reading", self._reader.size, self._reader.size)

    def _place_of(self, case: str, row: LogRow) -> int:
        self._store.execute(
            "INSERT OR IGNORE INTO names (id, row) VALUES (?, ?)", (case, row.number)
        )
        return _count(self._store, "SELECT place FROM names WHERE id = ?", case)

    def _keep(self, place: int, planned: PlannedCase) -> bool:
        kept = self._store.execute(
            "INSERT OR IGNORE INTO cases VALUES (?, ?, ?)",
            (place, planned.id, json.dumps(_told(planned), ensure_ascii=False)),
        )
        return kept.rowcount == 1

    def _refuse(self, refused: Refused) -> None:
        self._store.execute(
            "INSERT INTO refused VALUES (?, ?, ?, ?, ?)",
            (refused.row, refused.case, refused.column, refused.value, refused.reason),
        )


def _count(store: sqlite3.Connection, query: str, *values: str) -> int:
    found: int = store.execute(query, values).fetchone()[0]
    return found


def _told(planned: PlannedCase) -> list[Any]:
    """The case as JSON: its fields in order, the events as lists."""
    *values, events = (getattr(planned, name) for name in CASE_FIELDS)
    told = [[event.kind, event.at, event.words, event.waiting_for] for event in events]
    return [*values, told]


def _planned(told: list[Any]) -> PlannedCase:
    *values, events = told
    values.append([PlannedEvent(*event) for event in events])
    return PlannedCase(*values)


def _packed(cell: Cell) -> Any:
    return [cell.isoformat()] if isinstance(cell, datetime) else cell


def _unpacked(cell: Any) -> Cell:
    if isinstance(cell, list):
        return datetime.fromisoformat(cell[0])
    text: str | None = cell
    return text
