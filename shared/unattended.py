"""Renders that nobody attends to: lost by their workers, waiting without a message, kept by nobody, not settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from shared import liveness
from shared.database import now
from shared.models import HistoryRecord, Render
from shared.record_status import Status
from shared.renders import ENDED, LIGHT, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def lost(session: Session, *, dead_after: float | None) -> Sequence[Render]:
    """Return the running renders whose worker has been silent too long or is gone, and the overdue ones.

    Args:
        session: A transaction.
        dead_after: Seconds of silence after which a worker counts as dead; None: no worker is judged now.
    """
    is_lost = Render.deadline_at < now()
    if dead_after is not None:
        is_lost |= Render.worker_id.not_in(liveness.ids_alive(dead_after=dead_after))
    return session.scalars(select(Render).where(Render.state == State.RUNNING, is_lost).options(*LIGHT)).all()


def queued_counts(session: Session) -> dict[str, int]:
    """Count the renders that wait in each queue, and are not put off."""
    waiting = (Render.state == State.QUEUED, Render.queued_at <= now())
    statement = select(Render.queue, func.count()).where(*waiting).group_by(Render.queue)
    return dict(session.execute(statement).all())


def oldest_queued(session: Session, queue: str, *, older_than: float, limit: int) -> Sequence[Render]:
    """Return the renders that have waited longest in a queue."""
    return session.scalars(
        select(Render)
        .where(Render.state == State.QUEUED, Render.queue == queue, Render.queued_at < now(-older_than))
        .order_by(Render.queued_at)
        .limit(limit)
        .options(*LIGHT)
    ).all()


def unkept(session: Session, *, older_than: float, limit: int, offset: int = 0) -> Sequence[Render]:
    """Return ended renders of which nothing is kept: the results of synchronous requests without ``save``."""
    return session.scalars(
        select(Render)
        # Only what has ended has a finish. Were its state asked for as well, or its id in the order, or ``kept = 0``,
        # which SQLAlchemy makes of ``~Render.kept``, SQLite would pass over the index of the unkept.
        .where(text("NOT renders.kept"), Render.finished_at < now(-older_than))
        .order_by(Render.finished_at)
        .limit(limit)
        .offset(offset)
        .options(*LIGHT)
    ).all()


def unsettled(session: Session, *, limit: int) -> Sequence[str]:
    """Return ended renders whose record does not know it: a worker of a release without records wrote the end.

    Args:
        session: A transaction.
        limit: Of how many records at most, those first that wait longest.
    """
    # Only records whose render goes on have this status. Their answer is not asked for: it is behind the payload, which
    # SQLite would have to read first.
    waiting = (
        select(HistoryRecord.render_id)
        .where(HistoryRecord.status == Status.UNKNOWN)
        .order_by(HistoryRecord.created_at, HistoryRecord.id)
        .limit(limit)
        .subquery()
    )
    return session.scalars(
        select(Render.id).join(waiting, waiting.c.render_id == Render.id).where(Render.state.in_(ENDED))
    ).all()
