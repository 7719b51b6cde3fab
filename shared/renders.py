"""The life of a render: every change of its state is here, and nothing else writes ``state``.

::

    queued ──claim──▶ running ──succeed──▶ succeeded
      ▲  │               │ ├────fail────▶ failed
      │  └───cancel──▶ cancelled ◀─cancel─┤
      └──lose, give back─┘ └───poison───▶ failed  (lost too often)

`TRANSITIONS` is the whole of it. Each transition is one conditional UPDATE that tells whether it won. ``attempt`` is
the fencing token: it grows with each claim, and only the holder of the present attempt may end it, so a worker that was
paused while its work was given away changes nothing when it wakes up.
"""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import and_, bindparam, case, func, insert, null, or_, select, update
from sqlalchemy.orm import defer

from shared.database import changed, core, now, won
from shared.limits import OVERDUE_SECONDS
from shared.models import Render
from shared.render_keys import blob_key, transient_stem
from shared.render_values import (
    CALLERS_CAUSES,
    ENDED,
    Cause,
    Claimant,
    Claimed,
    Result,
    State,
    Submission,
    SubmittedRender,
    Wake,
)
from shared.retirement import retire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Table, Update
    from sqlalchemy.orm import Session

__all__ = [
    "CALLERS_CAUSES",
    "ENDED",
    "Cause",
    "Claimant",
    "Claimed",
    "Result",
    "State",
    "Submission",
    "SubmittedRender",
    "Wake",
]

# Attempts that ended through no fault of the render are kept, too, for whoever asks what became of it: the last few.
MOST_PUT_OFFS_KEPT = 10


# Made once: a statement that is put together anew for each render costs more than running it does.
_RENDERS = cast("Table", Render.__table__)
_SUBMIT_MANY = insert(_RENDERS)
_SUBMIT = _SUBMIT_MANY.returning(Render.submitted_at)
# For whoever asks how a render is doing: not its template and data, which may be large.
LIGHT = (defer(Render.content, raiseload=True), defer(Render.data, raiseload=True))


class Loss(enum.StrEnum):
    """Why an attempt came to nothing, so that its render was queued again."""

    WORKER = "worker"
    CRASH = "crash"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"
    STORAGE = "storage"
    DATABASE = "database"
    NEIGHBOUR = "neighbour"


# Nothing that the render did: it is tried again as often as it takes.
BLAMELESS = (Loss.SHUTDOWN, Loss.STORAGE, Loss.DATABASE, Loss.NEIGHBOUR)


@dataclass(frozen=True, slots=True)
class Transition:
    """One way from state to state.

    Attributes:
        name: What it is called here.
        before: The states that it leads from.
        after: The state that it leads to.
    """

    name: str
    before: tuple[State, ...]
    after: State


CLAIM = Transition("claim", (State.QUEUED,), State.RUNNING)
SUCCEED = Transition("succeed", (State.RUNNING,), State.SUCCEEDED)
FAIL = Transition("fail", (State.RUNNING,), State.FAILED)
CANCEL = Transition("cancel", (State.QUEUED, State.RUNNING), State.CANCELLED)
WITHDRAW = Transition("withdraw", (State.QUEUED,), State.CANCELLED)
LOSE = Transition("lose", (State.RUNNING,), State.QUEUED)
GIVE_BACK = Transition("give back", (State.RUNNING,), State.QUEUED)
POISON = Transition("poison", (State.RUNNING,), State.FAILED)
TRANSITIONS = (CLAIM, SUCCEED, FAIL, CANCEL, WITHDRAW, LOSE, GIVE_BACK, POISON)


_CLAIMED = tuple(_RENDERS.c[field.name] for field in fields(Claimed))


def submit(transaction: Session | Connection, submission: Submission) -> SubmittedRender:
    """Write the row that the farm's promise rests on; publish its message only after the commit.

    Raises:
        IntegrityError: The template's version is gone.
    """
    submitted_at = core(transaction).scalar(_SUBMIT, _row(submission))
    return SubmittedRender(
        id=submission.render_id,
        trace_id=submission.trace_id,
        queue=submission.queue,
        template_version_id=submission.template_version_id,
        recipe=submission.recipe,
        data=submission.data,
        data_key=submission.data_key,
        timeout=submission.timeout,
        submitted_at=cast("dt.datetime", submitted_at),
    )


def submit_many(connection: Connection, submissions: Sequence[Submission], *, at: dt.datetime) -> None:
    """Write many rows at once, as `submit` does one; they wait in their order.

    Args:
        connection: A writing transaction.
        submissions: What is submitted.
        at: The database's time.

    Raises:
        IntegrityError: A template's version is gone, or a batch has one of them already.
    """
    times = ({"submitted_at": at, "queued_at": at + dt.timedelta(microseconds=place)} for place in itertools.count())
    connection.execute(_SUBMIT_MANY, [_row(one) | two for one, two in zip(submissions, times, strict=False)])


def _row(submission: Submission) -> dict[str, Any]:
    return {
        "id": submission.render_id,
        "trace_id": submission.trace_id,
        "state": State.QUEUED.value,
        "queue": submission.queue,
        "template_version_id": submission.template_version_id,
        "content": submission.content,
        "engine": submission.engine,
        "recipe": submission.recipe,
        "data": submission.data,
        "data_key": submission.data_key,
        "timeout": submission.timeout,
        "blob_stem": submission.blob_stem,
        "kept": submission.kept,
        "followed": submission.followed,
        "source": submission.source,
        "created_by": submission.created_by,
        "batch_id": submission.batch_id,
        "batch_index": submission.batch_index,
        "attempt": 0,
        "losses": [],
    }


def wake_of(render: Render | SubmittedRender | Claimed) -> Wake:
    """Shape the message that announces a queued render."""
    return Wake(render.id, render.queue, render.trace_id, render.timeout)


def claim_next(session: Session, queues: Sequence[str], claimant: Claimant) -> Claimed | None:
    """Take the render that has waited longest in the first of these queues in which one waits.

    Args:
        session: A writing transaction.
        queues: Where to look, the most urgent queue first.
        claimant: Who takes it.
    """
    for queue in queues:
        found = claimed(session, _CLAIM_NEXT, claimant, most=1, its_queue=queue)
        if found:
            return found[0]
    return None


def claim_alike(session: Session, first: Claimed, claimant: Claimant, *, most: int, sharers: int) -> list[Claimed]:
    """Take renders of the same template's version and recipe that wait in the same queue and were never tried before.

    Args:
        session: A writing transaction.
        first: What they are to be alike to.
        claimant: Who takes them.
        most: How many at most.
        sharers: How many children share what waits: no more than one's share is taken.
    """
    alike = {"its_queue": first.queue, "its_version": first.template_version_id, "its_recipe": first.recipe}
    some = core(session).scalar(_COUNT_ALIKE, {**alike, "some": most * sharers})
    share = -(-(some or 0) // sharers)
    if not share:
        return []
    return claimed(session, _CLAIM_ALIKE, claimant, most=min(share, most), **alike)


def claiming(*conditions: ColumnElement[bool]) -> Any:
    """Shape the statement with which `claimed` takes renders that wait, and for which all of these hold.

    A statement is shaped once and run often: putting it together costs more than running it does.
    """
    # Where rows can be locked, one that another is just taking is passed over, not waited for.
    waiting = (
        select(_RENDERS.c.id)
        .where(*conditions, _is_in(CLAIM.before), _is_due())
        .order_by(_RENDERS.c.queued_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        # PostgreSQL may run a subquery more than once, and lock other rows each time; this it does not.
        .cte("waiting")
    )
    return (
        update(_RENDERS)
        .where(_RENDERS.c.id.in_(select(waiting.c.id)), _is_in(CLAIM.before))
        .values(
            state=CLAIM.after.value,
            worker_id=bindparam("claimer"),
            child_pid=bindparam("child"),
            attempt=_RENDERS.c.attempt + 1,
            started_at=now(),
            deadline_at=now(_RENDERS.c.timeout + bindparam("grace") + OVERDUE_SECONDS),
        )
        .returning(*_CLAIMED)
    )


def claimed(session: Session, statement: Any, claimant: Claimant, *, most: int, **values: Any) -> list[Claimed]:
    """Take renders, and return them in the order in which they waited.

    Args:
        session: A writing transaction.
        statement: As of `claiming`.
        claimant: Who takes them.
        most: How many at most.
        values: What the statement's conditions ask for.
    """
    who = {"claimer": claimant.worker_id, "child": claimant.child_pid, "grace": claimant.grace}
    rows = core(session).execute(statement, {**who, "most": most, **values})
    taken = [Claimed(**row._mapping) for row in rows]  # noqa: SLF001  # Its public name.
    return sorted(taken, key=lambda one: (one.queued_at, one.id))


def _is_due() -> ColumnElement[bool]:
    """One that was put off is not taken before its time, whoever comes for it."""
    return or_(_RENDERS.c.attempt == 0, _RENDERS.c.queued_at <= now())


def _is_in(states: Sequence[State]) -> ColumnElement[bool]:
    # Not "IN (...)", whose list SQLAlchemy writes out anew each time.
    return or_(*(_RENDERS.c.state == state.value for state in states))


_ALIKE = (
    _RENDERS.c.queue == bindparam("its_queue"),
    _RENDERS.c.template_version_id == bindparam("its_version"),
    _RENDERS.c.recipe == bindparam("its_recipe"),
    _RENDERS.c.content.is_(None),
    # One that was lost may be lost again, and its neighbours with it.
    _RENDERS.c.attempt == 0,
)
_CLAIM_NEXT = claiming(_RENDERS.c.queue == bindparam("its_queue"))
_CLAIM_ALIKE = claiming(*_ALIKE)
_COUNT_ALIKE = select(func.count()).select_from(
    select(_RENDERS.c.id).where(_is_in(CLAIM.before), *_ALIKE).limit(bindparam("some")).subquery()
)


def succeed(session: Session, render_id: str, *, attempt: int, result: Result) -> bool:
    """End an attempt well; False when the attempt is no longer the render's, and the result must be thrown away."""
    has_won = _end(
        session,
        SUCCEED,
        render_id,
        attempt,
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
    if has_won and attempt > 1:
        # What a killed attempt was about to store may arrive at any time.
        stem = session.scalar(select(Render.blob_stem).where(Render.id == render_id)) or ""
        earlier = range(1, attempt)
        retire(session, (blob_key(stem, attempt=one, extension=result.extension) for one in earlier))
    return has_won


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
        FAIL,
        render_id,
        attempt,
        cause=cause,
        # PostgreSQL can store neither NUL nor half a character, and an engine's message may quote the document.
        error=error.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode(),
        error_line=line,
        timings=dict(timings or {}),
    )


def _ending(transition: Transition) -> Any:
    """Shape the statement that ends the attempt which holds a render."""
    return (
        update(_RENDERS)
        .where(
            _RENDERS.c.id == bindparam("its_id"),
            _is_in(transition.before),
            _RENDERS.c.attempt == bindparam("its_attempt"),
        )
        .values(state=transition.after.value, finished_at=now())
        .returning(_RENDERS.c.followed)
    )


_ENDINGS = {transition.name: _ending(transition) for transition in (SUCCEED, FAIL)}


def _end(session: Session, transition: Transition, render_id: str, attempt: int, **values: Any) -> bool:
    whose = {"its_id": render_id, "its_attempt": attempt}
    followed = core(session).execute(_ENDINGS[transition.name], whose | values).scalar_one_or_none()
    if followed is not None:
        _settle(session, render_id, followed=followed)
        return True
    # Whoever did not hear whether the commit came through asks again, and is told what became of it.
    so_ended = select(Render.attempt).where(Render.id == render_id, Render.state == transition.after)
    return session.scalar(so_ended) == attempt


def too_long(render: Render | Claimed) -> str:
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
    statement = _move(WITHDRAW if only_queued else CANCEL, render_id)
    return _ended(session, render_id, statement.values(finished_at=now(), error=error))


def cancel_some(session: Session, batch_id: str, *, limit: int) -> int:
    """End renders of a batch that nobody wants any more, and return how many.

    Args:
        session: A writing transaction.
        batch_id: The batch, for whose renders' ends no row waits.
        limit: How many at most.
    """
    some = select(Render.id).where(Render.batch_id == batch_id, Render.state.in_(CANCEL.before)).limit(limit)
    statement = update(Render).where(Render.id.in_(some), Render.state.in_(CANCEL.before))
    return changed(session, statement.values(state=CANCEL.after, finished_at=now()))


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


def held_by_child(session: Session, claimant: Claimant) -> list[Claimed]:
    """Return what a worker's child has claimed and not ended, in the order in which it waited."""
    held = select(*_CLAIMED).where(Render.state == State.RUNNING, Render.worker_id == claimant.worker_id)
    rows = session.execute(held.where(Render.child_pid == claimant.child_pid).order_by(Render.queued_at, Render.id))
    return [Claimed(**row._mapping) for row in rows]  # noqa: SLF001  # Its public name.


def held_by(session: Session, *, worker_id: str) -> Sequence[Render]:
    """Return what a worker has claimed and not ended."""
    held = select(Render).where(Render.state == State.RUNNING, Render.worker_id == worker_id)
    return session.scalars(held.options(*LIGHT)).all()


def lose(
    session: Session, render: Render | Claimed, *, reason: str, max_losses: int, cause: Loss = Loss.WORKER
) -> State | None:
    """Queue a render again whose attempt died with its worker or child; fail it when that happened too often.

    Args:
        session: A writing transaction.
        render: The running render, as it was read.
        reason: What became of the attempt, for the person who asks why.
        max_losses: Lost attempts after which it fails as ``poisoned``.
        cause: The same in one word.

    Returns:
        The new state; None when the attempt ended before.
    """
    losses = _with_loss(render, cause, reason)
    counted = sum(one.get("cause") not in BLAMELESS for one in losses)
    if counted < max_losses:
        return State.QUEUED if _requeue(session, LOSE, render, losses) else None
    error = f"Given up after {counted} attempts that came to nothing, the last one because of this: {reason}"
    poisoned = _move(POISON, render.id, attempt=render.attempt).values(
        losses=losses, cause=Cause.POISONED, error=error, finished_at=now()
    )
    return State.FAILED if _ended(session, render.id, poisoned) else None


def give_back(
    session: Session, render: Render | Claimed, *, reason: str, cause: Loss, seconds: float | None = 0
) -> bool:
    """Queue a render again whose attempt cannot go on through no fault of its own; False when it ended before.

    Args:
        session: A writing transaction.
        render: The running render, as it was read.
        reason: Why, for the person who asks.
        cause: The same in one word: one of `BLAMELESS`, or a time limit that struck while a server was waited for.
        seconds: How long nobody is to take it; None: it keeps its place in the queue.
    """
    return _requeue(session, GIVE_BACK, render, _with_loss(render, cause, reason), seconds)


def _with_loss(render: Render | Claimed, cause: Loss, reason: str) -> list[dict[str, Any]]:
    """Return the lost attempts of a render with one more, of those that nobody is to blame for only the last few."""
    loss = {
        "attempt": render.attempt,
        "workerId": render.worker_id,
        "cause": str(cause),
        "reason": reason,
        "at": dt.datetime.now(dt.UTC).isoformat(),
    }
    losses: list[dict[str, Any]] = [*render.losses, loss]
    blameless = [one for one in losses if one.get("cause") in BLAMELESS]
    forgotten = blameless[:-MOST_PUT_OFFS_KEPT]
    return [one for one in losses if one not in forgotten]


def _requeue(
    session: Session,
    transition: Transition,
    render: Render | Claimed,
    losses: list[dict[str, Any]],
    seconds: float | None = 0,
) -> bool:
    statement = _move(transition, render.id, attempt=render.attempt).values(
        losses=losses, worker_id=None, child_pid=None, deadline_at=None, started_at=None
    )
    if seconds is not None:
        statement = statement.values(queued_at=now(seconds))
    return won(session, statement)


def _move(transition: Transition, render_id: str, *, attempt: int | None = None) -> Update:
    """Begin the UPDATE of a transition, which changes only a render that is where the transition leads from."""
    statement = update(Render).where(Render.id == render_id, Render.state.in_(transition.before))
    if attempt is not None:
        statement = statement.where(Render.attempt == attempt)
    return statement.values(state=transition.after)


def _ended(session: Session, render_id: str, statement: Any) -> bool:
    """Write an end, and bring what waits for it up to date; False when the end was not won."""
    returning = statement.returning(Render.followed).execution_options(synchronize_session=False)
    followed = session.execute(returning).scalar_one_or_none()
    if followed is not None:
        _settle(session, render_id, followed=followed)
    return followed is not None


def _settle(session: Session, render_id: str, *, followed: bool) -> None:
    if followed:
        # Imported here, as it reads states and causes from this module.
        from shared import aftermath  # noqa: PLC0415

        aftermath.settle(session, render_id)
