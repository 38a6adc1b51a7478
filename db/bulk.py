"""Rows by the ten thousand, past the ORM: COPY on PostgreSQL, one prepared INSERT on SQLite."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum as PythonEnum
from typing import Any

from psycopg import sql
from sqlalchemy import JSON, Connection, Enum, Table, func, insert, select
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from db.models.base import UtcDateTime

Change = Callable[[Sequence[Any]], Iterable[Any]]


def write_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, all with the same columns in the same order; columns left out get their plain default.

    Values are as the models take them: aware instants, members of enums. CHECKs and foreign keys hold as ever.
    """
    if not rows:
        return
    columns = list(rows[0])
    defaults = [
        (column.name, column.default.arg)
        for column in table.c
        if column.name not in columns and isinstance(column.default, ScalarElementColumnDefault)
    ]
    given = [*columns, *(name for name, _ in defaults)]
    changes = [_change_of(connection, table, name) for name in given]
    told = list(zip(*(row.values() for row in rows), strict=True))
    told += [(value,) * len(rows) for _, value in defaults]
    stored = [
        values if change is None else change(values)
        for values, change in zip(told, changes, strict=True)
    ]
    _send(connection, table, given, zip(*stored, strict=True))


@contextmanager
def without_indexes(connection: Connection, tables: Iterable[Table]) -> Iterator[None]:
    """Take the plain indexes of the tables away for a large load and build them at its end, in its transaction."""
    indexes = [index for table in tables for index in table.indexes if not index.unique]
    for index in indexes:
        index.drop(connection)
    yield
    for index in indexes:
        index.create(connection)


@contextmanager
def without_triggers(connection: Connection, tables: Iterable[Table]) -> Iterator[None]:
    """Let nothing watch the tables during a large load; the caller makes up for what triggers would have done."""
    names = [table.name for table in tables]
    if connection.dialect.name == "postgresql":
        for name in names:
            connection.exec_driver_sql(f'ALTER TABLE "{name}" DISABLE TRIGGER USER')
        yield
        for name in names:
            connection.exec_driver_sql(f'ALTER TABLE "{name}" ENABLE TRIGGER USER')
        return
    found = connection.exec_driver_sql(
        "SELECT name, sql, tbl_name FROM sqlite_master WHERE type = 'trigger'"
    )
    triggers = [(name, made) for name, made, table in found if table in names]
    for name, _ in triggers:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    yield
    for _, made in triggers:
        connection.exec_driver_sql(made)


@contextmanager
def without_checks(connection: Connection) -> Iterator[None]:
    """Let SQLite take rows without their CHECKs, which cost a fifth of a large load; foreign keys hold as ever.

    For rows from where others came that were checked. PostgreSQL checks all.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")


def raise_sequence(connection: Connection, table: Table) -> None:
    """Let the next id follow the highest one, after rows were written with ids of their own."""
    if connection.dialect.name == "postgresql" and "id" in table.c:
        highest = select(func.coalesce(func.max(table.c.id), 1)).scalar_subquery()
        sequence = func.pg_get_serial_sequence(table.name, "id")
        connection.execute(select(func.setval(sequence, highest)))


def _send(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with driver.cursor() as cursor, cursor.copy(into) as copy:
            for row in rows:
                copy.write_row(row)
        return
    statement = insert(table).compile(dialect=connection.dialect, column_keys=columns)
    order = statement.positiontup or []
    if order != list(columns):
        places = [columns.index(name) for name in order]
        rows = [tuple(row[place] for place in places) for row in rows]
    driver.executemany(str(statement), rows)


def _change_of(connection: Connection, table: Table, name: str) -> Change | None:
    """How the values of the column are told to the driver; None: as they are."""
    kind = table.c[name].type
    if isinstance(kind, Enum) and kind.enum_class is not None:
        values: dict[PythonEnum | None, str | None] = {None: None}
        values |= {member: member.value for member in kind.enum_class}
        return lambda told: map(values.__getitem__, told)
    if isinstance(kind, UtcDateTime):
        return _sqlite_instants if connection.dialect.name == "sqlite" else None
    if isinstance(kind, JSON) and connection.dialect.name == "sqlite":
        return lambda told: map(_json_text, told)
    change = kind.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return None if change is None else lambda told: [change(value) for value in told]


def _json_text(value: Any) -> str:
    return json.dumps(value) if value else "{}"


def _sqlite_instants(told: Sequence[datetime | None]) -> Iterable[str | None]:
    if any(value.tzinfo is not UTC for value in told[:1] if value is not None):
        raise ValueError("bulk rows take instants in UTC")
    return [None if value is None else value.isoformat(" ", "microseconds")[:26] for value in told]
