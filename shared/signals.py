"""Finish signals: the workers say that a render ended, the gateway's waiting requests hear it.

They travel by Redis' publish/subscribe, which promises nothing; so whoever waits also looks at the row now and then.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import redis
from redis.exceptions import RedisError

from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANNEL = "pressroom:ended"
SEEN = "pressroom:seen:"
# An inline template that comes less often than this needs no fast engine; and those that come only once, as where
# somebody writes the data into the template, must not fill the broker's memory.
SEEN_SECONDS = 600
CONNECT_SECONDS = 3
# A broker that takes connections and then says nothing is as good as none.
ANSWER_SECONDS = 10
RECONNECT_SECONDS = 1
SUBSCRIBE_SECONDS = 0.5
SUBSCRIPTION_POLL_SECONDS = 5

log = logger(__name__)


def connect(broker_url: str, *, answer_seconds: float = ANSWER_SECONDS) -> redis.Redis:
    """Make a client of the broker's Redis; nothing is sent yet.

    Args:
        broker_url: As Celery takes it: ``redis://``, ``rediss://`` or ``redis+socket://``.
        answer_seconds: How long an answer is waited for.
    """
    url = broker_url.replace("redis+socket://", "unix://", 1).replace("?virtual_host=", "?db=")
    client: redis.Redis = redis.Redis.from_url(
        url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=answer_seconds
    )
    return client


def announce(client: redis.Redis, render_id: str) -> None:
    """Say that a render ended. A broker that is down is no reason to fail: the row says it too."""
    try:
        client.publish(CHANNEL, render_id)
    except RedisError as error:
        log.warning("finish signal not sent", render_id=render_id, error=str(error))


def came_before(client: redis.Redis, subject: str) -> bool:
    """Say whether an inline template came within the last minutes, and remember that it came now.

    A broker that is down, or was emptied, only makes its certificate come later.

    Args:
        client: A client of the broker's Redis.
        subject: The certificate's subject (`shared.certificates`).
    """
    try:
        return client.set(f"{SEEN}{subject}", 1, nx=True, ex=SEEN_SECONDS) is None
    except RedisError as error:
        log.warning("inline template not remembered", error=str(error))
        return False


class EndedRenders:
    """One subscription per process, shared by every request that waits in it."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._waiting: dict[str, threading.Event] = {}
        self._subscribed = threading.Event()
        self._lock = threading.Lock()
        self._listener_pid: int | None = None

    @contextlib.contextmanager
    def watch(self, render_id: str) -> Iterator[threading.Event]:
        """Give an event that is set when the render ends. Enter before the render is published."""
        ended = threading.Event()
        with self._lock:
            self._waiting[render_id] = ended
            self._ensure_listener()
        # Only the first request of a process waits here, or one while the broker is away.
        self._subscribed.wait(SUBSCRIBE_SECONDS)
        try:
            yield ended
        finally:
            with self._lock:
                self._waiting.pop(render_id, None)

    def _ensure_listener(self) -> None:
        # A thread does not survive a fork, so the process that uses it first starts it.
        if self._listener_pid != os.getpid():
            self._listener_pid = os.getpid()
            threading.Thread(target=self._listen, name="ended-renders", daemon=True).start()

    def _listen(self) -> None:
        idle = threading.Event()
        while True:
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
                    subscription.subscribe(CHANNEL)
                    self._subscribed.set()
                    while True:
                        message = subscription.get_message(timeout=SUBSCRIPTION_POLL_SECONDS)
                        if message is not None:
                            self._wake(message["data"].decode("ascii", "replace"))
            except Exception as error:  # noqa: BLE001  # The only listener of this process must not end.
                self._subscribed.clear()
                log.warning("finish signals are not heard", error=str(error))
                idle.wait(RECONNECT_SECONDS)

    def _wake(self, render_id: str) -> None:
        with self._lock:
            ended = self._waiting.get(render_id)
        if ended is not None:
            ended.set()
