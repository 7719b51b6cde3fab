"""Schedules and their runs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, column_property, mapped_column

from shared.database import now
from shared.models.base import Base

if TYPE_CHECKING:
    from sqlalchemy import ScalarSelect
    from sqlalchemy.orm import InstrumentedAttribute


class Task(Base):
    """One run of a schedule. It outlives its schedule: what ran, and how it ended, stays to be looked up."""

    __tablename__ = "tasks"
    __table_args__ = (
        # The second lock on a double firing, should the first ever fail.
        UniqueConstraint("schedule_id", "due_at"),
        Index("tasks_by_state", "state", "retry_at"),
        Index("tasks_by_creation", "created_at", "id"),
        Index("tasks_by_trace", "trace_id"),
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


def _of_last_run(schedule_id: Mapped[str], column: InstrumentedAttribute[Any]) -> ScalarSelect[Any]:
    # The unique index has the tasks of a schedule in the order of their times.
    last = select(column).where(Task.schedule_id == schedule_id).order_by(Task.due_at.desc()).limit(1)
    return last.scalar_subquery()


class Schedule(Base):
    """A template that is rendered again and again at the times that a cron line names.

    ``next_run_at`` is what beats compete for: who moves it on, in the transaction that writes the task, has fired it.
    Of its last run, which only lists ask for, its task says when it began and how far it is.
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
    # "id" is the column above, and not Python's own.
    last_run_at: Mapped[dt.datetime | None] = column_property(_of_last_run(id, Task.created_at), deferred=True)  # noqa: A003
    last_state: Mapped[str | None] = column_property(_of_last_run(id, Task.state), deferred=True)  # noqa: A003
