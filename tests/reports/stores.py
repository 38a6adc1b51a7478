"""Stores of many cases written straight into the tables: what the dashboard must count, and history beside it."""

import random
from datetime import datetime, timedelta

from sqlalchemy import insert, select

from db import session as database
from db.codes import (
    Channel,
    CoverageState,
    FaultCode,
    MissedCause,
    Priority,
    ReturnCallState,
    TicketStatus,
    TimerKind,
    TimerPhase,
)
from db.models.calendars import Calendar
from db.models.tickets import NEVER_DUE, QueueRow, ReturnCall, Ticket, Timer
from lib.shared.calendar import epoch
from lib.tickets.tally import tallies

HOUR = timedelta(hours=1)
KINDS = (TimerKind.FIRST_RESPONSE, TimerKind.RESOLUTION)


def a_ticket(number: int, received_at: datetime, **columns) -> dict:
    """The columns of a case of this desk, open unless told."""
    row = {
        "id": number,
        "number": f"CC-2026-{number:06d}",
        "source": "",
        "external_id": None,
        "status": TicketStatus.NEW,
        "waiting_for": None,
        "priority": Priority.P3,
        "channel": Channel.PHONE,
        "fault": FaultCode.NOISE,
        "coverage": CoverageState.UNKNOWN,
        "received_at": received_at,
        "entered_at": received_at,
        "completed_at": None,
        "closed_at": None,
        "version": 1,
        "cycle": 1,
    }
    return row | columns


def a_queue_row(ticket: dict, due_at: datetime | None = None, **columns) -> dict:
    row = {name: ticket[name] for name in ("number", "priority", "status", "fault", "coverage")}
    return row | {
        "ticket_id": ticket["id"],
        "received_at": epoch(ticket["received_at"]),
        "due_at": NEVER_DUE if due_at is None else epoch(due_at),
        "version": 1,
        **columns,
    }


def a_timer(ticket: dict, kind: TimerKind, calendar_id: int, **columns) -> dict:
    row = {
        "ticket_id": ticket["id"],
        "cycle": 1,
        "kind": kind,
        "calendar_id": calendar_id,
        "calendar_version": 1,
        "target_seconds": 1800,
        "started_at": ticket["received_at"],
        "phase": TimerPhase.RUNNING,
        "due_at": None,
        "stopped_at": None,
        "missed_cause": None,
        "left_out": False,
    }
    return row | columns


def write(model, rows: list[dict]) -> None:
    """Straight into a table; no change number tells of it, so what was counted of open cases is forgotten."""
    tallies.forget()
    with database.writing() as session:
        for start in range(0, len(rows), 5000):
            session.execute(insert(model), rows[start : start + 5000])


def calendar_id() -> int:
    with database.ReadSession() as session:
        return session.scalars(select(Calendar.id)).first()


def write_own_cases(now: datetime, cases: int, *, first: int = 1, days: int = 200) -> list[dict]:
    """Cases over the last `days` with every kind of timer; answers the timers' columns."""
    chance = random.Random(7)
    calendar = calendar_id()
    tickets, timers, queue, calls = [], [], [], []
    for number in range(first, first + cases):
        received = now - timedelta(seconds=chance.randrange(days * 86_400))
        closed = received + chance.uniform(1, 200) * HOUR if chance.random() < 0.8 else None
        closed = None if closed is None or closed > now else closed.replace(microsecond=0)
        ended = TicketStatus.CLOSED if chance.random() < 0.9 else TicketStatus.CANCELLED
        ticket = a_ticket(
            number,
            received,
            fault=chance.choice(list(FaultCode)[:5]),
            status=TicketStatus.NEW if closed is None else ended,
            closed_at=closed,
        )
        tickets.append(ticket)
        own = []
        for kind in KINDS:
            due = received + chance.choice([0.5, 30, 60]) * HOUR
            stopped = received + chance.uniform(0.1, 90) * HOUR if closed else None
            stopped = None if stopped is None else min(stopped, closed).replace(microsecond=0)
            phase = chance.choice(
                [TimerPhase.STOPPED, TimerPhase.STOPPED, TimerPhase.CANCELLED]
                if stopped
                else [TimerPhase.RUNNING, TimerPhase.RUNNING, TimerPhase.PAUSED]
            )
            if phase is TimerPhase.PAUSED and chance.random() < 0.7:
                due = None
            cause = MissedCause.TIME if due and stopped and stopped > due else None
            if cause is None and chance.random() < 0.1:
                cause = chance.choice([MissedCause.CHANGE, MissedCause.MERGE])
            own.append(
                a_timer(
                    ticket,
                    kind,
                    calendar,
                    phase=phase,
                    due_at=due,
                    stopped_at=stopped,
                    missed_cause=cause,
                    left_out=chance.random() < 0.1,
                )
            )
        timers += own
        calls.append(
            {
                "ticket_id": number,
                "cycle": 1,
                "state": ReturnCallState.DONE if closed else ReturnCallState.OPEN,
                "opened_at": received,
                "due_at": received + 24 * HOUR,
                "ended_at": closed,
                "tries": 0,
                "version": 1,
            }
        )
        if closed is None:
            running = [each["due_at"] for each in own if each["phase"] is TimerPhase.RUNNING]
            queue.append(a_queue_row(ticket, min(running, default=None)))
    for model, rows in ((Ticket, tickets), (Timer, timers), (QueueRow, queue), (ReturnCall, calls)):
        write(model, rows)
    return timers


def write_history(now: datetime, cases: int, *, first: int, open_cases: int) -> None:
    """Another desk's cases of the last three years, some of them still open, none with timers."""
    tickets, queue = [], []
    for number in range(first, first + cases):
        received = now - timedelta(minutes=(number - first) * 24)
        is_open = number < first + open_cases
        ticket = a_ticket(
            number,
            received,
            source="old-desk",
            external_id=str(number),
            status=TicketStatus.NEW if is_open else TicketStatus.CLOSED,
            closed_at=None if is_open else received + HOUR,
        )
        tickets.append(ticket)
        if is_open:
            queue.append(a_queue_row(ticket, imported=True))
    write(Ticket, tickets)
    write(QueueRow, queue)
