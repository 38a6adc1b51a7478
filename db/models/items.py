"""Installed items: what hangs where, and since when it is under warranty."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from db.codes import ItemKind
from db.models.base import Base, code


class Item(Base):
    """A curtain set, track, motor or remote at an opening. Warranty: start day and term in months (W-01)."""

    __tablename__ = "items"
    __table_args__ = (CheckConstraint("warranty_months BETWEEN 0 AND 600", name="term"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"), index=True)
    kind: Mapped[ItemKind] = mapped_column(code(ItemKind))
    name: Mapped[str] = mapped_column(String(120))
    room: Mapped[str] = mapped_column(String(80), default="")
    opening: Mapped[str] = mapped_column(String(40), default="")
    fabric_lot: Mapped[str] = mapped_column(String(40), default="")
    warranty_start_on: Mapped[date | None]
    warranty_months: Mapped[int] = mapped_column(default=24)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}
