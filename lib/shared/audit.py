"""Whether the audit chain is whole, and its head exported out of the database's reach (security 19)."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Row, String, Text, cast, select, true
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from db import session as database
from db.models.people import AuditHead, AuditRow
from lib.shared.books import audit_hash
from lib.shared.settings import settings
from lib.shared.work import Work, permit

START = "0" * 64
"""The hash before the first row."""

ROWS_AT_ONCE = 1000


class Damage(StrEnum):
    """What is wrong with the first bad row."""

    MISSING = "missing"
    CHANGED = "changed"
    UNCHAINED = "unchained"
    BEYOND_HEAD = "beyond_head"
    HEAD_CHANGED = "head_changed"
    NOT_AS_EXPORTED = "not_as_exported"


@dataclass(frozen=True, slots=True)
class BadRow:
    """The first row at which the chain breaks."""

    id: int
    damage: Damage


def verify_chain(session: Session, exported: Mapping[int, str] | None = None) -> BadRow | None:
    """The first bad row of the audit chain, or None when it is whole. Memory stays flat.

    `exported`: hash by row id as `read_exported_heads` gives them; only these show a chain whose end was cut off
    together with its head. Correct beside a running app: rows and head are read in one statement.
    """
    exported = exported or {}
    expected, previous = 1, START
    head = (0, START)
    for row in session.execute(_chain(), execution_options={"yield_per": ROWS_AT_ONCE}):
        head = (row.head_id, row.head_hash)
        if row.id is None:
            break
        if row.id != expected:
            return BadRow(min(row.id, expected), Damage.MISSING)
        if row.previous_hash != previous:
            return BadRow(row.id, Damage.UNCHAINED)
        if row.hash != _recomputed(row):
            return BadRow(row.id, Damage.CHANGED)
        if row.id > row.head_id:
            return BadRow(row.id, Damage.BEYOND_HEAD)
        if exported.get(row.id, row.hash) != row.hash:
            return BadRow(row.id, Damage.NOT_AS_EXPORTED)
        expected, previous = row.id + 1, row.hash
    if expected <= max([head[0], *exported]):
        return BadRow(expected, Damage.MISSING)
    if head != (expected - 1, previous):
        return BadRow(expected - 1, Damage.HEAD_CHANGED)
    return None


def _chain() -> Any:
    """The head beside every row. Times and details as text: what cannot be read is a finding, not a crash."""
    return (
        select(
            AuditHead.audit_id.label("head_id"),
            AuditHead.hash.label("head_hash"),
            AuditRow.id,
            cast(AuditRow.at, String).label("at"),
            cast(AuditRow.actor_kind, String).label("actor_kind"),
            AuditRow.actor_id,
            AuditRow.actor_name,
            AuditRow.action,
            AuditRow.subject_kind,
            AuditRow.subject_id,
            cast(AuditRow.details, Text).label("details"),
            AuditRow.previous_hash,
            AuditRow.hash,
        )
        .select_from(AuditHead)
        .outerjoin(AuditRow, true())
        .order_by(AuditRow.id)
    )


def _recomputed(row: Row[Any]) -> str | None:
    values = row._asdict()
    try:
        at = datetime.fromisoformat(row.at)
        values["at"] = at if at.tzinfo else at.replace(tzinfo=UTC)
        values["details"] = json.loads(row.details)
    except ValueError:
        return None
    return audit_hash(values)


@permit()
def export_audit_head(work: Work) -> dict[str, Any]:
    """Note the chain's head in the chain itself; answers its `id` and `hash` for `keep_exported_head`."""
    head = work.session.execute(select(AuditHead.audit_id, AuditHead.hash)).one()
    work.record("audit.head_exported", audit_id=head.audit_id, hash=head.hash)
    return {"id": head.audit_id, "hash": head.hash}


def heads_file() -> Path:
    return settings().var_dir / "audit-heads.log"


def keep_exported_head(head: Mapping[str, Any], now: datetime) -> None:
    """Append `instant database id hash` to the heads file and flush it to disk. Copy that file elsewhere daily."""
    line = f"{now.astimezone(UTC).isoformat()} {_this_database()} {head['id']} {head['hash']}\n"
    descriptor = os.open(heads_file(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read_exported_heads() -> dict[int, str]:
    """Hash by audit row id as exported from this database so far; an unfinished last line is passed over."""
    if not heads_file().exists():
        return {}
    lines = [line.split() for line in heads_file().read_text().splitlines()]
    return {
        int(line[2]): line[3]
        for line in lines
        if len(line) == 4 and line[1] == _this_database() and len(line[3]) == len(START)
    }


def _this_database() -> str:
    """The database without its folder or user, so that a moved one keeps its heads."""
    address = make_url(database.url())
    name = Path(address.database or "").name
    return f"{address.get_backend_name()}:{address.host or ''}:{address.port or ''}/{name}"
