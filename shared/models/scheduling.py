"""Schedules and their runs."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import now
from shared.models.base import Base


class Schedule(Base):
    """A template that is rendered again and again at the times that a cron line names.

    ``next_run_at`` is what beats compete for: who moves it on, in the transaction that writes the task, has fired it.
    """

    __tablename__ = "schedules"

    id: Mapped[str] = mapped_column(primary_key=True)
    shortid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    cron: Mapped[str]
    timezone: Mapped[str]
    template_shortid: Mapped[str]
    data: Mapped[str | None]
    enabled: Mapped[bool] = mapped_column(default=True)
    allow_overlap: Mapped[bool] = mapped_column(default=False)
    max_retries: Mapped[int] = mapped_column(default=0)
    retry_delay: Mapped[float]
    next_run_at: Mapped[dt.datetime | None] = mapped_column(index=True)
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    modified_at: Mapped[dt.datetime] = mapped_column(default=now())


class Task(Base):
    """One run of a schedule. It outlives its schedule: what ran, and how it ended, stays to be looked up."""

    __tablename__ = "tasks"
    __table_args__ = (
        # The second lock on a double firing, should the first ever fail.
        UniqueConstraint("schedule_id", "due_at"),
        Index("tasks_by_state", "state", "retry_at"),
        Index("tasks_by_creation", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    schedule_id: Mapped[str]
    schedule_shortid: Mapped[str]
    trace_id: Mapped[str]
    state: Mapped[str]
    error: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=0)
    render_id: Mapped[str | None]
    due_at: Mapped[dt.datetime]
    retry_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    finished_at: Mapped[dt.datetime | None]
