"""Signs of life, who does the periodic duties, and how deep the queues were."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from shared.database import now
from shared.models.base import Base


class Worker(Base):
    """A worker process' sign of life. A running render whose worker's row is too old, or gone, was lost."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    pid: Mapped[int]
    queues: Mapped[list[Any]]
    children: Mapped[int]
    recipes: Mapped[dict[str, Any]]
    # None: one of an earlier release, which did not say.
    version: Mapped[str | None]
    started_at: Mapped[dt.datetime] = mapped_column(default=now())
    seen_at: Mapped[dt.datetime] = mapped_column(default=now(), index=True)


class Duty(Base):
    """A periodic duty: when somebody began it last, and who is at it (`shared.duties`).

    ``resumed_at`` is when it was begun after a time in which nobody did it for long.
    """

    __tablename__ = "duties"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str | None]
    begun_at: Mapped[dt.datetime]
    resumed_at: Mapped[dt.datetime]
    lease_until: Mapped[dt.datetime | None]


class QueueSample(Base):
    """How deep a queue was in one minute (`shared.depths`). ``at`` comes first in the key, as all queues are asked for.

    ``oldest_seconds`` is for how long the first of what was due had waited; None: nothing was due.
    """

    __tablename__ = "queue_samples"

    at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(primary_key=True)
    waiting: Mapped[int]
    oldest_seconds: Mapped[float | None]
