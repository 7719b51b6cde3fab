"""The limits of a rendering child: its memory, and the time that a document's own code may take."""

from __future__ import annotations

import contextlib
import resource
import signal
from typing import TYPE_CHECKING

from billiard.exceptions import SoftTimeLimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# What Celery's parent sends at the soft time limit.
SOFT_LIMIT_SIGNAL = signal.SIGUSR1


def limit_memory(limit: int) -> None:
    """Bound the address space of this process, bytes; 0: no bound. Beyond it, allocating raises or kills it."""
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class SoftTimeLimit:
    """Lets Celery's soft time limit interrupt the making of a document, and nothing else.

    The signal comes at any moment. In the middle of a claim or a commit it would leave a render that is running in the
    database and nowhere else; so outside `armed` it is only remembered.
    """

    def __init__(self) -> None:
        self._armed = False
        self._due = False

    def begin(self) -> None:
        """Forget the last render's limit, and take the signal's handler over from Celery's pool."""
        self._armed = self._due = False
        signal.signal(SOFT_LIMIT_SIGNAL, self._heard)

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """Raise `SoftTimeLimitExceeded` in this block when the limit comes, or has come before it."""
        self._armed = True
        try:
            if self._due:
                raise SoftTimeLimitExceeded
            yield
        finally:
            self._armed = False
        if self._due:
            # An engine that called back into Python, where it struck, may have swallowed it.
            raise SoftTimeLimitExceeded

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Let the limit strike at the end of this block, not in it: what talks to a server must not be torn."""
        armed, self._armed = self._armed, False
        try:
            yield
        finally:
            self._armed = armed
            if armed and self._due:
                self._armed = False
                raise SoftTimeLimitExceeded

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self._due = True
        if self._armed:
            self._armed = False
            raise SoftTimeLimitExceeded
