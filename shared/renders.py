"""The life of a render: every change of its state is here, and nothing else writes ``state``.

::

    queued ──claim──▶ running ──succeed──▶ succeeded
      ▲  │               │ ├────fail────▶ failed
      │  └───cancel──▶ cancelled ◀─cancel─┤
      └───────────────lose────────────────┘  (failed, cause ``poisoned``, when it was lost too often)

Each transition is one conditional UPDATE that tells whether it won. ``attempt`` is the fencing token: it grows with
each claim, and only the holder of the present attempt may end it, so a worker that was paused while its work was given
away changes nothing when it wakes up.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import CursorResult, and_, case, null, select, update
from sqlalchemy.orm import defer

from shared.database import now
from shared.models import Render
from shared.render_keys import transient_stem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

# Beyond its own limits a render gets this long before it counts as lost although its worker lives: the worker's own
# limits act first, and this is for the case that they did not.
OVERDUE_SECONDS = 30


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


# For whoever asks how a render is doing: not its template and data, which may be large.
LIGHT = (defer(Render.content, raiseload=True), defer(Render.data, raiseload=True))
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


def submit(session: Session, submission: Submission) -> Render:
    """Write the row that the farm's promise rests on; publish its message only after the commit."""
    render = Render(
        id=submission.render_id,
        trace_id=submission.trace_id,
        state=State.QUEUED,
        queue=submission.queue,
        template_version_id=submission.template_version_id,
        content=submission.content,
        engine=submission.engine,
        recipe=submission.recipe,
        data=submission.data,
        data_key=submission.data_key,
        timeout=submission.timeout,
        blob_stem=submission.blob_stem,
        kept=submission.kept,
        followed=submission.followed,
        source=submission.source,
        created_by=submission.created_by,
    )
    session.add(render)
    return render


def wake_of(render: Render) -> Wake:
    """Shape the message that announces a queued render."""
    return Wake(render.id, render.queue, render.trace_id, render.timeout)


def claim(session: Session, render_id: str, *, worker_id: str, child_pid: int, grace: float) -> Render | None:
    """Take a queued render, or return None when somebody else has it, it is cancelled, or it is gone.

    Args:
        session: A writing transaction.
        render_id: The render.
        worker_id: Who takes it.
        child_pid: Which of the worker's children will do it.
        grace: Seconds from the end of its time limit until the child is killed.
    """
    statement = (
        update(Render)
        .where(Render.id == render_id, Render.state == State.QUEUED)
        .values(
            state=State.RUNNING,
            worker_id=worker_id,
            child_pid=child_pid,
            attempt=Render.attempt + 1,
            started_at=now(),
            deadline_at=now(Render.timeout + grace + OVERDUE_SECONDS),
        )
        .returning(Render)
        .execution_options(synchronize_session=False)
    )
    return session.execute(statement).scalar_one_or_none()


def succeed(session: Session, render_id: str, *, attempt: int, result: Result) -> bool:
    """End an attempt well; False when the attempt is no longer the render's, and the result must be thrown away."""
    return _end(
        session,
        render_id,
        attempt,
        state=State.SUCCEEDED,
        blob_key=result.blob_key,
        media_type=result.media_type,
        extension=result.extension,
        size=result.size,
        sha256=result.sha256,
        pages=result.pages,
        timings=dict(result.timings),
        warnings=list(result.warnings),
        used=None if result.used is None else dict(result.used),
    )


def fail(
    session: Session,
    render_id: str,
    *,
    attempt: int,
    cause: Cause,
    error: str,
    line: int | None = None,
    timings: Mapping[str, int] | None = None,
) -> bool:
    """End an attempt badly, for a reason that a new attempt would not cure; False when it is no longer the render's."""
    return _end(
        session,
        render_id,
        attempt,
        state=State.FAILED,
        cause=cause,
        # PostgreSQL can store neither NUL nor half a character, and an engine's message may quote the document.
        error=error.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode(),
        error_line=line,
        timings=dict(timings or {}),
    )


def _end(session: Session, render_id: str, attempt: int, *, state: State, **values: Any) -> bool:
    won = _ended(
        session,
        render_id,
        update(Render)
        .where(Render.id == render_id, Render.state == State.RUNNING, Render.attempt == attempt)
        .values(state=state, finished_at=now(), **values),
    )
    # Whoever did not hear whether the commit came through asks again, and is told what became of it.
    return won or session.scalar(select(Render.attempt).where(Render.id == render_id, Render.state == state)) == attempt


def too_long(render: Render) -> str:
    """Say that a render outran its time limit, whichever of its two limits ended it."""
    return f"The render took longer than its time limit of {render.timeout:g} s"


def cancel(session: Session, render_id: str, *, only_queued: bool = False, error: str | None = None) -> bool:
    """End a render that nobody wants any more; False when it ended (or, with ``only_queued``, began) before.

    Args:
        session: A writing transaction.
        render_id: The render.
        only_queued: Whether one that has begun goes on.
        error: Why the farm gave it up, if it was the farm.
    """
    states = (State.QUEUED,) if only_queued else (State.QUEUED, State.RUNNING)
    return _ended(
        session,
        render_id,
        update(Render)
        .where(Render.id == render_id, Render.state.in_(states))
        .values(state=State.CANCELLED, finished_at=now(), error=error),
    )


def holds(session: Session, render_id: str, *, attempt: int) -> bool:
    """Say whether an attempt is still the one that its render waits for."""
    held = select(Render.id).where(Render.id == render_id, Render.state == State.RUNNING, Render.attempt == attempt)
    return session.scalar(held) is not None


def let_go(session: Session, render_id: str, *, attempt: int) -> None:
    """Say that an attempt at a render that was cancelled meanwhile has ended, and writes nothing any more."""
    session.execute(
        update(Render)
        .where(Render.id == render_id, Render.state == State.CANCELLED, Render.attempt == attempt)
        .values(worker_id=None, child_pid=None)
        .execution_options(synchronize_session=False)
    )


def disown(session: Session, render_id: str) -> None:
    """Leave a render to the sweep whose objects are gone. Its keys are forgotten: they may become another's."""
    session.execute(
        update(Render)
        .where(Render.id == render_id)
        .values(kept=False, blob_key=None, data_key=None, blob_stem=transient_stem(render_id))
        .execution_options(synchronize_session=False)
    )


def unkeep(session: Session, render_ids: Sequence[str]) -> list[str]:
    """Leave ended renders to the sweep, and return the keys of their objects, which no row names from now on.

    What lost attempts stored is found by the sweep, and so is the data of a cancelled one that is still worked on.

    Args:
        session: A writing transaction, in which nobody else changes them.
        render_ids: The renders.
    """
    worked_on = and_(Render.state == State.CANCELLED, Render.worker_id.is_not(None))
    data_key = case((worked_on, null()), else_=Render.data_key)
    keys = session.execute(select(Render.blob_key, data_key).where(Render.id.in_(render_ids))).all()
    session.execute(
        update(Render)
        .where(Render.id.in_(render_ids))
        .values(kept=False, blob_key=None, data_key=case((worked_on, Render.data_key), else_=null()))
        .execution_options(synchronize_session=False)
    )
    return [key for pair in keys for key in pair if key]


def held_by_child(session: Session, *, worker_id: str, child_pid: int) -> Sequence[Render]:
    """Return what one child of a worker has claimed and not ended."""
    return session.scalars(
        select(Render)
        .where(Render.state == State.RUNNING, Render.worker_id == worker_id, Render.child_pid == child_pid)
        .options(*LIGHT)
    ).all()


def lose(session: Session, render: Render, *, reason: str, max_losses: int) -> State | None:
    """Queue a render again whose attempt died with its worker or child; fail it when that happened too often.

    Args:
        session: A writing transaction.
        render: The running render, as it was read.
        reason: What became of the attempt, for the person who asks why.
        max_losses: Lost attempts after which it fails as ``poisoned``.

    Returns:
        The new state; None when the attempt ended before.
    """
    losses = [
        *render.losses,
        {
            "attempt": render.attempt,
            "workerId": render.worker_id,
            "reason": reason,
            "at": dt.datetime.now(dt.UTC).isoformat(),
        },
    ]
    values: dict[str, Any]
    if len(losses) >= max_losses:
        error = f"Given up after {len(losses)} attempts that ended with the worker's or its child's death: {reason}"
        values = {"state": State.FAILED, "cause": Cause.POISONED, "error": error, "finished_at": now()}
    else:
        values = {
            "state": State.QUEUED,
            "queued_at": now(),
            "worker_id": None,
            "child_pid": None,
            "deadline_at": None,
            "started_at": None,
        }
    lost = (
        update(Render)
        .where(Render.id == render.id, Render.state == State.RUNNING, Render.attempt == render.attempt)
        .values(losses=losses, **values)
    )
    won = _ended(session, render.id, lost) if values["state"] in ENDED else _won(session, lost)
    return cast("State", values["state"]) if won else None


def _ended(session: Session, render_id: str, statement: Any) -> bool:
    """Write an end, and bring what waits for it up to date; False when the end was not won."""
    returning = statement.returning(Render.followed).execution_options(synchronize_session=False)
    followed = session.execute(returning).scalar_one_or_none()
    if followed:
        # Imported here, as it reads states and causes from this module.
        from shared import aftermath  # noqa: PLC0415

        aftermath.settle(session, render_id)
    return followed is not None


def _won(session: Session, statement: Any) -> bool:
    result = cast("CursorResult[Any]", session.execute(statement.execution_options(synchronize_session=False)))
    return result.rowcount == 1
