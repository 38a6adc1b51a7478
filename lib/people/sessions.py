"""Signed-in browsers: found by the hash of their cookie or by row id, alive by the rules only."""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Executable, bindparam, select

from db.codes import ActorKind, Language, Role
from db.models.people import DeskSession, Person, PersonRole
from lib.people import rules
from lib.shared.settings import key, settings
from lib.shared.work import CHANGE_NUMBER, Actor, Look, note_change_number


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A living session and the person behind it, as read a moment ago."""

    row_id: int
    actor: Actor
    login: str
    language: Language
    must_change_password: bool
    pledged: bool
    ends_at: datetime

    @property
    def ready(self) -> bool:
        """Whether the person may see anything: own password set, pledge given (P-05)."""
        return self.pledged and not self.must_change_password


def hash_token(token: str) -> str:
    """The only form in which a cookie's value or a one-time code is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def keyed(value: str) -> str:
    """A login or an address as the attempts remember it: recognisable to us, readable to nobody."""
    return hmac.new(
        key("sign_in"), value.encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()


def idle_limit() -> timedelta:
    return timedelta(minutes=settings().session_idle_minutes)


FACTS = (
    select(
        DeskSession.id,
        DeskSession.epoch.label("session_epoch"),
        DeskSession.last_seen_at,
        DeskSession.expires_at,
        DeskSession.revoked_at,
        Person.id.label("person_id"),
        Person.login,
        Person.name,
        Person.active,
        Person.epoch,
        Person.language,
        Person.must_change_password,
        Person.pledge_accepted_at,
        PersonRole.role,
        CHANGE_NUMBER.scalar_subquery().label("change_number"),
    )
    .join(Person, Person.id == DeskSession.person_id)
    .outerjoin(PersonRole, PersonRole.person_id == Person.id)
)
BY_COOKIE = FACTS.where(DeskSession.token_hash == bindparam("asked"))
BY_ROW = FACTS.where(DeskSession.id == bindparam("asked"))
"""Built once: every read and every submit of every page asks one of the two."""


def find_session(look: Look, *, token_hash: str) -> SessionFacts | None:
    """The living session behind a cookie, or None."""
    return _find(look, BY_COOKIE, token_hash)


def find_session_by_id(look: Look, *, row_id: int) -> SessionFacts | None:
    """The living session of a row id, or None."""
    return _find(look, BY_ROW, row_id)


def _find(look: Look, question: Executable, asked: str | int) -> SessionFacts | None:
    rows = look.session.connection().execute(question, {"asked": asked}).all()
    if not rows:
        return None
    row = rows[0]
    # Brought along: nearly every page asks for it next.
    note_change_number(look, row.change_number)
    idle = idle_limit()
    if not rules.is_session_alive(
        now=look.now,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        idle=idle,
        same_epoch=row.session_epoch == row.epoch,
        active=row.active,
    ):
        return None
    roles: frozenset[Role] = frozenset(each.role for each in rows if each.role is not None)
    return SessionFacts(
        row_id=row.id,
        actor=Actor(ActorKind.PERSON, row.person_id, row.name, roles, row.epoch),
        login=row.login,
        language=row.language,
        must_change_password=row.must_change_password,
        pledged=row.pledge_accepted_at is not None,
        ends_at=rules.session_ends_at(row.last_seen_at, row.expires_at, idle),
    )


def living_sessions(look: Look, *, row_ids: Collection[int]) -> frozenset[int]:
    """Which of these sessions are still alive, in one query; for the live stream."""
    rows = look.session.execute(
        select(
            DeskSession.id,
            DeskSession.last_seen_at,
            DeskSession.expires_at,
            DeskSession.revoked_at,
            DeskSession.epoch == Person.epoch,
            Person.active,
        )
        .join(Person, Person.id == DeskSession.person_id)
        .where(DeskSession.id.in_(row_ids))
    )
    idle = idle_limit()
    return frozenset(
        row_id
        for row_id, last_seen_at, expires_at, revoked_at, same_epoch, active in rows
        if rules.is_session_alive(
            now=look.now,
            last_seen_at=last_seen_at,
            expires_at=expires_at,
            revoked_at=revoked_at,
            idle=idle,
            same_epoch=bool(same_epoch),
            active=active,
        )
    )
