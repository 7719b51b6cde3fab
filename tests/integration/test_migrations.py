from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from farms import PRESSROOM
from sqlalchemy import JSON, MetaData, insert, inspect, select, update

from shared import database as database_module
from shared.database import Database, migrate
from shared.models import Base

MOMENT = dt.datetime(2026, 5, 4, 3, 2, 1, tzinfo=dt.UTC)
SCRIPTS = Config()
SCRIPTS.set_main_option("script_location", str(Path(database_module.__file__).parent / "migrations"))
HEAD, *OLDER = [revision.revision for revision in ScriptDirectory.from_config(SCRIPTS).walk_revisions()]


def test_the_migrations_make_the_tables_that_the_code_describes(database):
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert differences == []


def test_the_migrations_make_the_indexes_of_some_rows_that_the_code_describes(database):
    described = {
        index.name: _plain(index.info.get("where", ""))
        for table in Base.metadata.sorted_tables
        for index in table.indexes
    }

    found = inspect(database.engine)
    made = {
        index["name"]: _plain(index["dialect_options"].get(f"{database.engine.dialect.name}_where", ""))
        for table in Base.metadata.sorted_tables
        for index in found.get_indexes(table.name)
        if "duplicates_constraint" not in index
    }
    assert made == described
    assert sum(where != "" for where in made.values()) > 5


def _plain(condition):
    """Return a condition without what databases add to it when they are asked for it."""
    return re.sub(r"[()\s]|::text", "", str(condition)).lower()


def test_migrating_twice_changes_nothing(database_url, database):
    migrate(database_url)


def test_several_machines_may_migrate_at_once(database_url, tmp_path):
    environment = {"PATH": os.environ["PATH"], "PRESSROOM_HOME": str(tmp_path), "PRESSROOM_DATABASE_URL": database_url}
    machines = [
        subprocess.Popen([PRESSROOM, "migrate"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    said = [machine.communicate(timeout=60)[0] for machine in machines]

    assert [machine.returncode for machine in machines] == [0] * 3, said
    database = Database(database_url)
    with database.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_heads() == (HEAD,)
    database.close()


class Older:
    """What a worker of an earlier release knows of a database: the tables and columns of its revision."""

    def __init__(self, url, revision):
        config = Config()
        config.set_main_option("script_location", SCRIPTS.get_main_option("script_location"))
        config.attributes["url"] = url
        command.upgrade(config, revision)
        self.database = Database(url)
        tables = MetaData()
        tables.reflect(self.database.engine)
        self.tables = [table for table in tables.sorted_tables if table.name != "alembic_version"]
        self.renders = tables.tables["renders"]

    def row(self, table, number, *, every_column=True):
        """Return values for a row, which refers to rows of the same number."""
        return {
            column.name: self.value(column, number)
            for column in table.columns
            if every_column or not (column.nullable or column.server_default is not None)
        }

    def value(self, column, number):
        if column.foreign_keys:
            (key,) = column.foreign_keys
            return self.value(key.column, number)
        if isinstance(column.type, JSON):
            return [number]
        kind = column.type.python_type
        if kind is dt.datetime:
            moment = MOMENT + dt.timedelta(seconds=number)
            return moment if column.type.timezone else moment.replace(tzinfo=None)
        if kind is bool:
            return number % 2 == 0
        return kind(number)

    def insert(self, table, *rows):
        with self.database.writing() as session:
            session.execute(insert(table), rows)

    def found(self, table, row):
        """Return the row whose primary key is that of another, with all columns that the older worker knows."""
        with self.database.reading() as session:
            return dict(session.execute(select(table).where(*self.is_row(table, row))).mappings().one())

    def is_row(self, table, row):
        return [column == row[column.name] for column in table.primary_key.columns]


def shown(kind):
    # Another collation takes the same texts.
    return str(kind).partition(" COLLATE")[0]


@pytest.fixture(params=OLDER)
def older(request, database_url):
    older = Older(database_url, request.param)
    yield older
    older.database.close()


def test_what_an_older_worker_knows_of_the_tables_is_still_there(older, database_url):
    migrate(database_url)

    now_there = inspect(older.database.engine)
    for table in older.tables:
        kept = {column["name"]: column for column in now_there.get_columns(table.name)}
        for column in table.columns:
            assert shown(kept[column.name]["type"]) == shown(column.type), (table.name, column)
            # What it may leave out, it may still leave out.
            assert kept[column.name]["nullable"] >= column.nullable, (table.name, column)


def test_an_older_worker_inserts_changes_and_reads_rows_of_every_table(older, database_url):
    migrate(database_url)

    for table in older.tables:
        least, most = older.row(table, 1, every_column=False), older.row(table, 2)
        older.insert(table, least)
        older.insert(table, most)
        assert older.found(table, least).items() >= least.items(), table.name
        assert older.found(table, most) == most, table.name
    for table in older.tables:
        own = {column.name for column in table.columns if column.primary_key or column.foreign_keys}
        changed = {name: value for name, value in older.row(table, 3).items() if name not in own}
        if not changed:
            continue
        row = older.row(table, 2)
        with older.database.writing() as session:
            session.execute(update(table).where(*older.is_row(table, row)).values(changed))
        assert older.found(table, row) == row | changed, table.name


def test_an_older_worker_claims_and_ends_renders(older, database_url):
    migrate(database_url)
    renders = older.renders
    render = older.row(renders, 1, every_column=False) | {"state": "queued", "attempt": 0}
    older.insert(renders, render)

    def moved(from_state, held, **values):
        as_it_was = (renders.c.id == render["id"], renders.c.state == from_state, renders.c.attempt == held)
        with older.database.writing() as session:
            return session.execute(update(renders).where(*as_it_was).values(values)).rowcount

    begun = {"worker_id": "w", "child_pid": 1, "started_at": MOMENT, "deadline_at": MOMENT}
    assert moved("queued", 0, state="running", attempt=renders.c.attempt + 1, **begun) == 1
    assert moved("queued", 0, state="running", attempt=renders.c.attempt + 1, **begun) == 0
    assert moved("running", 1, state="succeeded", finished_at=MOMENT, blob_key="k", size=1) == 1


def test_rows_outlive_the_migrations(older, database_url):
    rows = [older.row(older.renders, number) | {"template_version_id": None} for number in range(1000)]
    older.insert(older.renders, *rows)

    migrate(database_url)

    with older.database.reading() as session:
        found = session.execute(select(older.renders).order_by(older.renders.c.submitted_at)).mappings().all()
    assert [dict(one) for one in found] == rows
