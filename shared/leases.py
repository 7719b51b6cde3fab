"""Work that a worker takes for a limited time: thumbnails and comparisons. Nothing else writes their ``state``.

::

    queued ──claim──▶ running ──succeed──▶ succeeded ──again──▶ queued
      ▲                  │ └────fail────▶ failed ─────again──▶ queued
      └───give_back──────┘  (failed, when it was given back too often)

Each transition is one conditional UPDATE that tells whether it won; ``attempt`` is the fencing token. Unlike a render,
such work has a bound that the worker itself keeps, so an attempt whose lease is over is lost, whoever had it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import CursorResult, and_, select, update

from shared.database import now
from shared.models import Comparison, Thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import InstrumentedAttribute, Session
    from sqlalchemy.sql.elements import ColumnElement

# After so many attempts that ended with their worker's death, or were never heard of again.
MOST_ATTEMPTS = 3

Work = TypeVar("Work", bound=Thumbnail | Comparison)


class State(enum.StrEnum):
    """Where the work is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


def claim(session: Session, model: type[Work], key: str, *, seconds: float) -> Work | None:
    """Take queued work, or return None when somebody else has it, it is done, or it is gone.

    Args:
        session: A writing transaction.
        model: The kind of work.
        key: Its primary key.
        seconds: For how long nobody else will take it.
    """
    statement = (
        update(model)
        .where(_key(model) == key, model.state == State.QUEUED)
        .values(state=State.RUNNING, attempt=model.attempt + 1, lease_until=now(seconds))
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


def again(session: Session, model: type[Work], key: str) -> bool:
    """Queue work again that has ended; False when it has not."""
    statement = (
        update(model)
        .where(_key(model) == key, model.state.in_((State.SUCCEEDED, State.FAILED)))
        .values(state=State.QUEUED, queued_at=now(), finished_at=None, error=None)
    )
    return _won(session, statement)


def is_over(session: Session, model: type[Work]) -> bool:
    """Say whether there is work whose lease is over."""
    return session.scalar(select(_key(model)).where(_over(model)).limit(1)) is not None


def give_back(session: Session, model: type[Work], *, error: str) -> int:
    """Queue the work again whose lease is over; fail it when that happened too often. Return how many there were.

    Args:
        session: A writing transaction.
        model: The kind of work.
        error: What to say of work that no attempt lived to finish.
    """
    over = _over(model)
    failed = update(model).where(over, model.attempt % MOST_ATTEMPTS == 0)
    failed = failed.values(state=State.FAILED, finished_at=now(), lease_until=None, error=error)
    queued = update(model).where(over).values(state=State.QUEUED, queued_at=now(), lease_until=None)
    return _count(session, failed) + _count(session, queued)


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


def _end(session: Session, model: type[Work], key: str, attempt: int, **values: Any) -> bool:
    statement = update(model).where(_key(model) == key, model.state == State.RUNNING, model.attempt == attempt)
    return _won(session, statement.values(finished_at=now(), lease_until=None, **values))


def _over(model: type[Work]) -> ColumnElement[bool]:
    return and_(model.state == State.RUNNING, model.lease_until < now())


def _key(model: type[Work]) -> InstrumentedAttribute[str]:
    return cast("InstrumentedAttribute[str]", getattr(model, model.__mapper__.primary_key[0].name))


def _won(session: Session, statement: Any) -> bool:
    return _count(session, statement) == 1


def _count(session: Session, statement: Any) -> int:
    result = cast("CursorResult[Any]", session.execute(statement.execution_options(synchronize_session=False)))
    return result.rowcount
