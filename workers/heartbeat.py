"""The worker's sign of life: one thread of the Celery parent, which does nothing else.

Not in the children: a child that renders for a minute is no dead worker. Not in Celery's event loop, nor beside other
work: neither a slow database nor a broker that hangs may keep a living worker from saying so.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from shared import liveness
from workers.parent_threads import ParentThread

if TYPE_CHECKING:
    from shared.database import Database
    from shared.liveness import WorkerIdentity


class Heartbeat:
    """Signs for one worker."""

    def __init__(self, *, database: Database, identity: WorkerIdentity, interval: float) -> None:
        """Prepare; `start` begins.

        Args:
            database: One that keeps no connection open (``pool_size=0``): a child may be forked at any time.
            identity: Whom to sign for.
            interval: Seconds from sign to sign.
        """
        self._database = database
        self._identity = identity
        self._interval = interval
        self._over = threading.Event()
        self._thread = ParentThread("heartbeat", self._run)

    def start(self) -> None:
        """Sign once, so that nothing is claimed by a worker nobody knows, then go on in the background."""
        self._thread.attempt(self._sign)
        self._thread.start()

    def stop(self) -> None:
        """Sign off."""
        self._over.set()
        self._thread.join(seconds=2)
        self._thread.attempt(self._sign_off)

    def _run(self) -> None:
        while not self._over.wait(self._interval):
            self._thread.attempt(self._sign)

    def _sign(self) -> None:
        with self._database.writing() as session:
            liveness.sign(session, self._identity)

    def _sign_off(self) -> None:
        with self._database.writing() as session:
            liveness.sign_off(session, self._identity.id)
