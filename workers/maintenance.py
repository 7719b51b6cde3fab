"""The small duties that beat rings for: reconcile what was lost, sweep what nobody kept."""

from __future__ import annotations

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
    """Does the periodic duties of one child."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        storage: Storage,
        waiting: Callable[[str], int],
        publish: Callable[[Wake], None],
    ) -> None:
        """Take what the duties need.

        Args:
            settings: The farm's settings.
            database: This process' database.
            storage: Where objects are removed.
            waiting: Counts the messages that wait in a queue.
            publish: Announces a render.
        """
        self._settings = settings
        self._database = database
        self._storage = storage
        self._waiting = waiting
        self._publish = publish

    def reconcile(self) -> None:
        """Set going again what was lost."""
        done = reconciler.reconcile(
            self._database,
            self._settings,
            waiting=self._waiting,
            publish=self._publish,
        )
        if done.requeued or done.poisoned or done.republished:
            log.warning("reconciled", requeued=done.requeued, poisoned=done.poisoned, republished=done.republished)

    def sweep(self) -> None:
        """Remove what nobody kept."""
        removed = sweeps.sweep_unkept(self._database, self._storage, older_than=self._settings.transient_keep)
        if removed:
            log.info("swept", removed=removed)
