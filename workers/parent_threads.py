"""Threads of a worker's parent, beside Celery's loop: no fork falls into their transactions, no error ends them."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable

log = logger(__name__)


class ParentThread:
    """A thread that goes on whatever fails in it."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        """Prepare; `start` begins.

        Args:
            name: What it is called in log lines.
            run: What it does.
        """
        self._name = name
        self._busy = threading.Lock()
        # A child that is forked in the middle of a transaction would inherit its open connection.
        os.register_at_fork(
            before=self._busy.acquire, after_in_parent=self._busy.release, after_in_child=self._busy.release
        )
        self._thread = threading.Thread(target=run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for its end, at most for so long."""
        self._thread.join(timeout=seconds)

    def attempt(self, work: Callable[[], object]) -> bool:
        """Do something that may fail; say so when it does, and let the caller come back later."""
        try:
            with self._busy:
                work()
        except Exception as error:  # noqa: BLE001  # Whatever it is: a thread that dies takes a living worker with it.
            log.warning("thread failed", thread=self._name, error=str(error))
            return False
        return True
