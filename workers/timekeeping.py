"""A thread that does something when its time has come, unless it is called off before."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logger(__name__)


class _Appointment:
    __slots__ = ("act", "due")

    def __init__(self, due: float, act: Callable[[], object]) -> None:
        self.due = due
        self.act = act


class Timekeeper:
    """One thread for all appointments of a child; `threading.Timer` would start one for each document.

    Setting an appointment wakes the thread only if it would otherwise sleep past it, which is seldom.
    """

    def __init__(self) -> None:
        """Prepare; the thread begins with the first appointment, so after a fork."""
        self._changed = threading.Condition()
        self._appointments: list[_Appointment] = []
        self._acting: _Appointment | None = None
        self._wakes_at: float | None = None
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def after(self, seconds: float, act: Callable[[], object]) -> Iterator[None]:
        """Do something when this block has taken so long; after the block it is done, or it will never be.

        Args:
            seconds: How long.
            act: What to do, in the thread. What it raises is logged.
        """
        appointment = _Appointment(time.monotonic() + seconds, act)
        with self._changed:
            self._appointments.append(appointment)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="timekeeper", daemon=True)
                self._thread.start()
            elif self._wakes_at is None or appointment.due < self._wakes_at:
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                with contextlib.suppress(ValueError):
                    self._appointments.remove(appointment)
                while self._acting is appointment:
                    self._changed.wait()

    def _run(self) -> None:
        while True:
            with self._changed:
                appointment = self._next()
                self._acting = appointment
            try:
                appointment.act()
            except Exception:
                # Without this thread nothing would have a limit any more.
                log.exception("appointment failed")
            finally:
                with self._changed:
                    self._acting = None
                    self._changed.notify_all()

    def _next(self) -> _Appointment:
        while True:
            first = min(self._appointments, key=lambda one: one.due, default=None)
            now = time.monotonic()
            if first is not None and first.due <= now:
                self._appointments.remove(first)
                return first
            self._wakes_at = None if first is None else first.due
            self._changed.wait(None if first is None else first.due - now)
