"""What a process has read a moment ago: read again by one request, while the others go by what is known."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class Known(Generic[Value]):
    """A value that may be some seconds old. Safe to use from threads.

    Nobody waits for another one's reading, save for the first: of a part that hangs, one thread learns that.

    Args:
        read: Reads it; what it raises is raised by `get`.
        seconds: How old it may be.
        clock: Seconds.
    """

    def __init__(
        self, read: Callable[[], Value], *, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._reading = threading.Lock()
        self._known: tuple[Value, float] | None = None

    def get(self) -> Value:
        """Return the value; an older one while somebody else is reading it again."""
        known = self._known
        if known is None:
            return self._read_again()
        value, read_at = known
        if self._clock() - read_at <= self._seconds or not self._reading.acquire(blocking=False):
            return value
        try:
            return self._read_again()
        finally:
            self._reading.release()

    def _read_again(self) -> Value:
        began = self._clock()
        value = self._read()
        self._known = value, began
        return value
