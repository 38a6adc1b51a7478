"""The books of a transaction: what its verbs left for the commit, the audit chain and the change number."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Insert,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from db import session as database
from db.models.base import Base
from db.models.people import AuditHead, AuditRow, Change, ChangeHead
from lib.shared.settings import key as secret_key

if TYPE_CHECKING:
    from lib.shared.work import Work

T = TypeVar("T")
K = TypeVar("K")

_take = update(ChangeHead).where(ChangeHead.id == 1).values(number=ChangeHead.number + 1)
TAKE_CHANGE_NUMBER = _take.returning(ChangeHead.number)
_taken = _take.returning(
    ChangeHead.number, func.pg_notify("desk", cast(ChangeHead.number, Text))
).cte("taken")
ANNOUNCE = insert(Change).from_select(
    ["number", "ticket_id"],
    select(_taken.c.number, func.unnest(bindparam("touched", type_=ARRAY(BigInteger)))),
)
"""PostgreSQL: take the next number, ring the bell with it and write which cases it is of, in one statement."""
LOCK_AUDIT_HEAD = (
    update(AuditHead)
    .where(AuditHead.id == 1)
    .values(audit_id=AuditHead.audit_id)
    .returning(AuditHead.audit_id, AuditHead.hash)
)
MOVE_AUDIT_HEAD = update(AuditHead).where(AuditHead.id == 1)
"""What every write asks, built once; through the connection, which spares the ORM's own work."""


@cache
def insertion(model: type[Base]) -> Insert:
    """The statement that inserts rows of a table, built once."""
    return insert(model)


@cache
def plain_defaults(model: type[Base]) -> list[tuple[str, Any]]:
    """The columns beside the key, each with its default. Raises TypeError for a default that has to be worked out."""
    found = []
    for column in model.__table__.columns:
        if column.primary_key:
            continue
        default = column.default
        if default is not None and not isinstance(default, ScalarElementColumnDefault):
            raise TypeError(f"{column} has no plain default")
        found.append((column.key, None if default is None else default.arg))
    return found


def close(session: Session, works: Sequence["Work"]) -> None:
    """Write what the verbs left for the commit, chain the audit rows, take the change number: last of all."""
    session.flush()
    store = session.connection()
    told = [len(work.rows) for work in works]
    _write_rows(store, [row for work in works for row in work.rows])
    steps = {
        asked: (work, *step) for work in works for asked, step in work.steps_before_commit.items()
    }
    for work, step, subject in steps.values():
        step(work, subject)
    session.flush()
    _write_rows(store, [row for work, n in zip(works, told, strict=True) for row in work.rows[n:]])
    for writer, rows in _gathered(put for work in works for put in work.puts):
        writer(store, rows)
    _chain_records(session, works)
    touched = sorted(set().union(*(work.touched for work in works)))
    if not touched:
        return
    if not database.is_sqlite():
        store.execute(ANNOUNCE, {"touched": touched})
        return
    number = store.execute(TAKE_CHANGE_NUMBER).scalar_one()
    store.execute(insertion(Change), [{"number": number, "ticket_id": each} for each in touched])


def _write_rows(store: Connection, rows: Iterable[tuple[type[Base], dict[str, Any]]]) -> None:
    for model, written in _gathered(rows):
        # Through the connection: the ORM's insert would break a batch wherever a value is None.
        store.execute(insertion(model), written)


def _gathered(told: Iterable[tuple[K, T]]) -> Iterable[tuple[K, list[T]]]:
    """What is told of each key, in the order of the keys' first mention."""
    found: dict[K, list[T]] = {}
    for key, row in told:
        found.setdefault(key, []).append(row)
    return found.items()


def _chain_records(session: Session, works: Sequence["Work"]) -> None:
    if not any(work.records for work in works):
        return
    # The update takes the head's row lock, so that two writers cannot chain onto one row.
    store = session.connection()
    number, previous = store.execute(LOCK_AUDIT_HEAD).one()
    rows = []
    for work in works:
        for record in work.records:
            number += 1
            subject = record["subject"]
            row = {
                "id": number,
                "at": work.now,
                "actor_kind": work.actor.kind,
                "actor_id": work.actor.person_id,
                "actor_name": "" if work.actor.person_id is not None else work.actor.name,
                "action": record["action"],
                "subject_kind": subject.__tablename__ if subject is not None else "",
                "subject_id": getattr(subject, "id", None),
                "details": record["details"],
                "previous_hash": previous,
            }
            previous = row["hash"] = audit_hash(row)
            rows.append(row)
    store.execute(insertion(AuditRow), rows)
    store.execute(MOVE_AUDIT_HEAD, {"audit_id": number, "hash": previous})


def audit_hash(row: dict[str, Any]) -> str:
    """The keyed hash of an audit row over all its values and the hash before (security 19)."""
    told = [
        row["id"],
        row["at"].astimezone(UTC).isoformat(),
        str(row["actor_kind"]),
        row["actor_id"],
        row["actor_name"],
        row["action"],
        row["subject_kind"],
        row["subject_id"],
        row["details"],
        row["previous_hash"],
    ]
    message = json.dumps(told, sort_keys=True, ensure_ascii=False, default=str).encode()
    return hmac.new(secret_key("audit"), message, hashlib.sha256).hexdigest()
