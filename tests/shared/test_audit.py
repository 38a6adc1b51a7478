"""Whoever tampers with the audit chain is found, wherever he does it and however."""

import hashlib
import hmac
import tracemalloc
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, text, update

from db import session as database
from db.models.people import AuditHead, AuditRow
from lib.shared import audit
from lib.shared.audit import BadRow, Damage, verify_chain
from lib.shared.books import audit_hash
from lib.shared.work import Work, perform, permit, system

ROWS = 50
POSITIONS = (1, 2, 25, 49, 50)
COLUMNS = [column.name for column in AuditRow.__table__.c]


@permit()
def write_rows(work: Work, *, count: int, weight: int = 0) -> None:
    for number in range(count):
        work.record("test.done", number=number, code="x" * weight, codes=["p1", None], rate=0.5)


def as_dict(row):
    return {name: getattr(row, name) for name in COLUMNS}


@pytest.fixture
def chain(cast, now):
    """A session on a chain of 50 rows whose guards are down; whatever a test does is rolled back."""
    for turn in range(5):
        actor = cast.hotline if turn % 2 else system("test")
        if turn % 2:
            write_by_person(actor, now + timedelta(hours=turn))
        else:
            perform(write_rows, actor=actor, now=now + timedelta(hours=turn), count=10)
    with database.ReadSession() as session:
        assert session.scalar(select(func.count()).select_from(AuditRow)) == ROWS
        assert verify_chain(session) is None
    with database.WriteSession() as session:
        if database.is_sqlite():
            session.execute(text("DROP TRIGGER audit_rows_no_update"))
            session.execute(text("DROP TRIGGER audit_rows_no_delete"))
        else:
            session.execute(text("ALTER TABLE audit_rows DISABLE TRIGGER ALL"))
        yield session
        session.rollback()


@permit(everyone=True)
def write_as_person(work: Work) -> None:
    write_rows(work, count=10)


def write_by_person(actor, at):
    perform(write_as_person, actor=actor, now=at)


def each_position(session):
    """Each position in turn, every one on the untouched chain."""
    for position in POSITIONS:
        savepoint = session.begin_nested()
        yield position
        savepoint.rollback()
        assert verify_chain(session) is None


CHANGES = {
    "at": "at",
    "actor_kind": "guest",
    "actor_id": 4711,
    "actor_name": "nobody",
    "action": "test.undone",
    "subject_kind": "tickets",
    "subject_id": 4711,
    "details": {"number": 4711},
    "hash": "f" * 64,
}


@pytest.mark.postgres_smoke
@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_value_is_found(chain, now, column):
    value = now + timedelta(seconds=1) if column == "at" else CHANGES[column]
    for position in each_position(chain):
        chain.execute(update(AuditRow).where(AuditRow.id == position).values({column: value}))
        assert verify_chain(chain) == BadRow(position, Damage.CHANGED)


def test_a_changed_link_is_found(chain):
    for position in each_position(chain):
        chain.execute(
            update(AuditRow).where(AuditRow.id == position).values(previous_hash="f" * 64)
        )
        assert verify_chain(chain) == BadRow(position, Damage.UNCHAINED)


def test_details_that_nobody_can_read_are_found(chain):
    unread = "{" if database.is_sqlite() else "[]"  # PostgreSQL keeps nothing that is not JSON
    for position in each_position(chain):
        chain.execute(text(f"UPDATE audit_rows SET details = '{unread}' WHERE id = {position}"))
        assert verify_chain(chain) == BadRow(position, Damage.CHANGED)


@pytest.mark.postgres_smoke
def test_a_deletion_is_found_in_the_middle_and_at_the_end(chain):
    for position in each_position(chain):
        chain.execute(delete(AuditRow).where(AuditRow.id == position))
        assert verify_chain(chain) == BadRow(position, Damage.MISSING)


def test_a_deletion_of_all_rows_is_found(chain):
    chain.execute(delete(AuditRow))
    assert verify_chain(chain) == BadRow(1, Damage.MISSING)


def test_a_deletion_that_closes_the_gap_is_found(chain):
    for position in each_position(chain):
        chain.execute(delete(AuditRow).where(AuditRow.id == position))
        if position == ROWS:
            continue
        follower = chain.execute(select(AuditRow).where(AuditRow.id == position + 1)).scalar_one()
        moved = as_dict(follower) | {"id": position}
        chain.execute(delete(AuditRow).where(AuditRow.id == position + 1))
        chain.execute(insert(AuditRow).values(moved))
        assert verify_chain(chain) == BadRow(position, Damage.UNCHAINED)
        chain.expunge_all()


def test_an_inserted_row_is_found(chain):
    for position in each_position(chain):
        forged = as_dict(chain.get(AuditRow, position)) | {"id": ROWS + 1, "hash": "e" * 64}
        chain.execute(insert(AuditRow).values(forged))
        assert verify_chain(chain).id == ROWS + 1


def test_a_row_inserted_with_the_right_hash_but_no_head_is_found(chain):
    last = chain.get(AuditRow, ROWS)
    forged = as_dict(last) | {"id": ROWS + 1, "previous_hash": last.hash}
    chain.execute(insert(AuditRow).values(forged | {"hash": audit_hash(forged)}))
    assert verify_chain(chain) == BadRow(ROWS + 1, Damage.BEYOND_HEAD)


def test_two_rows_that_changed_places_are_found(chain):
    for position in each_position(chain):
        other = position + 1 if position < ROWS else 1
        for row, place in ((position, 900), (other, position), (900, other)):
            chain.execute(update(AuditRow).where(AuditRow.id == row).values(id=place))
        assert verify_chain(chain) == BadRow(min(position, other), Damage.UNCHAINED)


def test_a_chain_hashed_again_with_another_key_is_found(chain):
    for position in each_position(chain):
        rehash_from(chain, position, key=b"another key")
        assert verify_chain(chain) == BadRow(position, Damage.CHANGED)


def rehash_from(session, position, *, key):
    """What somebody does who knows the recipe and not the key: change a row and hash all the rest again."""
    previous = (
        session.scalar(select(AuditRow.hash).where(AuditRow.id == position - 1)) or audit.START
    )
    rows = session.execute(
        select(*AuditRow.__table__.c).where(AuditRow.id >= position).order_by(AuditRow.id)
    ).all()
    for row in rows:
        values = row._asdict() | {"previous_hash": previous}
        message = repr(sorted(values.items())).encode()
        previous = hmac.new(key, message, hashlib.sha256).hexdigest()
        session.execute(
            update(AuditRow)
            .where(AuditRow.id == row.id)
            .values(previous_hash=values["previous_hash"], hash=previous)
        )
    session.execute(update(AuditHead).values(hash=previous))


def test_a_replaced_head_is_found(chain):
    for position in each_position(chain):
        chain.execute(update(AuditHead).values(hash="d" * 64))
        assert verify_chain(chain) == BadRow(ROWS, Damage.HEAD_CHANGED)
        there = chain.scalar(select(AuditRow.hash).where(AuditRow.id == position))
        chain.execute(update(AuditHead).values(audit_id=position, hash=there))
        found = verify_chain(chain)
        assert found == (None if position == ROWS else BadRow(position + 1, Damage.BEYOND_HEAD))


def test_an_end_cut_off_together_with_its_head_is_found_by_the_exported_heads(chain):
    kept = dict(
        chain.execute(select(AuditRow.id, AuditRow.hash).where(AuditRow.id.in_((20, 40)))).all()
    )
    assert verify_chain(chain, kept) is None
    chain.execute(delete(AuditRow).where(AuditRow.id > 30))
    chain.execute(
        update(AuditHead).values(
            audit_id=30, hash=select(AuditRow.hash).where(AuditRow.id == 30).scalar_subquery()
        )
    )
    assert verify_chain(chain) is None
    assert verify_chain(chain, kept) == BadRow(31, Damage.MISSING)
    assert verify_chain(chain, {20: "c" * 64}) == BadRow(20, Damage.NOT_AS_EXPORTED)


def test_nobody_changes_or_deletes_a_row_while_the_guards_are_up(cast, now):
    perform(write_rows, actor=system("test"), now=now, count=2)
    for statement in (update(AuditRow).values(action="x"), delete(AuditRow)):
        with pytest.raises(Exception, match="append_only"), database.writing() as session:
            session.execute(statement)


def test_an_empty_chain_is_whole(cast):
    with database.ReadSession() as session:
        assert verify_chain(session) is None


def test_exported_heads_are_read_again(cast, now, tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "heads_file", lambda: tmp_path / "audit-heads.log")
    perform(write_rows, actor=system("test"), now=now, count=3)
    head = perform(audit.export_audit_head, actor=system("jobs"), now=now)
    audit.keep_exported_head(head, now)
    with database.ReadSession() as session:
        assert audit.read_exported_heads() == {
            3: session.scalar(select(AuditRow.hash).where(AuditRow.id == 3))
        }
        assert verify_chain(session, audit.read_exported_heads()) is None
    assert (tmp_path / "audit-heads.log").stat().st_mode & 0o777 == 0o600
    with (tmp_path / "audit-heads.log").open("a") as file:
        file.write("2026-11-24T02:00:00+00:00 sqlite:::/another.db 2 " + "f" * 64 + "\n2026-11-2")
    assert set(audit.read_exported_heads()) == {3}


@pytest.mark.slow
def test_a_long_chain_is_read_in_flat_memory(cast, now):
    for _ in range(8):
        perform(write_rows, actor=system("test"), now=now, count=1000, weight=2000)
    with database.ReadSession() as session:
        tracemalloc.start()
        try:
            assert verify_chain(session) is None
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8 * 1024 * 1024, f"{peak / 1024 / 1024:.1f} MB for rows of 16 MB"
