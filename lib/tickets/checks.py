"""Whether stored timers and the open list are what the facts say: recomputed case by case in flat memory."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import select

from db.codes import ReturnCallState, TimerKind
from db.models.customers import Contact, Customer
from db.models.people import Person
from db.models.tickets import QueueRow, ReturnCall, Ticket, TicketEvent, Timer
from lib.shared.calendar import WorkingCalendar
from lib.shared.calendars import calendar_named
from lib.shared.work import Look
from lib.tickets import rules
from lib.tickets.actions import queue_values, timer_values
from lib.tickets.timers import timers_of

CASES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class TimerFault:
    """The first case whose stored `column` is not what its facts say; `kind` and `cycle` when it is a timer's."""

    number: str
    column: str
    stored: Any
    derived: Any
    kind: TimerKind | None = None
    cycle: int | None = None


@dataclass(frozen=True, slots=True)
class TimerReport:
    cases: int
    fault: TimerFault | None


def check_timers(look: Look) -> TimerReport:
    """Recompute every case of this desk (imports have no stored timers); stops at the first that differs."""
    calendar = calendar_named(look.session).time
    cases, last = 0, 0
    while True:
        tickets = look.session.scalars(
            select(Ticket)
            .where(Ticket.source == "", Ticket.id > last)
            .order_by(Ticket.id)
            .limit(CASES_AT_ONCE)
        ).all()
        if not tickets:
            return TimerReport(cases, None)
        batch = _Batch(look, tickets[0].id, tickets[-1].id)
        for ticket in tickets:
            fault = batch.fault_of(ticket, calendar)
            if fault is not None:
                return TimerReport(cases, fault)
            cases += 1
        last = tickets[-1].id
        look.session.expunge_all()


class _Batch:
    """What is stored for the cases from one id to another."""

    def __init__(self, look: Look, first: int, last: int) -> None:
        run = look.session.execute
        facts = run(
            select(
                TicketEvent.ticket_id,
                TicketEvent.kind,
                TicketEvent.at,
                TicketEvent.waiting_for,
                TicketEvent.outbound,
            )
            .where(TicketEvent.ticket_id.between(first, last))
            .order_by(TicketEvent.ticket_id, TicketEvent.at, TicketEvent.id)
        )
        self.facts = {
            ticket_id: [rules.Fact(*row[1:]) for row in rows]
            for ticket_id, rows in groupby(facts, attrgetter("ticket_id"))
        }
        self.timers: defaultdict[int, dict[tuple[int, TimerKind], Timer]] = defaultdict(dict)
        for timer in look.session.scalars(
            select(Timer).where(Timer.ticket_id.between(first, last))
        ):
            self.timers[timer.ticket_id][timer.cycle, timer.kind] = timer
        self.queue = {
            row.ticket_id: row
            for row in look.session.scalars(
                select(QueueRow).where(QueueRow.ticket_id.between(first, last))
            )
        }
        beside = run(
            select(
                Ticket.id,
                Customer.name,
                Contact.name,
                Person.name,
                ReturnCall.due_at,
                Customer.search_key,
                Contact.search_key,
                Contact.phone_digits,
            )
            .outerjoin(Customer, Customer.id == Ticket.customer_id)
            .outerjoin(Contact, Contact.id == Ticket.contact_id)
            .outerjoin(Person, Person.id == Ticket.technician_id)
            .outerjoin(
                ReturnCall,
                (ReturnCall.ticket_id == Ticket.id) & (ReturnCall.state == ReturnCallState.OPEN),
            )
            .where(Ticket.id.between(first, last))
        )
        self.beside: dict[int, Sequence[Any]] = {row[0]: row[1:] for row in beside}

    def fault_of(self, ticket: Ticket, calendar: WorkingCalendar) -> TimerFault | None:
        facts = rules.facts_of(ticket.received_at, self.facts.get(ticket.id, ()))
        states = timers_of(facts, calendar)
        stored = self.timers[ticket.id]
        derived = {(state.cycle, state.kind) for state in states}
        if set(stored) != derived:
            return TimerFault(ticket.number, "timers", sorted(stored), sorted(derived))
        for state in states:
            timer = stored[state.cycle, state.kind]
            for column, value in timer_values(state).items():
                if getattr(timer, column) != value:
                    return TimerFault(
                        ticket.number,
                        column,
                        getattr(timer, column),
                        value,
                        state.kind,
                        state.cycle,
                    )
        row = self.queue.get(ticket.id)
        is_open = ticket.status not in rules.ENDED_STATUSES
        if row is None or not is_open:
            if (row is not None) == is_open:
                return None
            return TimerFault(ticket.number, "queue row", row is not None, is_open)
        for column, value in queue_values(ticket, states, *self.beside[ticket.id]).items():
            if getattr(row, column) != value:
                return TimerFault(ticket.number, column, getattr(row, column), value)
        return None
