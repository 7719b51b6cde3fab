"""The periodic duties' leases: of all the clocks that ring and all the workers that hear them, one acts at a time.

So beat may run on every node, and several workers may serve the queue that it rings in. Nothing is done twice if two
act after all: each duty is made of conditional changes. The lease only spares the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from shared import liveness
from shared.database import now, won
from shared.models import Duty

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.settings import Settings

BATCHES = "batches"
# Nobody works at one duty for longer; a holder that lives, and is longer at it, hangs.
LEASE_SECONDS = 3600
# Rung for every so many seconds, a duty is due again a little earlier: clocks do not ring to the millisecond.
EARLY = 0.5


def take(database: Database, settings: Settings, name: str, *, holder: str, interval: float, keep: bool) -> bool:
    """Take a duty's turn; False when somebody is at it, or was less than half its interval ago.

    Args:
        database: Where the leases are.
        settings: How long the silence of a worker is, and of a duty, that makes it count as gone.
        name: The duty.
        holder: The worker's id; it is not at this duty.
        interval: Seconds from one turn to the next.
        keep: Whether it may take long, and is kept until `release`, or until its holder is gone.
    """
    gone = settings.worker_dead_after
    alive = liveness.ids_alive(dead_after=gone)
    # One that the holder itself asks for again it could not release: the database was away.
    is_free = or_(
        Duty.lease_until.is_(None), Duty.lease_until < now(), Duty.holder == holder, Duty.holder.not_in(alive)
    )
    # Whatever kept this duty waiting kept the workers from signing, and some signed last well before it began.
    pause = max(gone - 2 * settings.heartbeat_interval, 1.5 * interval)
    statement = (
        update(Duty)
        .where(Duty.name == name, Duty.begun_at < now(-interval * EARLY), is_free)
        .values(
            holder=holder,
            begun_at=now(),
            lease_until=now(LEASE_SECONDS) if keep else None,
            resumed_at=case((Duty.begun_at < now(-pause), now()), else_=Duty.resumed_at),
        )
    )
    with database.writing() as session:
        if won(session, statement):
            return True
        if session.scalar(select(Duty.name).where(Duty.name == name)) is not None:
            return False
    return _take_first(database, name, holder=holder, keep=keep)


def release(database: Database, name: str, *, holder: str) -> None:
    """Say that a duty is done."""
    with database.writing() as session:
        won(session, update(Duty).where(Duty.name == name, Duty.holder == holder).values(lease_until=None))


def goes_on_since(session: Session, name: str, *, seconds: float) -> bool:
    """Say whether a duty has been done again and again for so long, without a pause."""
    resumed = select(Duty.name).where(Duty.name == name, Duty.resumed_at < now(-seconds))
    return session.scalar(resumed) is not None


def _take_first(database: Database, name: str, *, holder: str, keep: bool) -> bool:
    first = insert(Duty).values(
        name=name,
        holder=holder,
        begun_at=now(),
        # There was no pause: nothing was done before.
        resumed_at=now(-LEASE_SECONDS),
        lease_until=now(LEASE_SECONDS) if keep else None,
    )
    try:
        with database.writing() as session:
            session.execute(first)
    except IntegrityError:
        # Another one was quicker.
        return False
    return True
