"""Finish signals: the workers say that a render ended, the gateway's waiting requests hear it.

They travel by Redis' publish/subscribe, which promises nothing; so whoever waits also looks at the row now and then.

A message is a line of ids. A second line may hold the statuses of some of them as JSON, so that whoever waits need not
ask the database what the worker has just written there. Gateways of an earlier release take all of that for one id,
which nobody waits for, and find the end when they look at the row: for the minute of a rolling restart that is better
than to say everything twice for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import redis
from redis.exceptions import RedisError

from shared.render_values import RenderStatus
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
# A longer text is no signal any more: its row has it, too.
MOST_STATUS_CHARACTERS = 16 * 1024

_STATUS_FIELDS = tuple(field.name for field in fields(RenderStatus))

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


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a render, as it is announced.

    Attributes:
        render_id: The render.
        status: What its row says since the end was committed, where the worker knows that; None: the row is asked.
    """

    render_id: str
    status: RenderStatus | None = None


def announce(client: redis.Redis, endings: Sequence[Ending]) -> None:
    """Say that renders ended. A broker that is down is no reason to fail: the rows say it too."""
    if not endings:
        return
    try:
        client.publish(CHANNEL, _written(endings))
    except RedisError as error:
        ids = [ending.render_id for ending in endings]
        log.warning("finish signal not sent", render_ids=ids, error=str(error))


class Awaited(threading.Event):
    """An event that is set when a render ends.

    Attributes:
        status: How it ended, where the signal said so.
    """

    status: RenderStatus | None = None


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
        self._waiting: dict[str, Awaited] = {}
        self._subscribed = threading.Event()
        self._lock = threading.Lock()
        self._listener_pid: int | None = None

    @contextlib.contextmanager
    def watch(self, render_id: str) -> Iterator[Awaited]:
        """Give an event that is set when the render ends. Enter before the render is published."""
        ended = Awaited()
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
                            self._hear(message["data"].decode("ascii", "replace"))
            except Exception as error:  # noqa: BLE001  # The only listener of this process must not end.
                self._subscribed.clear()
                log.warning("finish signals are not heard", error=str(error))
                idle.wait(RECONNECT_SECONDS)

    def _hear(self, message: str) -> None:
        ids, _, said = message.partition("\n")
        with self._lock:
            # Most renders that end are waited for at another gateway, or by nobody.
            heard = {render_id: self._waiting[render_id] for render_id in ids.split() if render_id in self._waiting}
        if not heard:
            return
        statuses = _read(said)
        for render_id, ended in heard.items():
            ended.status = statuses.get(render_id)
            ended.set()


def _written(endings: Sequence[Ending]) -> str:
    ids = " ".join(ending.render_id for ending in endings)
    written = [
        text
        for ending in endings
        if ending.status is not None and len(text := _as_json(ending.status)) <= MOST_STATUS_CHARACTERS
    ]
    return f"{ids}\n[{','.join(written)}]" if written else ids


def _as_json(status: RenderStatus) -> str:
    return json.dumps({name: getattr(status, name) for name in _STATUS_FIELDS})


def _read(said: str) -> dict[str, RenderStatus]:
    """Return the statuses of a message by their renders' ids; none where another release says something else."""
    if not said:
        return {}
    try:
        found: list[dict[str, Any]] = json.loads(said)
        statuses = [RenderStatus(**{name: one[name] for name in _STATUS_FIELDS}) for one in found]
    except (ValueError, KeyError, TypeError) as error:
        log.warning("finish signal not understood", error=repr(error))
        return {}
    return {status.id: status for status in statuses}
