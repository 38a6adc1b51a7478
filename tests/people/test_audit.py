"""Tampering below the app: every kind is found, and the first bad row named."""

import pytest
from sqlalchemy import text

from db import session as database_session
from db.codes import Role
from lib.people import actions
from lib.people.audit import verify_chain
from lib.shared.work import look, perform, system

WRITER = system("test")
TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_rows'",
    "postgresql": (
        "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE relname = 'audit_rows' AND NOT tgisinternal"
    ),
}


@pytest.fixture
def ten_rows(database, now):
    for number in range(10):
        perform(
            actions.create_person,
            actor=WRITER,
            now=now,
            login=f"person{number}",
            name="王丽",
            roles=[Role.HOTLINE],
            password_hash="x",
        )


def tamper(*statements: str) -> None:
    """Change rows as somebody with the database in hand would: the append-only triggers are dropped first."""
    engine = database_session.writer()
    with engine.begin() as connection:
        for name in connection.scalars(text(TRIGGERS[engine.dialect.name])).all():
            table = " ON audit_rows" if engine.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER {name}{table}"))
        for statement in statements:
            connection.execute(text(statement))


def first_bad_row(now) -> int | None:
    return look(verify_chain, actor=WRITER, now=now).bad_row


def test_an_untouched_chain_is_whole(ten_rows, now):
    report = look(verify_chain, actor=WRITER, now=now)
    assert (report.rows, report.bad_row) == (10, None)


def test_an_empty_chain_is_whole(database, now):
    assert first_bad_row(now) is None


@pytest.mark.parametrize(
    ("bad_row", "statements"),
    [
        (4, ["UPDATE audit_rows SET action = 'person.praised' WHERE id = 4"]),
        (4, ["UPDATE audit_rows SET actor_name = 'somebody' WHERE id = 4"]),
        (4, ["UPDATE audit_rows SET at = '2020-01-01 00:00:00' WHERE id = 4"]),
        (4, ["UPDATE audit_rows SET details = '{}' WHERE id = 4"]),
        (4, ["UPDATE audit_rows SET subject_id = 99 WHERE id = 4"]),
        (4, ["DELETE FROM audit_rows WHERE id = 4"]),
        (1, ["DELETE FROM audit_rows WHERE id = 1"]),
        (10, ["DELETE FROM audit_rows WHERE id = 10"]),
        (1, ["DELETE FROM audit_rows"]),
        (
            4,
            [
                "UPDATE audit_rows SET id = 99 WHERE id = 4",
                "UPDATE audit_rows SET id = 4 WHERE id = 5",
                "UPDATE audit_rows SET id = 5 WHERE id = 99",
            ],
        ),
        (11, ["UPDATE audit_head SET audit_id = 9"]),
        (11, ["DELETE FROM audit_head"]),
        (
            11,
            [
                (
                    "INSERT INTO audit_rows (id, at, actor_kind, actor_name, action, subject_kind, details,"
                    " previous_hash, hash) SELECT 11, at, actor_kind, actor_name, action, subject_kind, details,"
                    " hash, 'forged' FROM audit_rows WHERE id = 10"
                )
            ],
        ),
    ],
)
def test_tampering_is_found_at_its_first_row(ten_rows, now, bad_row, statements):
    tamper(*statements)
    assert first_bad_row(now) == bad_row


def test_a_row_rewritten_with_a_plain_hash_is_found(ten_rows, now):
    tamper(
        "UPDATE audit_rows SET action = 'person.praised', hash = 'a' WHERE id = 4",
        "UPDATE audit_rows SET previous_hash = 'a' WHERE id = 5",
    )
    assert first_bad_row(now) == 4
