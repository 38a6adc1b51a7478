"""Whether the audit chain is whole: each row's keyed hash, its place, and the head (security 19)."""

from dataclasses import dataclass

from sqlalchemy import select

from db.models.people import AuditHead, AuditRow
from lib.shared.work import Look, audit_hash

FIRST_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class ChainReport:
    """`bad_row` is the id of the first row that is not as it was written, or that should be there and is not."""

    rows: int
    bad_row: int | None
    reason: str = ""


def verify_chain(look: Look) -> ChainReport:
    """Walk the whole chain in order; stops at the first break.

    What it cannot see: rows cut off at the end together with a head that was recomputed, which needs the key.
    """
    previous = FIRST_HASH
    number = 0
    columns = AuditRow.__table__.columns
    rows = look.session.execute(
        select(*columns).order_by(AuditRow.id).execution_options(yield_per=1000)
    )
    for row in rows.mappings():
        number += 1
        if row["id"] != number:
            return ChainReport(number - 1, number, "missing")
        if row["previous_hash"] != previous:
            return ChainReport(number - 1, number, "does not follow the row before")
        if row["hash"] != audit_hash(dict(row)):
            return ChainReport(number - 1, number, "changed")
        previous = row["hash"]
    head = look.session.execute(select(AuditHead.audit_id, AuditHead.hash)).one_or_none()
    if head is None or (head.audit_id, head.hash) != (number, previous):
        return ChainReport(number, number + 1, "missing after this, or the head was changed")
    return ChainReport(number, None)
