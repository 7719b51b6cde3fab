"""One attempt at a render: what it works with, and how it can end."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.renders import Cause, Claimed, Loss, Result
    from workers.certification.choosing import Choice
    from workers.fetching import FetchPolicy


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds spent in each stage of one attempt."""

    spent: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage, however it ends."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name] = round((time.perf_counter() - began) * 1000)


@dataclass(slots=True)
class Attempt:
    """One attempt at one render, from its claim to its end.

    ``content`` is the template's text, and ``began`` the moment right before the claim, on the monotonic clock.
    """

    render: Claimed
    content: str
    policy: FetchPolicy
    began: float
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    stored_key: str | None = None
    templates_used: dict[str, int] = field(default_factory=dict)
    choice: Choice | None = None

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt ended without a document."""

    cause: Cause
    error: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class PutOff:
    """An attempt that could not go on through no fault of its own; its render waits for the next one.

    For so many seconds nobody takes it; None: it keeps its place in the queue.
    """

    cause: Loss
    reason: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Superseded:
    """An attempt that no longer counts: its render was given away or cancelled meanwhile."""


if TYPE_CHECKING:
    End = Result | Failure | PutOff | Superseded
