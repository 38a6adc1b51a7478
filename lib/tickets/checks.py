"""Whether stored timers and the open list are what the facts say: recomputed case by case in flat memory."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from db.codes import TimerKind
from db.models.tickets import QueueRow, Ticket, Timer
from lib.shared.work import Look
from lib.tickets import rules
from lib.tickets.derivation import queue_values, timer_values
from lib.tickets.open_cases import CASES_AT_ONCE, shown_beside, told_of_tickets
from lib.tickets.policies import matter_of, rulebook
from lib.tickets.targets import Rulebook
from lib.tickets.timers import timers_of


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


def check_timers(look: Look, *, sample: int | None = None) -> TimerReport:
    """Recompute the cases of this desk (imports have no stored timers); stops at the first that differs.

    sample: about so many of them, spread evenly over all.
    """
    book = rulebook(look.session)
    cases, last, stride = 0, 0, 1
    if sample is not None:
        own = select(func.count()).select_from(Ticket).where(Ticket.source == "")
        stride = max((look.session.scalar(own) or 0) // max(sample, 1), 1)
    while True:
        tickets = look.session.scalars(
            select(Ticket)
            .where(Ticket.source == "", Ticket.id > last, Ticket.id % stride == 0)
            .order_by(Ticket.id)
            .limit(CASES_AT_ONCE)
        ).all()
        if not tickets:
            return TimerReport(cases, None)
        batch = _Batch(look, [ticket.id for ticket in tickets])
        for ticket in tickets:
            fault = batch.fault_of(ticket, book)
            if fault is not None:
                return TimerReport(cases, fault)
            cases += 1
        last = tickets[-1].id
        look.session.expunge_all()


class _Batch:
    """What is stored for some cases."""

    def __init__(self, look: Look, ids: list[int]) -> None:
        self.told = told_of_tickets(look.session, ids)
        self.timers: defaultdict[int, dict[tuple[int, TimerKind], Timer]] = defaultdict(dict)
        for timer in look.session.scalars(select(Timer).where(Timer.ticket_id.in_(ids))):
            self.timers[timer.ticket_id][timer.cycle, timer.kind] = timer
        self.queue = {
            row.ticket_id: row
            for row in look.session.scalars(select(QueueRow).where(QueueRow.ticket_id.in_(ids)))
        }
        self.beside = shown_beside(look.session, ids)

    def fault_of(self, ticket: Ticket, book: Rulebook) -> TimerFault | None:
        told = self.told.get(ticket.id, ())
        states = timers_of(rules.facts_of(ticket.received_at, told, matter_of(ticket)), book)
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
