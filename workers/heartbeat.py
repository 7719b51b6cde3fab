"""The worker's sign of life, and what is done about its children's death. Runs as one thread of the Celery parent.

Not in the children: a child that renders for a minute is no dead worker. Not in Celery's event loop: a slow database
must not keep the worker from taking messages.
"""

from __future__ import annotations

import os
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from shared import liveness, renders
from shared.renders import Cause, State
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.database import Database
    from shared.liveness import WorkerIdentity
    from shared.renders import Wake
    from shared.settings import Settings

Thing = TypeVar("Thing")

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class ChildLost:
    """A child that will not finish what it claimed.

    Attributes:
        pid: Its process id.
        reason: What became of it.
        timed_out: Whether it was killed because its render outran the time limit, which a new attempt would do too.
    """

    pid: int
    reason: str
    timed_out: bool


class Heartbeat:
    """Signs for one worker and buries its children."""

    def __init__(
        self,
        *,
        database: Database,
        settings: Settings,
        identity: WorkerIdentity,
        publish: Callable[[Wake], bool],
        announce: Callable[[str], None],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            database: One that keeps no connection open (``pool_size=0``): a child may be forked at any time.
            settings: The farm's settings.
            identity: Whom to sign for.
            publish: Announces a render that is queued again.
            announce: Says that a render ended.
        """
        self._database = database
        self._settings = settings
        self._identity = identity
        self._publish = publish
        self._announce = announce
        self._lost: queue.SimpleQueue[ChildLost | None] = queue.SimpleQueue()
        self._busy = threading.Lock()
        # A child that is forked in the middle of a transaction would inherit its open connection.
        os.register_at_fork(
            before=self._busy.acquire, after_in_parent=self._busy.release, after_in_child=self._busy.release
        )
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Sign once, so that nothing is claimed by a worker nobody knows, then go on in the background."""
        self._sign()
        self._thread.start()

    def stop(self) -> None:
        """Sign off."""
        self._lost.put(None)
        self._thread.join(timeout=2)

    def child_lost(self, lost: ChildLost) -> None:
        """Note that a child died; what it held is given back by the thread, however long the database is away."""
        self._lost.put(lost)

    def _run(self) -> None:
        unburied: list[ChildLost] = []
        while True:
            try:
                lost = self._lost.get(timeout=self._settings.heartbeat_interval)
            except queue.Empty:
                pass
            else:
                if lost is None:
                    break
                unburied.append(lost)
            self._sign()
            unburied = [one for one in unburied if not self._bury(one)]
        self._attempt(self._sign_off)

    def _sign(self) -> None:
        def sign() -> None:
            with self._database.writing() as session:
                liveness.sign(session, self._identity)

        self._attempt(sign)

    def _sign_off(self) -> None:
        with self._database.writing() as session:
            liveness.sign_off(session, self._identity.id)

    def _bury(self, lost: ChildLost) -> bool:
        wakes: list[Wake] = []
        ended: list[str] = []

        def give_back() -> None:
            wakes.clear()
            ended.clear()
            with self._database.writing() as session:
                for render in renders.held_by_child(session, worker_id=self._identity.id, child_pid=lost.pid):
                    if lost.timed_out:
                        error = renders.too_long(render)
                        renders.fail(session, render.id, attempt=render.attempt, cause=Cause.TIMEOUT, error=error)
                        ended.append(render.id)
                    else:
                        state = renders.lose(session, render, reason=lost.reason, max_losses=self._settings.max_losses)
                        if state is State.QUEUED:
                            wakes.append(renders.wake_of(render))
                        elif state is not None:
                            ended.append(render.id)

        if not self._attempt(give_back):
            return False
        log.warning("child lost", child_pid=lost.pid, reason=lost.reason, requeued=len(wakes), ended=len(ended))
        # What fails here is found by the reconciler, or by the waiting request's own look.
        self._attempt(lambda: _each(self._publish, wakes))
        self._attempt(lambda: _each(self._announce, ended))
        return True

    def _attempt(self, work: Callable[[], None]) -> bool:
        """Do something that may fail; say so when it does, and let the caller come back later."""
        try:
            with self._busy:
                work()
        except Exception as error:  # noqa: BLE001  # Whatever it is: a heartbeat that dies takes a living worker with it.
            log.warning("heartbeat failed", error=str(error))
            return False
        return True


def _each(act: Callable[[Thing], object], things: Iterable[Thing]) -> None:
    for thing in things:
        act(thing)
