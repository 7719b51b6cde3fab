"""The tables. What may be done with their rows is in the module of each feature."""

from __future__ import annotations

import datetime as dt  # SQLAlchemy reads the annotations at run time.
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from shared.database import UtcDateTime, now


class Base(DeclarativeBase):
    """The root of the tables; Python types map to the same columns everywhere."""

    # Names that a migration can count on, whichever database made them.
    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_index",
            "uq": "%(table_name)s_%(column_0_N_name)s_unique",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )

    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's own declaration.
        dt.datetime: UtcDateTime(),
        # Not JSONB: it cannot hold the NUL character that a payload may contain.
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        str: Text(),
    }


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
    """

    __tablename__ = "renders"
    __table_args__ = (
        Index("renders_by_state", "state", "queue", "queued_at"),
        Index("renders_by_trace", "trace_id"),
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


class Report(Base):
    """What jsreport's users keep of a render: a name, a permanent link, a lifetime of its own."""

    __tablename__ = "reports"

    id: Mapped[str] = mapped_column(primary_key=True)
    shortid: Mapped[str] = mapped_column(unique=True)
    render_id: Mapped[str] = mapped_column(ForeignKey("renders.id"), index=True)
    name: Mapped[str]
    blob_name: Mapped[str] = mapped_column(unique=True)
    public: Mapped[bool] = mapped_column(default=False)
    template_shortid: Mapped[str | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
    modified_at: Mapped[dt.datetime] = mapped_column(default=now())

    render: Mapped[Render] = relationship(lazy="joined", innerjoin=True)


class Worker(Base):
    """A worker process' sign of life. A running render whose worker's row is too old, or gone, was lost."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    pid: Mapped[int]
    queues: Mapped[list[Any]]
    children: Mapped[int]
    recipes: Mapped[dict[str, Any]]
    started_at: Mapped[dt.datetime] = mapped_column(default=now())
    seen_at: Mapped[dt.datetime] = mapped_column(default=now(), index=True)
