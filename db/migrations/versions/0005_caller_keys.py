"""Search keys of callers; the launcher fills them for customers that are there already"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "caller_keys",
        sa.Column(
            "key",
            sa.String(length=24).with_variant(sa.String(length=24, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "customer_id", "contact_id", name=op.f("pk_caller_keys")),
        sqlite_with_rowid=False,
    )
