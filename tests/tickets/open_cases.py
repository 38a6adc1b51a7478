"""Rows of the open queue for tests, written straight into the store with their tickets."""

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from db.codes import Channel, CoverageState, FaultCode, Priority, TicketStatus, TimerKind
from db.models.people import Change, ChangeHead
from db.models.tickets import NEVER_DUE, QueueRow, Ticket
from lib.customers.rules import search_key
from lib.shared.calendar import epoch
from lib.tickets.search import names_key, put_terms
from lib.tickets.terms import terms_of, text_key

IN_TICKET = ("priority", "status", "waiting_for", "fault", "coverage", "technician_id", "owner_id")


def write_open_case(session: Session, now: datetime, number: int, **facts: Any) -> int:
    """An open case and its row; `due_in` in seconds from `now` (None: nothing runs). Its id."""
    due_in = facts.pop("due_in", 7200)
    row = {
        "priority": Priority.P3,
        "status": TicketStatus.ASSIGNED,
        "waiting_for": None,
        "fault": FaultCode.MOTOR_DEAD,
        "coverage": CoverageState.IN_WARRANTY,
        "technician_id": None,
        "owner_id": None,
        "customer_name": "春晖酒店有限公司",
        "contact_name": "李娜",
        "moved_at": epoch(now),
        **facts,
    }
    ticket = Ticket(
        number=f"CC-2026-{number:06d}",
        channel=Channel.PHONE,
        received_at=now,
        entered_at=now,
        **{name: row[name] for name in IN_TICKET},
    )
    session.add(ticket)
    session.flush()
    words = row.pop("words", "")
    ticket.words = words
    keys = (search_key(row[name], limit=400) for name in ("customer_name", "contact_name"))
    names, text = names_key(ticket.number, *keys), text_key("", words)
    put_terms(
        session.connection(),
        [(ticket.id, terms_of(names, text, row.get("phone_digits", "")))],
    )
    session.add(
        QueueRow(
            ticket_id=ticket.id,
            number=ticket.number,
            received_at=epoch(now),
            due_at=NEVER_DUE if due_in is None else epoch(now) + due_in,
            due_kind=None if due_in is None else TimerKind.RESOLUTION,
            version=1,
            search_key=names,
            text_key=text,
            **row,
        )
    )
    return ticket.id


def announce(session: Session, *tickets: int) -> int:
    """Give a change number to a change of these cases, as the write door does. The number."""
    number: int | None = session.scalar(
        update(ChangeHead).values(number=ChangeHead.number + 1).returning(ChangeHead.number)
    )
    assert number is not None
    session.add_all(Change(number=number, ticket_id=ticket) for ticket in tickets)
    session.flush()
    return number
