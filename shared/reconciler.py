"""The reconciler: what a lost message, a killed worker or a forgotten publish left behind is set going again.

Every step is idempotent and each change of state conditional, so two reconcilers at once do no harm.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from shared import liveness, renders, unattended
from shared.database import DATABASE_AWAY
from shared.models import Render
from shared.standby import ENOUGH_MESSAGES
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.database import Database
    from shared.renders import Wake
    from shared.settings import Settings

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one look found and did."""

    requeued: int
    poisoned: int
    republished: int


NOTHING = Reconciled(0, 0, 0)


def reconcile(
    database: Database,
    settings: Settings,
    *,
    waiting: Callable[[str], int],
    publish: Callable[[Wake], bool],
    judge_workers: bool = True,
) -> Reconciled:
    """Queue lost renders again, and announce queued ones that no message announces.

    Args:
        database: Where the renders are.
        settings: The limits.
        waiting: Counts the messages that wait in a queue.
        publish: Announces a render, and says whether the broker took it.
        judge_workers: Whether silent workers count as dead. Not after an outage of the database: then all were silent.
    """
    requeued: list[Wake] = []
    poisoned = 0
    with database.reading() as session:
        lost = unattended.lost(session, dead_after=settings.worker_dead_after if judge_workers else None)
    for render in lost:
        state = _give_back(database, settings, render)
        if state is renders.State.QUEUED:
            requeued.append(renders.wake_of(render))
        poisoned += state is renders.State.FAILED
    with database.writing() as session:
        liveness.forget_the_dead(session)
    _publish(requeued, publish)
    return Reconciled(len(requeued), poisoned, _republish(database, settings, waiting=waiting, publish=publish))


def _give_back(database: Database, settings: Settings, render: Render) -> renders.State | None:
    """Write down that a render's attempt is lost; each in a transaction of its own, so that none keeps the others."""
    reason = f"worker {render.worker_id} fell silent or was overdue in attempt {render.attempt}"
    try:
        with database.writing() as session:
            # Whoever was stopped in the middle of writing its end holds the row, and must not keep the others waiting.
            free = select(Render.id).where(Render.id == render.id).with_for_update(skip_locked=True)
            if session.scalar(free) is None:
                return None
            return renders.lose(session, render, reason=reason, max_losses=settings.max_losses)
    except DATABASE_AWAY:
        raise
    except Exception:
        # What waits for its end could not be brought up to date. The next look tries again.
        log.exception("lost render not given back", render_id=render.id, trace_id=render.trace_id)
        return None


def _republish(
    database: Database,
    settings: Settings,
    *,
    waiting: Callable[[str], int],
    publish: Callable[[Wake], bool],
) -> int:
    # Which message was lost cannot be told, but how many are missing can: more renders wait than messages do, and fewer
    # messages than are ever sent. The oldest are announced again; a child that is sent for in vain finds nothing.
    wakes: list[Wake] = []
    with database.reading() as session:
        for queue, count in unattended.queued_counts(session).items():
            missing = min(count, ENOUGH_MESSAGES) - waiting(queue)
            if missing > 0:
                oldest = unattended.oldest_queued(session, queue, older_than=settings.republish_after, limit=missing)
                wakes.extend(renders.wake_of(render) for render in oldest)
    return _publish(wakes, publish)


def _publish(wakes: Iterable[Wake], publish: Callable[[Wake], bool]) -> int:
    """Publish until the broker refuses, and return how many it took; the rest is found by the next look."""
    return sum(1 for _ in itertools.takewhile(publish, wakes))
