"""What the clients know: what was accepted, what became of it, and what was not as it had been promised."""

from __future__ import annotations

import collections
import enum
import itertools
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mayhem.jobs import Job


class Breach(enum.StrEnum):
    """A way of not keeping a promise."""

    LOST = "lost"
    DOUBLED = "doubled"
    STUCK = "stuck"
    WRONG = "wrong"


class Ledger:
    """What is known of all jobs of a run. Safe to use from threads."""

    def __init__(self) -> None:
        self.accepted: list[Job] = []
        self.unanswered: list[Job] = []
        self.refusals: collections.Counter[str] = collections.Counter()
        self.breaches: list[tuple[Breach, str]] = []
        self.began = time.monotonic()
        self._pending: list[Job] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def next_number(self) -> str:
        """Return the number of a new document, which none has had."""
        with self._lock:
            return f"N-{next(self._numbers):07d}"

    def accept(self, job: Job) -> None:
        """Write down that the farm said yes."""
        with self._lock:
            self.accepted.append(job)
            self._pending.append(job)

    def refuse(self, job: Job, answer: str) -> None:
        """Write down that it said no, or nothing; it may have done the work all the same, once."""
        with self._lock:
            self.refusals[answer] += 1
            self.unanswered.append(job)

    def breach(self, breach: Breach, text: str) -> None:
        """Write down what must not be."""
        with self._lock:
            self.breaches.append((breach, text))

    def pending(self) -> list[Job]:
        """Return the accepted jobs whose end nobody has seen and checked."""
        with self._lock:
            self._pending = [job for job in self._pending if not job.done]
            return list(self._pending)

    def recovered_since(self, moment: float) -> bool:
        """Say whether anything sent after a moment of the monotonic clock has succeeded."""
        with self._lock:
            return any(job.sent_at >= moment and job.end == "success" for job in self.accepted)

    def now(self) -> float:
        """Return the seconds since the run began."""
        return time.monotonic() - self.began
