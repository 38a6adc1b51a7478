"""The working calendar cn-0900-1800 with the official days announced for 2007 to 2026"""

import tomllib
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Part of this migration: never edited; days announced later come with a file and a migration of their own.
FACTS = Path(__file__).parents[2] / "official_days" / "announced_2007_2026.toml"
OPENS, CLOSES = 9 * 60, 18 * 60

calendars = sa.table(
    "calendars",
    sa.column("id", sa.Integer),
    sa.column("name", sa.String),
    sa.column("zone", sa.String),
    sa.column("version", sa.Integer),
)
spans = sa.table(
    "calendar_spans",
    sa.column("calendar_id", sa.Integer),
    sa.column("weekday", sa.Integer),
    sa.column("opens_minute", sa.Integer),
    sa.column("closes_minute", sa.Integer),
)
days = sa.table(
    "calendar_days",
    sa.column("calendar_id", sa.Integer),
    sa.column("on_day", sa.Date),
    sa.column("kind", sa.String),
    sa.column("source", sa.String),
    sa.column("name", sa.String),
    sa.column("opens_minute", sa.Integer),
    sa.column("closes_minute", sa.Integer),
)


def upgrade() -> None:
    made = op.get_bind().execute(
        calendars.insert()
        .values(name="cn-0900-1800", zone="Asia/Shanghai", version=1)
        .returning(calendars.c.id)
    )
    calendar_id = made.scalar_one()
    op.bulk_insert(
        spans,
        [
            {
                "calendar_id": calendar_id,
                "weekday": weekday,
                "opens_minute": OPENS,
                "closes_minute": CLOSES,
            }
            for weekday in range(5)
        ],
    )
    op.bulk_insert(
        days,
        [
            {
                "calendar_id": calendar_id,
                "on_day": on,
                "kind": kind,
                "source": "official",
                "name": name,
                "opens_minute": 0,
                "closes_minute": 0,
            }
            for on, (kind, name) in sorted(announced().items())
        ],
    )


def announced() -> dict[date, tuple[str, str]]:
    """Each announced day: closed, or open as a make-up working day; a later year's word wins."""
    found = {}
    for occasions in tomllib.loads(FACTS.read_text(encoding="utf-8")).values():
        for name, lists in occasions.items():
            for key, kind in (("off", "closed"), ("work", "open")):
                for text in lists.get(key, ()):
                    first, _, last = text.partition("..")
                    on, end = date.fromisoformat(first), date.fromisoformat(last or first)
                    while on <= end:
                        found[on] = (kind, name)
                        on += timedelta(days=1)
    return found


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only")
