"""Whether the farm can work: every part is asked at once, and none is waited for longer than a moment."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import OutOfMemoryError, ReadOnlyError

from shared import liveness
from shared.database import DatabaseAwayError
from shared.exceptions import PressroomError
from shared.queues import RENDER_QUEUES
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import redis

    from api.intake import Intake
    from shared.database import Database
    from shared.settings import Settings
    from shared.storage import Storage

DEADLINE_SECONDS = 3
# Ours, and written so that the broker shows whether it takes messages; it goes by itself.
BROKER_KEY = "pressroom:ready"
BROKER_KEY_SECONDS = 60
# Errors whose text is ours. Others' texts could tell a stranger about hosts and accounts; the log has them.
SAFE = (PressroomError, DatabaseAwayError)
BROKER_STATES: Mapping[type[Exception], str] = {
    OutOfMemoryError: "its memory is full, so it takes no messages (maxmemory)",
    ReadOnlyError: "it is a replica, which takes no messages",
}

log = logger(__name__)


class Readiness:
    """What the parts of the farm say when they are asked.

    Args:
        settings: The farm's settings.
        database: The database.
        broker: The broker's Redis.
        storage: The store.
        intake: The doorkeeper.
    """

    def __init__(
        self, settings: Settings, *, database: Database, broker: redis.Redis, storage: Storage, intake: Intake
    ) -> None:
        self._settings = settings
        self._database = database
        self._broker = broker
        self._asked: dict[str, Callable[[], Any]] = {
            "database": database.check_writable,
            "broker": self._write_to_broker,
            "storage": storage.ping,
            "disk": intake.check_disk,
            "workers": self._workers,
            "intake": intake.state,
        }
        self._lock = threading.Lock()
        self._questions: dict[str, _Question] = {}

    def look(self) -> dict[str, Any]:
        """Ask every part, and say which are down, whether new work is accepted, and which recipes work."""
        said = self._ask()
        intake, recipes = said.pop("intake"), said["workers"].pop("recipes", {})
        if not said["database"]["ok"]:
            # Workers sign in the database: of one that is away, it is not known whether they live.
            said["workers"] = _down("not known while the database is down")
            reason = f"The database is down: {said['database']['error']}"
            intake = {"accepting": False, "reason": reason, "queued": intake.get("queued", {})}
        elif not intake.pop("ok"):
            intake = {"accepting": False, "reason": intake["error"], "queued": {}}
        known = [name for name in said if name != "workers" or said["database"]["ok"]]
        down = [name for name in known if not said[name]["ok"]]
        return {"ready": not down, "down": down, "parts": said, "intake": intake, "recipes": recipes}

    def _ask(self) -> dict[str, dict[str, Any]]:
        deadline = time.monotonic() + DEADLINE_SECONDS
        asked = {name: self._question(name) for name in self._asked}
        return {
            name: one.answer(until=deadline) or _down(f"no answer within {DEADLINE_SECONDS} s")
            for name, one in asked.items()
        }

    def _question(self, name: str) -> _Question:
        """Ask a part, unless it still owes an answer: a part that hangs holds one thread, however often it is asked."""
        with self._lock:
            open_one = self._questions.get(name)
            if open_one is None or open_one.answered:
                open_one = self._questions[name] = _Question(name, self._asked[name])
            return open_one

    def _write_to_broker(self) -> None:
        # A ping is answered by a broker that is full, and by one that became a replica.
        self._broker.set(BROKER_KEY, "1", ex=BROKER_KEY_SECONDS)

    def _workers(self) -> dict[str, Any]:
        with self._database.reading() as session:
            workers = liveness.alive(session, dead_after=self._settings.worker_dead_after)
        rendering = [worker for worker in workers if set(worker.queues) & set(RENDER_QUEUES)]
        part: dict[str, Any] = {"alive": len(workers), "rendering": len(rendering)}
        part["recipes"] = liveness.recipes(workers)
        return part if rendering else part | _down("no living worker serves a render queue")


class _Question:
    """One question to one part, asked in a thread of its own, which is left behind when no answer comes."""

    def __init__(self, name: str, ask: Callable[[], Any]) -> None:
        self._name = name
        self._answer: dict[str, Any] = {}
        self._done = threading.Event()
        threading.Thread(target=self._run, args=(ask,), name=f"readiness-{name}", daemon=True).start()

    @property
    def answered(self) -> bool:
        return self._done.is_set()

    def answer(self, *, until: float) -> dict[str, Any] | None:
        """Return what the part said; None if nothing until then, on the monotonic clock."""
        return dict(self._answer) if self._done.wait(max(until - time.monotonic(), 0.001)) else None

    def _run(self, ask: Callable[[], Any]) -> None:
        try:
            said = ask()
            self._answer = {"ok": True} | (said if isinstance(said, dict) else {})
        except Exception as error:  # noqa: BLE001  # Whatever a client library raises: the part is down.
            log.warning("part is down", part=self._name, error=str(error))
            self._answer = _down(_told(error))
        finally:
            self._done.set()


def _told(error: Exception) -> str:
    if isinstance(error, SAFE):
        return str(error)
    return next((text for kind, text in BROKER_STATES.items() if isinstance(error, kind)), type(error).__name__)


def _down(reason: str) -> dict[str, Any]:
    return {"ok": False, "error": reason}
