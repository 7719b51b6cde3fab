"""Which worker does a periodic duty or an errand, and how much of one client's work waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0004"
down_revision = "0003"

QUEUED = sa.text("state = 'queued'")


def upgrade() -> None:
    op.create_table(
        "duties",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("resumed_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    for leased in ("thumbnails", "comparisons"):
        op.add_column(leased, sa.Column("worker_id", sa.Text(), nullable=True))
        for count in ("losses", "put_offs"):
            op.add_column(leased, sa.Column(count, sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "renders_waiting",
        "renders",
        ["queue", "created_by"],
        sqlite_where=QUEUED,
        postgresql_where=QUEUED,
    )
