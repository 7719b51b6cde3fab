"""Locks of files, for processes of one machine. A process that ends, however it does, holds none."""

from __future__ import annotations

import fcntl
import time

POLL_SECONDS = 0.02


def lock(descriptor: int, *, seconds: float) -> bool:
    """Lock an open file against whoever else opened it, and say whether that was possible in time.

    A holder that was stopped would be waited for without end otherwise; flock(2) knows no time limit.

    Args:
        descriptor: The file's; closing it unlocks.
        seconds: How long to wait for others.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        else:
            return True
