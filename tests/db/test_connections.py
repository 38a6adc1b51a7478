"""Connections to PostgreSQL that died while they lay idle are found out before they are used."""

import pytest
from sqlalchemy import event, text

from db import session as database
from tests.conftest import fresh_address


def kill_all_others(session) -> int:
    """End the server's other connections to this database, as a restart does."""
    killed = session.execute(
        text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    ).scalar_one()
    return int(killed)


@pytest.fixture
def postgresql(tmp_path):
    with fresh_address("postgresql", tmp_path, migrated=False) as address:
        database.configure(address)
        try:
            yield address
        finally:
            database.dispose()


@pytest.mark.postgres
@pytest.mark.postgres_smoke
def test_connections_that_died_while_they_lay_idle_are_made_anew(postgresql, monkeypatch):
    with database.ReadSession() as first, database.ReadSession() as second:
        for session in (first, second):
            session.execute(text("SELECT 1"))
    # Two connections lie in the pool; the one that is taken first ends the other.
    with database.ReadSession() as session:
        assert kill_all_others(session) == 1
        monkeypatch.setattr(database, "IDLE_SECONDS", 0.0)
        with database.ReadSession() as other:
            assert other.execute(text("SELECT 2")).scalar_one() == 2
    with database.writing() as session:
        assert session.execute(text("SELECT 3")).scalar_one() == 3


@pytest.mark.postgres
def test_a_connection_that_was_just_used_is_not_asked_whether_it_lives(postgresql, monkeypatch):
    probed = []
    ping = database.writer().dialect.do_ping
    monkeypatch.setattr(
        database.writer().dialect, "do_ping", lambda each: probed.append(1) or ping(each)
    )
    opened = []
    event.listen(database.writer(), "connect", lambda *_: opened.append(1))
    for _ in range(3):
        with database.ReadSession() as session:
            session.execute(text("SELECT 1"))
    assert not probed
    assert len(opened) == 1
    monkeypatch.setattr(database, "IDLE_SECONDS", 0.0)
    with database.ReadSession() as session:
        session.execute(text("SELECT 1"))
    assert probed
