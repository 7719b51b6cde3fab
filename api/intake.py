"""The gateway's doorkeeper: whether there is room for more work, on the disk, in the storage and in the queues.

It is asked before anything is written. Its counts are as old as a second, with what this process accepted since added:
two gateways together may let in what both accept within a second beyond a limit.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

from api.known import Known
from shared import backlog
from shared.exceptions import NotReadyError, OverloadedError
from shared.queues import DEFAULT_QUEUE
from shared.storage import StorageError
from shared.tracing import logger

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from shared.database import Database
    from shared.guards import Guard
    from shared.settings import Settings
    from shared.storage import Storage

COUNTS_KNOWN_SECONDS = 1
RATE_KNOWN_SECONDS = 1
DISK_KNOWN_SECONDS = 5
STORAGE_ASKED_SECONDS = 10
# When to try again where nobody can tell how long it takes.
RETRY_SECONDS = 30
SOON_SECONDS = 5
MIB = 1024 * 1024

log = logger(__name__)


class Intake:
    """The doorkeeper of one process.

    Args:
        settings: The limits.
        database: Where renders wait.
        storage: The store, which is asked in the background, however it does.
        storage_guard: What is known of it.
    """

    def __init__(self, settings: Settings, database: Database, storage: Storage, storage_guard: Guard) -> None:
        self._settings = settings
        self._database = database
        self._storage = _WatchedStorage(storage, storage_guard)
        self._free = Known(lambda: _free_space(settings), seconds=DISK_KNOWN_SECONDS)
        self._ended = Known(self._read_ended, seconds=RATE_KNOWN_SECONDS)
        self._read = Known(self._read_waiting, seconds=COUNTS_KNOWN_SECONDS)
        self._lock = threading.Lock()
        self._waiting: Mapping[tuple[str, str | None], int] = {}
        # Committed since that was read; and let in, but not committed yet.
        self._since: Counter[tuple[str, str | None]] = Counter()
        self._under_way: Counter[tuple[str, str | None]] = Counter()

    @contextlib.contextmanager
    def admitting(self, *, queue: str, client: str | None, waits: bool = False) -> Iterator[None]:
        """Let one render in, which is committed within the block; it counts from now on, unless the block raises.

        Args:
            queue: Where it is to wait.
            client: Who sends it.
            waits: Whether the caller waits for the document.

        Raises:
            NotReadyError: The disk is nearly full, or the storage is away for too long; or, for one who waits, at all.
            OverloadedError: Too many wait already.
        """
        self._check_disk()
        self._check_storage(waits=waits)
        self._read.get()
        whose = (queue, client)
        with self._lock:
            counts = self._counts()
            self._under_way[whose] += 1
        try:
            backlog.check_queue(counts, self._settings, queue=queue, ended=self._ended.get)
            backlog.check_client(counts, self._settings, client=client, ended=self._ended.get)
            yield
        except BaseException:
            with self._lock:
                self._under_way[whose] -= 1
            raise
        with self._lock:
            self._under_way[whose] -= 1
            self._since[whose] += 1

    def check_disk(self) -> dict[str, Any]:
        """Return how much disk space is free.

        Raises:
            NotReadyError: It is too little.
        """
        self._check_disk()
        return {"freeBytes": self._free.get()}

    def state(self) -> dict[str, Any]:
        """Say whether new work is accepted, and why not, and how many renders wait in each queue that has some.

        Raises:
            SQLAlchemyError: The database does not answer.
        """
        self._read.get()
        with self._lock:
            counts = self._counts()
        queued: Counter[str] = Counter()
        for (queue, _), count in counts.items():
            queued[queue] += count
        said = {"accepting": True, "queued": dict(sorted((+queued).items()))}
        try:
            self._check_disk()
            self._check_storage(waits=False)
            backlog.check_queue(counts, self._settings, queue=DEFAULT_QUEUE, ended=self._ended.get)
        except (NotReadyError, OverloadedError) as error:
            said |= {"accepting": False, "reason": error.message}
        return said

    def _check_disk(self) -> None:
        wanted = self._settings.min_free_bytes
        free = self._free.get() if wanted else math.inf
        if free < wanted:
            raise NotReadyError(
                f"The disk is nearly full: {free // MIB:.0f} MiB are free, and the farm keeps {wanted // MIB} MiB "
                "(PRESSROOM_MIN_FREE_BYTES). Nothing new is accepted until there is room",
                retry_after=RETRY_SECONDS,
            )

    def _check_storage(self, *, waits: bool) -> None:
        patience = self._settings.storage_patience
        away = self._storage.away_for()
        if away is not None and away[0] >= patience:
            raise NotReadyError(
                f"The storage has been away for {away[0]:.0f} s, since {away[1]:%Y-%m-%dT%H:%M:%SZ}, and the farm "
                f"waits for {patience:g} s (PRESSROOM_STORAGE_PATIENCE). Nothing new is accepted until it is back",
                retry_after=RETRY_SECONDS,
            )
        if away is not None and waits:
            raise NotReadyError(
                "The storage is away, and what is rendered now could not be handed out: try again shortly, or send "
                "this as an asynchronous request",
                retry_after=SOON_SECONDS,
            )

    def _counts(self) -> Counter[tuple[str, str | None]]:
        return Counter(self._waiting) + self._since + self._under_way

    def _read_waiting(self) -> None:
        with self._lock:
            before = Counter(self._since)
        with self._database.reading() as session:
            waiting = backlog.waiting(session)
        with self._lock:
            self._waiting = waiting
            # What was committed while it was read may be in it or not: for a second it may count twice.
            self._since -= before

    def _read_ended(self) -> Mapping[tuple[str, str | None], int]:
        with self._database.reading() as session:
            return backlog.ended_lately(session)


class _WatchedStorage:
    """How the store does, as far as it is known; asked in a thread when work comes in, and while it is away."""

    def __init__(self, storage: Storage, guard: Guard) -> None:
        self._storage = storage
        self._guard = guard
        self._lock = threading.Lock()
        self._asking = False
        self._asked_at = -math.inf

    def away_for(self) -> tuple[float, dt.datetime] | None:
        """Return for how long it has been away, seconds, and since when; never waits for it."""
        with self._lock:
            due = not self._asking and time.monotonic() - self._asked_at >= STORAGE_ASKED_SECONDS
            self._asking = self._asking or due
        if due:
            threading.Thread(target=self._ask, name="storage-watch", daemon=True).start()
        return self._guard.away_for()

    def _ask(self) -> None:
        pause = threading.Event()
        try:
            while not self._answers():
                pause.wait(STORAGE_ASKED_SECONDS)
        finally:
            with self._lock:
                self._asking, self._asked_at = False, time.monotonic()

    def _answers(self) -> bool:
        try:
            self._storage.ping()
        except StorageError as error:
            log.warning("storage is away", error=str(error))
            return False
        return True


def _free_space(settings: Settings) -> int:
    """Return the free space, bytes, of the fullest disk that this process' farm writes to."""
    places = [settings.home]
    if settings.storage == "filesystem":
        places.append(settings.blobs)
    database = make_url(settings.database)
    if database.get_backend_name() == "sqlite" and database.database:
        places.append(Path(database.database))
    return min(_free_at(place) for place in places)


def _free_at(place: Path) -> int:
    # What is not there yet will be made on the disk of the nearest folder that is.
    there = next(one for one in (place, *place.absolute().parents) if one.exists())
    return shutil.disk_usage(there).free
