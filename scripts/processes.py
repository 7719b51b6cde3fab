"""Keeping hold of processes: those that this one started, and those whose parents died (Linux only)."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt_orphans() -> None:
    """Make every descendant whose parent dies a child of this process, instead of the machine's first one.

    Raises:
        OSError: The kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children() -> list[int]:
    """List the ids of this process' children, adopted and dead ones included."""
    own = str(os.getpid()).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # It has ended since.
            # The second field is the program's name in parentheses, and may hold anything.
            fields = (process / "stat").read_bytes().rpartition(b")")[2].split()
            if fields[1] == own:
                found.append(int(process.name))
    return found


class Undertaker:
    """Ends children of this process: TERM first, KILL when its time is over, and buries the dead."""

    def __init__(self) -> None:
        self._kill_at: dict[int, float] = {}

    def end_adopted(self, *, besides: set[int], grace: float) -> None:
        """Take one look at the children, without waiting; all but `besides` get `grace` seconds to end."""
        for child in children():
            if child not in besides:
                self._end(child, kill_at=time.monotonic() + grace)

    def end_all(self, *, within: float) -> None:
        """End every child, and every orphan that this makes, within so many seconds; return when none is left."""
        kill_at = time.monotonic() + within
        while remaining := children():
            for child in remaining:
                self._end(child, kill_at=kill_at)
            time.sleep(0.05)

    def _end(self, child: int, *, kill_at: float) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            if child not in self._kill_at:
                self._kill_at[child] = kill_at
                os.kill(child, signal.SIGTERM)
            elif time.monotonic() > self._kill_at[child]:
                os.kill(child, signal.SIGKILL)
            if os.waitpid(child, os.WNOHANG)[0]:
                del self._kill_at[child]
