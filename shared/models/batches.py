"""Many documents asked for at once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, false
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import now
from shared.models.base import Base, index_of_some


class Batch(Base):
    """Many documents asked for at once: their items become renders a few hundred at a time (`shared.batch_feeding`).

    ``kind`` is ``data``, where each item is the data of one template, or ``requests``, where each names its own.
    ``fed`` counts the items that are renders by now, ``waiting``, ``succeeded`` and ``failed`` those as they were last
    counted, and ``rate`` is how many of them end in a second; ``error``
    says why it does not go on. ``remake_before``: the failed ones that ended before then
    are made once more. ``printed`` counts the items, in their order, whose turn at the printer has come. ``merge`` is
    how far the one PDF of all is: None (nobody wants it), ``wanted``, ``done`` or ``failed``.
    """

    __tablename__ = "batches"
    __table_args__ = (
        Index("batches_by_creation", "created_at", "id"),
        Index("batches_by_trace", "trace_id"),
        index_of_some("batches_under_way", "id", where="settled_at IS NULL"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    trace_id: Mapped[str]
    state: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    template_version_id: Mapped[str | None] = mapped_column(ForeignKey("template_versions.id"))
    template_shortid: Mapped[str | None]
    template_name: Mapped[str | None]
    engine: Mapped[str | None]
    recipe: Mapped[str | None]
    timeout: Mapped[float | None]
    queue: Mapped[str]
    public: Mapped[bool] = mapped_column(default=False, server_default=false())
    keep: Mapped[bool] = mapped_column(default=False, server_default=false())
    expires_in: Mapped[float | None]
    created_by: Mapped[str | None]

    total: Mapped[int]
    fed: Mapped[int] = mapped_column(default=0)
    waiting: Mapped[int] = mapped_column(default=0)
    succeeded: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    rate: Mapped[float | None]
    error: Mapped[str | None]
    remake_before: Mapped[dt.datetime | None]
    remake_version_id: Mapped[str | None] = mapped_column(ForeignKey("template_versions.id"))

    printing: Mapped[dict[str, Any] | None]
    printed: Mapped[int] = mapped_column(default=0)

    merge: Mapped[str | None]
    merged_key: Mapped[str | None]
    merged_size: Mapped[int | None] = mapped_column(BigInteger)
    merged_sha256: Mapped[str | None]
    merge_error: Mapped[str | None]

    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    # When its last document ended, and when nothing was left to do for it, the merged PDF and the prints included.
    finished_at: Mapped[dt.datetime | None]
    settled_at: Mapped[dt.datetime | None]


class BatchSlice(Base):
    """Some items of a batch that are no renders yet: lines of JSON in storage. It goes when they are."""

    __tablename__ = "batch_slices"

    key: Mapped[str] = mapped_column(primary_key=True)
    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id"), index=True)
    first: Mapped[int]
    items: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
