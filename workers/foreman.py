"""What becomes of a worker's unfinished work: children that died, a worker that stops, one that fell silent.

One thread of the Celery parent, not its event loop: giving work back may have to wait for the database, and a loop that
fell silent is to be noticed.
"""

from __future__ import annotations

import contextlib
import enum
import os
import queue
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared import renders
from shared.models import Render
from shared.renders import BLAMELESS, Cause, Loss, State
from shared.tracing import logger
from workers.parent_threads import ParentThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.renders import Wake
    from shared.settings import Settings
    from workers.heartbeat import Heartbeat
    from workers.watchdog import Watchdog

# While it stops, the worker looks after what it still has this often.
STOPPING_INTERVAL_SECONDS = 0.2
# From the end of the grace until a worker that cannot end by itself is ended.
EXIT_SECONDS = 1.5
# What is left to do at the end may have to wait for the database, but not so long that a supervisor loses patience.
END_SECONDS = 3

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A render that a child took, or was about to take, and will not end.

    Attributes:
        render_id: The render.
        child_pid: The child's process id; None: no child had begun with it.
        reason: What became of the child.
        cause: The same in one word.
        timed_out: Whether it was killed because its render outran the time limit, which a new attempt would do too.
    """

    render_id: str
    child_pid: int | None
    reason: str
    cause: Loss
    timed_out: bool = False


class _Order(enum.Enum):
    """What the thread is told to do."""

    DRAIN = enum.auto()
    END = enum.auto()


class Foreman:
    """Gives back what one worker does not finish, and sees to it that the worker ends in time."""

    def __init__(
        self,
        *,
        database: Database,
        settings: Settings,
        worker_id: str,
        name: str,
        heartbeat: Heartbeat,
        watchdog: Watchdog,
        publish: Callable[[Wake], bool],
        announce: Callable[[str], None],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            database: One that keeps no connection open (``pool_size=0``): a child may be forked at any time.
            settings: The farm's settings.
            worker_id: Whose work it is about.
            name: What the worker is called.
            heartbeat: Its sign of life, which ends with it.
            watchdog: Notices when the worker takes nothing although messages wait.
            publish: Announces a render that is queued again.
            announce: Says that a render ended.
        """
        self._database = database
        self._settings = settings
        self._worker_id = worker_id
        self._name = name
        self._heartbeat = heartbeat
        self._watchdog = watchdog
        self._publish = publish
        self._announce = announce
        self._told: queue.SimpleQueue[Unfinished | _Order] = queue.SimpleQueue()
        self._drain_until: float | None = None
        self._thread = ParentThread("foreman", self._run)

    def start(self) -> None:
        """Begin, once the first sign of life is given."""
        self._thread.start()

    def note(self, unfinished: Unfinished) -> None:
        """Note what a child will not end; it is given back by the thread, however long the database is away."""
        self._told.put(unfinished)

    def drain(self) -> None:
        """Say that the worker stops: after the grace, what it still has is given back. Signal handlers may do so."""
        self._told.put(_Order.DRAIN)

    def stop(self) -> None:
        """Give back what is left, and sign off: all children are gone."""
        self._told.put(_Order.END)
        self._thread.join(seconds=END_SECONDS)

    def _run(self) -> None:
        unburied: list[Unfinished] = []
        while True:
            pause = self._settings.heartbeat_interval if self._drain_until is None else STOPPING_INTERVAL_SECONDS
            try:
                told = self._told.get(timeout=pause)
            except queue.Empty:
                told = None
            if told is _Order.END:
                break
            if isinstance(told, Unfinished):
                unburied.append(told)
            elif told is _Order.DRAIN and self._drain_until is None:
                log.info("worker stops", worker_id=self._worker_id, grace=self._settings.shutdown_grace)
                self._drain_until = time.monotonic() + self._settings.shutdown_grace
            unburied = [one for one in unburied if not self._bury(one)]
            try:
                self._look_after_the_worker()
            except Exception:
                # Without this thread nobody would bury a child, or end the worker.
                log.exception("foreman failed")
        self._give_back_all()
        self._heartbeat.stop()

    def _look_after_the_worker(self) -> None:
        if self._drain_until is not None:
            self._look_to_the_end(self._drain_until)
        elif self._watchdog.is_silent():
            log.error("worker fell silent: messages wait, and it takes none; it is restarted")
            # Celery's own way to stop, if its loop still hears it; else `_look_to_the_end` does without.
            os.kill(os.getpid(), signal.SIGTERM)
            self.drain()

    def _look_to_the_end(self, drain_until: float) -> None:
        """Give back what did not end within the grace, end the children that have it, and in the end this process."""
        over = time.monotonic() - drain_until
        if over >= 0:
            for pid in self._give_back_all():
                _kill(pid)
        if over >= EXIT_SECONDS:
            log.error("worker did not stop by itself and is ended", worker_id=self._worker_id)
            try:
                self._heartbeat.stop()
                for pid in _children():
                    _kill(pid)
            finally:
                os._exit(1)

    def _give_back_all(self) -> list[int]:
        """Give back what this worker still has, and return the children that were at it."""
        given: list[Render] = []

        def give_back() -> None:
            given.clear()
            with self._database.writing() as session:
                for render in renders.held_by(session, worker_id=self._worker_id):
                    reason = f"worker {self._name} was stopped"
                    if renders.give_back(session, render, reason=reason, cause=Loss.SHUTDOWN):
                        given.append(render)

        if self._thread.attempt(give_back) and given:
            self._thread.attempt(lambda: _publish(map(renders.wake_of, given), self._publish))
            log.info("renders given back", renders=[render.id for render in given])
        return [render.child_pid for render in given if render.child_pid is not None]

    def _bury(self, lost: Unfinished) -> bool:
        """Give back what a child did not end; False when that could not be written down yet."""
        wakes: list[Wake] = []
        ended: list[str] = []

        def bury() -> None:
            wakes.clear()
            ended.clear()
            with self._database.writing() as session:
                render = session.get(Render, lost.render_id, options=renders.LIGHT)
                if render is None:
                    return
                if render.state == State.QUEUED and lost.child_pid is None:
                    wakes.append(renders.wake_of(render))
                elif render.state == State.RUNNING and self._was_its(render, lost):
                    state = self._end(session, render, lost)
                    if state is State.QUEUED:
                        wakes.append(renders.wake_of(render))
                    elif state is not None:
                        ended.append(render.id)

        if not self._thread.attempt(bury):
            return False
        write = log.warning if wakes or ended else log.debug
        write(
            "child lost",
            render_id=lost.render_id,
            child_pid=lost.child_pid,
            reason=lost.reason,
            requeued=len(wakes),
            ended=len(ended),
        )
        # What fails here is found by the reconciler, or by the waiting request's own look.
        self._thread.attempt(lambda: _publish(wakes, self._publish))
        self._thread.attempt(lambda: [self._announce(one) for one in ended])
        return True

    def _was_its(self, render: Render, lost: Unfinished) -> bool:
        if render.worker_id != self._worker_id or render.child_pid is None:
            return False
        if lost.child_pid is None:
            # It died before it could say that it had begun.
            return not Path(f"/proc/{render.child_pid}").exists()
        return render.child_pid == lost.child_pid

    def _end(self, session: Session, render: Render, lost: Unfinished) -> State | None:
        if lost.timed_out:
            error = renders.too_long(render)
            renders.fail(session, render.id, attempt=render.attempt, cause=Cause.TIMEOUT, error=error)
            return State.FAILED
        if lost.cause in BLAMELESS:
            given = renders.give_back(session, render, reason=lost.reason, cause=lost.cause)
            return State.QUEUED if given else None
        return renders.lose(session, render, reason=lost.reason, max_losses=self._settings.max_losses, cause=lost.cause)


def _publish(wakes: Iterable[Wake], publish: Callable[[Wake], bool]) -> None:
    """Publish until the broker refuses: the reconciler finds the rest, and one that hangs is waited for once."""
    all(map(publish, wakes))


def _children() -> list[int]:
    """List this process' own children."""
    found: list[int] = []
    for children in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        # A thread may end meanwhile.
        with contextlib.suppress(OSError):
            found += map(int, children.read_text().split())
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
