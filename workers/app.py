"""The Celery app of the workers: settings, engines, database, storage and broker meet here, once per process.

The parent loads the engines, so that its children share them, and keeps the heartbeat. Each child makes its own
connections: none may be inherited.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from celery import signals
from kombu.exceptions import OperationalError

from shared import queues
from shared.database import Database
from shared.identifiers import new_id
from shared.liveness import WorkerIdentity
from shared.settings import load_settings
from shared.signals import announce, connect
from shared.storage import create_storage
from shared.tracing import configure_logging, logger
from workers import maintenance, registry
from workers.children import RenderRequest, limit_memory
from workers.heartbeat import Heartbeat
from workers.rendering import Renderer

if TYPE_CHECKING:
    from celery import Celery

    from shared.renders import Wake
    from shared.settings import Settings

log = logger(__name__)


class WorkerProcess:
    """What a worker's parent builds, and what its children inherit."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        self.settings = settings
        self.app = app
        self.worker_id = new_id()
        self.registry = registry.Registry()
        self.heartbeat: Heartbeat | None = None
        self.renderer: Renderer | None = None
        self.caretaker: maintenance.Caretaker | None = None

    def load(self, sender: Any, **_: object) -> None:
        """Before the fork: load what the queues need."""
        if set(self._queues()) & set(queues.RENDER_QUEUES):
            self.registry = registry.load()
        log.info("worker starts", worker_id=self.worker_id, node=sender.hostname, queues=self._queues())

    def begin(self, sender: Any, **_: object) -> None:
        """In the parent, when it is about to take messages: give the first sign of life."""
        redis_client = connect(self.settings.broker)
        self.heartbeat = Heartbeat(
            database=Database(self.settings.database, pool_size=0),
            settings=self.settings,
            identity=WorkerIdentity(
                id=self.worker_id,
                name=sender.hostname,
                pid=os.getpid(),
                queues=self._queues(),
                children=sender.controller.concurrency,
                recipes=self.registry.states,
            ),
            publish=self.publish,
            announce=lambda render_id: announce(redis_client, render_id),
        )
        self.app.tasks[queues.RENDER_TASK].heartbeat = self.heartbeat
        self.heartbeat.start()

    def begin_child(self, **_: object) -> None:
        """In a child, after the fork: connect, and accept limits."""
        settings = self.settings
        database = Database(settings.database, pool_size=1)
        storage = create_storage(settings)
        redis_client = connect(settings.broker)
        self.renderer = Renderer(
            settings=settings,
            database=database,
            storage=storage,
            registry=self.registry,
            worker_id=self.worker_id,
            announce=lambda render_id: announce(redis_client, render_id),
        )
        self.caretaker = maintenance.Caretaker(
            settings=settings, database=database, storage=storage, redis_client=redis_client, publish=self.publish
        )
        if self.registry.recipes:
            limit_memory(settings.render_memory_bytes)

    def end(self, **_: object) -> None:
        """In the parent, at the end: sign off."""
        if self.heartbeat is not None:
            self.heartbeat.stop()

    def publish(self, wake: Wake) -> None:
        """Announce a render; one that cannot be announced now is found by the reconciler."""
        try:
            queues.publish(self.app, wake, grace=self.settings.render_timeout_grace)
        except OperationalError as error:
            log.warning("message not published", render_id=wake.render_id, error=str(error))

    def _queues(self) -> list[str]:
        return sorted(self.app.amqp.queues.consume_from)


def create_app() -> Celery:
    """Make the app from the environment, with its tasks."""
    settings = load_settings()
    app = queues.create_celery(settings)
    process = WorkerProcess(settings, app)

    def render(render_id: str) -> None:
        assert process.renderer is not None  # noqa: S101  # Made when the child began.
        process.renderer.render(render_id)

    def reconcile() -> None:
        assert process.caretaker is not None  # noqa: S101  # As above.
        process.caretaker.reconcile()

    def sweep() -> None:
        assert process.caretaker is not None  # noqa: S101  # As above.
        process.caretaker.sweep()

    app.task(render, name=queues.RENDER_TASK, Request=RenderRequest, shared=False)
    app.task(reconcile, name=queues.RECONCILE_TASK, shared=False)
    app.task(sweep, name=queues.SWEEP_TASK, shared=False)

    signals.setup_logging.connect(lambda **_: configure_logging(settings, process="worker"), weak=False)
    signals.worker_init.connect(process.load)
    signals.worker_ready.connect(process.begin)
    signals.worker_process_init.connect(process.begin_child)
    signals.worker_shutdown.connect(process.end)
    # Signals hold their receivers weakly; the app holds the process.
    app.pressroom_process = process
    return app


def __getattr__(name: str) -> Celery:
    # Celery's command line wants an attribute of the module; making it on demand keeps the import without effect.
    if name == "app":
        globals()["app"] = made = create_app()
        return made
    raise AttributeError(name)
