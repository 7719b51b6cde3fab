"""The small duties that beat rings for: reconcile what was lost, sweep what nobody kept."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from shared import reconciler, sweeps
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.database import Database
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
    ) -> None:
        """Take what the duties need.

        Args:
            settings: The farm's settings.
            database: This process' database.
            storage: Where objects are removed.
            waiting: Counts the messages that wait in a queue.
            publish: Announces a render, and says whether the broker took it.
        """
        self._settings = settings
        self._database = database
        self._storage = storage
        self._waiting = waiting
        self._publish = publish
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
        began = time.monotonic()
        removed = sweeps.sweep_unkept(self._database, self._storage, older_than=self._settings.transient_keep)
        log.info("sweep", duration_ms=round((time.monotonic() - began) * 1000), removed=removed)
