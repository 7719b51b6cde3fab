"""Templates, renders, and what jsreport's users keep of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database import now
from shared.models.base import BY_CODE_POINT, Base, index_of_some

# Reports that exist for others than the sweep.
_SHOWN = "removed_at IS NULL"


class TemplateVersion(Base):
    """One immutable state of a stored template. A render names the version it used, so versions outlive templates."""

    __tablename__ = "template_versions"
    __table_args__ = (UniqueConstraint("template_id", "number"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    template_id: Mapped[str]
    number: Mapped[int]
    name: Mapped[str]
    content: Mapped[str]
    engine: Mapped[str]
    recipe: Mapped[str]
    sample_data: Mapped[str | None]
    options: Mapped[dict[str, Any] | None]
    parameters: Mapped[list[Any] | None]
    fields: Mapped[list[Any] | None]
    context: Mapped[str | None]
    context_colour: Mapped[str | None]
    created_by: Mapped[str | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())


class Template(Base):
    """A stored template: the name under which its newest version is found."""

    __tablename__ = "templates"

    id: Mapped[str] = mapped_column(primary_key=True)
    shortid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    version_id: Mapped[str] = mapped_column(ForeignKey("template_versions.id"))
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    modified_at: Mapped[dt.datetime] = mapped_column(default=now())

    version: Mapped[TemplateVersion] = relationship(lazy="joined", innerjoin=True)


class Render(Base):
    """One accepted piece of work, from submission to its end. Only `shared.renders` writes ``state``.

    ``attempt`` counts claims and is the fencing token: a worker may write only while the row still has the attempt
    number that it claimed. ``losses`` has one entry for each attempt that ended with its worker's or child's death.
    ``kept`` says whether something else (a report, a history record) keeps the render; what nothing keeps is swept.
    ``followed`` says whether rows wait for its end (`shared.aftermath`). ``source`` is where it came from, and
    ``created_by`` who sent it; ``batch_index`` is its place in a batch, counted from 1. ``used`` names what the
    document was made of beside its template: ``{"templates": {name: version}, "assets": {name: sha256}}``; of recipe
    ``pdf`` also with which one it was made, and why not with the fast one: ``{"madeWith": {"recipe": name, "reason":
    text}}``.
    """

    __tablename__ = "renders"
    __table_args__ = (
        Index("renders_by_state", "state", "queue", "queued_at"),
        Index("renders_by_trace", "trace_id"),
        # What a template's last renders took, for the estimate of the next one's end.
        Index("renders_by_template", "template_version_id", "finished_at"),
        # Orders of lists over OData. Of a report the submission is the creation.
        Index("renders_by_state_and_submission", "state", "submitted_at", "id"),
        Index("renders_by_recipe_and_submission", "recipe", "submitted_at", "id"),
        Index("renders_by_finish", "finished_at", "id"),
        Index("renders_by_size", "size", "id"),
        # The sweep asks for these every minute, and the kept ones are many more.
        index_of_some("renders_unkept", "finished_at", where="NOT kept"),
        # How much waits, of whom: asked before anything is accepted.
        index_of_some("renders_waiting", "queue", "created_by", where="state = 'queued'"),
        # What went wrong lately, by cause. SQLite would look for a state that is not in it in each row.
        index_of_some("renders_failed", "state", "cause", "finished_at", where="state = 'failed'"),
        # How a batch is getting on, and its items in their order.
        index_of_some("renders_by_batch", "batch_id", "state", where="batch_id IS NOT NULL"),
        index_of_some("renders_of_batch", "batch_id", "batch_index", where="batch_id IS NOT NULL", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    trace_id: Mapped[str]
    state: Mapped[str]
    queue: Mapped[str]

    template_version_id: Mapped[str | None] = mapped_column(ForeignKey("template_versions.id"))
    content: Mapped[str | None]
    engine: Mapped[str]
    recipe: Mapped[str]
    data: Mapped[str | None]
    data_key: Mapped[str | None]
    timeout: Mapped[float]
    blob_stem: Mapped[str]
    kept: Mapped[bool] = mapped_column(default=False, server_default=false())
    followed: Mapped[bool] = mapped_column(default=False, server_default=false())
    source: Mapped[str | None]
    created_by: Mapped[str | None]
    batch_id: Mapped[str | None]
    batch_index: Mapped[int | None]

    attempt: Mapped[int] = mapped_column(default=0)
    losses: Mapped[list[Any]] = mapped_column(default=list)
    worker_id: Mapped[str | None]
    child_pid: Mapped[int | None]

    submitted_at: Mapped[dt.datetime] = mapped_column(default=now())
    queued_at: Mapped[dt.datetime] = mapped_column(default=now())
    started_at: Mapped[dt.datetime | None]
    deadline_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]

    cause: Mapped[str | None]
    error: Mapped[str | None]
    error_line: Mapped[int | None]

    blob_key: Mapped[str | None]
    media_type: Mapped[str | None]
    extension: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    pages: Mapped[int | None]
    timings: Mapped[dict[str, Any] | None]
    warnings: Mapped[list[Any] | None]
    used: Mapped[dict[str, Any] | None]


class Report(Base):
    """What jsreport's users keep of a render: a name, a permanent link, a lifetime of its own.

    ``removed_at`` marks a report that is gone for everybody but the sweep: its row holds the blobName until the objects
    are gone as well, so that no other report can come by the same key in between.
    """

    __tablename__ = "reports"
    __table_args__ = (
        # Orders of lists over OData, and what is looked for in them.
        index_of_some("reports_by_creation", "created_at", "id", "name", where=_SHOWN),
        index_of_some("reports_by_name", "name", "id", where=_SHOWN),
        index_of_some("reports_by_task", "task_id", "created_at", "id", where=_SHOWN),
        index_of_some("reports_by_template", "template_shortid", "created_at", "id", where=_SHOWN),
        index_of_some("reports_by_public", "public", "created_at", "id", where=_SHOWN),
        index_of_some("reports_by_expiry", "expires_at", where="expires_at IS NOT NULL"),
        index_of_some("reports_removed", "removed_at", where="removed_at IS NOT NULL"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    shortid: Mapped[str] = mapped_column(unique=True)
    render_id: Mapped[str] = mapped_column(ForeignKey("renders.id"), index=True)
    name: Mapped[str] = mapped_column(BY_CODE_POINT)
    blob_name: Mapped[str] = mapped_column(unique=True)
    public: Mapped[bool] = mapped_column(default=False)
    template_shortid: Mapped[str | None]
    task_id: Mapped[str | None]
    keep: Mapped[bool] = mapped_column(default=False, server_default=false())
    expires_at: Mapped[dt.datetime | None]
    removed_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    modified_at: Mapped[dt.datetime] = mapped_column(default=now())

    render: Mapped[Render] = relationship(lazy="joined", innerjoin=True)


class SpentName(Base):
    """A blobName whose plain key a lost attempt of a removed report may still write to, whenever it wakes up."""

    __tablename__ = "spent_names"

    name: Mapped[str] = mapped_column(primary_key=True)
    spent_at: Mapped[dt.datetime] = mapped_column(default=now())
