"""Noticing a worker that fell silent: messages wait in its queues, it could take one, and takes none.

A Celery worker whose connection to Redis broke at a bad moment can stay connected and consume nothing, for ever and
without a word (celery#8030, #8091, #9191 and others). Nobody inside its loop can notice that; so a thread beside it
compares what waits with what is taken.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from shared.signals import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# It asks now and again, and a broker that does not answer has nothing to say about the worker.
ANSWER_SECONDS = 1


class Waiting:
    """Counts the messages that wait for one worker."""

    def __init__(self, broker_url: str, queues: Sequence[str]) -> None:
        """Take the broker and the queues. Nothing is sent yet."""
        self._client = connect(broker_url, answer_seconds=ANSWER_SECONDS)
        self._queues = tuple(queues)

    def __call__(self) -> int:
        """Return how many; 0 also when the broker does not say."""
        try:
            return sum(int(self._client.llen(queue)) for queue in self._queues)
        except RedisError:
            return 0


class Watchdog:
    """Compares what waits for one worker with what it takes."""

    def __init__(
        self,
        *,
        after: float,
        waiting: Callable[[], int],
        taken: Callable[[], int],
        is_free: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what is compared.

        Args:
            after: Seconds of silence that are too many.
            waiting: Counts the messages in the worker's queues; 0 also when that is not known.
            taken: Counts the messages that the worker has taken so far.
            is_free: Says whether it could take one more.
            clock: Tells the time, seconds.
        """
        self._after = after
        self._waiting = waiting
        self._taken = taken
        self._is_free = is_free
        self._clock = clock
        self._last_taken = -1
        self._silent_since = 0.0

    def is_silent(self) -> bool:
        """Look, and say whether it was so for too long now. To be asked more often than that."""
        taken = self._taken()
        moment = self._clock()
        if taken != self._last_taken or not self._is_free() or not self._waiting():
            self._last_taken = taken
            self._silent_since = moment
        return moment - self._silent_since >= self._after
