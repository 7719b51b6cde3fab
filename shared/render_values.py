"""Renders as plain values, for whoever handles them without the database: no table is loaded for these."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence


class State(enum.StrEnum):
    """Where a render is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cause(enum.StrEnum):
    """Why a render failed."""

    TEMPLATE = "template"
    DATA = "data"
    ENGINE = "engine"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    STORAGE = "storage"
    POISONED = "poisoned"


ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
# Causes that the sender of the template or the data can mend.
CALLERS_CAUSES = (Cause.TEMPLATE, Cause.DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a render is made from.

    Attributes:
        trace_id: The trace that the render belongs to.
        queue: The queue that it waits in.
        template_version_id: The stored template's version, if it was one.
        content: The template's text where it differs from the stored version's, or where there is none.
        engine: The templating engine's name.
        recipe: The recipe's name.
        data: The document's data as JSON text; None when it is in storage, under ``data_key``.
        data_key: The data's storage key.
        timeout: Time limit of one attempt, seconds.
        blob_stem: The result's storage key without extension.
        render_id: The id, where it had to be known before.
        kept: Whether something keeps the render; what nothing keeps is swept.
        followed: Whether rows wait for its end.
        source: Where it came from.
        created_by: Who sent it.
        batch_id: The batch that it is of.
        batch_index: Its place in that, counted from 1.
    """

    trace_id: str
    queue: str
    template_version_id: str | None
    content: str | None
    engine: str
    recipe: str
    data: str | None
    data_key: str | None
    timeout: float
    blob_stem: str
    render_id: str
    kept: bool = False
    followed: bool = False
    source: str | None = None
    created_by: str | None = None
    batch_id: str | None = None
    batch_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a successful attempt leaves behind."""

    blob_key: str
    media_type: str
    extension: str
    size: int
    sha256: str
    pages: int | None
    timings: Mapping[str, int]
    warnings: Sequence[str]
    used: Mapping[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Wake:
    """What a message says: this render waits in that queue. Nothing else travels through the broker."""

    render_id: str
    queue: str
    trace_id: str
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A render that a child has taken: what is needed to make it, and to end it.

    Attributes:
        id: The render.
        content: The template's text; None: the text of the version.
        attempt: The fencing token.
        losses: What became of earlier attempts.

    The others are as in `Submission` and in `shared.models.Render`.
    """

    id: str
    trace_id: str
    queue: str
    template_version_id: str | None
    content: str | None
    engine: str
    recipe: str
    data: str | None
    data_key: str | None
    timeout: float
    blob_stem: str
    attempt: int
    losses: list[Any]
    worker_id: str | None
    child_pid: int | None
    batch_id: str | None
    queued_at: dt.datetime
    started_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: a worker, one of its children, and the seconds from a time limit until that child is killed."""

    worker_id: str
    child_pid: int
    grace: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedRender:
    """A queued render whose row was just written; the fields are those of the row."""

    id: str
    trace_id: str
    queue: str
    template_version_id: str | None
    recipe: str
    data: str | None
    data_key: str | None
    timeout: float
    submitted_at: dt.datetime
    state: str = State.QUEUED


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderStatus:
    """How a render is doing, without its template and data; the fields are those of the row."""

    id: str
    trace_id: str
    state: str
    timeout: float
    attempt: int
    cause: str | None = None
    error: str | None = None
    error_line: int | None = None
    blob_key: str | None = None
    media_type: str | None = None
    extension: str | None = None
    size: int | None = None
    sha256: str | None = None
    pages: int | None = None
    warnings: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderProgress(RenderStatus):
    """The same of one that may not have ended, with what its outlook rests on."""

    queue: str
    recipe: str
    template_version_id: str | None
    queued_at: dt.datetime
    started_at: dt.datetime | None
