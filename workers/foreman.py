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

from shared import renders, unattended
from shared.renders import BLAMELESS, Cause, Loss, State
from shared.signals import Ending
from shared.tracing import logger
from workers.parent_threads import ParentThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from redis import Redis
    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.models import Render
    from shared.renders import Wake
    from shared.settings import Settings
    from workers.heartbeat import Heartbeat
    from workers.rendering import RenderRoom
    from workers.watchdog import Watchdog

# While it stops, the worker looks after what it still has this often.
STOPPING_INTERVAL_SECONDS = 0.2
# From the end of the grace until a worker that cannot end by itself is ended. Celery looks every half a second for
# children that were killed: it takes up to one and a half until it has noticed and has ended itself.
EXIT_SECONDS = 2.5
# What is left to do at the end may have to wait for the database, but not so long that a supervisor loses patience.
END_SECONDS = 3

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A child that ended without having ended what it took.

    Attributes:
        child_pid: The child's process id; None: it died before it could say that it had begun.
        reason: What became of it.
        cause: The same in one word.
        timed_out: Whether it was killed because its render outran the time limit, which a new attempt would do too.
        render_id: What it was working on; the empty text: nothing that could have killed it, or nobody knows.
    """

    child_pid: int | None
    reason: str
    cause: Loss
    timed_out: bool
    render_id: str


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
        room: RenderRoom | None,
        redis: Redis,
        publish: Callable[[Wake], bool],
        announce: Callable[[Sequence[Ending]], None],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            database: One that keeps no connection open (``pool_size=0``): a child may be forked at any time.
            settings: The farm's settings.
            worker_id: Whose work it is about.
            name: What the worker is called.
            heartbeat: Its sign of life, which ends with it.
            watchdog: Notices when the worker takes nothing although messages wait.
            room: What the worker's children render in; None: it renders nothing.
            redis: The broker's Redis.
            publish: Announces a render that is queued again.
            announce: Says that renders ended.
        """
        self._database = database
        self._settings = settings
        self._worker_id = worker_id
        self._name = name
        self._heartbeat = heartbeat
        self._watchdog = watchdog
        self._room = room
        self._redis = redis
        self._publish = publish
        self._announce = announce
        self._told: queue.SimpleQueue[Lost | _Order] = queue.SimpleQueue()
        self._drain_until: float | None = None
        self._thread = ParentThread("foreman", self._run)

    def start(self) -> None:
        """Begin, once the first sign of life is given."""
        self._thread.start()

    def note(self, *, child_pid: int | None, reason: str, cause: Loss, timed_out: bool = False) -> None:
        """Note a child that ended; what it had is given back by the thread, however long the database is away.

        Args:
            child_pid: The child's process id; None: it died before it could say that it had begun.
            reason: What became of it.
            cause: The same in one word.
            timed_out: Whether it was killed because its render outran the time limit.
        """
        # Now, as its successor writes on the same slate.
        render_id = self._room.slate.read(child_pid) if self._room and child_pid else ""
        lost = Lost(child_pid=child_pid, reason=reason, cause=cause, timed_out=timed_out, render_id=render_id)
        self._told.put(lost)

    def drain(self) -> None:
        """Say that the worker stops: after the grace, what it still has is given back. Signal handlers may do so."""
        if self._room is not None:
            self._room.close()
        self._told.put(_Order.DRAIN)

    def stop(self) -> None:
        """Give back what is left, and sign off: all children are gone."""
        self._told.put(_Order.END)
        self._thread.join(seconds=END_SECONDS)

    def _run(self) -> None:
        unburied: list[Lost] = []
        while True:
            pause = self._settings.heartbeat_interval if self._drain_until is None else STOPPING_INTERVAL_SECONDS
            try:
                told = self._told.get(timeout=pause)
            except queue.Empty:
                told = None
            if told is _Order.END:
                break
            if isinstance(told, Lost):
                unburied.append(told)
            elif told is _Order.DRAIN and self._drain_until is None:
                log.info("worker stops", worker_id=self._worker_id, grace=self._settings.shutdown_grace)
                self._drain_until = time.monotonic() + self._settings.shutdown_grace
                if self._room is not None:
                    self._room.dismiss(self._redis, _children())
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
        """Give back what did not end within the grace, end the children, and in the end this process."""
        over = time.monotonic() - drain_until
        if over >= 0 and self._give_back_all() and self._room is not None:
            # Those that have nothing, too: as long as one lives, Celery asks all of them in turn, half a second each.
            for pid in _children():
                _kill(pid)
        if over >= EXIT_SECONDS:
            log.error("worker did not stop by itself and is ended", worker_id=self._worker_id)
            try:
                self._heartbeat.stop()
                for pid in _children():
                    _kill(pid)
            finally:
                os._exit(1)

    def _give_back_all(self) -> bool:
        """Give back what this worker still has; False when that could not be written down."""
        given: list[Render] = []

        def give_back() -> None:
            given.clear()
            with self._database.writing() as session:
                for render in renders.held_by(session, worker_id=self._worker_id):
                    reason = f"worker {self._name} was stopped"
                    if renders.give_back(session, render, reason=reason, cause=Loss.SHUTDOWN):
                        given.append(render)

        if not self._thread.attempt(give_back):
            return False
        if given:
            self._thread.attempt(lambda: _publish(map(renders.wake_of, given), self._publish))
            log.info("renders given back", renders=[render.id for render in given])
        return True

    def _bury(self, lost: Lost) -> bool:
        """Give back what a child did not end; False when that could not be written down yet."""
        wakes: list[Wake] = []
        ended: list[str] = []
        room = self._room
        if room is not None and lost.child_pid is not None:
            # Before the look: whoever rang for it until now rang in vain, and whoever comes later finds another.
            room.forget(self._redis, lost.child_pid)

        def bury() -> None:
            wakes.clear()
            ended.clear()
            with self._database.writing() as session:
                held = [one for one in renders.held_by(session, worker_id=self._worker_id) if _was_its(one, lost)]
                for render in held:
                    state = self._end(session, render, lost, is_alone=len(held) == 1)
                    if state is State.QUEUED:
                        wakes.append(renders.wake_of(render))
                    elif state is not None:
                        ended.append(render.id)
                # Its message, or the bell that it did not hear, may have been the only one.
                for queue in room.queues if room is not None else ():
                    waiting = unattended.oldest_queued(session, queue, older_than=0, limit=1)
                    wakes.extend(renders.wake_of(one) for one in waiting if one.id not in {w.render_id for w in wakes})

        if not self._thread.attempt(bury):
            return False
        write = log.warning if wakes or ended else log.debug
        write(
            "child lost",
            render_id=lost.render_id,
            child_pid=lost.child_pid,
            reason=lost.reason,
            announced=len(wakes),
            ended=len(ended),
        )
        # What fails here is found by the reconciler, or by the waiting request's own look.
        self._thread.attempt(lambda: _publish(wakes, self._publish))
        self._thread.attempt(lambda: self._announce([Ending(one) for one in ended]))
        return True

    def _end(self, session: Session, render: Render, lost: Lost, *, is_alone: bool) -> State | None:
        """End one attempt of a dead child: only the one that it was working on can have killed it."""
        is_cause = is_alone if not lost.render_id else render.id == lost.render_id
        if lost.timed_out and is_cause:
            error = renders.too_long(render)
            renders.fail(session, render.id, attempt=render.attempt, cause=Cause.TIMEOUT, error=error)
            return State.FAILED
        if is_cause and lost.cause not in BLAMELESS:
            most, cause = self._settings.max_losses, lost.cause
            return renders.lose(session, render, reason=lost.reason, max_losses=most, cause=cause)
        cause = lost.cause if lost.cause in BLAMELESS else Loss.NEIGHBOUR
        reason = lost.reason if is_cause else f"its child was working on another render: {lost.reason}"
        return State.QUEUED if renders.give_back(session, render, reason=reason, cause=cause) else None


def _was_its(render: Render, lost: Lost) -> bool:
    if render.child_pid is None:
        return False
    if lost.child_pid is None:
        return not Path(f"/proc/{render.child_pid}").exists()
    return render.child_pid == lost.child_pid


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
