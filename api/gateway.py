"""What the gateway's routes work with, made once per process by `api.app`."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, cast

from flask import current_app

from shared import liveness, queues, renders
from shared.database import Database
from shared.signals import EndedRenders, connect
from shared.storage import create_storage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.errands import Errand
    from shared.models import Render
    from shared.settings import Settings

RECIPES_KNOWN_SECONDS = 2.0


class Gateway:
    """Database, storage, broker and the rules about them, for one process. Connects when first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database, pool_size=8)
        self.storage = create_storage(settings)
        self.redis = connect(settings.broker)
        self.celery = queues.create_celery(settings)
        self.ended = EndedRenders(self.redis)
        # Of four threads, three may wait for renders; the fourth answers those who poll, submit and check.
        self.places = threading.BoundedSemaphore(settings.gateway_threads * 3 // 4)
        self._recipes: Mapping[str, str] = {}
        self._recipes_read_at = float("-inf")
        self._recipes_lock = threading.Lock()

    def publish(self, render: Render) -> None:
        """Announce a committed render."""
        queues.publish(self.celery, renders.wake_of(render), grace=self.settings.render_timeout_grace)

    def ring(self, errand: Errand) -> None:
        """Announce a committed errand."""
        queues.ring(self.celery, errand)

    def recipe_states(self) -> Mapping[str, str]:
        """Return what the living workers say of their recipes, as of the last two seconds; empty if nobody lives."""
        with self._recipes_lock:
            if time.monotonic() - self._recipes_read_at > RECIPES_KNOWN_SECONDS:
                with self.database.reading() as session:
                    workers = liveness.alive(session, dead_after=self.settings.worker_dead_after)
                self._recipes = liveness.recipes(workers)
                self._recipes_read_at = time.monotonic()
            return self._recipes


def current() -> Gateway:
    """Return the gateway of the app that serves this request."""
    return cast("Gateway", current_app.extensions["pressroom"])
