"""How Alembic reaches the database: the address comes from `db.migrate`."""

from alembic import context
from sqlalchemy import create_engine, pool

from db.models import Base

engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        include_name=lambda name, kind, _: (
            kind != "table" or not str(name).startswith("ticket_search")
        ),
    )
    with context.begin_transaction():
        context.run_migrations()
