"""Surveys by link: one invitation per closed cycle, one answer per link."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class SurveyInvitation(Base):
    """The link's token is derived from `nonce` and the desk's key; only its hash is stored."""

    __tablename__ = "survey_invitations"
    __table_args__ = (UniqueConstraint("ticket_id", "cycle"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    cycle: Mapped[int]
    nonce: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]


class SurveyAnswer(Base):
    """Scores 1 (very poor) to 5 (very good)."""

    __tablename__ = "survey_answers"
    __table_args__ = (
        CheckConstraint("satisfaction BETWEEN 1 AND 5", name="satisfaction"),
        CheckConstraint("punctuality BETWEEN 1 AND 5", name="punctuality"),
        CheckConstraint("quality BETWEEN 1 AND 5", name="quality"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    invitation_id: Mapped[int] = mapped_column(ForeignKey("survey_invitations.id"), unique=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    satisfaction: Mapped[int]
    punctuality: Mapped[int | None]
    quality: Mapped[int | None]
    words: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(index=True)
