"""Working calendars: what is being edited (a weekly pattern plus dated exceptions), and its immutable versions."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.codes import DayKind, DaySource
from db.models.base import Base, code


class Calendar(Base):
    __tablename__ = "calendars"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    zone: Mapped[str] = mapped_column(String(60))
    version: Mapped[int] = mapped_column(default=1)
    make_up_hours: Mapped[list[list[int]]] = mapped_column(JSON, default=list)
    """Spans of a make-up working day; empty: those of Monday (rule 7)."""
    announced_years: Mapped[list[int]] = mapped_column(JSON, default=list)
    spans: Mapped[list["CalendarSpan"]] = relationship(cascade="all, delete-orphan")
    days: Mapped[list["CalendarDay"]] = relationship(cascade="all, delete-orphan")

    __mapper_args__ = {"version_id_col": version}


class CalendarSpan(Base):
    """Open on a weekday (Monday 0) from `opens_minute` to `closes_minute` of the day; 1440 is 24:00."""

    __tablename__ = "calendar_spans"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint(
            "0 <= opens_minute AND opens_minute < closes_minute AND closes_minute <= 1440",
            name="minutes",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendars.id"), index=True)
    weekday: Mapped[int]
    opens_minute: Mapped[int]
    closes_minute: Mapped[int]


class CalendarDay(Base):
    """A dated exception; it beats the weekday pattern, and one by hand an official one. Minutes only for `other_hours`.

    announced_for: the year whose announcement named an official day, which may be the year after.
    """

    __tablename__ = "calendar_days"
    __table_args__ = (UniqueConstraint("calendar_id", "on_day", "source", "opens_minute"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendars.id"), index=True)
    on_day: Mapped[date]
    kind: Mapped[DayKind] = mapped_column(code(DayKind))
    source: Mapped[DaySource] = mapped_column(code(DaySource))
    name: Mapped[str] = mapped_column(String(60), default="")
    announced_for: Mapped[int | None]
    opens_minute: Mapped[int] = mapped_column(default=0)
    closes_minute: Mapped[int] = mapped_column(default=0)


class CalendarSnapshot(Base):
    """One version of a calendar, never changed: timers name the version they were computed with. Append-only.

    content: {"zone", "week": {"0": [[540, 1080]]}, "days": {"2026-10-01": []}, "announced": [2007]}.
    from_at: cycles that start from then on take this version (rule 15).
    """

    __tablename__ = "calendar_snapshots"
    __table_args__ = (UniqueConstraint("calendar_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendars.id"))
    version: Mapped[int]
    from_at: Mapped[datetime]
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
