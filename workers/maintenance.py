"""The small duties that beat rings for: reconcile what was lost, fire what is due, sweep what nobody kept."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from shared import firing, history_removal, reconciler, sweeps, tasks, tending
from shared.durations import SECONDS
from shared.tasks import Submitter
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.database import Database
    from shared.errands import Errand
    from shared.renders import Wake
    from shared.settings import Settings
    from shared.storage import Storage

log = logger(__name__)


class Caretaker:
    """Does the periodic duties of one worker."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        storage: Storage,
        waiting: Callable[[str], int],
        publish: Callable[[Wake], bool],
        ring: Callable[[Errand], bool],
    ) -> None:
        """Take what the duties need.

        Args:
            settings: The farm's settings.
            database: This process' database.
            storage: Where objects are removed.
            waiting: Counts the messages that wait in a queue.
            publish: Announces a render, and says whether the broker took it.
            ring: Announces an errand, as ``publish`` does.
        """
        self._settings = settings
        self._database = database
        self._storage = storage
        self._waiting = waiting
        self._publish = publish
        self._ring = ring
        self._locks = {duty: threading.Lock() for duty in ("sweep", "clean", "purge", "schedule", "tend")}
        self._submitter = Submitter(database=database, storage=storage, settings=settings, publish=publish)
        self._looked_for_due_at = float("-inf")
        self._tended_at = float("-inf")
        self._looked_at: float | None = None
        self._trusted_from = float("-inf")

    def reconcile(self) -> None:
        """Set going again what was lost."""
        began = time.monotonic()
        if self._looked_at is not None:
            if began - self._looked_at < self._settings.reconcile_interval / 2:
                # The messages of a time when nobody served the queue come all at once.
                return
            if began - self._looked_at > self._settings.worker_dead_after:
                # While this could not look, the workers may not have been able to sign; they get the time to.
                self._trusted_from = began + self._settings.worker_dead_after
        done = reconciler.reconcile(
            self._database,
            self._settings,
            waiting=self._waiting,
            publish=self._publish,
            judge_workers=began >= self._trusted_from,
        )
        self._looked_at = began
        write = log.warning if done != reconciler.NOTHING else log.debug
        write("reconcile", duration_ms=round((time.monotonic() - began) * 1000), **asdict(done))

    def sweep(self) -> None:
        """Remove what nobody kept."""
        self._alone("sweep", self._sweep)

    def clean(self) -> None:
        """Remove stored reports whose time has come."""
        self._alone("clean", self._clean)

    def purge(self) -> None:
        """Remove history records and print tasks whose time has come."""
        self._alone("purge", self._purge)

    def schedule(self) -> None:
        """Fire the schedules that are due, and follow their tasks."""
        lock = self._locks["schedule"]
        if not lock.acquire(blocking=False):
            return
        try:
            # As above: messages may come in a heap.
            if time.monotonic() - self._looked_for_due_at >= self._settings.schedule_interval / 2:
                self._looked_for_due_at = time.monotonic()
                firing.look(self._submitter)
        finally:
            lock.release()

    def tend(self) -> None:
        """Set going again what was lost of the small queues' work, and ring for the next steps of print jobs."""
        lock = self._locks["tend"]
        if not lock.acquire(blocking=False):
            return
        try:
            if time.monotonic() - self._tended_at >= self._settings.print_interval / 2:
                self._tended_at = time.monotonic()
                done = tending.tend(self._database, self._settings, waiting=self._waiting, ring=self._ring)
                log.debug("tend", **asdict(done))
        finally:
            lock.release()

    def _sweep(self) -> dict[str, int]:
        keep = self._settings.transient_keep
        # A render that has begun may read a replaced asset until its own end.
        longest = self._settings.render_timeout_max + self._settings.render_timeout_grace
        return {
            "removed": sweeps.sweep_unkept(self._database, self._storage, older_than=keep),
            "retired_objects": sweeps.sweep_retired(self._database, self._storage, older_than=max(keep, longest)),
        }

    def _clean(self) -> dict[str, int]:
        # What became of a schedule's run is asked for before its report may go.
        tasks.follow(self._database)
        older_than = self._settings.reports_clean_treshold
        removed = sweeps.sweep_reports(self._database, self._storage, older_than=older_than)
        return {"removed": removed, "template_versions": sweeps.sweep_template_versions(self._database)}

    def _purge(self) -> dict[str, int]:
        days = self._settings.purge_history_days
        if days is None:
            return {}
        done = history_removal.purge(self._database, self._storage, older_than=days * SECONDS["d"])
        return asdict(done)

    def _alone(self, duty: str, work: Callable[[], dict[str, int]]) -> None:
        """Do what may take longer than until it is due again; while it goes on, it is not begun a second time."""
        lock = self._locks[duty]
        if not lock.acquire(blocking=False):
            return
        try:
            began = time.monotonic()
            done = work()
            log.info(duty, duration_ms=round((time.monotonic() - began) * 1000), **done)
        finally:
            lock.release()
