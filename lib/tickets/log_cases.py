"""From rows of another desk's log to cases of this one, as a mapping says; or to the reason why not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from zoneinfo import ZoneInfo

from db.codes import Channel, EventKind, FaultCode, Priority, TicketStatus, WaitingFor
from lib.shared.calendar import FIRST_YEAR, LAST_YEAR
from lib.shared.clock import SHANGHAI
from lib.tickets.log_readers import Cell, LogRow
from lib.tickets.mapping import (
    AS_WRITTEN,
    ISO,
    Coded,
    CodeKind,
    Mapping,
    Moment,
    Order,
    Times,
    Value,
)

MOMENTS = {
    "arrival": EventKind.RECEIVED,
    "first_response": EventKind.CONTACTED,
    "resolved": EventKind.COMPLETED,
    "closed": EventKind.CLOSED,
}
EARLIEST = int(datetime(FIRST_YEAR, 1, 2, tzinfo=UTC).timestamp())
LATEST = int(datetime(LAST_YEAR, 12, 30, tzinfo=UTC).timestamp())
LONGEST = {"id": 120, "title": 200, "company": 120, "contact": 80}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a row, and with it its case, was not taken. `reason` names the words `import_reason.<reason>`."""

    row: int
    case: str
    column: str
    value: str
    reason: str


class NotTaken(Exception):
    """A case that cannot be taken."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused


@dataclass(slots=True)
class PlannedEvent:
    """A fact for the timeline; `at` in epoch seconds."""

    kind: str
    at: int
    words: str = ""
    waiting_for: str | None = None


@dataclass(slots=True)
class PlannedCase:
    """A case as it will be stored; moments in epoch seconds, codes by value."""

    id: str
    row: int
    arrival: int
    first_response: int | None = None
    resolved: int | None = None
    closed: int | None = None
    target: int | None = None
    status: str = TicketStatus.NEW.value
    waiting_for: str | None = None
    title: str = ""
    text: str = ""
    company: str = ""
    contact: str = ""
    fault: str = FaultCode.OTHER.value
    priority: str = Priority.P3.value
    channel: str = Channel.OTHER.value
    events: list[PlannedEvent] = field(default_factory=list)


class TimeReader:
    """Reads times as a log writes them, into whole epoch seconds."""

    def __init__(self, times: Times) -> None:
        self._formats = times.formats
        self._as_written = times.zone == AS_WRITTEN
        self._zone = SHANGHAI if self._as_written else ZoneInfo(times.zone)

    def read(self, value: Cell) -> int | None:
        """None when no format fits, or when the time lies outside the years the desk can count in."""
        if value is None:
            return None
        instant = value if isinstance(value, datetime) else self._parse(value)
        if instant is None:
            return None
        if instant.tzinfo is None or self._as_written:
            instant = instant.replace(tzinfo=self._zone)
        try:
            second = int(instant.timestamp() // 1)
        except (OverflowError, ValueError):
            return None
        return second if EARLIEST <= second <= LATEST else None

    def _parse(self, text: str) -> datetime | None:
        for form in self._formats:
            try:
                if form == ISO:
                    return datetime.fromisoformat(text)
                return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the mapping's
            except ValueError:
                continue
        return None


@lru_cache(10_000)
def matches(globs: tuple[str, ...], activity: str) -> bool:
    """Whether an activity is named by the globs: by one of those without `!` (or there are none), by none with."""
    wanted = [glob for glob in globs if not glob.startswith("!")]
    unwanted = [glob[1:] for glob in globs if glob.startswith("!")]
    named = not wanted or any(fnmatchcase(activity, glob) for glob in wanted)
    return named and not any(fnmatchcase(activity, glob) for glob in unwanted)


class CaseBuilder:
    """Builds the cases of one mapping."""

    def __init__(self, mapping: Mapping, *, latest: int) -> None:
        """latest: epoch second after which no case can have been received."""
        self._mapping = mapping
        self._places = {name: place for place, name in enumerate(mapping.columns)}
        self._times = TimeReader(mapping.times)
        self._latest = latest

    def case_id(self, row: LogRow) -> str:
        """The id of a row's case. Raises NotTaken when it has none or the row cannot be read."""
        case = self._text(self._mapping.case.id, row)
        if row.fault is not None:
            raise NotTaken(Refused(row.number, case, "", "", row.fault))
        columns = self._mapping.case.id.columns
        if not case or any(self._cell(name, row) is None for name in columns):
            raise NotTaken(Refused(row.number, case, " + ".join(columns), "", "case_id_missing"))
        self._check("id", case, " + ".join(columns), row, case)
        return case

    def case_of_row(self, case: str, row: LogRow) -> PlannedCase:
        """The case that a row of a log of cases tells. Raises NotTaken."""
        moments: dict[str, tuple[int, str]] = {}
        for name, rule in self._rules():
            assert rule.column is not None
            at = self._time(rule.column, row, case)
            if at is not None:
                moments[name] = (at, self._words(rule.words, row))
        if "arrival" not in moments:
            arrival = self._mapping.moments.arrival
            column = "" if arrival is None else arrival.column or ""
            raise NotTaken(Refused(row.number, case, column, "", "arrival_missing"))
        planned = self._planned(case, row, moments)
        planned.events = [
            PlannedEvent(MOMENTS[name].value, at, words) for name, (at, words) in moments.items()
        ]
        return planned

    def case_of_events(self, case: str, rows: Sequence[LogRow]) -> PlannedCase:
        """The case that its events, in the order of the file, tell. Raises NotTaken."""
        events = self._mapping.events
        assert events is not None
        activities = []
        for row in rows:
            activity = self._text(events.activity, row)
            if not activity:
                columns = " + ".join(events.activity.columns)
                raise NotTaken(Refused(row.number, case, columns, "", "activity_missing"))
            activities.append(activity)
        order = self._order(events, rows, case)
        values = rows[order[0 if events.case_values == "first" else -1]]
        moments: dict[str, tuple[int, str]] = {}
        chosen: dict[int, list[tuple[str, int]]] = {}
        for name, rule in self._rules():
            if rule.column is not None:
                at = self._time(rule.column, values, case)
                if at is not None:
                    moments[name] = (at, self._words(rule.words, values))
                continue
            own_order = self._order(rule, rows, case) if _differs(rule) else order
            place = _pick(rule, activities, own_order)
            if place is not None:
                column = rule.time or events.time
                at = self._needed_time(column, rows[place], case)
                moments[name] = (at, self._words(rule.words, rows[place]) or activities[place])
                chosen.setdefault(place, []).append((name, at))
        if "arrival" not in moments:
            raise NotTaken(Refused(values.number, case, "", "", "arrival_missing"))
        planned = self._planned(case, values, moments)
        planned.events = self._timeline(case, rows, activities, order, chosen, moments)
        last = self._waiting(activities[order[-1]])
        if last is not None and planned.resolved is None and planned.closed is None:
            planned.status, planned.waiting_for = TicketStatus.WAITING.value, last.value
        return planned

    def _timeline(
        self,
        case: str,
        rows: Sequence[LogRow],
        activities: Sequence[str],
        order: Sequence[int],
        chosen: dict[int, list[tuple[str, int]]],
        moments: dict[str, tuple[int, str]],
    ) -> list[PlannedEvent]:
        events = self._mapping.events
        assert events is not None
        from_columns = moments.keys() - {name for names in chosen.values() for name, _ in names}
        timeline = [
            PlannedEvent(MOMENTS[name].value, *moments[name])
            for name in MOMENTS
            if name in from_columns
        ]
        waiting: WaitingFor | None = None
        for place in order:
            at = self._needed_time(events.time, rows[place], case)
            words = self._words(events.words, rows[place]) or activities[place]
            if waiting is not None:
                timeline.append(PlannedEvent(EventKind.WAITING_ENDED.value, at, "", waiting.value))
            told = chosen.get(place, [])
            timeline += [
                PlannedEvent(MOMENTS[name].value, moment, moments[name][1]) for name, moment in told
            ]
            waiting = self._waiting(activities[place])
            if waiting is not None:
                kind = EventKind.WAITING_STARTED.value
                timeline.append(PlannedEvent(kind, at, words, waiting.value))
            elif not told:
                timeline.append(PlannedEvent(EventKind.IMPORTED.value, at, words))
        return timeline

    def _rules(self) -> list[tuple[str, Moment]]:
        """The moments the mapping has a rule for; events begin with the first one when it has none for arrival."""
        moments = self._mapping.moments
        found = [(name, getattr(moments, name)) for name in MOMENTS]
        if moments.arrival is None:
            found[0] = ("arrival", EARLIEST_EVENT)
        return [(name, rule) for name, rule in found if rule is not None]

    def _planned(self, case: str, row: LogRow, moments: dict[str, tuple[int, str]]) -> PlannedCase:
        at = {name: moments[name][0] for name in moments}
        if at["arrival"] > self._latest:
            told = datetime.fromtimestamp(at["arrival"], SHANGHAI).isoformat(" ")
            raise NotTaken(Refused(row.number, case, "", told, "arrival_in_future"))
        fields = self._mapping.ticket
        title = self._optional(fields.title, "title", row, case)
        text = self._optional(fields.text, "text", row, case)
        if len(title) > LONGEST["title"]:
            text = f"{title}\n\n{text}".strip()
            title = f"{title[: LONGEST['title'] - 1]}…"
        planned = PlannedCase(
            case,
            row.number,
            at["arrival"],
            at.get("first_response"),
            at.get("resolved"),
            at.get("closed"),
            self._time(fields.target, row, case) if fields.target else None,
            title=title,
            text=text,
            company=self._optional(fields.company, "company", row, case),
            contact=self._optional(fields.contact, "contact", row, case),
            fault=self._code(fields.category, FaultCode, row, case),
            priority=self._code(fields.priority, Priority, row, case),
            channel=self._code(fields.channel, Channel, row, case),
        )
        if planned.closed is not None:
            planned.status = TicketStatus.CLOSED.value
        elif planned.first_response is not None or planned.resolved is not None:
            # Resolved but never closed: completing it here brings the return call that closing needs (S-25).
            planned.status = TicketStatus.CONTACTED.value
        return planned

    def _cell(self, column: str, row: LogRow) -> Cell:
        return row.cells[self._places[column]]

    def _text(self, value: Value, row: LogRow) -> str:
        if value.constant is not None:
            return value.constant
        cells = [self._cell(name, row) for name in value.columns]
        return value.joined_by.join(
            cell.isoformat(" ") if isinstance(cell, datetime) else cell
            for cell in cells
            if cell is not None
        )

    def _words(self, value: Value | None, row: LogRow) -> str:
        return "" if value is None else self._text(value, row).replace("\x00", "")

    def _optional(self, value: Value | None, name: str, row: LogRow, case: str) -> str:
        if value is None:
            return ""
        text = self._text(value, row)
        self._check(name, text, " + ".join(value.columns), row, case)
        return text

    def _check(self, name: str, text: str, column: str, row: LogRow, case: str) -> None:
        longest = LONGEST.get(name)
        if longest is not None and len(text) > longest and name != "title":
            raise NotTaken(Refused(row.number, case, column, text, "too_long"))
        if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise NotTaken(Refused(row.number, case, column, text, "unreadable"))

    def _time(self, column: str, row: LogRow, case: str) -> int | None:
        """None when the cell is missing. Raises NotTaken for one that is no time."""
        cell = self._cell(column, row)
        if cell is None:
            return None
        second = self._times.read(cell)
        if second is None:
            raise NotTaken(Refused(row.number, case, column, str(cell), "not_a_time"))
        return second

    def _needed_time(self, column: str, row: LogRow, case: str) -> int:
        second = self._time(column, row, case)
        if second is None:
            raise NotTaken(Refused(row.number, case, column, "", "time_missing"))
        return second

    def _code(self, value: Coded[CodeKind], kind: type[CodeKind], row: LogRow, case: str) -> str:
        text = self._text(value, row)
        for glob, mapped in value.map.items():
            if fnmatchcase(text, glob):
                return str(mapped.value)
        if not value.map and text in set(kind):
            return text
        if value.otherwise is None:
            column = " + ".join(value.columns)
            raise NotTaken(Refused(row.number, case, column, text, "unknown_code"))
        return str(value.otherwise.value)

    def _order(self, order: Order, rows: Sequence[LogRow], case: str) -> list[int]:
        places = list(range(len(rows)))
        if order.ordered_as == "file":
            return places
        events = self._mapping.events
        assert events is not None
        column = order.ordered_by or events.time
        keys = [self._order_key(order.ordered_as, column, row, case) for row in rows]
        return sorted(places, key=lambda place: keys[place])

    def _order_key(self, kind: str, column: str, row: LogRow, case: str) -> int | float | str:
        if kind == "time":
            return self._needed_time(column, row, case)
        cell = self._cell(column, row)
        if kind == "text":
            return "" if cell is None else str(cell)
        try:
            return float(str(cell))
        except ValueError:
            told = "" if cell is None else str(cell)
            raise NotTaken(Refused(row.number, case, column, told, "not_a_number")) from None

    def _waiting(self, activity: str) -> WaitingFor | None:
        for rule in self._mapping.waiting:
            if matches(rule.activities, activity):
                return rule.waiting_for
        return None


EARLIEST_EVENT = Moment(activities=("*",), pick="first")


def _differs(rule: Moment) -> bool:
    return rule.ordered_by is not None or rule.ordered_as != "time"


def _pick(rule: Moment, activities: Sequence[str], order: Iterable[int]) -> int | None:
    """The place of the event that a rule chooses, events taken in `order`."""
    assert rule.activities is not None
    in_order = [(place, matches(rule.activities, activities[place])) for place in order]
    if rule.pick == "first_of_final_run":
        first = None
        for place, named in reversed(in_order):
            if not named:
                break
            first = place
        return first
    if rule.pick == "last":
        in_order.reverse()
    return next((place for place, named in in_order if named), None)
