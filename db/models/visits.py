"""Visits: a technician at a site for a ticket, with report, files and parts."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, deferred, mapped_column

from db.codes import VisitFileKind, VisitOutcome, VisitStatus
from db.models.base import Base, code


class Visit(Base):
    """Half-open [starts_at, ends_at). Two live visits of one technician never overlap: an exclusion
    constraint on PostgreSQL, a trigger on SQLite."""

    __tablename__ = "visits"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="span"),
        Index("ix_visits_technician", "technician_id", "starts_at"),
        Index("ix_visits_starts", "starts_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    technician_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    status: Mapped[VisitStatus] = mapped_column(code(VisitStatus))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    on_the_way_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    outcome: Mapped[VisitOutcome | None] = mapped_column(code(VisitOutcome))
    report: Mapped[str] = mapped_column(Text, default="")
    signed_by: Mapped[str] = mapped_column(String(80), default="")
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class VisitFile(Base):
    """A photo or signature, re-encoded before it is stored."""

    __tablename__ = "visit_files"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visits.id"), index=True)
    kind: Mapped[VisitFileKind] = mapped_column(code(VisitFileKind))
    media_type: Mapped[str] = mapped_column(String(40))
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int]
    content: Mapped[bytes] = deferred(mapped_column(LargeBinary))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    at: Mapped[datetime]


class VisitPart(Base):
    """A part used on a visit; the ledger row that took it out stands in `movement_id`."""

    __tablename__ = "visit_parts"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visits.id"), index=True)
    part_id: Mapped[int] = mapped_column(ForeignKey("parts.id"))
    movement_id: Mapped[int] = mapped_column(ForeignKey("stock_movements.id"))
    quantity: Mapped[int]
    at: Mapped[datetime]
