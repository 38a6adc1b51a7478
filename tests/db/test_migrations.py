"""The migrated database is the one the models describe, from every revision on, and guards itself."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError, IntegrityError

from db import codes, migrate
from db import session as database
from db.models import Base
from db.models.base import UtcDateTime
from db.models.tickets import QueueRow, TicketEvent
from lib.shared.calendar import epoch
from tests.conftest import fresh_address
from tests.tickets.open_cases import write_open_case

STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
REVISIONS = [
    script.revision
    for script in ScriptDirectory.from_config(migrate.config("sqlite://")).walk_revisions()
]
CODES = [
    pytest.param(table.name, column.name, id=f"{table.name}.{column.name}")
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, sa.Enum)
]
APPEND_ONLY = ("audit_rows", "calendar_snapshots", "stock_movements", "ticket_events")
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
SPECIAL = {
    ("calendar_snapshots", "version"): 900,
    ("calendar_spans", "closes_minute"): 2,
    ("policies", "until_at"): NOW + timedelta(hours=1),
    ("visits", "ends_at"): NOW + timedelta(hours=1),
    ("tickets", "source"): "",
    ("tickets", "external_id"): None,
    ("tickets", "waiting_for"): None,
    ("tickets", "merged_into_id"): None,
    ("ticket_links", "other_id"): 2,
    ("absences", "until_at"): NOW + timedelta(hours=1),
    ("absences", "deputy_id"): None,
    ("commitments", "kept_at"): None,
    ("commitments", "replaced_by_id"): None,
}
BESIDE = {
    ("tickets", codes.TicketStatus.WAITING): {"waiting_for": codes.WaitingFor.PARTS},
    ("tickets", codes.TicketStatus.MERGED): {"merged_into_id": 2},
    ("commitments", codes.CommitmentState.KEPT): {"kept_at": NOW},
    ("commitments", codes.CommitmentState.CHANGED): {"replaced_by_id": 2},
}
"""What another column has to be when one has this value."""


def revision_of(engine):
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_modelled(name, kind, _parents):
    return kind != "table" or not name.startswith("ticket_search")


def differences(engine):
    with engine.connect() as connection:
        # The search index is no table of the models: each store has its own kind.
        options = {"compare_type": True, "include_name": is_modelled}
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, Base.metadata)


@pytest.mark.parametrize(
    ("store", "first"),
    [
        *(("sqlite", first) for first in (None, *REVISIONS)),
        pytest.param("postgresql", None, marks=(pytest.mark.postgres, pytest.mark.postgres_smoke)),
        *(pytest.param("postgresql", first, marks=pytest.mark.postgres) for first in REVISIONS),
    ],
)
def test_the_newest_schema_is_reached_from_every_revision(store, first, tmp_path):
    with fresh_address(store, tmp_path, migrated=False) as address:
        engine = sa.create_engine(address, poolclass=sa.NullPool)
        if first is not None:
            migrate.upgrade(address, first)
            assert revision_of(engine) == first
        migrate.upgrade(address)
        assert revision_of(engine) == REVISIONS[0]
        assert differences(engine) == []
        migrate.upgrade(address)
        assert differences(engine) == []


@pytest.mark.parametrize("store", STORES)
def test_0008_an_old_store_forgets_that_applying_targets_moved_a_case(store, tmp_path):
    with fresh_address(store, tmp_path, migrated=False) as address:
        migrate.upgrade(address, "0007")
        database.configure(address)
        try:
            with database.writing() as session:
                applied, other = (
                    write_open_case(session, NOW, number, moved_at=epoch(NOW)) for number in (1, 2)
                )
                for ticket_id, kind, at in (
                    (applied, codes.EventKind.RECEIVED, NOW - timedelta(days=3)),
                    (applied, codes.EventKind.NOTE, NOW - timedelta(days=2)),
                    (applied, codes.EventKind.TARGETS_APPLIED, NOW),
                    (other, codes.EventKind.RECEIVED, NOW - timedelta(days=3)),
                ):
                    told = {"cycle": 1, "actor_kind": codes.ActorKind.SYSTEM, "details": {}}
                    session.add(
                        TicketEvent(ticket_id=ticket_id, kind=kind, at=at, recorded_at=at, **told)
                    )
            migrate.upgrade(address)
            with database.ReadSession() as session:
                moved = dict(
                    session.execute(sa.select(QueueRow.ticket_id, QueueRow.moved_at)).all()
                )
        finally:
            database.dispose()
    assert moved == {applied: epoch(NOW - timedelta(days=3)), other: epoch(NOW)}


def test_revisions_stand_in_one_line():
    scripts = ScriptDirectory.from_config(migrate.config("sqlite://"))
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1
    assert not any(script.is_merge_point for script in scripts.walk_revisions())


def test_every_code_of_the_codes_module_that_is_stored_has_a_column_or_is_derived():
    stored = {
        column.type.enum_class
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, sa.Enum)
    }
    all_codes = {
        kind
        for kind in vars(codes).values()
        if isinstance(kind, type) and issubclass(kind, codes.StrEnum)
    } - {codes.StrEnum}
    assert all_codes - stored == {codes.Verdict, codes.CallStep}


@pytest.fixture
def unlinked(module_database):
    """A connection to the migrated database on which rows may stand alone; rolled back at the end."""
    with database.writer().connect() as connection:
        if database.is_sqlite():
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.execute(sa.text("SET session_replication_role = replica"))
        yield connection
        connection.rollback()
        if database.is_sqlite():
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=ON")


def a_value(column):
    """Something that fits the column; the CHECKs that need more are in SPECIAL."""
    if (column.table.name, column.name) in SPECIAL:
        return SPECIAL[column.table.name, column.name]
    kind = column.type
    if isinstance(kind, sa.Enum):
        return kind.enum_class(kind.enums[0])
    if isinstance(kind, sa.Boolean):
        return False
    if isinstance(kind, sa.JSON):
        return {}
    if isinstance(kind, sa.Integer):
        return 1
    if isinstance(kind, sa.LargeBinary):
        return b"x"
    if isinstance(kind, sa.Date):
        return date(2026, 11, 24)
    return NOW if isinstance(kind, UtcDateTime) else "x"


def a_row(table):
    return {
        column.name: a_value(column)
        for column in table.columns
        if column is not table.autoincrement_column
    }


@pytest.mark.postgres_smoke
@pytest.mark.parametrize(("table_name", "column_name"), CODES)
def test_a_code_column_takes_its_codes_and_no_other_value(unlinked, table_name, column_name):
    table = Base.metadata.tables[table_name]
    column = table.columns[column_name]
    for value in [*column.type.enums, "foreign", "", column.type.enums[0].upper()]:
        savepoint = unlinked.begin_nested()
        row = a_row(table) | {column_name: sa.literal(value, sa.String())}
        if table_name == "tickets" and column_name == "waiting_for":
            row["status"] = codes.TicketStatus.WAITING
        else:
            row |= BESIDE.get((table_name, value), {})
        if value in column.type.enums:
            if table_name not in APPEND_ONLY:
                unlinked.execute(sa.delete(table))
            unlinked.execute(sa.insert(table).values(row))
        else:
            with pytest.raises(IntegrityError, match=f"ck_{table_name}_"):
                unlinked.execute(sa.insert(table).values(row))
        savepoint.rollback()


@pytest.mark.postgres_smoke
@pytest.mark.parametrize("table_name", APPEND_ONLY)
def test_what_is_append_only_is_neither_changed_nor_deleted(module_database, table_name):
    table = Base.metadata.tables[table_name]
    engine = database.writer()
    with engine.connect() as connection:
        if database.is_sqlite():
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.execute(sa.text("SET session_replication_role = replica"))
        connection.execute(sa.insert(table).values(a_row(table) | {"id": 900}))
        if not database.is_sqlite():
            connection.execute(sa.text("SET session_replication_role = origin"))
        for statement in (
            sa.update(table).where(table.c.id == 900).values(id=901),
            sa.delete(table).where(table.c.id == 900),
        ):
            savepoint = connection.begin_nested()
            with pytest.raises(DBAPIError, match="append_only"):
                connection.execute(statement)
            savepoint.rollback()
        connection.rollback()
        if database.is_sqlite():
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=ON")


def a_visit(starts, minutes, *, technician=1, status="planned"):
    starts_at = NOW + timedelta(minutes=starts)
    return a_row(Base.metadata.tables["visits"]) | {
        "technician_id": technician,
        "status": codes.VisitStatus(status),
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=minutes),
    }


@pytest.mark.postgres_smoke
def test_no_technician_is_booked_twice(unlinked):
    visits = Base.metadata.tables["visits"]
    unlinked.execute(sa.insert(visits).values(a_visit(0, 60)))
    for fits in (
        a_visit(60, 30),
        a_visit(-30, 30),
        a_visit(10, 20, technician=2),
        a_visit(10, 20, status="cancelled"),
        a_visit(10, 20, status="done"),
    ):
        savepoint = unlinked.begin_nested()
        unlinked.execute(sa.insert(visits).values(fits))
        savepoint.rollback()
    for status in ("planned", "on_the_way", "arrived"):
        for starts, minutes in ((0, 60), (59, 10), (-10, 11), (10, 20), (-10, 90)):
            savepoint = unlinked.begin_nested()
            with pytest.raises(IntegrityError, match="ex_visits_technician"):
                unlinked.execute(sa.insert(visits).values(a_visit(starts, minutes, status=status)))
            savepoint.rollback()


@pytest.mark.postgres_smoke
def test_a_visit_is_not_moved_into_another(unlinked):
    visits = Base.metadata.tables["visits"]
    unlinked.execute(sa.insert(visits).values(a_visit(0, 60) | {"id": 900}))
    unlinked.execute(sa.insert(visits).values(a_visit(90, 60) | {"id": 901}))
    with pytest.raises(IntegrityError, match="ex_visits_technician"):
        unlinked.execute(
            sa.update(visits)
            .where(visits.c.id == 901)
            .values(starts_at=NOW + timedelta(minutes=30))
        )


@pytest.mark.postgres_smoke
def test_the_desk_starts_with_heads_and_the_calendar(module_database):
    with database.reader().connect() as connection:
        tables = Base.metadata.tables
        assert connection.execute(sa.select(tables["audit_head"])).all() == [(1, 0, "0" * 64)]
        assert connection.execute(sa.select(tables["change_head"])).all() == [(1, 0)]
        assert connection.scalar(sa.select(tables["calendars"].c.name)) == "cn-0900-1800"
