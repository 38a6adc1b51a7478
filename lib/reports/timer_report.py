"""The clocks of every case of a source, counted from the stored facts, as a CSV that streams."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from sqlalchemy import Row, select

from db.codes import EventKind
from db.models.tickets import Ticket, TicketEvent
from lib.shared.calendar import WorkingCalendar, epoch
from lib.shared.calendars import calendar_named
from lib.shared.clock import SHANGHAI
from lib.shared.errors import Refusal
from lib.shared.work import Look

BATCH = 1000
MOMENTS = ("arrival", "first_response", "resolved", "closed")
COLUMNS = (
    "case_id",
    *MOMENTS,
    "cal_first_response_s",
    "bus_first_response_s",
    "cal_resolve_s",
    "bus_resolve_s",
    "cal_close_s",
    "bus_close_s",
    "wait_cal_s",
    "wait_bus_s",
    "cal_resolve_net_s",
    "bus_resolve_net_s",
    "flags",
)
COUNTED = (
    EventKind.CONTACTED,
    EventKind.WAITING_STARTED,
    EventKind.WAITING_ENDED,
    EventKind.COMPLETED,
    EventKind.CLOSED,
)


@dataclass(slots=True)
class CaseClock:
    """The moments of one case in epoch seconds, and its waiting states in the order they were recorded."""

    case_id: str
    arrival: int
    first_response: int | None = None
    resolved: int | None = None
    closed: int | None = None
    waiting: tuple[tuple[int, int | None], ...] = ()


def write_timer_report(look: Look, *, source: str, calendar: str, out: Path) -> int:
    """Write the report of a source to a file; answers the number of its cases.

    Durations are whole seconds. A cell is empty when an end is missing or lies before the arrival, which `flags`
    tells; times are Shanghai wall time. Refuses `no_such_calendar` and `no_such_source`.
    """
    time = calendar_named(look.session, calendar).time
    cases = 0
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for clock in case_clocks(look, source=source):
            writer.writerow(row_of(clock, time))
            cases += 1
    if not cases:
        out.unlink()
        raise Refusal("no_such_source", name=source)
    return cases


def case_clocks(look: Look, *, source: str) -> Iterator[CaseClock]:
    """The clocks of every case of a source in the order they were entered, a batch in memory at a time.

    First response is the earliest contact by a person; resolved and closed are the latest of their kind.
    """
    last = 0
    while True:
        tickets = look.session.execute(
            select(Ticket.id, Ticket.external_id, Ticket.number, Ticket.received_at)
            .where(Ticket.source == source, Ticket.id > last)
            .order_by(Ticket.id)
            .limit(BATCH)
        ).all()
        if not tickets:
            return
        last = tickets[-1].id
        facts = look.session.execute(
            select(TicketEvent.ticket_id, TicketEvent.kind, TicketEvent.at, TicketEvent.outbound)
            .where(
                TicketEvent.ticket_id.in_([ticket.id for ticket in tickets]),
                TicketEvent.kind.in_(COUNTED),
            )
            .order_by(TicketEvent.ticket_id, TicketEvent.id)
        )
        by_ticket = {
            ticket_id: list(group) for ticket_id, group in groupby(facts, key=lambda row: row[0])
        }
        for ticket in tickets:
            case_id = ticket.external_id or ticket.number
            yield _clock(case_id, ticket.received_at, by_ticket.get(ticket.id, []))


def _clock(
    case_id: str,
    received_at: datetime,
    facts: list[Row[int, EventKind, datetime, bool]],
) -> CaseClock:
    clock = CaseClock(case_id, epoch(received_at))
    waiting: list[tuple[int, int | None]] = []
    for _, kind, instant, outbound in facts:
        at = epoch(instant)
        if kind is EventKind.CONTACTED and outbound:
            first = clock.first_response
            clock.first_response = at if first is None else min(first, at)
        elif kind is EventKind.COMPLETED:
            clock.resolved = at if clock.resolved is None else max(clock.resolved, at)
        elif kind is EventKind.CLOSED:
            clock.closed = at if clock.closed is None else max(clock.closed, at)
        elif kind is EventKind.WAITING_STARTED:
            waiting.append((at, None))
        elif kind is EventKind.WAITING_ENDED and waiting and waiting[-1][1] is None:
            waiting[-1] = (waiting[-1][0], at)
    clock.waiting = tuple(waiting)
    return clock


def row_of(clock: CaseClock, calendar: WorkingCalendar) -> dict[str, str | int]:
    """One line of the report; cells that cannot be computed are missing, which the writer leaves empty."""
    row: dict[str, str | int] = {"case_id": clock.case_id, "arrival": _shown(clock.arrival)}
    flags = []
    begin = calendar.counted_until(clock.arrival)
    for moment, name in (
        ("first_response", "first_response"),
        ("resolved", "resolve"),
        ("closed", "close"),
    ):
        at: int | None = getattr(clock, moment)
        short = name.removeprefix("first_")
        if at is None:
            flags.append(f"no_{short}")
            continue
        row[moment] = _shown(at)
        if at < clock.arrival:
            flags.append(f"neg_{short}")
            continue
        row[f"cal_{name}_s"] = at - clock.arrival
        row[f"bus_{name}_s"] = calendar.counted_until(at) - begin
    if clock.resolved is not None and clock.resolved >= clock.arrival:
        wall, working = _waited(clock.waiting, clock.arrival, clock.resolved, calendar)
        row["wait_cal_s"], row["wait_bus_s"] = wall, working
        row["cal_resolve_net_s"] = clock.resolved - clock.arrival - wall
        row["bus_resolve_net_s"] = calendar.counted_until(clock.resolved) - begin - working
    row["flags"] = " ".join(flags)
    return row


def _waited(
    spans: tuple[tuple[int, int | None], ...],
    arrival: int,
    resolved: int,
    calendar: WorkingCalendar,
) -> tuple[int, int]:
    """Wall and working seconds of waiting within [arrival, resolved], overlaps counted once."""
    wall = working = 0
    reached = arrival
    for start, end in sorted(spans, key=lambda span: span[0]):
        opens = max(start, reached)
        closes = resolved if end is None else min(end, resolved)
        if closes > opens:
            wall += closes - opens
            working += calendar.counted_until(closes) - calendar.counted_until(opens)
            reached = closes
    return wall, working


def _shown(second: int) -> str:
    return datetime.fromtimestamp(second, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
