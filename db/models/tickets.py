"""Tickets, the facts on their timelines, their timers, and the narrow table that open lists read."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.codes import (
    ActorKind,
    Channel,
    CoverageState,
    CustomerLevel,
    EventKind,
    FaultCode,
    MissedCause,
    Priority,
    ReturnCallResult,
    ReturnCallState,
    TargetUnit,
    TicketStatus,
    TimerKind,
    TimerPhase,
    WaitingFor,
)
from db.models.base import Base, code, where

NEVER_DUE = 253402300799
"""Epoch seconds that stand for "nothing runs": sorts last in both databases, where NULL would not."""


class Ticket(Base):
    """A case. `source` is empty for this desk's own cases, else the name of the import they came with."""

    __tablename__ = "tickets"
    __table_args__ = (
        CheckConstraint("(status = 'waiting') = (waiting_for IS NOT NULL)", name="waiting_reason"),
        UniqueConstraint("source", "external_id"),
        Index("ix_tickets_received", "received_at", "id"),
        CheckConstraint("(source = '') = (external_id IS NULL)", name="own_or_imported"),
        # The desk's own cases for the reports: imported history costs these two nothing. Not by the source,
        # or SQLite would rather read all own cases by the unique index above.
        Index("ix_tickets_own_received", "received_at", "fault", **where("external_id IS NULL")),
        Index("ix_tickets_own_closed", "closed_at", "status", **where("external_id IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(24), unique=True)
    source: Mapped[str] = mapped_column(String(60), default="")
    external_id: Mapped[str | None] = mapped_column(String(120))
    status: Mapped[TicketStatus] = mapped_column(code(TicketStatus))
    waiting_for: Mapped[WaitingFor | None] = mapped_column(code(WaitingFor))
    priority: Mapped[Priority] = mapped_column(code(Priority))
    channel: Mapped[Channel] = mapped_column(code(Channel))
    fault: Mapped[FaultCode] = mapped_column(code(FaultCode))
    title: Mapped[str] = mapped_column(String(200), default="")
    words: Mapped[str] = mapped_column(Text, default="")
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"), index=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("sites.id"))
    item_id: Mapped[int | None] = mapped_column(ForeignKey("items.id"), index=True)
    coverage: Mapped[CoverageState] = mapped_column(code(CoverageState))
    technician_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    received_at: Mapped[datetime]
    entered_at: Mapped[datetime]
    target_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    cycle: Mapped[int] = mapped_column(default=1)
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class TicketEvent(Base):
    """A fact: when it happened (`at`), when it was recorded, by whom, and what it changed."""

    __tablename__ = "ticket_events"
    __table_args__ = (Index("ix_ticket_events_ticket", "ticket_id", "at", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    cycle: Mapped[int] = mapped_column(default=1)
    kind: Mapped[EventKind] = mapped_column(code(EventKind))
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    actor_kind: Mapped[ActorKind] = mapped_column(code(ActorKind))
    actor_id: Mapped[int | None]
    from_status: Mapped[TicketStatus | None] = mapped_column(code(TicketStatus, "from_status"))
    to_status: Mapped[TicketStatus | None] = mapped_column(code(TicketStatus, "to_status"))
    waiting_for: Mapped[WaitingFor | None] = mapped_column(code(WaitingFor))
    outbound: Mapped[bool] = mapped_column(default=False)
    words: Mapped[str] = mapped_column(Text, default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Policy(Base):
    """A target for cycles that start in [from_at, until_at) and fit; what is NULL fits every case (rule 29).

    Never edited: a change ends the row and adds another. second_unit: the earlier of both counts (rule 8).
    """

    __tablename__ = "policies"
    __table_args__ = (
        CheckConstraint(
            "amount > 0 AND (second_amount IS NULL OR second_amount > 0)", name="amount"
        ),
        CheckConstraint("(second_unit IS NULL) = (second_amount IS NULL)", name="second"),
        CheckConstraint("until_at IS NULL OR until_at > from_at", name="until"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TimerKind] = mapped_column(code(TimerKind))
    contract_id: Mapped[int | None]
    level: Mapped[CustomerLevel | None] = mapped_column(code(CustomerLevel))
    channel: Mapped[Channel | None] = mapped_column(code(Channel))
    priority: Mapped[Priority | None] = mapped_column(code(Priority))
    unit: Mapped[TargetUnit] = mapped_column(code(TargetUnit))
    amount: Mapped[int]
    second_unit: Mapped[TargetUnit | None] = mapped_column(code(TargetUnit, "second_unit"))
    second_amount: Mapped[int | None]
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendars.id"))
    clause: Mapped[str] = mapped_column(String(20), default="")
    from_at: Mapped[datetime]
    until_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class Timer(Base):
    """A running, paused or stopped target of one cycle; recomputed whole from the facts at every write."""

    __tablename__ = "timers"
    __table_args__ = (
        UniqueConstraint("ticket_id", "cycle", "kind"),
        Index("ix_timers_due", "phase", "due_at"),
        Index("ix_timers_stopped", "kind", "stopped_at", "due_at", "phase", "ticket_id"),
        Index("ix_timers_judged", "kind", "due_at", "stopped_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    cycle: Mapped[int]
    kind: Mapped[TimerKind] = mapped_column(code(TimerKind))
    policy_id: Mapped[int | None] = mapped_column(ForeignKey("policies.id"))
    calendar_id: Mapped[int | None] = mapped_column(ForeignKey("calendars.id"))
    calendar_version: Mapped[int | None]
    target_seconds: Mapped[int]
    """To be counted; 0 for working days, which are not so many seconds (rule 8)."""
    started_at: Mapped[datetime]
    phase: Mapped[TimerPhase] = mapped_column(code(TimerPhase))
    due_at: Mapped[datetime | None]
    remaining_seconds: Mapped[int | None]
    second_remaining_seconds: Mapped[int | None]
    stopped_at: Mapped[datetime | None]
    missed_cause: Mapped[MissedCause | None] = mapped_column(code(MissedCause))
    missed_by_id: Mapped[int | None]
    plan: Mapped[int] = mapped_column(default=0)


class QueueRow(Base):
    """One narrow row per open case: all that open lists filter, sort and show. Deleted when the case ends.

    `search_key` holds number, company and contact as they are searched; `phone_digits` stands apart, because not
    everybody may search by phone.
    """

    __tablename__ = "queue_rows"
    __table_args__ = (
        Index("ix_queue_rows_due", "due_at", "ticket_id"),
        Index("ix_queue_rows_technician", "technician_id", "due_at", "ticket_id"),
    )

    ticket_id: Mapped[int] = mapped_column(
        ForeignKey("tickets.id"), primary_key=True, autoincrement=False
    )
    number: Mapped[str] = mapped_column(String(24))
    priority: Mapped[Priority] = mapped_column(code(Priority))
    status: Mapped[TicketStatus] = mapped_column(code(TicketStatus))
    waiting_for: Mapped[WaitingFor | None] = mapped_column(code(WaitingFor))
    fault: Mapped[FaultCode] = mapped_column(code(FaultCode))
    coverage: Mapped[CoverageState] = mapped_column(code(CoverageState))
    customer_id: Mapped[int | None]
    customer_name: Mapped[str] = mapped_column(String(120), default="")
    contact_name: Mapped[str] = mapped_column(String(80), default="")
    technician_id: Mapped[int | None]
    technician_name: Mapped[str] = mapped_column(String(80), default="")
    owner_id: Mapped[int | None]
    received_at: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[int] = mapped_column(BigInteger, default=NEVER_DUE)
    due_kind: Mapped[TimerKind | None] = mapped_column(code(TimerKind, "due_kind"))
    paused: Mapped[bool] = mapped_column(default=False)
    remaining_seconds: Mapped[int | None]
    return_call_open: Mapped[bool] = mapped_column(default=False)
    imported: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int]
    change_number: Mapped[int] = mapped_column(BigInteger, default=0)
    search_key: Mapped[str] = mapped_column(String(1100), default="")
    phone_digits: Mapped[str] = mapped_column(String(40), default="")


class ReturnCall(Base):
    """The call that a completion opens and that guards closing (S-25)."""

    __tablename__ = "return_calls"
    __table_args__ = (
        UniqueConstraint("ticket_id", "cycle"),
        Index("ix_return_calls_open", "state", "due_at"),
        Index("ix_return_calls_ended", "ended_at", "due_at", "ticket_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    cycle: Mapped[int]
    state: Mapped[ReturnCallState] = mapped_column(code(ReturnCallState))
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class ReturnCallTry(Base):
    __tablename__ = "return_call_tries"

    id: Mapped[int] = mapped_column(primary_key=True)
    return_call_id: Mapped[int] = mapped_column(ForeignKey("return_calls.id"), index=True)
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    result: Mapped[ReturnCallResult] = mapped_column(code(ReturnCallResult))
    words: Mapped[str] = mapped_column(Text, default="")


class ImportRun(Base):
    """One import of another desk's history: file hash and counts."""

    __tablename__ = "import_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(60), index=True)
    file_hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    rows_read: Mapped[int]
    cases_new: Mapped[int]
    cases_known: Mapped[int]
    cases_refused: Mapped[int]
