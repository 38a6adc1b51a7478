"""Policies as rows in force for a time; timers name theirs; further kinds of timers and facts"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import db.models.base

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = (
    "answer",
    "first_response",
    "next_reply",
    "promise",
    "diagnosis",
    "restoration",
    "resolution",
    "return_call",
    "step",
    "hop",
)
EVENTS = (
    "received",
    "assigned",
    "contacted",
    "scheduled",
    "on_the_way",
    "arrived",
    "waiting_started",
    "waiting_ended",
    "completed",
    "return_call",
    "reopened",
    "closed",
    "cancelled",
    "note",
    "changed",
    "visit_cancelled",
    "survey_answered",
    "imported",
    "attempted",
    "inbound",
    "diagnosed",
    "restored",
    "targets_applied",
)
UNITS = ("clock_seconds", "calendar_minutes", "working_minutes", "working_days")
DEFAULTS = (
    ("first_response", "working_minutes", 30, "S-16"),
    ("resolution", "working_minutes", 27 * 60, "S-16"),
    ("next_reply", "working_minutes", 60, "S-16"),
    ("return_call", "working_days", 1, "S-25"),
    ("answer", "clock_seconds", 15, "S-13"),
)


def upgrade() -> None:
    def code(name: str, *values: str) -> sa.Enum:
        return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)

    op.create_table(
        "policies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", code("timer_kind", *KINDS), nullable=False),
        sa.Column("contract_id", sa.Integer(), nullable=True),
        sa.Column("level", code("customer_level", "standard", "important", "key"), nullable=True),
        sa.Column(
            "channel",
            code("channel", "phone", "email", "fax", "web", "visit", "other"),
            nullable=True,
        ),
        sa.Column("priority", code("priority", "p1", "p2", "p3", "p4"), nullable=True),
        sa.Column("unit", code("target_unit", *UNITS), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("second_unit", code("second_unit", *UNITS), nullable=True),
        sa.Column("second_amount", sa.Integer(), nullable=True),
        sa.Column("calendar_id", sa.Integer(), nullable=False),
        sa.Column("clause", sa.String(length=20), nullable=False),
        sa.Column("from_at", db.models.base.UtcDateTime(timezone=True), nullable=False),
        sa.Column("until_at", db.models.base.UtcDateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "amount > 0 AND (second_amount IS NULL OR second_amount > 0)",
            name=op.f("ck_policies_amount"),
        ),
        sa.CheckConstraint(
            "(second_unit IS NULL) = (second_amount IS NULL)", name=op.f("ck_policies_second")
        ),
        sa.CheckConstraint(
            "until_at IS NULL OR until_at > from_at", name=op.f("ck_policies_until")
        ),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name=op.f("fk_policies_calendar_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
    )
    _widen("timers", "timer_kind", "kind", KINDS)
    _widen("queue_rows", "due_kind", "due_kind", KINDS)
    _widen("ticket_events", "event_kind", "kind", EVENTS)
    if op.get_bind().dialect.name == "sqlite":
        # The table was made anew, and its triggers went with the old one.
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ticket_events_no_{verb.lower()} BEFORE {verb} ON ticket_events "
                "BEGIN SELECT RAISE(ABORT, 'append_only: ticket_events'); END"
            )
    with op.batch_alter_table("timers") as batch_op:
        batch_op.add_column(sa.Column("policy_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("second_remaining_seconds", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("missed_by_id", sa.Integer(), nullable=True))
        batch_op.add_column(
            sa.Column("plan", sa.Integer(), nullable=False, server_default=sa.text("0"))
        )
        batch_op.alter_column("calendar_id", existing_type=sa.Integer(), nullable=True)
        batch_op.alter_column("calendar_version", existing_type=sa.Integer(), nullable=True)
        batch_op.create_foreign_key("fk_timers_policy_id", "policies", ["policy_id"], ["id"])
    _seed()
    _name_policies()


def _widen(table: str, name: str, column: str, values: tuple[str, ...]) -> None:
    constraint = f"ck_{table}_{name}"
    told = ", ".join(f"'{value}'" for value in values)
    with op.batch_alter_table(table) as batch_op:
        batch_op.drop_constraint(op.f(constraint), type_="check")
        batch_op.create_check_constraint(op.f(constraint), sa.text(f"{column} IN ({told})"))


def _seed() -> None:
    """The standard clauses as policies that always were in force."""
    calendar_id = (
        op.get_bind()
        .execute(sa.text("SELECT id FROM calendars WHERE name = 'cn-0900-1800'"))
        .scalar_one()
    )
    policies = sa.table(
        "policies",
        sa.column("kind", sa.String),
        sa.column("unit", sa.String),
        sa.column("amount", sa.Integer),
        sa.column("calendar_id", sa.Integer),
        sa.column("clause", sa.String),
        sa.column("from_at", db.models.base.UtcDateTime(timezone=True)),
        sa.column("version", sa.Integer),
    )
    op.bulk_insert(
        policies,
        [
            {
                "kind": kind,
                "unit": unit,
                "amount": amount,
                "calendar_id": calendar_id,
                "clause": clause,
                "from_at": ALWAYS,
                "version": 1,
            }
            for kind, unit, amount, clause in DEFAULTS
        ],
    )


def _name_policies() -> None:
    """What a recompute of the timers that stand would store, so that the check of stored timers holds."""
    op.execute(
        "UPDATE timers SET policy_id = (SELECT id FROM policies WHERE policies.kind = timers.kind)"
    )
    op.execute("UPDATE timers SET missed_cause = 'time' WHERE stopped_at > due_at")
    op.execute(
        "INSERT INTO timers (ticket_id, cycle, kind, policy_id, calendar_id, calendar_version, "
        "target_seconds, started_at, phase, due_at, stopped_at, missed_cause, plan) "
        "SELECT return_calls.ticket_id, return_calls.cycle, 'return_call', policies.id, "
        "policies.calendar_id, calendars.version, 0, return_calls.opened_at, "
        "CASE WHEN return_calls.ended_at IS NULL THEN 'running' ELSE 'stopped' END, "
        "return_calls.due_at, return_calls.ended_at, "
        "CASE WHEN return_calls.ended_at > return_calls.due_at THEN 'time' END, 0 "
        "FROM return_calls JOIN tickets ON tickets.id = return_calls.ticket_id "
        "JOIN policies ON policies.kind = 'return_call' "
        "JOIN calendars ON calendars.id = policies.calendar_id WHERE tickets.source = ''"
    )


def downgrade() -> None:
    raise NotImplementedError("migrations go forward only")
