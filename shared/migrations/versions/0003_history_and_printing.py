"""History records, thumbnails, previews, comparisons, printers and print tasks; who sent a render, and from where."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0003"
down_revision = "0002"

BY_CODE_POINT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("renders", sa.Column("followed", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("renders", sa.Column("source", sa.Text(), nullable=True))
    op.add_column("renders", sa.Column("created_by", sa.Text(), nullable=True))
    op.add_column("template_versions", sa.Column("created_by", sa.Text(), nullable=True))
    _create_history()
    _create_printing()


def _create_history() -> None:
    op.create_table(
        "history_records",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("template_id", sa.Text(), nullable=False),
        sa.Column("template_shortid", sa.Text(), nullable=False),
        sa.Column("template_name", BY_CODE_POINT, nullable=False),
        sa.Column("template_version", sa.Integer(), nullable=False),
        sa.Column("output_type", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("payload_key", sa.Text(), nullable=True),
        sa.Column("response", sa.JSON(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("report_url", sa.Text(), nullable=True),
        sa.Column("blob_key", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("searched", BY_CODE_POINT, nullable=False),
        sa.Column("replay_of", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("modified_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("history_records_pkey")),
        sa.UniqueConstraint("render_id", name=op.f("history_records_render_id_unique")),
        sa.ForeignKeyConstraint(["render_id"], ["renders.id"], name=op.f("history_records_render_id_fkey")),
        sa.ForeignKeyConstraint(["template_id"], ["templates.id"], name=op.f("history_records_template_id_fkey")),
    )
    for name, *columns in (
        ("history_by_creation", "created_at", "id", "status", "source", "template_id", "template_name", "searched"),
        ("history_by_status", "status", "created_at", "id", "source", "template_id"),
        ("history_by_template", "template_id", "created_at", "id", "status", "source"),
        ("history_by_source", "source", "created_at", "id", "status", "template_id"),
    ):
        op.create_index(name, "history_records", columns)
    op.create_index("history_by_trace", "history_records", ["trace_id"])

    op.create_table(
        "thumbnails",
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        *_leased(),
        sa.PrimaryKeyConstraint("render_id", name=op.f("thumbnails_pkey")),
        sa.ForeignKeyConstraint(["render_id"], ["renders.id"], name=op.f("thumbnails_render_id_fkey")),
    )
    op.create_index("thumbnails_by_state", "thumbnails", ["state", "queued_at"])

    op.create_table(
        "previews",
        sa.Column("template_id", sa.Text(), nullable=False),
        sa.Column("template_version_id", sa.Text(), nullable=False),
        sa.Column("render_id", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("template_id", name=op.f("previews_pkey")),
        sa.UniqueConstraint("render_id", name=op.f("previews_render_id_unique")),
        sa.ForeignKeyConstraint(["template_id"], ["templates.id"], name=op.f("previews_template_id_fkey")),
        sa.ForeignKeyConstraint(
            ["template_version_id"], ["template_versions.id"], name=op.f("previews_template_version_id_fkey")
        ),
        sa.ForeignKeyConstraint(["render_id"], ["renders.id"], name=op.f("previews_render_id_fkey")),
    )

    op.create_table(
        "comparisons",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("first_id", sa.Text(), nullable=False),
        sa.Column("second_id", sa.Text(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("overlays", sa.JSON(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        *_leased(),
        sa.PrimaryKeyConstraint("id", name=op.f("comparisons_pkey")),
        sa.UniqueConstraint("first_id", "second_id", name=op.f("comparisons_first_id_second_id_unique")),
        sa.ForeignKeyConstraint(["first_id"], ["history_records.id"], name=op.f("comparisons_first_id_fkey")),
        sa.ForeignKeyConstraint(["second_id"], ["history_records.id"], name=op.f("comparisons_second_id_fkey")),
    )
    op.create_index("comparisons_by_second", "comparisons", ["second_id"])
    op.create_index("comparisons_by_state", "comparisons", ["state", "queued_at"])


def _leased() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
    )


def _create_printing() -> None:
    op.create_table(
        "printers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", BY_CODE_POINT, nullable=False),
        sa.Column("uri", sa.Text(), nullable=True),
        sa.Column("agent", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("verify_tls", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("is_default", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("capabilities", sa.JSON(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("state_reasons", sa.JSON(), nullable=True),
        sa.Column("state_message", sa.Text(), nullable=True),
        sa.Column("read_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.Column("busy_until", UtcDateTime(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("modified_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("printers_pkey")),
        sa.UniqueConstraint("name", name=op.f("printers_name_unique")),
    )
    op.create_index(
        "printers_default",
        "printers",
        ["is_default"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )
    op.create_table(
        "print_tasks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("history_record_id", sa.Text(), nullable=True),
        sa.Column("template_id", sa.Text(), nullable=True),
        sa.Column("template_name", sa.Text(), nullable=True),
        sa.Column("printer_id", sa.Text(), nullable=True),
        sa.Column("printer_name", BY_CODE_POINT, nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("number_of_copies", sa.Integer(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("held", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("job_state", sa.Text(), nullable=True),
        sa.Column("job_state_reasons", sa.JSON(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("give_up_at", UtcDateTime(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("modified_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("print_tasks_pkey")),
        sa.ForeignKeyConstraint(
            ["history_record_id"], ["history_records.id"], name=op.f("print_tasks_history_record_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["printer_id"], ["printers.id"], name=op.f("print_tasks_printer_id_fkey"), ondelete="SET NULL"
        ),
    )
    op.create_index(op.f("print_tasks_history_record_id_index"), "print_tasks", ["history_record_id"])
    op.create_index(op.f("print_tasks_printer_id_index"), "print_tasks", ["printer_id"])
    op.create_index("print_tasks_by_creation", "print_tasks", ["created_at", "id"])
    op.create_index("print_tasks_by_status", "print_tasks", ["status", "created_at", "id"])
    op.create_index("print_tasks_by_printer", "print_tasks", ["printer_name", "status", "created_at", "id"])
    op.create_index("print_tasks_by_trace", "print_tasks", ["trace_id"])
    where = sa.text("due_at IS NOT NULL")
    op.create_index("print_tasks_due", "print_tasks", ["due_at"], sqlite_where=where, postgresql_where=where)
