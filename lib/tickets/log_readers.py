"""Rows out of another desk's file: CSV, XLSX or XES, packed with gzip or not, one row at a time.

A row is the values of the wanted columns in their order. An event of an XES log is a row too: its own attributes
under their keys, those of its trace under `case:` and the key.
"""

import csv
import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from lib.shared.errors import Refusal
from lib.tickets.mapping import Kind, LogFile

Cell = str | datetime | None
LARGEST_CELL = 16 * 1024 * 1024
GZIP_MARK, ZIP_MARK = b"\x1f\x8b", b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class LogRow:
    """The wanted cells of one row, None where missing. `fault` tells why the row itself cannot be read.

    number: the row of the sheet or record of the file, the header included; of XES the number of the trace.
    """

    number: int
    cells: tuple[Cell, ...]
    fault: str | None = None


class LogReader:
    """Reads one file from its beginning; `position` of `size` bytes have been read so far."""

    def __init__(self, path: Path, kind: Kind, form: LogFile, columns: tuple[str, ...]) -> None:
        """Refuses `log_missing`."""
        self._path, self._kind, self._form, self._columns = path, kind, form, columns
        self._missing = frozenset(form.missing)
        if not path.is_file():
            raise Refusal("log_missing", name=path.name)
        self.size = path.stat().st_size
        self._raw: IO[bytes] | None = None

    @property
    def position(self) -> int:
        return 0 if self._raw is None or self._raw.closed else self._raw.tell()

    def rows(self) -> Iterator[LogRow]:
        """Every row of the file.

        Refuses `log_not_decodable`, `log_unreadable` and `log_column_missing`, for they say that file and
        mapping do not belong together.
        """
        number = 0
        try:
            with self._open() as file:
                for row in self._read(file):
                    number = row.number
                    yield row
        except UnicodeDecodeError as error:
            raise Refusal(
                "log_not_decodable",
                encoding=self._form.encoding,
                row=number + 1,
                reason=error.reason,
            ) from None
        except (
            csv.Error,
            expat.ExpatError,
            gzip.BadGzipFile,
            zlib.error,
            zipfile.BadZipFile,
            EOFError,
        ) as error:
            raise Refusal("log_unreadable", row=number + 1, reason=str(error)) from None

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        with self._path.open("rb") as raw:
            self._raw = raw
            packed = raw.read(2) == GZIP_MARK
            raw.seek(0)
            if packed:
                with gzip.open(raw) as unpacked:
                    yield io.BufferedReader(unpacked, 1 << 16)
            else:
                yield raw

    def _read(self, file: IO[bytes]) -> Iterator[LogRow]:
        if self._kind is Kind.XES:
            return self._xes(file)
        if isinstance(file, io.BufferedReader) and file.peek(4)[:4] == ZIP_MARK:
            return self._xlsx(file)
        return self._csv(file)

    def _csv(self, file: IO[bytes]) -> Iterator[LogRow]:
        encoding = self._form.encoding
        if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            encoding = "utf-8-sig"
        csv.field_size_limit(LARGEST_CELL)
        with io.TextIOWrapper(file, encoding=encoding, newline="") as text:
            records = csv.reader(
                text, delimiter=self._form.delimiter, quotechar=self._form.quote, strict=True
            )
            yield from self._table(records)

    def _xlsx(self, file: IO[bytes]) -> Iterator[LogRow]:
        import openpyxl

        seekable = file if file.seekable() else io.BytesIO(file.read())
        book = openpyxl.load_workbook(seekable, read_only=True, data_only=True)
        try:
            wanted = self._form.sheet
            if wanted is not None and wanted not in book.sheetnames:
                raise Refusal("log_sheet_missing", sheet=wanted, there=", ".join(book.sheetnames))
            sheet = book[wanted] if wanted is not None else book.worksheets[0]
            # Some programs write a wrong size into the sheet; without it every row is read to its end.
            sheet.reset_dimensions()
            yield from self._table(sheet.iter_rows(values_only=True), ragged=True)
        finally:
            book.close()

    def _table(self, records: Iterable[Any], *, ragged: bool = False) -> Iterator[LogRow]:
        """Rows under a header; a sheet's rows end at their last filled cell, so `ragged` fills them up."""
        places: list[int] = []
        width = 0
        for number, record in enumerate(records, start=1):
            if number < self._form.header_row:
                continue
            if number == self._form.header_row:
                header = [str(cell or "").strip() for cell in record]
                places = self._places(header)
                width = len(header)
                continue
            if not record or (ragged and not any(cell is not None for cell in record)):
                continue
            fault = None
            if len(record) != width:
                if ragged and not any(cell is not None for cell in record[width:]):
                    record = (*record[:width], *[None] * (width - len(record)))
                else:
                    fault = "columns"
            cells = tuple(
                self._cell(record[place]) if place < len(record) else None for place in places
            )
            yield LogRow(number, cells, fault)
        if not places:
            raise Refusal("log_empty", name=self._path.name)

    def _places(self, header: list[str]) -> list[int]:
        """Where the wanted columns stand; the second column of a name is `name#2`, and so on."""
        seen: dict[str, int] = {}
        places: dict[str, int] = {}
        for place, name in enumerate(header):
            seen[name] = seen.get(name, 0) + 1
            places.setdefault(name, place)
            places.setdefault(f"{name}#{seen[name]}", place)
        for name in self._columns:
            if name not in places:
                raise Refusal("log_column_missing", column=name, there=", ".join(header))
        return [places[name] for name in self._columns]

    def _cell(self, value: Any) -> Cell:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime.combine(value, time())
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = str(value).strip()
        return None if not text or text in self._missing else text

    def _xes(self, file: IO[bytes]) -> Iterator[LogRow]:
        parser = _XesParser()
        while block := file.read(1 << 16):
            for trace, attributes in parser.read(block):
                cells = tuple(self._cell(attributes.get(name)) for name in self._columns)
                yield LogRow(trace, cells, attributes.get(FAULT))
        parser.read(b"", last=True)
        if not parser.traces:
            raise Refusal("log_empty", name=self._path.name)


FAULT = ""
"""The key of what is wrong with an event; no attribute of XES has an empty key."""


class _XesParser:
    """Events with the attributes of their traces, without ever building a tree.

    A document type is refused: XES has none, and its entities could grow without end.
    """

    def __init__(self) -> None:
        self.traces = 0
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._trace: dict[str, str] | None = None
        self._event: dict[str, str] | None = None
        self._events = 0
        self._nested = 0
        self._found: list[tuple[int, dict[str, str]]] = []

    def read(self, block: bytes, *, last: bool = False) -> list[tuple[int, dict[str, str]]]:
        """The events that end in this block, each with the number of its trace."""
        self._parser.Parse(block, last)
        found, self._found = self._found, []
        return found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition("}")[2]
        if tag == "trace":
            self.traces += 1
            self._trace, self._events = {}, 0
        elif tag == "event":
            self._event = {}
        elif tag in ATTRIBUTE_TAGS:
            if (
                not self._nested
                and self._trace is not None
                and {"key", "value"} <= attributes.keys()
            ):
                key, value = attributes["key"], attributes["value"]
                if self._event is not None:
                    self._event[key] = value
                else:
                    self._trace[f"case:{key}"] = value
            self._nested += 1

    def _end(self, name: str) -> None:
        tag = name.rpartition("}")[2]
        if tag == "event":
            if self._trace is not None and self._event is not None:
                self._found.append((self.traces, self._trace | self._event))
                self._events += 1
            self._event = None
        elif tag == "trace":
            if self._trace is not None and not self._events:
                self._found.append((self.traces, self._trace | {FAULT: "no_events"}))
            self._trace = None
        elif tag in ATTRIBUTE_TAGS:
            self._nested -= 1

    def _doctype(self, *_: object) -> None:
        raise Refusal("log_has_doctype")


ATTRIBUTE_TAGS = frozenset({"string", "date", "int", "float", "boolean", "id", "list", "container"})


def file_hash(path: Path) -> str:
    """SHA-256 of the file as given, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
