"""Kept and expiring reports, templates in full, assets, schedules and their tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in (
        sa.Column("options", sa.JSON(), nullable=True),
        sa.Column("parameters", sa.JSON(), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=True),
        sa.Column("context", sa.Text(), nullable=True),
        sa.Column("context_colour", sa.Text(), nullable=True),
    ):
        op.add_column("template_versions", column)
    op.add_column("renders", sa.Column("kept", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("renders", sa.Column("used", sa.JSON(), nullable=True))
    op.execute("UPDATE renders SET kept = TRUE WHERE id IN (SELECT render_id FROM reports)")
    op.create_index("renders_by_template", "renders", ["template_version_id", "finished_at"])
    op.create_index("renders_by_state_and_submission", "renders", ["state", "submitted_at", "id"])
    op.create_index("renders_by_recipe_and_submission", "renders", ["recipe", "submitted_at", "id"])
    op.create_index("renders_by_finish", "renders", ["finished_at", "id"])
    op.create_index("renders_by_size", "renders", ["size", "id"])
    _create_partial_index("renders_unkept", "renders", ["finished_at"], "NOT kept")

    for column in (
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("keep", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
    ):
        op.add_column("reports", column)
    # Of a report the submission is the creation: lists in that order begin with either table.
    op.execute(
        "UPDATE reports SET created_at = (SELECT submitted_at FROM renders WHERE renders.id = reports.render_id)"
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute('ALTER TABLE reports ALTER COLUMN name TYPE text COLLATE "C"')
    for name, columns in (
        ("reports_by_creation", ["created_at", "id", "name"]),
        ("reports_by_name", ["name", "id"]),
        ("reports_by_task", ["task_id", "created_at", "id"]),
        ("reports_by_template", ["template_shortid", "created_at", "id"]),
        ("reports_by_public", ["public", "created_at", "id"]),
    ):
        _create_partial_index(name, "reports", columns, "removed_at IS NULL")
    _create_partial_index("reports_by_expiry", "reports", ["expires_at"], "expires_at IS NOT NULL")
    _create_partial_index("reports_removed", "reports", ["removed_at"], "removed_at IS NOT NULL")

    op.create_table(
        "spent_names",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("spent_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("spent_names_pkey")),
    )
    op.create_table(
        "assets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("shortid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("modified_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("assets_pkey")),
        sa.UniqueConstraint("name", name=op.f("assets_name_unique")),
        sa.UniqueConstraint("shortid", name=op.f("assets_shortid_unique")),
    )
    op.create_table(
        "retired_objects",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("retired_objects_pkey")),
    )
    op.create_index(op.f("retired_objects_retired_at_index"), "retired_objects", ["retired_at"])
    op.create_table(
        "schedules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("shortid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("template_shortid", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("allow_overlap", sa.Boolean(), nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("retry_delay", sa.Double(), nullable=False),
        sa.Column("next_run_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("modified_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("schedules_pkey")),
        sa.UniqueConstraint("name", name=op.f("schedules_name_unique")),
        sa.UniqueConstraint("shortid", name=op.f("schedules_shortid_unique")),
    )
    op.create_index(op.f("schedules_next_run_at_index"), "schedules", ["next_run_at"])
    op.create_table(
        "tasks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("schedule_shortid", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("render_id", sa.Text(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("tasks_pkey")),
        sa.UniqueConstraint("schedule_id", "due_at", name=op.f("tasks_schedule_id_due_at_unique")),
    )
    op.create_index("tasks_by_state", "tasks", ["state", "retry_at"])
    op.create_index("tasks_by_creation", "tasks", ["created_at", "id"])


def _create_partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
