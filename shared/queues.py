"""The broker: queue names, Celery's configuration, and the one way to publish.

A message is only a wake-up call. It carries an id; losing it costs time, getting it twice costs nothing.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import setup_logging
from kombu import Queue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from shared.errands import Kind
from shared.guards import Guard, NotAskedError
from shared.signals import ANSWER_SECONDS, CONNECT_SECONDS, connect
from shared.standby import Answer, Bell, Rung
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.errands import Errand
    from shared.renders import Wake
    from shared.settings import Settings

RENDER_QUEUES = ("render.high", "render", "render.bulk")
SMALL_QUEUES = ("thumbnail", "print", "webhook", "maintenance")
QUEUES = (*RENDER_QUEUES, *SMALL_QUEUES)
DEFAULT_QUEUE = "render"
MAINTENANCE_QUEUE = "maintenance"

RENDER_TASK = "pressroom.render"
RECONCILE_TASK = "pressroom.reconcile"
SWEEP_TASK = "pressroom.sweep"
CLEAN_TASK = "pressroom.clean"
SCHEDULE_TASK = "pressroom.schedule"
PURGE_TASK = "pressroom.purge"
TEND_TASK = "pressroom.tend"
BATCHES_TASK = "pressroom.batches"
ERRAND_TASKS = {
    Kind.THUMBNAIL: "pressroom.thumbnail",
    Kind.COMPARISON: "pressroom.comparison",
    Kind.PRINT: "pressroom.print",
    Kind.CERTIFICATE: "pressroom.certify",
    Kind.BATCH: "pressroom.batch",
}
ERRAND_QUEUES = {
    # Both kinds turn PDFs into pictures.
    Kind.THUMBNAIL: "thumbnail",
    Kind.COMPARISON: "thumbnail",
    Kind.PRINT: "print",
    # This one renders: it needs the engines, and the limits of a child that has them.
    Kind.CERTIFICATE: "render.bulk",
    Kind.BATCH: MAINTENANCE_QUEUE,
}

# A broker that hangs costs every caller its time-out; for a moment nobody else need find out for himself.
AWAY_SECONDS = 3
# Longer than any render may take: nothing rests on redelivery, and a double delivery is only noise.
VISIBILITY_SECONDS = 6 * 3600
# How long Celery waits for the result of a child that is gone. What became of its renders is in their rows, so this
# only holds up who ends: a worker whose children were killed after the grace has not much longer itself.
LOST_CHILD_SECONDS = 0.5
BROKER_AWAY = (KombuError, RedisError, OSError)
# More than any queue has.
UNKNOWN = sys.maxsize

log = logger(__name__)


def create_celery(settings: Settings) -> Celery:
    """Make a Celery app that can publish. Tasks are added by `workers.app`."""
    setup_logging.connect(_logging_is_ours)
    app = Celery("pressroom", broker=settings.broker, set_as_current=False)
    guard(app)
    app.pressroom_bell = Bell(connect(settings.broker))
    app.conf.update(
        # Results live in the database; a second store would be a second truth.
        result_backend=None,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(name) for name in QUEUES],
        task_default_queue=DEFAULT_QUEUE,
        task_create_missing_queues=False,
        # Acknowledged when taken: what brings work back is the row, not the message.
        task_acks_late=False,
        # A child that is busy for a minute must not sit on messages that another could take.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_lost_wait=LOST_CHILD_SECONDS,
        # KiB; compared with the most that the child ever had, what it shares with its parent included.
        worker_max_memory_per_child=settings.child_memory_bytes // 1024 or None,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # For Flower. Not of what was sent: that is one more message for each, and the queue's length says it, too.
        worker_send_task_events=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=CONNECT_SECONDS,
        # The gateway must not wait for a broker that is down: the row is there, the reconciler publishes it.
        task_publish_retry=False,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "socket_keepalive": True,
            # Whoever publishes is told at once that the broker is away; the worker's own loop keeps trying.
            "max_retries": 0,
            "interval_start": 0,
        },
        beat_schedule={
            name: {
                "task": task,
                "schedule": interval,
                # No `expires`: it would be judged by another machine's clock.
                "options": {"queue": MAINTENANCE_QUEUE},
            }
            for name, task, interval in (
                ("reconcile", RECONCILE_TASK, settings.reconcile_interval),
                ("sweep", SWEEP_TASK, settings.sweep_interval),
                ("clean", CLEAN_TASK, settings.reports_clean_interval),
                ("schedule", SCHEDULE_TASK, settings.schedule_interval),
                ("purge", PURGE_TASK, settings.purge_interval),
                ("tend", TEND_TASK, settings.print_interval),
                ("batches", BATCHES_TASK, settings.reconcile_interval),
            )
        },
    )
    return app


def _logging_is_ours(**_: object) -> None:
    """Keep Celery from setting up logging its own way, as any receiver of this signal does."""


def publish(app: Celery, wake: Wake) -> bool:
    """Announce a queued render: to a child that stands by, else by a message, unless enough of them wait.

    A broker that cannot take the message is no reason to fail: the row is there, and the reconciler announces it.

    Args:
        app: The Celery app.
        wake: Which render, in which queue.

    Returns:
        Whether somebody will come.
    """
    try:
        with app.pressroom_guard.asking(BROKER_AWAY):
            if app.pressroom_bell.ring(wake.queue) is not Answer.NOBODY:
                return True
    except NotAskedError:
        return False
    except BROKER_AWAY as error:
        log.warning("nobody rung for", row_id=wake.render_id, queue=wake.queue, error=str(error))
        return False
    # It has no time limits: a child takes many renders, and keeps the limits of each itself.
    return _send(app, RENDER_TASK, wake.render_id, queue=wake.queue, trace_id=wake.trace_id)


def ring(app: Celery, errand: Errand) -> bool:
    """Announce an errand, and return whether the broker took the message; as with `publish`, the row is there."""
    queue = ERRAND_QUEUES[errand.kind]
    if not _send(app, ERRAND_TASKS[errand.kind], errand.row_id, queue=queue, trace_id=errand.trace_id):
        return False
    if queue in RENDER_QUEUES:
        # A child that stands by for renders takes no messages.
        with contextlib.suppress(NotAskedError, *BROKER_AWAY), app.pressroom_guard.asking(BROKER_AWAY):
            app.pressroom_bell.ring(queue, Rung.MESSAGE)
    return True


def guard(app: Celery, *, crowded: Callable[[], bool] = lambda: False) -> None:
    """Begin in good hope about the broker; after a fork, the child does so, too.

    Args:
        app: What publishes.
        crowded: Says whether the process is short of threads.
    """
    app.pressroom_guard = Guard("broker", away_seconds=AWAY_SECONDS, crowded=crowded)


def _send(app: Celery, task: str, row_id: str, *, queue: str, trace_id: str) -> bool:
    try:
        with app.pressroom_guard.asking(BROKER_AWAY):
            app.send_task(task, args=(row_id,), queue=queue, headers={"trace_id": trace_id})
    except NotAskedError:
        return False
    except BROKER_AWAY as error:
        log.warning("message not published", task=task, row_id=row_id, queue=queue, error=str(error))
        return False
    return True


def waiting_messages(client: Any, queue: str) -> int:
    """Count the messages that wait in a queue (a Redis list of the queue's name).

    Of a broker that does not answer, `UNKNOWN`, which is more than any queue has: nothing can be announced now.
    """
    try:
        return int(client.llen(queue))
    except RedisError as error:
        log.warning("messages not counted", queue=queue, error=str(error))
        return UNKNOWN
