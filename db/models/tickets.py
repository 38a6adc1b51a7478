"""Tickets, the facts on their timelines, their timers, and the narrow table that open lists read."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, deferred, mapped_column

from db.codes import (
    ActorKind,
    CancelReason,
    Channel,
    CommitmentKind,
    CommitmentState,
    CoverageState,
    CustomerLevel,
    EventKind,
    FaultCode,
    LinkKind,
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
        CheckConstraint("(status = 'merged') = (merged_into_id IS NOT NULL)", name="absorbed"),
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
    waiting_until: Mapped[datetime | None]
    """Until when the pause is expected to last; its reminder comes then (rule 10)."""
    waiting_owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    """Who of the desk waits, and is reminded."""
    next_action_at: Mapped[datetime | None]
    cancel_reason: Mapped[CancelReason | None] = mapped_column(code(CancelReason))
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
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
        Index(
            "ix_timers_stopped",
            "kind",
            "stopped_at",
            "due_at",
            "phase",
            "missed_cause",
            "left_out",
            "ticket_id",
        ),
        Index("ix_timers_judged", "kind", "due_at", "stopped_at", "missed_cause", "left_out"),
        Index(
            "ix_timers_late",
            "kind",
            "stopped_at",
            "due_at",
            "ticket_id",
            **where("stopped_at > due_at"),
        ),
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
    left_out: Mapped[bool] = mapped_column(default=False)
    """Of an absorbed case, a duplicate or spam: its verdict is read but leaves the rate (rules 17, 18)."""


class QueueRow(Base):
    """One narrow row per open case: all that open lists filter, sort and show. Deleted when the case ends.

    `search_key` holds number, company and contact as they are searched; `phone_digits` stands apart, because not
    everybody may search by phone.
    """

    __tablename__ = "queue_rows"
    __table_args__ = (
        Index("ix_queue_rows_due", "due_at", "ticket_id"),
        Index("ix_queue_rows_technician", "technician_id", "due_at", "ticket_id"),
        Index("ix_queue_rows_notice", "notice_at", "ticket_id"),
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
    waiting_until: Mapped[int | None] = mapped_column(BigInteger)
    next_action_at: Mapped[int | None] = mapped_column(BigInteger)
    moved_at: Mapped[int] = mapped_column(BigInteger, default=0)
    """When the last fact was recorded: cases that nobody moves are listed by it (S-06)."""
    notice_at: Mapped[int] = mapped_column(BigInteger, default=NEVER_DUE, server_default="0")
    """When to look for notices next: at once after every write, then when the next one falls due (rule 19)."""
    text_key: Mapped[str] = mapped_column(Text, default="")
    """The words of the case as they are searched."""


class ReturnCall(Base):
    """The call that a completion opens and that guards closing (S-25)."""

    __tablename__ = "return_calls"
    __table_args__ = (
        UniqueConstraint("ticket_id", "cycle"),
        Index("ix_return_calls_open", "state", "due_at"),
        Index(
            "ix_return_calls_late",
            "ended_at",
            "due_at",
            "ticket_id",
            **where("ended_at > due_at"),
        ),
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


class Commitment(Base):
    """A promise to a customer: the instant told is its due, and only the customer's consent moves it (rule 28).

    A change with consent ends the row (`changed`) and adds another, which `replaced_by_id` names.
    """

    __tablename__ = "commitments"
    __table_args__ = (
        CheckConstraint("due_at >= promised_at", name="due_after_promise"),
        CheckConstraint("(state = 'kept') = (kept_at IS NOT NULL)", name="kept"),
        CheckConstraint("(state = 'changed') = (replaced_by_id IS NOT NULL)", name="changed"),
        Index("ix_commitments_open", "state", "due_at"),
        Index("ix_commitments_person", "promised_by_id", "due_at"),
        Index("ix_commitments_due", "due_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    kind: Mapped[CommitmentKind] = mapped_column(code(CommitmentKind))
    state: Mapped[CommitmentState] = mapped_column(code(CommitmentState))
    words: Mapped[str] = mapped_column(Text, default="")
    promised_at: Mapped[datetime]
    promised_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    due_at: Mapped[datetime]
    policy_id: Mapped[int | None] = mapped_column(ForeignKey("policies.id"))
    kept_at: Mapped[datetime | None]
    kept_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    ended_at: Mapped[datetime | None]
    end_words: Mapped[str] = mapped_column(Text, default="")
    """Why it ended, or how the customer agreed to another."""
    replaced_by_id: Mapped[int | None] = mapped_column(ForeignKey("commitments.id"))
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class TicketLink(Base):
    """`ticket_id` came out of, or belongs to, `other_id`."""

    __tablename__ = "ticket_links"
    __table_args__ = (
        UniqueConstraint("ticket_id", "other_id", "kind"),
        CheckConstraint("ticket_id <> other_id", name="two_cases"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    other_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    kind: Mapped[LinkKind] = mapped_column(code(LinkKind))
    words: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))


class TicketMerge(Base):
    """`absorbed_id` was merged into `survivor_id`; undone, it stays as a fact of both (rule 17)."""

    __tablename__ = "ticket_merges"
    __table_args__ = (Index("ix_ticket_merges_survivor", "survivor_id", "undone_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    absorbed_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    survivor_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    status_before: Mapped[TicketStatus] = mapped_column(code(TicketStatus, "status_before"))
    at: Mapped[datetime]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    words: Mapped[str] = mapped_column(Text, default="")
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))


class PhoneCall(Base):
    """A call to the hotline: answered, abandoned by the caller, or missed; each of the two is called back (S-13).

    Typed in by the agent or sent by a telephone system; `steps`: {code of CallStep: when it was done}.
    """

    __tablename__ = "phone_calls"
    __table_args__ = (
        Index("ix_phone_calls_offered", "offered_at", "id"),
        Index("ix_phone_calls_callback", "callback_due_at", "called_back_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    offered_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    abandoned_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    answer_due_at: Mapped[datetime | None]
    phone: Mapped[str] = mapped_column(String(40), default="")
    phone_digits: Mapped[str] = mapped_column(String(40), default="")
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    steps: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    callback_due_at: Mapped[datetime | None]
    called_back_at: Mapped[datetime | None]
    called_back_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    words: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class SavedView(Base):
    """A person's own list of the queue: the query string of its address, shared with roles or with nobody."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("persons.id"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    shared_roles: Mapped[list[str]] = mapped_column(JSON, default=list)
    query: Mapped[str] = mapped_column(String(400))
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class Macro(Base):
    """A reply text that may also change fields; without `changes` a canned text. Inactive ones stay for the record.

    changes: {"priority": "p2", "fault": "noise", "waiting_for": "customer", "waiting_hours": 24}.
    """

    __tablename__ = "macros"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    words: Mapped[str] = mapped_column(Text)
    changes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    active: Mapped[bool] = mapped_column(default=True)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class TicketFile(Base):
    """A photo or PDF of a case, drawn or written anew before it is stored; removed ones lose their content."""

    __tablename__ = "ticket_files"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    media_type: Mapped[str] = mapped_column(String(40))
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int]
    content: Mapped[bytes] = deferred(mapped_column(LargeBinary))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    removed_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
