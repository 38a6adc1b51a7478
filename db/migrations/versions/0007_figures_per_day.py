"""Figures per day: kept by triggers within the writing transaction, so that reports count no closed case again"""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


class Part(NamedTuple):
    """One figure of a row: whose day, which figure, of what, by how much it counts, and when it does."""

    at: str
    figure: str
    detail: str
    number: str
    holds: str


TIMERS = "{0}.kind IN ('first_response', 'resolution') AND NOT {0}.left_out"
TABLES: dict[str, tuple[tuple[str, ...], tuple[Part, ...]]] = {
    "tickets": (
        ("external_id", "received_at", "fault", "status", "closed_at"),
        (
            Part("{0}.received_at", "new", "{0}.fault", "1", "{0}.external_id IS NULL"),
            Part(
                "{0}.closed_at",
                "closed",
                "''",
                "1",
                "{0}.external_id IS NULL AND {0}.closed_at IS NOT NULL AND {0}.status = 'closed'",
            ),
            Part(
                "{0}.closed_at",
                "ended",
                "''",
                "1",
                "{0}.external_id IS NULL AND {0}.closed_at IS NOT NULL",
            ),
        ),
    ),
    "timers": (
        ("kind", "phase", "due_at", "started_at", "stopped_at", "missed_cause", "left_out"),
        (
            Part(
                "{0}.stopped_at",
                "met",
                "{0}.kind",
                "1",
                TIMERS + " AND {0}.phase = 'stopped' AND {0}.missed_cause IS NULL "
                "AND {0}.stopped_at IS NOT NULL "
                "AND ({0}.due_at IS NULL OR {0}.stopped_at <= {0}.due_at)",
            ),
            # What runs on past its due is counted when it is asked for: no write tells that it has passed.
            Part(
                "{0}.due_at",
                "missed",
                "{0}.kind",
                "1",
                TIMERS + " AND {0}.due_at IS NOT NULL "
                "AND ({0}.missed_cause IS NOT NULL OR {0}.stopped_at > {0}.due_at)",
            ),
            Part(
                "COALESCE({0}.stopped_at, {0}.started_at)",
                "missed",
                "{0}.kind",
                "1",
                TIMERS + " AND {0}.due_at IS NULL AND {0}.missed_cause IS NOT NULL",
            ),
        ),
    ),
    "survey_answers": (
        ("at", "satisfaction"),
        (
            Part("{0}.at", "answers", "''", "1", "1 = 1"),
            Part("{0}.at", "satisfaction", "''", "{0}.satisfaction", "1 = 1"),
        ),
    ),
}
INTO = "INSERT INTO day_figures (day, figure, detail, number) "


def upgrade() -> None:
    op.create_table(
        "day_figures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("figure", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_day_figures")),
    )
    for table, (watched, parts) in TABLES.items():
        op.execute(INTO + _sums(table, parts))
        if op.get_bind().dialect.name == "postgresql":
            _watch_on_postgresql(table, watched, parts)
        else:
            _watch_on_sqlite(table, watched, parts)
    op.create_index("ix_day_figures_sums", "day_figures", ["day", "figure", "detail", "number"])
    op.create_index(
        "ix_timers_late",
        "timers",
        ["kind", "stopped_at", "due_at", "ticket_id"],
        sqlite_where=sa.text("stopped_at > due_at"),
        postgresql_where=sa.text("stopped_at > due_at"),
    )
    op.drop_index("ix_return_calls_ended", "return_calls")
    op.create_index(
        "ix_return_calls_late",
        "return_calls",
        ["ended_at", "due_at", "ticket_id"],
        sqlite_where=sa.text("ended_at > due_at"),
        postgresql_where=sa.text("ended_at > due_at"),
    )


def _day(at: str) -> str:
    """The day in Shanghai; Shanghai has kept UTC+8 since 1991."""
    if op.get_bind().dialect.name == "postgresql":
        return f"to_char(({at}) AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD')"
    return f"date({at}, '+8 hours')"


def _rows(row: str, sign: str, parts: Iterable[Part]) -> str:
    """What one row counts for, or with "-" no longer counts for."""
    return " UNION ALL ".join(
        f"SELECT {_day(part.at.format(row))}, '{part.figure}', {part.detail.format(row)}, "
        f"{sign}{part.number.format(row)} WHERE {part.holds.format(row)}"
        for part in parts
    )


def _sums(table: str, parts: Iterable[Part]) -> str:
    """What all rows that are there already count for."""
    return " UNION ALL ".join(
        f"SELECT {_day(part.at.format('t'))}, '{part.figure}', {part.detail.format('t')}, "  # noqa: S608
        f"SUM({part.number.format('t')}) FROM {table} t WHERE {part.holds.format('t')} GROUP BY 1, 3"
        for part in parts
    )


def _watch_on_sqlite(table: str, watched: Iterable[str], parts: Iterable[Part]) -> None:
    differs = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in watched)
    gone, come = _rows("OLD", "-", parts), _rows("NEW", "+", parts)
    told = {
        "INSERT": ("", come),
        "DELETE": ("", gone),
        f"UPDATE OF {', '.join(watched)}": (f"WHEN {differs} ", f"{gone} UNION ALL {come}"),
    }
    for verb, (when, rows) in told.items():
        name = f"{table}_day_figures_{verb.split()[0].lower()}"
        op.execute(f"CREATE TRIGGER {name} AFTER {verb} ON {table} {when}BEGIN {INTO}{rows}; END")


def _watch_on_postgresql(table: str, watched: Iterable[str], parts: Iterable[Part]) -> None:
    same = " AND ".join(f"OLD.{name} IS NOT DISTINCT FROM NEW.{name}" for name in watched)
    op.execute(
        f"CREATE FUNCTION {table}_day_figures() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' THEN IF {same} THEN RETURN NULL; END IF; END IF; "
        f"IF TG_OP <> 'INSERT' THEN {INTO}{_rows('OLD', '-', parts)}; END IF; "
        f"IF TG_OP <> 'DELETE' THEN {INTO}{_rows('NEW', '+', parts)}; END IF; "
        "RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_day_figures AFTER INSERT OR DELETE OR UPDATE OF "
        f"{', '.join(watched)} ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_day_figures()"
    )
