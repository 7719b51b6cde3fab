"""How deep the queues are: what waits and runs in each, how much of it ends in a minute, and how it was lately.

Counted are the rows, not the broker's messages: those only ring, and a child that stands by needs none.

==================  =====================================================  ==========================
queue               waits                                                  runs
==================  =====================================================  ==========================
of `RENDER_QUEUES`  a render; in ``render.bulk`` also a certificate        what a child has claimed
``thumbnail``       a thumbnail, a comparison                              what a thread has claimed
``print``           a document that its printer has not got yet            one that its printer has
``maintenance``     a batch with nobody to hand out its items              a duty that takes long
==================  =====================================================  ==========================

What waits for a print agent is in no queue, and neither is what waits for its render.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, delete, func, insert, literal, literal_column, null, select, union_all
from sqlalchemy.exc import IntegrityError

from shared import batches, duties, liveness
from shared.database import now
from shared.errands import Kind
from shared.models import Batch, Certificate, Comparison, Duty, PrintTask, QueueSample, Render, Thumbnail
from shared.print_tasks import ACTIVE, Status
from shared.print_tasks import ENDED as PRINTED
from shared.queues import ERRAND_QUEUES, QUEUES
from shared.renders import State

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement

    from shared.database import Database

SAMPLES_KEPT_SECONDS = 24 * 3600
MINUTE = 60
# Where more ended within a minute, the rate is that of the last ones.
MOST_RENDERS = 2000
MOST_OF_WORK = 300
SHORTEST_SECONDS = 0.001
WORK: tuple[tuple[Kind, type[Thumbnail | Comparison | Certificate]], ...] = (
    (Kind.THUMBNAIL, Thumbnail),
    (Kind.COMPARISON, Comparison),
    (Kind.CERTIFICATE, Certificate),
)
UNDER_WAY = (State.QUEUED, State.RUNNING)
WAITING = (State.QUEUED, Status.PENDING)


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep a queue is.

    Attributes:
        waiting: How much waits, also what was put off.
        running: How much is being done.
        oldest_seconds: For how long the first of what is due has waited; None: nothing is due.
    """

    waiting: int = 0
    running: int = 0
    oldest_seconds: float | None = None


def depths(session: Session, *, at: dt.datetime, dead_after: float) -> dict[str, Depth]:
    """Count what waits and runs in each queue, in one question of indexes.

    Args:
        session: A transaction.
        at: The database's time.
        dead_after: Silence after which a worker counts as dead, seconds.
    """
    waiting: Counter[str] = Counter()
    running: Counter[str] = Counter()
    oldest: dict[str, dt.datetime] = {}
    for queue, state, count, since in session.execute(_under_way(dead_after)):
        if state not in WAITING:
            running[queue] += count
            continue
        waiting[queue] += count
        # One that is put off waits since a time that has yet to come.
        if since is not None and since <= at:
            oldest[queue] = min(since, oldest.get(queue, since))
    ages = {queue: (at - since).total_seconds() for queue, since in oldest.items()}
    return {queue: Depth(waiting[queue], running[queue], ages.get(queue)) for queue in QUEUES}


def per_minute(session: Session, *, at: dt.datetime) -> dict[str, int]:
    """Say how much ended in each queue within the last minute; where that is much, as many as it will be at this rate.

    Args:
        session: A transaction.
        at: The database's time.
    """
    parts = _ended_lately()
    found: list[list[tuple[str, int, dt.datetime]]] = [[] for _ in parts]
    asked = union_all(*(part.add_columns(literal(place)) for place, (part, _) in enumerate(parts)))
    for queue, count, first, place in session.execute(asked):
        found[place].append((queue, count, first))
    rates: Counter[str] = Counter()
    for (_, most), rows in zip(parts, found, strict=True):
        seconds: float = MINUTE
        if sum(count for _, count, _ in rows) >= most:
            seconds = max((at - min(first for _, _, first in rows)).total_seconds(), SHORTEST_SECONDS)
        for queue, count, _ in rows:
            rates[queue] += round(count * MINUTE / seconds)
    return {queue: rates[queue] for queue in QUEUES}


def sample(database: Database, *, dead_after: float) -> bool:
    """Note how deep the queues are, unless somebody did in this minute, and forget what is a day old.

    Args:
        database: Where to.
        dead_after: As for `depths`.

    Returns:
        Whether it was noted here.
    """
    with database.reading() as session:
        at = session.scalars(select(now())).one()
        minute = at.replace(second=0, microsecond=0)
        if session.scalar(select(QueueSample.at).where(QueueSample.at == minute).limit(1)) is not None:
            return False
        found = depths(session, at=at, dead_after=dead_after)
    rows = [
        {"at": minute, "queue": queue, "waiting": depth.waiting, "oldest_seconds": depth.oldest_seconds}
        for queue, depth in found.items()
    ]
    try:
        with database.writing() as session:
            session.execute(insert(QueueSample), rows)
            old = delete(QueueSample).where(QueueSample.at < now(-SAMPLES_KEPT_SECONDS))
            session.execute(old.execution_options(synchronize_session=False))
    except IntegrityError:
        # Another one was quicker.
        return False
    return True


def samples(session: Session, *, seconds: float) -> Mapping[str, Sequence[tuple[dt.datetime, int]]]:
    """Return how much waited in each queue, one value for each of the last minutes in which somebody counted.

    Args:
        session: A transaction.
        seconds: How far to look back.
    """
    noted = select(QueueSample.queue, QueueSample.at, QueueSample.waiting)
    noted = noted.where(QueueSample.at > now(-seconds), QueueSample.at <= now()).order_by(QueueSample.at)
    found: dict[str, list[tuple[dt.datetime, int]]] = {queue: [] for queue in QUEUES}
    for queue, at, waiting in session.execute(noted):
        found.setdefault(queue, []).append((at, waiting))
    return found


def _under_way(dead_after: float) -> Any:
    """Shape the question for what waits or runs: queue, state, how much, and since when the first waits."""
    renders = _counted(Render.queue, Render.state, func.min(Render.queued_at)).group_by(Render.state, Render.queue)
    work = (
        _counted(_queue(kind), model.state, func.min(model.queued_at))
        .where(model.state.in_(UNDER_WAY))
        .group_by(model.state)
        for kind, model in WORK
    )
    # Only of what the farm prints itself a step is ever due.
    due = case((PrintTask.due_at <= now(), PrintTask.created_at))
    printing = _counted(_queue(Kind.PRINT), PrintTask.status, func.min(due)).group_by(PrintTask.status)
    at_work = and_(Duty.lease_until > now(), Duty.holder.in_(liveness.ids_alive(dead_after=dead_after)))
    looked_after = select(Duty.name).where(Duty.name == duties.BATCHES, at_work).exists()
    waits = (Batch.settled_at.is_(None), Batch.state == batches.State.RUNNING, ~looked_after)
    return union_all(
        renders.where(Render.state.in_(UNDER_WAY)),
        *work,
        printing.where(PrintTask.status.in_(ACTIVE), PrintTask.due_at.is_not(None)),
        _counted(_queue(Kind.BATCH), literal(State.QUEUED.value), func.min(Batch.created_at)).where(*waits),
        _counted(_queue(Kind.BATCH), literal(State.RUNNING.value), null()).where(at_work),
    )


def _counted(queue: Any, state: Any, since: Any) -> Select[Any]:
    return select(queue.label("queue"), state.label("state"), func.count().label("count"), since.label("since"))


@functools.cache
def _ended_lately() -> list[tuple[Select[Any], int]]:
    """Shape the questions for what ended, and say how many of its rows each looks at, at most.

    Each is for queue, how much, and when the first of it ended.
    """
    ended = _last(Render, Render.queue, Render.finished_at > now(-MINUTE), Render.finished_at, MOST_RENDERS)
    # Those that were queued last, as their indexes have it, are those that ended last, too.
    work = [
        _last(model, _queue(kind), model.state == state, model.queued_at, MOST_OF_WORK)
        for kind, model in WORK
        for state in (State.SUCCEEDED, State.FAILED)
    ]
    printed = [
        _last(PrintTask, _queue(Kind.PRINT), PrintTask.status == status, PrintTask.created_at, MOST_OF_WORK)
        for status in PRINTED
    ]
    return [ended, *work, *printed]


def _last(model: Any, queue: Any, condition: ColumnElement[bool], latest: Any, most: int) -> tuple[Select[Any], int]:
    rows = select(queue.label("queue"), model.finished_at.label("finished_at")).where(condition)
    last = rows.order_by(latest.desc()).limit(most).subquery()
    ended: Select[Any] = select(last.c.queue, func.count(), func.min(last.c.finished_at))
    return ended.where(last.c.finished_at > now(-MINUTE)).group_by(last.c.queue), most


def _queue(kind: Kind) -> ColumnElement[str]:
    return literal_column(f"'{ERRAND_QUEUES[kind]}'", type_=Render.queue.type)
