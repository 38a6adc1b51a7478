"""Figures per day that the writing transactions keep, so that reports do not count closed cases again."""

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class DayFigure(Base):
    """A change of one figure of one day in Shanghai; what stands is the sum of `number`.

    Triggers of tickets, timers and survey answers add a row with every write that changes a figure: writers never
    wait for each other here. `compact_figures` sums up what has come. figure: `new` by fault, `closed`, `ended`
    (closed or cancelled), `met` and `missed` by kind of timer, `answers` and `satisfaction` (the sum of scores).
    """

    __tablename__ = "day_figures"
    __table_args__ = (Index("ix_day_figures_sums", "day", "figure", "detail", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(String(10))
    """As ISO text, such as 2026-11-25."""
    figure: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str] = mapped_column(String(40), default="")
    """The fault or the kind of timer, where the figure has one."""
    number: Mapped[int]
