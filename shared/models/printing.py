"""Printers, and what they are given to print."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, false, true
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import now
from shared.models.base import BY_CODE_POINT, Base, index_of_some


class Printer(Base):
    """A device, or a queue of one, that the farm speaks IPP with (``uri``) or that an agent serves (``agent``).

    ``capabilities`` and the state are as the device said when it was last asked, at ``read_at``; ``error`` is why it
    could not be asked. One step at a time is done with a device, under ``busy_until``; after ``failures`` in a row
    nobody tries it before ``retry_at``.
    """

    __tablename__ = "printers"
    __table_args__ = (index_of_some("printers_default", "is_default", where="is_default", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(BY_CODE_POINT, unique=True)
    uri: Mapped[str | None]
    agent: Mapped[bool] = mapped_column(default=False, server_default=false())
    verify_tls: Mapped[bool] = mapped_column(default=True, server_default=true())
    location: Mapped[str | None]
    is_default: Mapped[bool] = mapped_column(default=False, server_default=false())
    capabilities: Mapped[dict[str, Any] | None]
    state: Mapped[str | None]
    state_reasons: Mapped[list[Any] | None]
    state_message: Mapped[str | None]
    read_at: Mapped[dt.datetime | None]
    error: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[dt.datetime | None]
    busy_until: Mapped[dt.datetime | None]
    created_by: Mapped[str | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    modified_at: Mapped[dt.datetime] = mapped_column(default=now())


class PrintTask(Base):
    """One document for one printer. Only `print_tasks`, `print_turns` and `print_agents` write ``status``.

    The document is that of the history record, or, where there is none, the object ``blob_key``. A task that waits for
    its render to end is ``held``. ``attempt`` counts the steps of workers and the claims of agents and is the fencing
    token of both; ``due_at`` is when the next step of the farm is due.
    """

    __tablename__ = "print_tasks"
    __table_args__ = (
        Index("print_tasks_by_creation", "created_at", "id"),
        Index("print_tasks_by_status", "status", "created_at", "id"),
        Index("print_tasks_by_printer", "printer_name", "status", "created_at", "id"),
        Index("print_tasks_by_trace", "trace_id"),
        index_of_some("print_tasks_due", "due_at", where="due_at IS NOT NULL"),
        # Nothing of a batch is printed twice.
        index_of_some("print_tasks_of_batch", "batch_id", "batch_index", where="batch_id IS NOT NULL", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    trace_id: Mapped[str]
    # A record cannot be removed while a task names it.
    history_record_id: Mapped[str | None] = mapped_column(ForeignKey("history_records.id"), index=True)
    template_id: Mapped[str | None]
    template_name: Mapped[str | None]
    printer_id: Mapped[str | None] = mapped_column(ForeignKey("printers.id", ondelete="SET NULL"), index=True)
    printer_name: Mapped[str] = mapped_column(BY_CODE_POINT)
    file_name: Mapped[str]
    blob_key: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    number_of_copies: Mapped[int]
    options: Mapped[dict[str, Any] | None]
    status: Mapped[str]
    held: Mapped[bool] = mapped_column(default=False, server_default=false())
    cancel_requested: Mapped[bool] = mapped_column(default=False, server_default=false())
    job_id: Mapped[int | None]
    job_state: Mapped[str | None]
    job_state_reasons: Mapped[list[Any] | None]
    error: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str | None]
    lease_until: Mapped[dt.datetime | None]
    due_at: Mapped[dt.datetime | None]
    give_up_at: Mapped[dt.datetime | None]
    source: Mapped[str]
    created_by: Mapped[str | None]
    batch_id: Mapped[str | None]
    batch_index: Mapped[int | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    modified_at: Mapped[dt.datetime] = mapped_column(default=now())
    sent_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
