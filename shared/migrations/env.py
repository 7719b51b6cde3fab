"""Alembic's entry: run the migrations against the URL that `shared.database.migrate` was given."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from shared.database import Database
from shared.models import Base

# Any number, as long as it is always the same one: it names the lock under which one machine at a time migrates.
MIGRATION_LOCK = 7_715_400_201

database = Database(context.config.attributes["url"], patient=True)
with database.engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection, connection.begin():
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    context.run_migrations()
database.close()
