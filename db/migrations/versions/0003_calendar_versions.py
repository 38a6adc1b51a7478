"""Immutable versions of calendars, hours of make-up days, and the years whose official days are known"""

import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from alembic import op

import db.models.base

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FACTS = Path(__file__).parents[2] / "official_days" / "announced_2007_2026.toml"
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
OLD_UNIQUE = "uq_calendar_days_calendar_id_on_day_opens_minute"
NEW_UNIQUE = "uq_calendar_days_calendar_id_on_day_source_opens_minute"


def upgrade() -> None:
    op.add_column(
        "calendars", sa.Column("make_up_hours", sa.JSON(), nullable=False, server_default="[]")
    )
    op.add_column(
        "calendars", sa.Column("announced_years", sa.JSON(), nullable=False, server_default="[]")
    )
    with op.batch_alter_table("calendar_days") as batch_op:
        batch_op.add_column(sa.Column("announced_for", sa.Integer(), nullable=True))
        batch_op.drop_constraint(OLD_UNIQUE, type_="unique")
        batch_op.create_unique_constraint(
            NEW_UNIQUE, ["calendar_id", "on_day", "source", "opens_minute"]
        )
    op.create_table(
        "calendar_snapshots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("calendar_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("from_at", db.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name=op.f("fk_calendar_snapshots_calendar_id")
        ),
        sa.ForeignKeyConstraint(
            ["made_by_id"], ["persons.id"], name=op.f("fk_calendar_snapshots_made_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_snapshots")),
        sa.UniqueConstraint(
            "calendar_id", "version", name=op.f("uq_calendar_snapshots_calendar_id_version")
        ),
    )
    _name_years()
    _freeze()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER calendar_snapshots_append_only BEFORE UPDATE OR DELETE ON "
            "calendar_snapshots FOR EACH ROW EXECUTE FUNCTION refuse_rewriting()"
        )
    else:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER calendar_snapshots_no_{verb.lower()} BEFORE {verb} ON "
                "calendar_snapshots BEGIN SELECT RAISE(ABORT, 'append_only: calendar_snapshots'); "
                "END"
            )


def _name_years() -> None:
    """Which year's announcement named each official day; a later year's word wins, as in 0002."""
    years = tomllib.loads(FACTS.read_text(encoding="utf-8"))
    announced = {}
    for year, occasions in years.items():
        for lists in occasions.values():
            for texts in lists.values():
                for text in texts:
                    first, _, last = text.partition("..")
                    on, end = date.fromisoformat(first), date.fromisoformat(last or first)
                    while on <= end:
                        announced[on.isoformat()] = int(year)
                        on += timedelta(days=1)
    days = sa.table(
        "calendar_days",
        sa.column("on_day", sa.Date),
        sa.column("source", sa.String),
        sa.column("announced_for", sa.Integer),
    )
    for year in sorted(set(announced.values())):
        named = [date.fromisoformat(on) for on, of in announced.items() if of == year]
        op.execute(
            days.update()
            .where(days.c.source == "official", days.c.on_day.in_(named))
            .values(announced_for=year)
        )


def _freeze() -> None:
    """The calendars as they stand become the versions that their timers name; by the rules of that day."""
    bind = op.get_bind()
    calendars = sa.table(
        "calendars", sa.column("id", sa.Integer), sa.column("announced_years", sa.JSON)
    )
    snapshots = sa.table(
        "calendar_snapshots",
        sa.column("calendar_id", sa.Integer),
        sa.column("version", sa.Integer),
        sa.column("from_at", db.models.base.UtcDateTime(timezone=True)),
        sa.column("content", sa.JSON),
    )
    for calendar_id, zone, version in bind.execute(
        sa.text("SELECT id, zone, version FROM calendars")
    ).all():
        of = {"calendar_id": calendar_id}
        week: dict[str, list[list[int]]] = {}
        for weekday, opens, closes in bind.execute(
            sa.text(
                "SELECT weekday, opens_minute, closes_minute FROM calendar_spans "
                "WHERE calendar_id = :calendar_id ORDER BY weekday, opens_minute"
            ),
            of,
        ):
            week.setdefault(str(weekday), []).append([opens, closes])
        rows = bind.execute(
            sa.text(
                "SELECT on_day, kind, source, opens_minute, closes_minute, announced_for "
                "FROM calendar_days WHERE calendar_id = :calendar_id ORDER BY on_day, opens_minute"
            ),
            of,
        ).all()
        by_hand = {row.on_day for row in rows if row.source == "hand"}
        days: dict[str, list[list[int]]] = {}
        for row in rows:
            if row.on_day in by_hand and row.source != "hand":
                continue
            hours = days.setdefault(str(row.on_day), [])
            if row.kind == "open":
                hours.extend(week.get("0", []))
            elif row.kind == "other_hours":
                hours.append([row.opens_minute, row.closes_minute])
        announced = sorted({row.announced_for for row in rows if row.announced_for is not None})
        op.execute(
            calendars.update()
            .where(calendars.c.id == calendar_id)
            .values(announced_years=announced)
        )
        content = {"zone": zone, "week": week, "days": days, "announced": announced}
        for number in range(1, version + 1):
            op.execute(
                snapshots.insert().values(
                    calendar_id=calendar_id, version=number, from_at=ALWAYS, content=content
                )
            )


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only")
