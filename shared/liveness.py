"""Who is alive: workers' signs of life, and what the farm can do with those that are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from shared.database import now
from shared.models import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

WORKING = "ok"
FORGET_AFTER_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """What a worker says of itself.

    Attributes:
        id: Unique to this start of the worker: a restarted one is another.
        name: The Celery node name.
        pid: The parent's process id on its machine.
        queues: The queues it serves.
        children: How many renders it does at once.
        recipes: Each installed recipe with ``"ok"`` or the reason why it does not work there; empty where nothing
            is rendered.
        version: The release that it is of.
    """

    id: str
    name: str
    pid: int
    queues: Sequence[str]
    children: int
    recipes: Mapping[str, str]
    version: str | None = None


def sign(session: Session, identity: WorkerIdentity) -> None:
    """Renew a worker's sign of life."""
    renewed = session.execute(
        update(Worker)
        .where(Worker.id == identity.id)
        .values(seen_at=now())
        .returning(Worker.id)
        .execution_options(synchronize_session=False)
    )
    if renewed.scalar_one_or_none() is None:
        session.add(
            Worker(
                id=identity.id,
                name=identity.name,
                pid=identity.pid,
                queues=list(identity.queues),
                children=identity.children,
                recipes=dict(identity.recipes),
                version=identity.version,
            )
        )


def sign_off(session: Session, worker_id: str) -> None:
    """Remove a worker that ends in good order."""
    session.execute(delete(Worker).where(Worker.id == worker_id).execution_options(synchronize_session=False))


def alive(session: Session, *, dead_after: float) -> Sequence[Worker]:
    """Return the workers that gave a sign of life within ``dead_after`` seconds."""
    return session.scalars(select(Worker).where(Worker.seen_at >= now(-dead_after)).order_by(Worker.name)).all()


def ids_alive(*, dead_after: float) -> Select[str]:
    """Return the question for the ids of those workers, for use in another."""
    return select(Worker.id).where(Worker.seen_at >= now(-dead_after))


def forget_the_dead(session: Session) -> None:
    """Remove the rows of workers that are long gone."""
    session.execute(
        delete(Worker).where(Worker.seen_at < now(-FORGET_AFTER_SECONDS)).execution_options(synchronize_session=False)
    )


def recipes(workers: Sequence[Worker]) -> dict[str, str]:
    """Merge what workers say of their recipes: one works when it works everywhere, as any of them may take the work."""
    merged: dict[str, str] = {}
    for worker in workers:
        for name, state in worker.recipes.items():
            if merged.get(name, WORKING) == WORKING:
                merged[name] = str(state)
    return dict(sorted(merged.items()))
