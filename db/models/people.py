"""Staff, their roles and sessions, and what the doors write: audit chain, idempotent answers, change numbers."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.codes import ActorKind, Language, Role, SignInOutcome
from db.models.base import Base, code


class Person(Base):
    """A member of staff who may sign in. `epoch` rises with every change that ends sessions."""

    __tablename__ = "persons"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    must_change_password: Mapped[bool] = mapped_column(default=True)
    pledge_accepted_at: Mapped[datetime | None]
    language: Mapped[Language] = mapped_column(code(Language), default=Language.ZH_CN)
    epoch: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    roles: Mapped[list["PersonRole"]] = relationship(
        back_populates="person", cascade="all, delete-orphan", lazy="selectin"
    )

    __mapper_args__ = {"version_id_col": version}


class PersonRole(Base):
    __tablename__ = "person_roles"

    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    role: Mapped[Role] = mapped_column(code(Role), primary_key=True)
    person: Mapped[Person] = relationship(back_populates="roles")


class DeskSession(Base):
    """A signed-in browser. Only the hash of its cookie is stored (security 2)."""

    __tablename__ = "desk_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"), index=True)
    epoch: Mapped[int]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(String(60), default="")


class SignInCode(Base):
    """A one-time code between the sign-in form and the route that sets the cookie."""

    __tablename__ = "sign_in_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """Every try to sign in; the waiting time grows from these. Keys are keyed hashes, never names or addresses."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (
        Index("ix_sign_in_attempts_account", "account_key", "at"),
        Index("ix_sign_in_attempts_address", "address_key", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_key: Mapped[str] = mapped_column(String(64))
    address_key: Mapped[str] = mapped_column(String(64))
    person_id: Mapped[int | None]
    outcome: Mapped[SignInOutcome] = mapped_column(code(SignInOutcome))
    at: Mapped[datetime]


class AuditRow(Base):
    """One step of somebody, chained by keyed hash to the row before (security 19). Append-only by trigger."""

    __tablename__ = "audit_rows"
    __table_args__ = (Index("ix_audit_rows_subject", "subject_kind", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor_kind: Mapped[ActorKind] = mapped_column(code(ActorKind))
    actor_id: Mapped[int | None]
    actor_name: Mapped[str] = mapped_column(String(60), default="")
    action: Mapped[str] = mapped_column(String(80))
    subject_kind: Mapped[str] = mapped_column(String(40), default="")
    subject_id: Mapped[int | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class AuditHead(Base):
    """The newest hash; its row lock, taken last before commit, puts the chain in order."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    audit_id: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))


class IdempotencyKey(Base):
    """The answer an action gave to a form instance, kept 30 days."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(120))
    arguments_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[Any] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(index=True)


class ChangeHead(Base):
    """The change number: number order is commit order, since this row is updated last."""

    __tablename__ = "change_head"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]


class Change(Base):
    """Which case a change number touched; `ticket_id` 0 stands for people and settings.

    Below 0 it is the id of somebody whose notices have changed.
    """

    __tablename__ = "changes"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ticket_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Counter(Base):
    """The last number given in a series, e.g. tickets of 2026; gaps allowed, reuse not."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int]


class JobLease(Base):
    """Who runs the clock-driven work until when; `fence` rises with each new holder."""

    __tablename__ = "job_leases"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(80))
    until: Mapped[datetime]
    fence: Mapped[int]


class JobRun(Base):
    """When a job last ended and how; read by the health page and the tests."""

    __tablename__ = "job_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(60), index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(Text, default="")


class RevealRecord(Base):
    """Who saw a masked phone or address in full, and why (P-05)."""

    __tablename__ = "reveal_records"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    subject_kind: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[int]
    reason: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]
    until: Mapped[datetime]
