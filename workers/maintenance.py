"""The small duties that beat rings for: reconcile what was lost, fire what is due, sweep what nobody kept."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from shared import batches, depths, duties, firing, history_removal, reconciler, sign_ins, sweeps, tasks, tending
from shared.durations import SECONDS
from shared.tasks import Submitter
from shared.tracing import logger
from workers.batching import BatchKeeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.database import Database
    from shared.errands import Errand
    from shared.renders import Wake
    from shared.settings import Settings
    from shared.storage import Storage

# No object takes as long to be written.
UNFINISHED_SECONDS = 3600

# An inline template that nobody sends any more; one that is sent is compared again long before that.
UNUSED_SECONDS = 30 * SECONDS["d"]
# Whoever sends a batch right after another is done waits no longer than this.
BATCHES_SECONDS = 1

log = logger(__name__)


class Caretaker:
    """Does the periodic duties of one worker."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        storage: Storage,
        worker_id: str,
        waiting: Callable[[str], int],
        publish: Callable[[Wake], bool],
        ring: Callable[[Errand], bool],
        is_told_to_go: Callable[[], bool],
    ) -> None:
        """Take what the duties need.

        Args:
            settings: The farm's settings.
            database: This process' database.
            storage: Where objects are removed.
            worker_id: Who takes the turns.
            waiting: Counts the messages that wait in a queue.
            publish: Announces a render, and says whether the broker took it.
            ring: Announces an errand, as ``publish`` does.
            is_told_to_go: Says whether the worker stops.
        """
        self._settings = settings
        self._database = database
        self._storage = storage
        self._worker_id = worker_id
        # What takes long, and one of this worker's threads is at.
        self._under_way: set[str] = set()
        self._lock = threading.Lock()
        self._waiting = waiting
        self._publish = publish
        self._ring = ring
        self._batches = BatchKeeper(
            settings=settings,
            database=database,
            storage=storage,
            publish=publish,
            ring=ring,
            is_told_to_go=is_told_to_go,
        )
        self._submitter = Submitter(database=database, storage=storage, settings=settings, publish=publish)

    def reconcile(self) -> None:
        """Set going again what was lost, and note once a minute how deep the queues are."""
        self._in_turn("reconcile", self._settings.reconcile_interval, self._reconcile)

    def schedule(self) -> None:
        """Fire the schedules that are due, and follow their tasks."""
        self._in_turn("schedule", self._settings.schedule_interval, lambda: firing.look(self._submitter))

    def tend(self) -> None:
        """Set going again what was lost of the small queues' work, and ring for the next steps of print jobs."""
        self._in_turn("tend", self._settings.print_interval, self._tend)

    def see_batches_through(self) -> None:
        """Hand out what batches wait for, until none is under way."""
        with self._database.reading() as session:
            if not batches.under_way(session):
                return
        self._alone(duties.BATCHES, BATCHES_SECONDS, self._see_batches_through)

    def sweep(self) -> None:
        """Remove what nobody kept."""
        self._alone("sweep", self._settings.sweep_interval, self._sweep)

    def clean(self) -> None:
        """Remove stored reports whose time has come."""
        self._alone("clean", self._settings.reports_clean_interval, self._clean)

    def purge(self) -> None:
        """Remove history records and print tasks whose time has come."""
        self._alone("purge", self._settings.purge_interval, self._purge)

    def _reconcile(self) -> None:
        began = time.monotonic()
        done = reconciler.reconcile(
            self._database,
            self._settings,
            waiting=self._waiting,
            publish=self._publish,
            judge_workers=self._judges_workers("reconcile"),
        )
        write = log.warning if done != reconciler.NOTHING else log.debug
        write("reconcile", duration_ms=round((time.monotonic() - began) * 1000), **asdict(done))
        depths.sample(self._database, dead_after=self._settings.worker_dead_after)

    def _judges_workers(self, duty: str) -> bool:
        """Say whether silence means death. While nobody looked, workers may not have been able to sign."""
        with self._database.reading() as session:
            return duties.goes_on_since(session, duty, seconds=self._settings.worker_dead_after)

    def _tend(self) -> None:
        done = tending.tend(
            self._database,
            self._settings,
            waiting=self._waiting,
            ring=self._ring,
            judge_workers=self._judges_workers("tend"),
        )
        log.debug("tend", **asdict(done))

    def _sweep(self) -> dict[str, int]:
        keep = self._settings.transient_keep
        # A render that has begun may read a replaced asset until its own end.
        longest = self._settings.render_timeout_max + self._settings.render_timeout_grace
        return {
            "removed": sweeps.sweep_unkept(self._database, self._storage, older_than=keep),
            "retired_objects": sweeps.sweep_retired(self._database, self._storage, older_than=max(keep, longest)),
            "unfinished": self._storage.remove_unfinished(older_than=UNFINISHED_SECONDS),
            "sign_ins": self._sweep_sign_ins(),
        }

    def _sweep_sign_ins(self) -> int:
        with self._database.writing() as session:
            return sign_ins.sweep(session)

    def _clean(self) -> dict[str, int]:
        # What became of a schedule's run is asked for before its report may go.
        tasks.follow(self._database)
        older_than = self._settings.reports_clean_treshold
        removed = sweeps.sweep_reports(self._database, self._storage, older_than=older_than)
        return {
            "removed": removed,
            "template_versions": sweeps.sweep_template_versions(self._database),
            "certificates": sweeps.sweep_certificates(self._database, older_than=UNUSED_SECONDS),
            "batches": sweeps.sweep_batches(self._database, self._storage, older_than=SECONDS["d"]),
        }

    def _purge(self) -> dict[str, int]:
        days = self._settings.purge_history_days
        if days is None:
            return {}
        done = history_removal.purge(self._database, self._storage, older_than=days * SECONDS["d"])
        return asdict(done)

    def _see_batches_through(self) -> dict[str, int]:
        self._batches.work()
        return {}

    def _alone(self, duty: str, interval: float, work: Callable[[], dict[str, int]]) -> None:
        """Do what may take longer than until it is due again; while it goes on, nobody begins it a second time."""
        with self._lock:
            if duty in self._under_way:
                return
            self._under_way.add(duty)
        try:
            if self._take(duty, interval, keep=True):
                self._keep_at(duty, work)
        finally:
            with self._lock:
                self._under_way.remove(duty)

    def _keep_at(self, duty: str, work: Callable[[], dict[str, int]]) -> None:
        try:
            began = time.monotonic()
            done = work()
            log.info(duty, duration_ms=round((time.monotonic() - began) * 1000), **done)
        finally:
            duties.release(self._database, duty, holder=self._worker_id)

    def _in_turn(self, duty: str, interval: float, work: Callable[[], object]) -> None:
        """Do what is soon done; of the messages that come in a heap, after nobody served the queue, for one only."""
        if self._take(duty, interval, keep=False):
            work()

    def _take(self, duty: str, interval: float, *, keep: bool) -> bool:
        return duties.take(self._database, self._settings, duty, holder=self._worker_id, interval=interval, keep=keep)
