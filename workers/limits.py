"""The limits of a rendering child: its memory, and the time that a document's own code may take."""

from __future__ import annotations

import contextlib
import resource
import signal
import threading
import time
from typing import TYPE_CHECKING

from billiard.exceptions import SoftTimeLimitExceeded

from workers.timekeeping import Timekeeper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# What the timekeeper sends at the soft time limit; Python runs its handler in the main thread.
SOFT_LIMIT_SIGNAL = signal.SIGUSR1
# What the kernel's timer sends; nobody handles it, so it ends the process.
HARD_LIMIT_SIGNAL = signal.SIGALRM
# How a child ends whose render is to be tried again later. See sysexits.h.
EX_TEMPFAIL = 75
# How one ends that broke.
EX_SOFTWARE = 70


def limit_memory(limit: int) -> None:
    """Bound the address space of this process, bytes; 0: no bound. Beyond it, allocating raises or kills it."""
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class TimeLimits:
    """The two limits of the making of a document, and of nothing else.

    The soft one is a signal that the timekeeper sends and that raises here. It comes at any moment; in the middle of a
    claim or a commit it would leave a render that is running in the database and nowhere else, so outside `armed` it is
    only remembered. What does not hear it, an engine that never comes back from its own code, is ended by the kernel's
    timer a grace later: its signal kills, and the parent sees which one it was.
    """

    def __init__(self, *, grace: float, timekeeper: Timekeeper | None = None) -> None:
        """Take what the limits are kept with.

        Args:
            grace: Seconds from the soft limit until the kernel's timer kills.
            timekeeper: Sends the soft limit's signal; None: one of its own.
        """
        self._grace = grace
        self._timekeeper = timekeeper or Timekeeper()
        self._armed = False
        self._due = False
        self._waited = 0.0

    def begin(self) -> None:
        """Forget the last render's limits, and take the signals' handlers over from Celery's pool."""
        self._armed = self._due = False
        self._waited = 0.0
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(SOFT_LIMIT_SIGNAL, self._heard)
        signal.signal(HARD_LIMIT_SIGNAL, signal.SIG_DFL)

    @property
    def waited(self) -> float:
        """Seconds that this render spent in `put_off`: waiting for a server, not for its own code."""
        return self._waited

    @contextlib.contextmanager
    def armed(self, timeout: float) -> Iterator[None]:
        """Raise `SoftTimeLimitExceeded` in this block when the limit comes, or has come before it.

        Args:
            timeout: The render's time limit, seconds; a grace after it the process is killed.
        """
        with self._timekeeper.after(timeout, _strike):
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, timeout + self._grace)
            try:
                if self._due:
                    raise SoftTimeLimitExceeded
                yield
            finally:
                self._armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
        if self._due:
            # An engine that called back into Python, where it struck, may have swallowed it.
            raise SoftTimeLimitExceeded

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Let the limits strike at the end of this block, not in it: what talks to a server must not be torn."""
        armed, self._armed = self._armed, False
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        began = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - began
            self._armed = armed
            if left:
                signal.setitimer(signal.ITIMER_REAL, left)
            if armed and self._due:
                self._armed = False
                raise SoftTimeLimitExceeded

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self._due = True
        if self._armed:
            self._armed = False
            raise SoftTimeLimitExceeded


def _strike() -> None:
    # To that thread and no other: it waits for this appointment's end before it goes on to another document.
    signal.pthread_kill(threading.main_thread().ident or 0, SOFT_LIMIT_SIGNAL)
