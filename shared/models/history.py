"""History records, and the pictures and comparisons that are made of documents."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint, event, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database import now
from shared.models.base import BY_CODE_POINT, Base, index_of_some
from shared.models.rendering import Render
from shared.record_status import status_of

# What a search of the history looks into.
SEARCHED = ("template_name", "trace_id", "file_name", "created_by")


class Leased:
    """The columns of work that a worker takes for a limited time. Only `shared.leases` writes ``state``.

    ``attempt`` counts claims and is the fencing token, as that of a render is. An attempt is lost whose lease is
    over, or whose worker is gone (``worker_id``; None: one of an earlier release has it, which does not say who it is).
    """

    state: Mapped[str] = mapped_column(default="queued")
    attempt: Mapped[int] = mapped_column(default=0)
    # Attempts that died with their worker or were never heard of again; and such as a part of the farm was away for.
    # The server's defaults are for older workers.
    losses: Mapped[int] = mapped_column(default=0, server_default="0")
    put_offs: Mapped[int] = mapped_column(default=0, server_default="0")
    worker_id: Mapped[str | None]
    lease_until: Mapped[dt.datetime | None]
    queued_at: Mapped[dt.datetime] = mapped_column(default=now())
    finished_at: Mapped[dt.datetime | None]
    error: Mapped[str | None]


class HistoryRecord(Base):
    """What was asked of one render, to the byte, and what came back. It owns its render.

    ``status``, and what lists are ``searched`` in, are derived whenever the row is written, below, and never set.
    ``payload`` is the request's body as it came; a large one is in storage, under ``payload_key``. ``response`` is the
    answer without the document itself, which is the object ``blob_key``; None until the render has ended. ``keep`` pins
    a record: no purge removes it.
    """

    __tablename__ = "history_records"
    __table_args__ = (
        # Lists are counted, filtered, searched and ordered in these alone: a row has its request's body, too.
        Index(
            "history_by_creation", "created_at", "id", "status", "source", "template_id", "template_name", "searched"
        ),
        Index("history_by_status", "status", "created_at", "id", "source", "template_id"),
        Index("history_by_template", "template_id", "created_at", "id", "status", "source"),
        Index("history_by_source", "source", "created_at", "id", "status", "template_id"),
        Index("history_by_trace", "trace_id"),
        # The few that are pinned, by whom the others are told from them, too: no other index has to say it.
        index_of_some(
            "history_pinned",
            "created_at",
            "id",
            "status",
            "source",
            "template_id",
            "template_name",
            "searched",
            "keep",
            where="keep",
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    trace_id: Mapped[str]
    render_id: Mapped[str] = mapped_column(ForeignKey("renders.id"), unique=True)
    # A template cannot be removed while a record names it.
    template_id: Mapped[str] = mapped_column(ForeignKey("templates.id"))
    template_shortid: Mapped[str]
    template_name: Mapped[str] = mapped_column(BY_CODE_POINT)
    template_version: Mapped[int]
    output_type: Mapped[str]
    payload: Mapped[bytes | None] = mapped_column(LargeBinary)
    payload_key: Mapped[str | None]
    response: Mapped[dict[str, Any] | None]
    status: Mapped[str]
    file_name: Mapped[str]
    report_url: Mapped[str | None]
    blob_key: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    pages: Mapped[int | None]
    source: Mapped[str]
    created_by: Mapped[str | None]
    searched: Mapped[str] = mapped_column(BY_CODE_POINT)
    replay_of: Mapped[str | None]
    keep: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    modified_at: Mapped[dt.datetime] = mapped_column(default=now())

    render: Mapped[Render] = relationship(lazy="raise")


def searched_in(**said: str | None) -> str:
    """Return the text in which a record is found, in lower case; a line for each of `SEARCHED`, as none spans two."""
    return "\n".join(text.lower() for text in said.values() if text)


@event.listens_for(HistoryRecord, "before_insert")
@event.listens_for(HistoryRecord, "before_update")
def _derive(_mapper: object, _connection: object, record: HistoryRecord) -> None:
    record.status = status_of(record.response, has_pdf=record.blob_key is not None)
    record.searched = searched_in(**{name: getattr(record, name) for name in SEARCHED})


class Thumbnail(Leased, Base):
    """The picture of a document's first page; ``error`` says why there is none. A render has at most one."""

    __tablename__ = "thumbnails"
    __table_args__ = (Index("thumbnails_by_state", "state", "queued_at"),)

    render_id: Mapped[str] = mapped_column(ForeignKey("renders.id"), primary_key=True)
    trace_id: Mapped[str]
    blob_key: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]


class Preview(Base):
    """The render that shows what a template's newest version looks like, made from its sample data."""

    __tablename__ = "previews"

    template_id: Mapped[str] = mapped_column(ForeignKey("templates.id"), primary_key=True)
    template_version_id: Mapped[str] = mapped_column(ForeignKey("template_versions.id"))
    render_id: Mapped[str] = mapped_column(ForeignKey("renders.id"), unique=True)
    created_at: Mapped[dt.datetime] = mapped_column(default=now())


class Comparison(Leased, Base):
    """What two history records differ in. ``result`` is as the API shows it; its pictures are objects."""

    __tablename__ = "comparisons"
    __table_args__ = (
        UniqueConstraint("first_id", "second_id"),
        Index("comparisons_by_second", "second_id"),
        Index("comparisons_by_state", "state", "queued_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    trace_id: Mapped[str]
    first_id: Mapped[str] = mapped_column(ForeignKey("history_records.id"))
    second_id: Mapped[str] = mapped_column(ForeignKey("history_records.id"))
    result: Mapped[dict[str, Any] | None]
    # The keys of its pictures: what differs by page (``1``), and the page itself by page and side (``1-before``).
    overlays: Mapped[dict[str, Any] | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
