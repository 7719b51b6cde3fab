"""What the gateway's routes work with, made once per process by `api.app`."""

from __future__ import annotations

import functools
import math
import threading
from typing import TYPE_CHECKING, cast

from flask import current_app

from api.intake import Intake
from api.known import Known
from api.readiness import Readiness
from api.threads import Threads
from shared import estimates, farm, liveness, queues, renders
from shared.content_cache import ContentCache
from shared.database import GATEWAYS, Database
from shared.guards import Guard, GuardedStorage
from shared.signals import EndedRenders, connect
from shared.storage import create_storage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from shared.errands import Errand
    from shared.estimates import QueueState
    from shared.farm import FarmState
    from shared.models import Render
    from shared.renders import SubmittedRender, Wake
    from shared.settings import Settings

RECIPES_KNOWN_SECONDS = 2.0
QUEUES_KNOWN_SECONDS = 2.0
FARM_KNOWN_SECONDS = 1.0
# One caller at a time finds out whether a part that was away is back, so often.
AWAY_SECONDS = 3
# For the broker's answer; whoever waits for it has his answer by then, but for the message.
BROKER_SECONDS = 5


class Gateway:
    """Database, storage, broker and the rules about them, for one process. Connects when first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.threads = Threads(settings.gateway_threads)
        guard = Guard("database", crowded=self._is_crowded)
        self.database = Database(settings.database, pool_size=8, patience=GATEWAYS, guard=guard)
        storage_guard = Guard("storage", away_seconds=AWAY_SECONDS, crowded=self._is_crowded)
        self.storage = GuardedStorage(create_storage(settings, hasty=True), storage_guard)
        self.intake = Intake(settings, self.database, self.storage, storage_guard)
        # Of all gateway processes of a home, and still there when they start again.
        self.documents = ContentCache(settings.home / "cache" / "documents", settings.document_cache_bytes)
        self.redis = connect(settings.broker)
        self.celery = queues.create_celery(settings)
        queues.guard(self.celery, crowded=self._is_crowded)
        self.celery.conf.broker_transport_options["socket_timeout"] = BROKER_SECONDS
        self.readiness = Readiness(
            settings, database=self.database, broker=self.redis, storage=self.storage, intake=self.intake
        )
        self.ended = EndedRenders(self.redis)
        # Of four threads, three may wait for renders; the fourth answers those who poll, submit and check.
        self.places = threading.BoundedSemaphore(settings.gateway_threads * 3 // 4)
        # Of those places, so many may be held by pages that are open and live.
        self.live_places = threading.BoundedSemaphore(max(1, settings.gateway_threads // 4))
        # On the monotonic clock. Once this process was told to stop, who waits for a render then is sent away.
        self.waits_until = math.inf
        self._recipes = Known(self._read_recipes, seconds=RECIPES_KNOWN_SECONDS)
        self._farm = Known(self._read_farm, seconds=FARM_KNOWN_SECONDS)
        self._queues = {
            queue: Known(functools.partial(self._read_queue, queue), seconds=QUEUES_KNOWN_SECONDS)
            for queue in queues.RENDER_QUEUES
        }

    @property
    def is_stopping(self) -> bool:
        """Whether this process was told to stop."""
        return self.waits_until < math.inf

    def publish(self, render: Render | SubmittedRender) -> None:
        """Announce a committed render."""
        self.publish_wake(renders.wake_of(render))

    def publish_wake(self, wake: Wake) -> bool:
        """Announce a committed render, and return whether the broker took it; if not, the reconciler announces it."""
        return queues.publish(self.celery, wake)

    def ring(self, errand: Errand) -> None:
        """Announce a committed errand."""
        queues.ring(self.celery, errand)

    def recipe_states(self) -> Mapping[str, str]:
        """Return what the living workers say of their recipes, as of the last two seconds; empty if nobody lives."""
        return self._recipes.get()

    def _read_recipes(self) -> Mapping[str, str]:
        with self.database.reading() as session:
            return liveness.recipes(liveness.alive(session, dead_after=self.settings.worker_dead_after))

    def queue_state(self, queue: str) -> QueueState:
        """Return how a queue of renders is, as of the last two seconds: for estimates."""
        return self._queues[queue].get()

    def _read_queue(self, queue: str) -> QueueState:
        with self.database.reading() as session:
            return estimates.state_of(session, queue, dead_after=self.settings.worker_dead_after)

    def farm_state(self) -> tuple[FarmState, dict[str, Any]]:
        """Return how the farm does and what its parts say, as of the last second: every page about it asks for that."""
        return self._farm.get()

    def _read_farm(self) -> tuple[FarmState, dict[str, Any]]:
        with self.database.reading() as session:
            state = farm.look(session, self.settings)
        # Behind it: a part that hangs is waited for, and no connection need be kept meanwhile.
        return state, self.readiness.look()

    def _is_crowded(self) -> bool:
        return self.threads.few_left


def current() -> Gateway:
    """Return the gateway of the app that serves this request."""
    return cast("Gateway", current_app.extensions["pressroom"])
