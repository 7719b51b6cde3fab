"""Work that a worker takes for a limited time: thumbnails, comparisons, certificates. Their ``state`` is written here.

::

    queued ──claim──▶ running ──succeed──▶ succeeded ──again──▶ queued
      ▲                  │ └────fail────▶ failed ─────again──▶ queued
      └─give_back, put_off┘  (failed, when it was lost too often)

Each transition is one conditional UPDATE that tells whether it won; ``attempt`` is the fencing token. Unlike a render,
such work has a bound that the worker itself keeps, so an attempt whose lease is over is lost, whoever had it; and
before that, one whose worker gives no sign of life any more.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import and_, select, update

from shared import liveness
from shared.database import changed, now, won
from shared.models import Certificate, Comparison, Thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Update
    from sqlalchemy.orm import InstrumentedAttribute, Session
    from sqlalchemy.sql.elements import ColumnElement

# Attempts that ended with their worker's death, or were never heard of again, before no other is made.
MOST_LOSSES = 3

Work = TypeVar("Work", bound=Thumbnail | Comparison | Certificate)


class State(enum.StrEnum):
    """Where the work is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


def claim(session: Session, model: type[Work], key: str, *, worker_id: str, seconds: float) -> Work | None:
    """Take queued work, or return None when somebody else has it, it is done, or it is gone.

    Args:
        session: A writing transaction.
        model: The kind of work.
        key: Its primary key.
        worker_id: Who takes it.
        seconds: For how long nobody else will take it.
    """
    statement = (
        update(model)
        .where(_key(model) == key, model.state == State.QUEUED)
        .values(state=State.RUNNING, attempt=model.attempt + 1, worker_id=worker_id, lease_until=now(seconds))
        .returning(model)
        .execution_options(synchronize_session=False)
    )
    return session.execute(statement).scalar_one_or_none()


def succeed(session: Session, model: type[Work], key: str, *, attempt: int, **values: Any) -> bool:
    """End an attempt well; False when it is no longer the work's, and its result must be thrown away."""
    return _end(session, model, key, attempt, state=State.SUCCEEDED, error=None, **values)


def fail(session: Session, model: type[Work], key: str, *, attempt: int, error: str) -> bool:
    """End an attempt badly, for a reason that another would not cure; False when it is no longer the work's."""
    return _end(session, model, key, attempt, state=State.FAILED, error=error)


def put_off(session: Session, model: type[Work], key: str, *, attempt: int, seconds: float) -> bool:
    """Queue work again that a part of the farm was away for; False when it is no longer the attempt's.

    Args:
        session: A writing transaction.
        model: The kind of work.
        key: Its primary key.
        attempt: Which attempt could not go on.
        seconds: For how long nobody is called for it.
    """
    put_off = _held(model, key, attempt).values(
        state=State.QUEUED, queued_at=now(seconds), lease_until=None, put_offs=model.put_offs + 1
    )
    return won(session, put_off)


def again(session: Session, model: type[Work], key: str) -> bool:
    """Queue work again that has ended; False when it has not."""
    statement = (
        update(model)
        .where(_key(model) == key, model.state.in_((State.SUCCEEDED, State.FAILED)))
        .values(state=State.QUEUED, queued_at=now(), finished_at=None, error=None, losses=0, put_offs=0)
    )
    return won(session, statement)


def is_lost(session: Session, model: type[Work], *, dead_after: float | None) -> bool:
    """Say whether there is work that was lost, as for `give_back`."""
    return session.scalar(select(_key(model)).where(_lost(model, dead_after)).limit(1)) is not None


def give_back(
    session: Session,
    model: type[Work],
    *,
    dead_after: float | None,
    error: str,
    most_losses: int = MOST_LOSSES,
    **values: Any,
) -> int:
    """Queue the work again that was lost; fail it when that happened too often. Return how many there were.

    Args:
        session: A writing transaction.
        model: The kind of work.
        dead_after: Seconds of silence after which a worker counts as dead; None: no worker is judged now.
        error: What to say of work that no attempt lived to finish.
        most_losses: Lost attempts before no other is made.
        values: Other columns of work that no other attempt is made at.
    """
    lost = _lost(model, dead_after)
    counted = update(model).where(lost).values(losses=model.losses + 1, lease_until=None)
    failed = counted.where(model.losses + 1 >= most_losses)
    failed = failed.values(state=State.FAILED, finished_at=now(), error=error, **values)
    queued = counted.values(state=State.QUEUED, queued_at=now())
    return changed(session, failed) + changed(session, queued)


def waiting(session: Session, model: type[Work], *, older_than: float, limit: int) -> Sequence[tuple[str, str]]:
    """Return key and trace of the work that has waited longest for its message.

    Args:
        session: A transaction.
        model: The kind of work.
        older_than: Seconds since it was queued.
        limit: How many at most.
    """
    rows = session.execute(
        select(_key(model), model.trace_id)
        .where(model.state == State.QUEUED, model.queued_at < now(-older_than))
        .order_by(model.queued_at)
        .limit(limit)
    )
    return [(key, trace_id) for key, trace_id in rows]


def _end(session: Session, model: type[Work], key: str, attempt: int, *, state: State, **values: Any) -> bool:
    ended = _held(model, key, attempt).values(state=state, finished_at=now(), lease_until=None, **values)
    if won(session, ended):
        return True
    # Whoever did not hear whether the commit came through asks again, and is told what became of it.
    return session.scalar(select(model.attempt).where(_key(model) == key, model.state == state)) == attempt


def _held(model: type[Work], key: str, attempt: int) -> Update:
    """Begin an UPDATE of work that an attempt has, unless it was given to another."""
    return update(model).where(_key(model) == key, model.state == State.RUNNING, model.attempt == attempt)


def _lost(model: type[Work], dead_after: float | None) -> ColumnElement[bool]:
    is_lost = model.lease_until < now()
    if dead_after is not None:
        alive = liveness.ids_alive(dead_after=dead_after)
        is_lost |= and_(model.worker_id.is_not(None), model.worker_id.not_in(alive))
    return and_(model.state == State.RUNNING, is_lost)


def _key(model: type[Work]) -> InstrumentedAttribute[str]:
    return cast("InstrumentedAttribute[str]", getattr(model, model.__mapper__.primary_key[0].name))
