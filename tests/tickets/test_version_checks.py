"""Whoever tampers with a version of a calendar or with a policy is found, and told which."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from db import session as store
from db.codes import DayKind, Priority, TargetUnit
from lib.shared.calendars import CalendarDraft, DayByHand
from lib.shared.work import Look, system
from lib.tickets.calendars import edit_calendar
from lib.tickets.version_checks import check_versions


@pytest.fixture
def versions(policy_desk, now):
    """A session whose guards are down, on two calendar versions and policies of people; it is rolled back."""
    policy_desk.open()
    closed = CalendarDraft({date(2026, 12, 1): DayByHand(DayKind.CLOSED, (), "盘点")})
    policy_desk.do(edit_calendar, calendar_id=1, version=1, draft=closed)
    policy_desk.policy(60, priority=Priority.P1)
    policy_desk.policy(
        90,
        at=now + timedelta(hours=1),
        priority=Priority.P1,
        second_unit=TargetUnit.CALENDAR_MINUTES,
        second_amount=500,
    )
    policy_desk.open(at=now + timedelta(hours=2))
    with store.WriteSession() as session:
        if store.is_sqlite():
            session.execute(text("PRAGMA foreign_keys = OFF"))
            session.execute(text("DROP TRIGGER calendar_snapshots_no_update"))
            session.execute(text("DROP TRIGGER calendar_snapshots_no_delete"))
        else:
            session.execute(text("ALTER TABLE calendar_snapshots DISABLE TRIGGER ALL"))
        yield session
        session.rollback()


def fault(session, now) -> str | None:
    return check_versions(Look(session, system("verify"), now)).fault


def tampered(session, now, statement: str, **values: object) -> str | None:
    session.execute(text(statement), values)
    session.expire_all()
    return fault(session, now)


@pytest.mark.postgres_smoke
def test_versions_that_nobody_touched_are_well(versions, now):
    report = check_versions(Look(versions, system("verify"), now))
    assert (report.fault, report.calendar_versions, report.policies) == (None, 2, 8)


WIDER = """
UPDATE calendar_snapshots SET content = (SELECT content FROM calendar_snapshots WHERE version = {other})
WHERE version = {version}
"""


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (WIDER.format(other=2, version=1), "calendar 1 version 1 is not what came"),
        (WIDER.format(other=1, version=2), "calendar 1 version 2 is not what its audit row says"),
        ("UPDATE calendar_snapshots SET content = '{}' WHERE version = 2", "version 2 cannot be"),
        ("UPDATE calendar_snapshots SET version = 3 WHERE version = 2", "version 2 is missing"),
        ("DELETE FROM calendar_snapshots WHERE version = 2", "version 2 is missing"),
        (
            "UPDATE calendar_snapshots SET version = version + 5 WHERE version = 1",
            "version 1 is missing",
        ),
        (
            "UPDATE calendar_spans SET closes_minute = 1020 WHERE weekday = 4",
            "calendar 1 was changed without a version",
        ),
        (
            "UPDATE calendar_days SET kind = 'open' WHERE source = 'hand'",
            "calendar 1 was changed without a version",
        ),
        ("UPDATE policies SET amount = 61 WHERE amount = 60 AND priority = 'p1'", "audit row says"),
        ("UPDATE policies SET second_amount = 501 WHERE second_amount = 500", "audit row says"),
        ("UPDATE policies SET until_at = NULL WHERE priority = 'p1'", "overlap"),
        ("UPDATE timers SET calendar_version = 7 WHERE kind = 'resolution'", "version 7, which is"),
        (
            "UPDATE timers SET policy_id = (SELECT min(id) FROM policies WHERE kind = 'answer')",
            "which is not for it",
        ),
    ],
)
def test_what_was_tampered_with_is_found(versions, now, statement, told):
    found = tampered(versions, now, statement)
    assert found is not None
    assert told in found


def test_a_version_in_force_before_the_one_before_it_is_found(versions, now):
    found = tampered(
        versions,
        now,
        "UPDATE calendar_snapshots SET from_at = (SELECT min(received_at) FROM tickets)"
        " WHERE version = 1",
    )
    assert found is None, "the same instant is in order"
    statement = (
        "INSERT INTO calendar_snapshots (calendar_id, version, from_at, content) "
        "SELECT calendar_id, 3, '1999-01-01 00:00:00', content FROM calendar_snapshots "
        "WHERE version = 2"
    )
    assert "before the one before it" in (tampered(versions, now, statement) or "")
