"""What is stored of a case and follows from its facts: timers, warnings' moment, return call, the open list's row.

One derivation: every write of a case ends in it, `verify` compares with it, batches share its parts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm.attributes import flag_modified

from db.codes import EventKind, ReturnCallState, TicketStatus, TimerKind
from db.models.customers import Contact, Customer
from db.models.people import Person
from db.models.tickets import NEVER_DUE, QueueRow, ReturnCall, Ticket, TicketEvent, Timer
from lib.messages.actions import withdraw
from lib.shared.calendar import epoch
from lib.shared.work import Work
from lib.tickets import rules
from lib.tickets.notices import ladder_of
from lib.tickets.policies import matter_of, rulebook_of
from lib.tickets.search import names_key, put_terms
from lib.tickets.targets import Rulebook
from lib.tickets.terms import terms_of, text_key
from lib.tickets.timers import Facts, TimerState, timers_of

TIMERS_OF_TICKET = select(*Timer.__table__.c).where(Timer.ticket_id == bindparam("of_ticket"))
FACT_COLUMNS = (
    TicketEvent.kind,
    TicketEvent.at,
    TicketEvent.waiting_for,
    TicketEvent.outbound,
    TicketEvent.to_status,
    TicketEvent.from_status,
    TicketEvent.recorded_at,
    TicketEvent.actor_id,
    TicketEvent.details,
    TicketEvent.id,
)
"""The columns of `rules.Fact`, in its order."""
FACT_NAMES = [column.key for column in FACT_COLUMNS]
FACTS_OF_TICKET = (
    select(*FACT_COLUMNS)
    .where(TicketEvent.ticket_id == bindparam("of_ticket"))
    .order_by(TicketEvent.at, TicketEvent.id)
)
SHOWN_BESIDE = select(
    select(Customer.name).where(Customer.id == bindparam("of_customer")).scalar_subquery(),
    select(Contact.name).where(Contact.id == bindparam("of_contact")).scalar_subquery(),
    select(Person.name).where(Person.id == bindparam("of_technician")).scalar_subquery(),
    select(func.min(ReturnCall.due_at))
    .where(ReturnCall.ticket_id == bindparam("of_ticket"), ReturnCall.state == ReturnCallState.OPEN)
    .scalar_subquery(),
    select(Customer.search_key).where(Customer.id == bindparam("of_customer")).scalar_subquery(),
    select(Contact.search_key).where(Contact.id == bindparam("of_contact")).scalar_subquery(),
    select(Contact.phone_digits).where(Contact.id == bindparam("of_contact")).scalar_subquery(),
    select(func.max(TicketEvent.recorded_at))
    .where(TicketEvent.ticket_id == bindparam("of_ticket"), TicketEvent.kind.not_in(rules.NO_MOVE))
    .scalar_subquery(),
)
END_QUEUE_ROW = delete(QueueRow).where(QueueRow.ticket_id == bindparam("of_ticket"))
"""What every write of a case asks, built once; through the connection, which spares the ORM's own work."""
BEGUN = "tickets_begun"
"""In the session's info: what was read beside the cases that this transaction has opened, by id."""

FOUND_BY = ("search_key", "text_key", "phone_digits")
"""The columns of a queue row that a search reads, as `terms_of` takes them."""


def recompute(work: Work, ticket: Ticket) -> None:
    """Derive the timers and the open list's row of a case from its facts before the commit, and announce the case."""
    work.before_commit(derive, ticket)
    work.touch_ticket(ticket.id)


def derive(work: Work, ticket: Ticket) -> None:
    """Bring what is stored of a case to what its facts say; with the commit, when all of them are written."""
    work.session.flush()
    facts = facts_of_ticket(work, ticket)
    states = own_timers(ticket, facts, rulebook_of(work))
    store = work.store
    stored = (
        () if _begun(work, ticket) else store.execute(TIMERS_OF_TICKET, {"of_ticket": ticket.id})
    )
    moved = TimerChanges.between(ticket.id, stored, states)
    for timer_id, values in moved.changed:
        store.execute(update(Timer).where(Timer.id == timer_id), values)
    for values in moved.new:
        work.write(Timer, **values)
    if moved.gone:
        store.execute(delete(Timer).where(Timer.id.in_(moved.gone)))
    _move_return_call(work, ticket, states)
    _refresh_queue_row(work, ticket, states)
    if ticket.status in rules.ENDED_STATUSES:
        # Of an open case the scheduler takes back what a late entry shows to be wrong; this one it sees no more.
        withdraw(work, ladder_of(ticket.id, facts, rulebook_of(work), work.now).void)


def own_timers(ticket: Ticket, facts: Facts, book: Rulebook) -> list[TimerState]:
    """The timers of a case that this desk answers for."""
    states = timers_of(facts, book)
    if ticket.source:
        # Imported history was promised by another desk: of ours it has what we promised since, and nothing else.
        return [state for state in states if state.kind is TimerKind.PROMISE]
    return states


@dataclass(frozen=True, slots=True)
class TimerChanges:
    """What brings the stored timers of a case to what its facts say; rows to insert, ids with columns, and ids."""

    new: list[dict[str, Any]]
    changed: list[tuple[int, dict[str, Any]]]
    gone: list[int]

    @classmethod
    def between(
        cls, ticket_id: int, stored: Iterable[Any], states: Iterable[TimerState]
    ) -> "TimerChanges":
        """From the stored rows to the derived states."""
        left = {(timer.cycle, timer.kind): timer for timer in stored}
        changes = cls([], [], [])
        for state in states:
            timer = left.pop((state.cycle, state.kind), None)
            values = timer_values(state)
            if timer is None:
                key = {"ticket_id": ticket_id, "cycle": state.cycle, "kind": state.kind}
                changes.new.append(key | values)
                continue
            differing = {
                name: value for name, value in values.items() if getattr(timer, name) != value
            }
            if differing:
                changes.changed.append((timer.id, differing))
        changes.gone.extend(timer.id for timer in left.values())
        return changes


def _move_return_call(work: Work, ticket: Ticket, states: Iterable[TimerState]) -> None:
    for cycle, due_at in moved_return_calls(states):
        work.session.execute(
            update(ReturnCall)
            .where(ReturnCall.ticket_id == ticket.id, ReturnCall.cycle == cycle)
            .values(due_at=due_at)
            .execution_options(synchronize_session=False)
        )


def moved_return_calls(states: Iterable[TimerState]) -> list[tuple[int, datetime]]:
    """By cycle the due of an open return call whose timer was given another target: the call moves with it."""
    return [
        (state.cycle, state.due_at)
        for state in states
        if state.kind is TimerKind.RETURN_CALL
        and state.plan
        and state.stopped_at is None
        and state.due_at is not None
    ]


def timer_values(state: TimerState) -> dict[str, Any]:
    """The columns of a timer that its facts decide."""
    return {
        "policy_id": None if state.target is None else state.target.policy_id,
        "calendar_id": None if state.target is None else state.target.calendar_id,
        "calendar_version": None if state.target is None else state.target.calendar_version,
        "target_seconds": state.target_seconds,
        "started_at": state.started_at,
        "phase": state.phase,
        "due_at": state.due_at,
        "remaining_seconds": state.remaining_seconds,
        "second_remaining_seconds": state.second_remaining_seconds,
        "stopped_at": state.stopped_at,
        "missed_cause": state.missed_cause,
        "missed_by_id": state.missed_by_id,
        "plan": state.plan,
        "left_out": state.left_out,
    }


def facts_of_ticket(work: Work, ticket: Ticket) -> Facts:
    """The timers' facts of one case, from its written events in the order they happened."""
    facts = _facts_in_memory(work, ticket)
    if facts is None:
        rows = work.store.execute(FACTS_OF_TICKET, {"of_ticket": ticket.id})
        facts = [rules.Fact(*row) for row in rows]
    return rules.facts_of(ticket.received_at, facts, matter_of(ticket))


def _facts_in_memory(work: Work, ticket: Ticket) -> list[rules.Fact] | None:
    """The facts of a case that this very work has opened: it still holds all of them. None of any other case."""
    if not _begun(work, ticket):
        return None
    told: list[dict[str, Any]] = [
        values
        for model, values in work.rows
        if model is TicketEvent and values["ticket_id"] == ticket.id
    ]
    columns: list[list[Any]] = [[values.get(name) for name in FACT_NAMES] for values in told]
    facts = [rules.Fact(*each) for each in columns]
    if not any(fact.kind is EventKind.RECEIVED for fact in facts):
        return None
    return sorted(facts, key=lambda fact: fact.at)


def _refresh_queue_row(work: Work, ticket: Ticket, states: list[TimerState]) -> None:
    if ticket.status in rules.ENDED_STATUSES:
        work.ask(END_QUEUE_ROW, of_ticket=ticket.id)
        return
    beside = {
        "of_ticket": ticket.id,
        "of_customer": ticket.customer_id,
        "of_contact": ticket.contact_id,
        "of_technician": ticket.technician_id,
    }
    if _begun(work, ticket):
        values = queue_values(ticket, states, *_shown_beside_new(work, ticket))
        work.put(put_terms, (ticket.id, terms_of(*(values[name] for name in FOUND_BY))))
        work.write(QueueRow, ticket_id=ticket.id, notice_at=epoch(work.now), **values)
        return
    row = work.session.get(QueueRow, ticket.id)
    if row is None:
        row = QueueRow(ticket_id=ticket.id)
        work.session.add(row)
    values = queue_values(ticket, states, *work.store.execute(SHOWN_BESIDE, beside).one())
    if any(getattr(row, name) != values[name] for name in FOUND_BY):
        work.put(put_terms, (ticket.id, terms_of(*(values[name] for name in FOUND_BY))))
    for name, value in values.items():
        setattr(row, name, value)
    row.notice_at = epoch(work.now)
    # Always written: meanwhile the scheduler may have put it off.
    flag_modified(row, "notice_at")


def _begun(work: Work, ticket: Ticket) -> bool:
    """Whether the case was only opened in this transaction: nothing is stored of it yet."""
    untouched = ticket.status is TicketStatus.NEW and ticket.entered_at == work.now
    return untouched and ticket.id in work.session.info.get(BEGUN, ())


def beside_new(work: Work, ticket_id: int) -> Any:
    """The row of actions.BESIDE of a case that this transaction has opened."""
    return work.session.info[BEGUN][ticket_id]


def _shown_beside_new(work: Work, ticket: Ticket) -> tuple[Any, ...]:
    """The same as SHOWN_BESIDE, of rows that opening the case has read already."""
    beside = beside_new(work, ticket.id)
    return (
        beside.customer_name,
        beside.contact_name,
        None,
        None,
        beside.customer_key,
        beside.contact_key,
        beside.phone_digits,
        work.now,
    )


def queue_values(
    ticket: Ticket,
    states: Iterable[TimerState],
    customer_name: str | None,
    contact_name: str | None,
    technician_name: str | None,
    return_call_due_at: datetime | None,
    customer_key: str | None,
    contact_key: str | None,
    phone_digits: str | None,
    moved_at: datetime | None,
) -> dict[str, Any]:
    """The columns of an open case's queue row, derived from the case, its timers and what stands beside it."""
    due = rules.next_due(states, return_call_due_at)
    return {
        "number": ticket.number,
        "priority": ticket.priority,
        "status": ticket.status,
        "waiting_for": ticket.waiting_for,
        "fault": ticket.fault,
        "coverage": ticket.coverage,
        "customer_id": ticket.customer_id,
        "customer_name": customer_name or "",
        "contact_name": contact_name or "",
        "technician_id": ticket.technician_id,
        "technician_name": technician_name or "",
        "owner_id": ticket.owner_id,
        "received_at": epoch(ticket.received_at),
        "due_at": NEVER_DUE if due.due_at is None else epoch(due.due_at),
        "due_kind": due.kind,
        "paused": due.paused,
        "remaining_seconds": due.remaining_seconds,
        "return_call_open": return_call_due_at is not None,
        "imported": bool(ticket.source),
        "version": ticket.version,
        "search_key": names_key(ticket.number, customer_key, contact_key),
        "phone_digits": phone_digits or "",
        "waiting_until": None if ticket.waiting_until is None else epoch(ticket.waiting_until),
        "next_action_at": None if ticket.next_action_at is None else epoch(ticket.next_action_at),
        "moved_at": 0 if moved_at is None else epoch(moved_at),
        "text_key": text_key(ticket.title or "", ticket.words),
    }
