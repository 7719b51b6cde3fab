"""How deep the queues were, which release a worker is of, and failures by their cause."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0011"
down_revision = "0010"

FAILED = sa.text("state = 'failed'")


def upgrade() -> None:
    op.create_table(
        "queue_samples",
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("oldest_seconds", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("at", "queue"),
    )
    op.add_column("workers", sa.Column("version", sa.Text(), nullable=True))
    op.create_index(
        "renders_failed", "renders", ["state", "cause", "finished_at"], sqlite_where=FAILED, postgresql_where=FAILED
    )
