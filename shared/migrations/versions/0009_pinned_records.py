"""History records that no purge removes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

PINNED = sa.text("keep")


def upgrade() -> None:
    op.add_column("history_records", sa.Column("keep", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "history_pinned",
        "history_records",
        ["created_at", "id", "status", "source", "template_id", "template_name", "searched", "keep"],
        sqlite_where=PINNED,
        postgresql_where=PINNED,
    )
