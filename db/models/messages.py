"""Notices to people of the desk, who got them, and who stands in for somebody away."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.codes import NoticeKind, TimerKind
from db.models.base import Base, code


class Notice(Base):
    """Something that people are told, once: `key` says what makes it one and the same (rules 19, 27).

    Never sent twice, whatever the scheduler does. `withdrawn_at`: it turned out not to be so (rule 1).
    details: ids and codes only.
    """

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_ticket", "ticket_id", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[NoticeKind] = mapped_column(code(NoticeKind))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    timer_kind: Mapped[TimerKind | None] = mapped_column(code(TimerKind))
    subject_id: Mapped[int | None]
    """The commitment, call or calendar that it is about, by its kind."""
    level: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    delivered: Mapped[bool] = mapped_column(default=True)
    withdrawn_at: Mapped[datetime | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class NoticeReceipt(Base):
    """A notice in somebody's list."""

    __tablename__ = "notice_receipts"
    __table_args__ = (
        UniqueConstraint("notice_id", "person_id"),
        Index("ix_notice_receipts_person", "person_id", "read_at", "id"),
        Index("ix_notice_receipts_newest", "person_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    read_at: Mapped[datetime | None]


class Absence(Base):
    """Somebody is away in [from_at, until_at); the deputy gets what would have come to them."""

    __tablename__ = "absences"
    __table_args__ = (
        CheckConstraint("until_at > from_at", name="span"),
        CheckConstraint("deputy_id IS NULL OR deputy_id <> person_id", name="another"),
        Index("ix_absences_person", "person_id", "until_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    deputy_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    words: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}
