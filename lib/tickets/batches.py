"""Recompute many open cases at once: what is stored of them is read together, and what differs written together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, delete, insert, select, update

from db.models.tickets import QueueRow, ReturnCall, Ticket, Timer
from lib.shared.calendar import epoch
from lib.shared.work import Work
from lib.tickets.derivation import (
    FOUND_BY,
    TimerChanges,
    derive,
    moved_return_calls,
    own_timers,
    queue_values,
)
from lib.tickets.open_cases import OF_TICKETS, facts_of_tickets, shown_beside
from lib.tickets.policies import rulebook_of
from lib.tickets.search import put_terms
from lib.tickets.terms import terms_of
from lib.tickets.timers import TimerState

TIMERS = select(*Timer.__table__.c).where(Timer.ticket_id.in_(OF_TICKETS))
QUEUE_ROWS = select(*QueueRow.__table__.c).where(QueueRow.ticket_id.in_(OF_TICKETS))
MOVE_RETURN_CALL = (
    update(ReturnCall)
    .where(
        ReturnCall.ticket_id == bindparam("of_ticket"), ReturnCall.cycle == bindparam("of_cycle")
    )
    .values(due_at=bindparam("to_due_at"))
)
Changed = list[tuple[int, dict[str, Any]]]
"""Ids of rows with the columns that differ."""


def recompute_all(work: Work, tickets: Sequence[Ticket]) -> None:
    """Do to open cases what `recompute` does to one; the statements do not become more with the cases.

    Whatever has no row in the open list, as its own recompute has ended or not yet written it, is done by itself.
    """
    if not tickets:
        return
    work.before_commit(_derive_all, tickets)
    for ticket in tickets:
        work.touch_ticket(ticket.id)


def _derive_all(work: Work, tickets: Sequence[Ticket]) -> None:
    work.session.flush()
    store, book = work.store, rulebook_of(work)
    asked = {"of_tickets": [ticket.id for ticket in tickets]}
    rows = {row.ticket_id: row for row in store.execute(QUEUE_ROWS, asked)}
    for ticket in tickets:
        if ticket.id not in rows:
            derive(work, ticket)
    tickets = [ticket for ticket in tickets if ticket.id in rows]
    facts = facts_of_tickets(work.session, tickets)
    timers: defaultdict[int, list[Any]] = defaultdict(list)
    for timer in store.execute(TIMERS, asked):
        timers[timer.ticket_id].append(timer)
    states = {ticket.id: own_timers(ticket, facts[ticket.id], book) for ticket in tickets}
    _write_timers(
        store,
        [TimerChanges.between(each, timers[each], of_ticket) for each, of_ticket in states.items()],
    )
    calls = [
        {"of_ticket": each, "of_cycle": cycle, "to_due_at": due_at}
        for each, of_ticket in states.items()
        for cycle, due_at in moved_return_calls(of_ticket)
    ]
    if calls:
        store.execute(MOVE_RETURN_CALL, calls)
    _refresh_queue_rows(work, tickets, states, rows)


def _write_timers(store: Connection, moved: Iterable[TimerChanges]) -> None:
    new, changed, gone = [], [], []
    for each in moved:
        new += each.new
        changed += each.changed
        gone += each.gone
    _write_changed(store, Timer, Timer.id, changed)
    if new:
        store.execute(insert(Timer), new)
    if gone:
        store.execute(delete(Timer).where(Timer.id.in_(gone)))


def _refresh_queue_rows(
    work: Work,
    tickets: Sequence[Ticket],
    states: dict[int, list[TimerState]],
    rows: dict[int, Any],
) -> None:
    beside = shown_beside(work.session, rows)
    changed: Changed = []
    terms: list[tuple[int, Sequence[str]]] = []
    for ticket in tickets:
        row = rows[ticket.id]
        values = queue_values(ticket, states[ticket.id], *beside[ticket.id])
        differing = {name: value for name, value in values.items() if getattr(row, name) != value}
        if not differing.keys().isdisjoint(FOUND_BY):
            terms.append((ticket.id, terms_of(*(values[name] for name in FOUND_BY))))
        # Always written: meanwhile the scheduler may have put it off.
        changed.append((ticket.id, differing | {"notice_at": epoch(work.now)}))
    _write_changed(work.store, QueueRow, QueueRow.ticket_id, changed)
    put_terms(work.store, terms)


def _write_changed(store: Connection, model: Any, key: Any, changed: Changed) -> None:
    """One statement for all rows in which the same columns differ."""
    alike: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row_id, values in changed:
        told = {f"to_{name}": value for name, value in values.items()}
        alike[tuple(values)].append({"of_row": row_id, **told})
    for names, rows in alike.items():
        store.execute(_update(model, key, names), rows)


@lru_cache
def _update(model: Any, key: Any, names: tuple[str, ...]) -> Update:
    told: dict[str, Any] = {name: bindparam(f"to_{name}") for name in names}
    return update(model).where(key == bindparam("of_row")).values(told)
