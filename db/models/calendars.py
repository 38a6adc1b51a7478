"""Working calendars: a weekly pattern of spans plus dated exceptions."""

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.codes import DayKind, DaySource
from db.models.base import Base, code


class Calendar(Base):
    __tablename__ = "calendars"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    zone: Mapped[str] = mapped_column(String(60))
    version: Mapped[int] = mapped_column(default=1)
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
    """A dated exception; it beats the weekday pattern. Minutes only for `other_hours`."""

    __tablename__ = "calendar_days"
    __table_args__ = (UniqueConstraint("calendar_id", "on_day", "opens_minute"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    calendar_id: Mapped[int] = mapped_column(ForeignKey("calendars.id"), index=True)
    on_day: Mapped[date]
    kind: Mapped[DayKind] = mapped_column(code(DayKind))
    source: Mapped[DaySource] = mapped_column(code(DaySource))
    name: Mapped[str] = mapped_column(String(60), default="")
    opens_minute: Mapped[int] = mapped_column(default=0)
    closes_minute: Mapped[int] = mapped_column(default=0)
