"""Applying targets moves no case: those that nobody has touched for a day are listed again"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

events = sa.table(
    "ticket_events",
    sa.column("ticket_id"),
    sa.column("kind", sa.String),
    sa.column("recorded_at"),
)
rows = sa.table("queue_rows", sa.column("ticket_id"), sa.column("moved_at", sa.BigInteger))
NO_MOVE = ("note", "file_added", "file_removed", "targets_applied")
SECONDS = {
    "sqlite": sa.func.strftime("%s", sa.func.max(events.c.recorded_at)),
    "postgresql": sa.extract(
        "epoch", sa.func.date_trunc("second", sa.func.max(events.c.recorded_at))
    ),
}


def upgrade() -> None:
    seconds = sa.cast(SECONDS[op.get_bind().dialect.name], sa.BigInteger)
    of_case = events.c.ticket_id == rows.c.ticket_id
    last = sa.select(seconds).where(of_case, events.c.kind.not_in(NO_MOVE)).scalar_subquery()
    applied = sa.exists().where(of_case, events.c.kind == "targets_applied")
    op.execute(rows.update().where(applied).values(moved_at=sa.func.coalesce(last, 0)))
