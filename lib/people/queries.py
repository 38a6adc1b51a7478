"""Reads about staff: the administrator's list, the holders of a role, who changed a thing last, the audit rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from db.codes import ActorKind, Role
from db.models.people import AuditRow, DeskSession, Person, PersonRole
from lib.shared import audit
from lib.shared.errors import Refusal
from lib.shared.work import Look

AUDIT_PAGE = 50


@dataclass(frozen=True, slots=True)
class PersonRow:
    id: int
    login: str
    name: str
    roles: tuple[Role, ...]
    active: bool
    must_change_password: bool
    pledge_accepted_at: datetime | None
    last_seen_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Colleague:
    """A name to choose, e.g. a technician to send."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class LastChange:
    """Who changed a thing last; `by` is empty for the system."""

    action: str
    by: str
    at: datetime
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    id: int
    at: datetime
    actor: str
    action: str
    subject_kind: str
    subject_id: int | None
    details: dict[str, Any]


def list_people(look: Look) -> list[PersonRow]:
    """All accounts, the open ones first; for administrators only."""
    if not look.actor.has(Role.ADMINISTRATOR):
        raise Refusal("no_longer_allowed")
    seen = {
        row.person_id: row.last_seen_at
        for row in look.session.execute(
            select(
                DeskSession.person_id, func.max(DeskSession.last_seen_at).label("last_seen_at")
            ).group_by(DeskSession.person_id)
        )
    }
    people = look.session.scalars(select(Person).order_by(Person.active.desc(), Person.login))
    return [
        PersonRow(
            id=person.id,
            login=person.login,
            name=person.name,
            roles=tuple(sorted(held.role for held in person.roles)),
            active=person.active,
            must_change_password=person.must_change_password,
            pledge_accepted_at=person.pledge_accepted_at,
            last_seen_at=seen.get(person.id),
            version=person.version,
        )
        for person in people
    ]


def list_holders(look: Look, *, role: Role) -> list[Colleague]:
    """The active people who hold a role, by name."""
    rows = look.session.execute(
        select(Person.id, Person.name)
        .join(PersonRole, PersonRole.person_id == Person.id)
        .where(PersonRole.role == role, Person.active.is_(True))
        .order_by(Person.name, Person.id)
    )
    return [Colleague(row.id, row.name) for row in rows]


def names_of(look: Look, *, ids: Sequence[int]) -> dict[int, str]:
    """The names of people by id."""
    rows = look.session.execute(select(Person.id, Person.name).where(Person.id.in_(set(ids))))
    return {row.id: row.name for row in rows}


def own_password_hash(look: Look) -> str:
    """The stored hash of the actor's own password."""
    found = look.session.scalar(
        select(Person.password_hash).where(Person.id == look.actor.person_id)
    )
    if found is None:
        raise Refusal("no_longer_allowed")
    return found


def find_last_change(look: Look, *, subject_kind: str, subject_id: int) -> LastChange | None:
    """Who changed a thing last, for the one who came second."""
    row = look.session.execute(
        select(AuditRow.action, Person.name, AuditRow.at, AuditRow.details)
        .outerjoin(Person, Person.id == AuditRow.actor_id)
        .where(AuditRow.subject_kind == subject_kind, AuditRow.subject_id == subject_id)
        .order_by(AuditRow.id.desc())
        .limit(1)
    ).first()
    return LastChange(row.action, row.name or "", row.at, row.details) if row is not None else None


def list_audit(look: Look, *, before: int | None = None, action: str = "") -> list[AuditEntry]:
    """The newest audit rows below an id, at most 50; for auditors and administrators."""
    if not look.actor.has(Role.AUDITOR, Role.ADMINISTRATOR):
        raise Refusal("no_longer_allowed")
    asked = (
        select(AuditRow, Person.name.label("person_name"))
        .outerjoin(Person, Person.id == AuditRow.actor_id)
        .order_by(AuditRow.id.desc())
        .limit(AUDIT_PAGE)
    )
    if before is not None:
        asked = asked.where(AuditRow.id < before)
    if action:
        asked = asked.where(AuditRow.action.startswith(action, autoescape=True))
    return [
        AuditEntry(
            id=row.id,
            at=row.at,
            actor=name if row.actor_kind is ActorKind.PERSON and name else row.actor_name,
            action=row.action,
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            details=row.details,
        )
        for row, name in look.session.execute(asked)
    ]


def check_audit_chain(look: Look) -> int | None:
    """The number of the first audit row that does not fit the chain, None when it is whole; like `list_audit`."""
    if not look.actor.has(Role.AUDITOR, Role.ADMINISTRATOR):
        raise Refusal("no_longer_allowed")
    bad = audit.verify_chain(look.session, audit.read_exported_heads())
    return bad.id if bad is not None else None


def find_account(look: Look, *, login: str) -> tuple[int, int]:
    """Id and version of an account, for commands and administrators. Refuses `not_found`."""
    if look.actor.kind is ActorKind.PERSON and not look.actor.has(Role.ADMINISTRATOR):
        raise Refusal("no_longer_allowed")
    row = look.session.execute(
        select(Person.id, Person.version).where(Person.login == login)
    ).one_or_none()
    if row is None:
        raise Refusal("not_found")
    return row.id, row.version
