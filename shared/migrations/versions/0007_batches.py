"""Batches, the slices that wait to be renders, and which renders are whose."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0007"
down_revision = "0006"

IN_A_BATCH = sa.text("batch_id IS NOT NULL")
UNDER_WAY = sa.text("settled_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("template_version_id", sa.Text(), nullable=True),
        sa.Column("template_shortid", sa.Text(), nullable=True),
        sa.Column("template_name", sa.Text(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=True),
        sa.Column("recipe", sa.Text(), nullable=True),
        sa.Column("timeout", sa.Double(), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("keep", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("expires_in", sa.Double(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("fed", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("succeeded", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("remake_before", UtcDateTime(), nullable=True),
        sa.Column("remake_version_id", sa.Text(), nullable=True),
        sa.Column("printing", sa.JSON(), nullable=True),
        sa.Column("printed", sa.Integer(), nullable=False),
        sa.Column("merge", sa.Text(), nullable=True),
        sa.Column("merged_key", sa.Text(), nullable=True),
        sa.Column("merged_size", sa.BigInteger(), nullable=True),
        sa.Column("merged_sha256", sa.Text(), nullable=True),
        sa.Column("merge_error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["template_version_id"], ["template_versions.id"]),
        sa.ForeignKeyConstraint(["remake_version_id"], ["template_versions.id"]),
    )
    op.create_index("batches_by_creation", "batches", ["created_at", "id"])
    op.create_index("batches_under_way", "batches", ["id"], sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY)
    op.create_table(
        "batch_slices",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"]),
    )
    op.create_index(None, "batch_slices", ["batch_id"])
    for table in ("renders", "print_tasks"):
        op.add_column(table, sa.Column("batch_id", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("batch_index", sa.Integer(), nullable=True))
    for name, table, other, unique in (
        ("renders_by_batch", "renders", "state", False),
        ("renders_of_batch", "renders", "batch_index", True),
        ("print_tasks_of_batch", "print_tasks", "batch_index", True),
    ):
        op.create_index(
            name,
            table,
            ["batch_id", other],
            unique=unique,
            sqlite_where=IN_A_BATCH,
            postgresql_where=IN_A_BATCH,
        )
