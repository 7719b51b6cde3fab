from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from shared.database import migrate
from shared.models import Base


def test_the_migrations_make_the_tables_that_the_code_describes(database):
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert differences == []


def test_migrating_twice_changes_nothing(database_url, database):
    migrate(database_url)
