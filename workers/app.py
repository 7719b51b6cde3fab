"""The Celery app of the workers: settings, engines, database, storage and broker meet here, once per process.

The parent loads the engines, so that its children share them, and keeps the heartbeat. Each child makes its own
connections: none may be inherited. What a queue needs is loaded only by the workers that serve it.
"""

from __future__ import annotations

import gc
import os
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from celery import signals
from celery.worker import state

from shared import queues
from shared.database import Database
from shared.errands import Kind
from shared.identifiers import new_id
from shared.liveness import WorkerIdentity
from shared.memory import release_unused
from shared.settings import load_settings
from shared.signals import Ending, announce, came_before, connect
from shared.storage import create_storage
from shared.tracing import configure_logging, logger
from workers import registry
from workers.children import RenderRequest
from workers.foreman import Foreman
from workers.heartbeat import Heartbeat
from workers.watchdog import Waiting, Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from celery import Celery

    from shared.errands import Errand
    from shared.renders import Wake
    from shared.settings import Settings
    from workers.assets import AssetCache
    from workers.certification.certifier import Certifier
    from workers.maintenance import Caretaker
    from workers.rendering import RenderRoom

# From the end of a worker until it ends without the threads that it still has.
EXIT_SECONDS = 3

log = logger(__name__)


class WorkerProcess:
    """What a worker's parent builds, and what its children inherit.

    Database and storage are made in the parent, which shares the memory of their code, and connect in the child that
    first uses them.
    """

    def __init__(self, settings: Settings, app: Celery, *, children: int) -> None:
        self.settings = settings
        self.children = children
        self.app = app
        self.worker_id = new_id()
        self.database = Database(settings.database)
        self.storage = create_storage(settings)
        self.redis = connect(settings.broker)
        self.registry = registry.Registry()
        self.foreman: Foreman | None = None
        self.room: RenderRoom | None = None
        self.asset_cache: AssetCache | None = None
        self.caretaker: Caretaker | None = None
        self.certifier: Certifier | None = None
        self.errands: dict[Kind, Callable[[str], None]] = {}
        self.is_stopping = False

    def load(self, sender: Any, **_: object) -> None:
        """Before the fork: load what the queues need."""
        served = set(self._queues())
        if served & set(queues.RENDER_QUEUES):
            self._load_room(served)
        if queues.MAINTENANCE_QUEUE in served:
            self._load_caretaker()
        self._load_errands({kind for kind, queue in queues.ERRAND_QUEUES.items() if queue in served})
        log.info("worker starts", worker_id=self.worker_id, node=sender.hostname, queues=self._queues())

    def begin(self, sender: Any, **_: object) -> None:
        """In the parent, when it is about to take messages: give the first sign of life."""
        identity = WorkerIdentity(
            id=self.worker_id,
            name=sender.hostname,
            pid=os.getpid(),
            queues=self._queues(),
            children=self.children,
            recipes=self.registry.states,
            version=version("pressroom"),
        )
        # Each thread has a database that keeps no connection open: a child may be forked at any time.
        url, interval = self.settings.database, self.settings.heartbeat_interval
        heartbeat = Heartbeat(database=Database(url, pool_size=0), identity=identity, interval=interval)
        self.foreman = Foreman(
            database=Database(url, pool_size=0),
            settings=self.settings,
            worker_id=self.worker_id,
            name=sender.hostname,
            heartbeat=heartbeat,
            watchdog=Watchdog(
                after=self.settings.worker_silent_after,
                # Asked now: a loop that consumes nothing may think that it has no queues.
                waiting=Waiting(self.settings.broker, self._queues()),
                taken=lambda: state.all_total_count[0],
                is_free=lambda: len(state.active_requests) < self.children,
            ),
            room=self.room,
            redis=self.redis,
            publish=self.publish,
            announce=self.announce,
        )
        self.app.tasks[queues.RENDER_TASK].foreman = self.foreman
        heartbeat.start()
        self.foreman.start()

    def begin_child(self, **_: object) -> None:
        """In a child, after the fork: drop what is the parent's, and accept limits."""
        self.database.forget_after_fork()
        self.redis = connect(self.settings.broker)
        # A thread of the parent may have been in the middle of asking.
        queues.guard(self.app)
        if self.room is not None:
            self.room.begin_child()

    def drain(self, **_: object) -> None:
        """In the parent, in a signal's handler: let what was begun end, and see to it that the rest goes to others."""
        self.is_stopping = True
        if self.foreman is not None:
            self.foreman.drain()

    def end(self, **_: object) -> None:
        """In the parent, at the end: sign off, and leave nothing behind."""
        if self.foreman is not None:
            self.foreman.stop()
        if self.asset_cache is not None:
            self.asset_cache.close()
        # Python waits for threads: one that a slow printer holds up must not hold up the worker that follows.
        last = threading.Timer(EXIT_SECONDS, os._exit, (0,))
        last.daemon = True
        last.start()

    def publish(self, wake: Wake) -> bool:
        """Announce a render, and say whether the broker took it."""
        return queues.publish(self.app, wake)

    def announce(self, endings: Sequence[Ending]) -> None:
        """Say that renders, or comparisons, ended."""
        announce(self.redis, endings)

    def ring(self, errand: Errand) -> bool:
        """Announce an errand, and say whether the broker took it."""
        return queues.ring(self.app, errand)

    def render(self, _render_id: str) -> None:
        """Work until no render waits, in a worker that was loaded for that; which one rang does not matter."""
        if self.room is not None:
            self.room.work(self.redis)

    def duty(self, perform: Callable[[Caretaker], None]) -> Callable[[], None]:
        """Make a task of a duty, which a worker that was loaded for duties performs."""

        def task() -> None:
            if self.caretaker is not None:
                perform(self.caretaker)

        return task

    def errand(self, kind: Kind) -> Callable[[str], None]:
        """Make a task of a kind of errand, which a worker that was loaded for it runs."""

        def task(row_id: str) -> None:
            run = self.errands.get(kind)
            if run is not None:
                run(row_id)

        return task

    def _load_room(self, served: set[str]) -> None:
        from workers.assets import AssetCache  # noqa: PLC0415  # Workers that do not render do without.
        from workers.certification import environment  # noqa: PLC0415  # The same.
        from workers.certification.certifier import Certifier  # noqa: PLC0415  # The same.
        from workers.certification.choosing import Certification  # noqa: PLC0415  # The same.
        from workers.rendering import RenderRoom  # noqa: PLC0415  # The same.

        self.registry = registry.load()
        self.asset_cache = AssetCache(self.settings.asset_cache_bytes)
        here = environment.current()
        self.certifier = Certifier(
            settings=self.settings,
            database=self.database,
            storage=self.storage,
            registry=self.registry,
            asset_cache=self.asset_cache,
            worker_id=self.worker_id,
            environment=here,
        )
        self.room = RenderRoom(
            settings=self.settings,
            database=self.database,
            storage=self.storage,
            registry=self.registry,
            asset_cache=self.asset_cache,
            worker_id=self.worker_id,
            queues=served,
            children=self.children,
            announce=self.announce,
            ring=self.ring,
            publish=self.publish,
            certification=Certification(
                database=self.database,
                registry=self.registry,
                certifier=self.certifier,
                environment=here,
                interval=self.settings.certification_interval,
                came_before=lambda subject: came_before(self.redis, subject),
                ring=self.ring,
            ),
        )

    def _load_caretaker(self) -> None:
        from workers.maintenance import Caretaker  # noqa: PLC0415  # Workers that beat does not ring for do without.

        self.caretaker = caretaker = Caretaker(
            settings=self.settings,
            database=self.database,
            storage=self.storage,
            worker_id=self.worker_id,
            waiting=lambda queue: queues.waiting_messages(self.redis, queue),
            publish=self.publish,
            ring=self.ring,
            is_told_to_go=lambda: self.is_stopping,
        )
        self.errands[Kind.BATCH] = lambda _: caretaker.see_batches_through()

    def _load_errands(self, kinds: set[Kind]) -> None:
        # Each with what only it needs.
        if Kind.THUMBNAIL in kinds:
            from workers.thumbnails import ThumbnailMaker  # noqa: PLC0415

            # A server that hangs must not hold the threads that the duties need, too.
            maker = ThumbnailMaker(
                settings=self.settings,
                database=self.database,
                storage=create_storage(self.settings, hasty=True),
                worker_id=self.worker_id,
            )
            self.errands[Kind.THUMBNAIL] = maker.make
        if Kind.COMPARISON in kinds:
            from workers.comparing import Comparer  # noqa: PLC0415

            comparer = Comparer(
                settings=self.settings,
                database=self.database,
                storage=self.storage,
                worker_id=self.worker_id,
                announce=lambda comparison_id: self.announce([Ending(comparison_id)]),
            )
            self.errands[Kind.COMPARISON] = comparer.compare
        if Kind.CERTIFICATE in kinds and self.certifier is not None:
            self.errands[Kind.CERTIFICATE] = self.certifier.certify
        if Kind.PRINT in kinds:
            from workers.printing import PrintOperator  # noqa: PLC0415

            operator = PrintOperator(
                settings=self.settings,
                database=self.database,
                storage=self.storage,
                worker_id=self.worker_id,
                ring=self.ring,
            )
            self.errands[Kind.PRINT] = operator.begin

    def _queues(self) -> list[str]:
        return sorted(self.app.amqp.queues.consume_from)


def create_app(*, children: int) -> Celery:
    """Make the app from the environment, with its tasks.

    Args:
        children: How many children, or threads, the worker has.
    """
    settings = load_settings()
    configure_logging(settings, process="worker")
    app = queues.create_celery(settings)
    process = WorkerProcess(settings, app, children=children)

    app.task(process.render, name=queues.RENDER_TASK, Request=RenderRequest, shared=False)
    for name, perform in (
        (queues.RECONCILE_TASK, lambda caretaker: caretaker.reconcile()),
        (queues.SWEEP_TASK, lambda caretaker: caretaker.sweep()),
        (queues.CLEAN_TASK, lambda caretaker: caretaker.clean()),
        (queues.SCHEDULE_TASK, lambda caretaker: caretaker.schedule()),
        (queues.PURGE_TASK, lambda caretaker: caretaker.purge()),
        (queues.TEND_TASK, lambda caretaker: caretaker.tend()),
        (queues.BATCHES_TASK, lambda caretaker: caretaker.see_batches_through()),
    ):
        app.task(process.duty(perform), name=name, shared=False)
    for kind, name in queues.ERRAND_TASKS.items():
        app.task(process.errand(kind), name=name, shared=False)

    signals.worker_init.connect(process.load)
    signals.worker_ready.connect(process.begin)
    signals.worker_before_create_process.connect(_share_memory)
    signals.worker_ready.connect(_collect_garbage_again)
    signals.worker_process_init.connect(_collect_garbage_again)
    signals.worker_process_init.connect(process.begin_child)
    signals.worker_shutting_down.connect(process.drain)
    signals.worker_shutdown.connect(process.end)
    # Signals hold their receivers weakly; the app holds the process.
    app.pressroom_process = process
    return app


def _share_memory(**_: object) -> None:
    """Keep the garbage collector's marks off the pages that a child is about to share."""
    release_unused()
    gc.freeze()


def _collect_garbage_again(**_: object) -> None:
    gc.enable()
    release_unused()
