"""What is looked for by its trace, as everything else of a trace is."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("batches_by_trace", "batches", ["trace_id"])
    op.create_index("tasks_by_trace", "tasks", ["trace_id"])
