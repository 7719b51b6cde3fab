"""What one process knows of a part of the farm that it asks, so that a part that is away or hangs holds few threads.

Every call of a part is bounded in time, and still a part that hangs could hold each thread of a process for as long as
that. A guard refuses at once what would only wait: while the part is known to be away, save one caller at a time who
finds out whether it is back, and when the process has no threads left to wait with.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import threading
import time
from typing import TYPE_CHECKING

from shared.storage import CorruptObjectError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from typing import IO

    from shared.storage import Listed, Storage, Stored

# A question that has waited this long is to a part that hangs.
HANGING_SECONDS = 5
# A part that failed so short a time ago is not waited for by the last threads.
LATELY_SECONDS = 10
# That a part failed says nothing any more after so long in which nobody asked it.
FORGOTTEN_SECONDS = 60


class NotAskedError(Exception):
    """Raised instead of asking a part from which no answer is expected now."""


class StorageNotAskedError(StorageError):
    """Raised instead of asking a store that is known to be away: nothing has reached it."""


class Guard:
    """One part, as one process sees it. Safe to use from threads."""

    def __init__(
        self,
        part: str,
        *,
        away_seconds: float = 0,
        crowded: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin in good hope.

        Args:
            part: The part's name, for the text of errors.
            away_seconds: How long nobody else asks a part that failed; 0: everybody may.
            crowded: Says whether the process is short of threads.
            clock: Seconds.
        """
        self.part = part
        self._away_seconds = away_seconds
        self._crowded = crowded
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        # When each question began that has no answer yet; the oldest first.
        self._asked: dict[int, float] = {}
        self._probe: int | None = None
        self._failed_at: float | None = None
        self._away_from: float | None = None
        self._away_since: dt.datetime | None = None

    @contextlib.contextmanager
    def asking(self, failures: tuple[type[Exception], ...]) -> Iterator[None]:
        """Ask the part within the block, and note how that ends.

        Args:
            failures: What says that the part is away; any other exception is an answer.

        Raises:
            NotAskedError: It is not to be asked now.
        """
        number = self._begin()
        try:
            yield
        except failures as error:
            # A damaged object is an answer, too.
            self._end(number, worked=isinstance(error, CorruptObjectError))
            raise
        except Exception:
            self._end(number, worked=True)
            raise
        except BaseException:
            self._end(number, worked=None)
            raise
        self._end(number, worked=True)

    def worked(self) -> None:
        """Note that the part answered."""
        with self._lock:
            self._failed_at = self._away_from = self._away_since = None

    def failed(self) -> None:
        """Note that the part did not answer."""
        with self._lock:
            now = self._clock()
            if self._failed_at is None or now - self._failed_at > FORGOTTEN_SECONDS:
                self._away_from, self._away_since = now, dt.datetime.now(dt.UTC)
            self._failed_at = now

    def away_for(self) -> tuple[float, dt.datetime] | None:
        """Return for how long the part has been away, seconds, and since when; None: it is not known to be.

        What nobody has asked for a while may be back.
        """
        with self._lock:
            if self._failed_at is None or self._away_from is None or self._away_since is None:
                return None
            now = self._clock()
            return None if now - self._failed_at > FORGOTTEN_SECONDS else (now - self._away_from, self._away_since)

    def _begin(self) -> int:
        with self._lock:
            now, number = self._clock(), next(self._numbers)
            if self._away_seconds and self._failed_at is not None:
                if self._probe is not None or now < self._failed_at + self._away_seconds:
                    raise NotAskedError(f"The {self.part} is away, and is not asked at this moment")
                self._probe = number
            elif self._is_hanging(now) and self._crowded():
                raise NotAskedError(f"The {self.part} hangs, and too many wait for it already")
            self._asked[number] = now
            return number

    def _end(self, number: int, *, worked: bool | None) -> None:
        with self._lock:
            self._asked.pop(number)
            if self._probe == number:
                self._probe = None
        if worked is not None:
            (self.worked if worked else self.failed)()

    def _is_hanging(self, now: float) -> bool:
        oldest = next(iter(self._asked.values()), now)
        return now - oldest >= HANGING_SECONDS or (
            self._failed_at is not None and now - self._failed_at < LATELY_SECONDS
        )


class GuardedStorage:
    """A store behind a guard: while it is away, `StorageNotAskedError` is raised at once.

    Only the beginning of a stream is guarded; a client may take its document slowly.

    Args:
        storage: The store.
        guard: What is known of it.
    """

    def __init__(self, storage: Storage, guard: Guard) -> None:
        self._storage = storage
        self._guard = guard

    def put(
        self, key: str, content: bytes, *, media_type: str, metadata: Mapping[str, str], sha256: str | None = None
    ) -> None:
        """Write an object, as `shared.storage.Storage.put` says."""
        with self._asking():
            self._storage.put(key, content, media_type=media_type, metadata=metadata, sha256=sha256)

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store, as `shared.storage.Storage.copy` says."""
        with self._reading():
            self._storage.copy(source, target)

    def stat(self, key: str) -> Stored:
        """Describe an object, as `shared.storage.Storage.stat` says."""
        with self._reading():
            return self._storage.stat(key)

    def stream(self, key: str, *, offset: int = 0, length: int | None = None) -> Generator[bytes, None, None]:
        """Open an object, as `shared.storage.Storage.stream` says."""
        with self._reading():
            return self._storage.stream(key, offset=offset, length=length)

    def get(self, key: str, *, sha256: str | None = None, size: int | None = None) -> bytes:
        """Read a whole object, as `shared.storage.Storage.get` says."""
        with self._reading():
            return self._storage.get(key, sha256=sha256, size=size)

    def fetch(self, key: str, file: IO[bytes], *, sha256: str | None = None, size: int | None = None) -> None:
        """Write a whole object into a file, as `shared.storage.Storage.fetch` says."""
        with self._reading():
            self._storage.fetch(key, file, sha256=sha256, size=size)

    def delete(self, key: str) -> None:
        """Remove an object, as `shared.storage.Storage.delete` says."""
        with self._asking():
            self._storage.delete(key)

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """List objects, as `shared.storage.Storage.listed` says."""
        return self._storage.listed(prefix)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List keys, as `shared.storage.Storage.keys` says."""
        return self._storage.keys(prefix)

    def remove_unfinished(self, *, older_than: float) -> int:
        """Remove what killed processes left, as `shared.storage.Storage.remove_unfinished` says."""
        return self._storage.remove_unfinished(older_than=older_than)

    def ping(self) -> None:
        """Ask the store whatever is known of it, as `shared.storage.Storage.ping` says, and note the answer."""
        try:
            self._storage.ping()
        except StorageError:
            self._guard.failed()
            raise
        self._guard.worked()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with self._guard.asking((StorageError,)):
                yield
        except NotAskedError as error:
            raise StorageNotAskedError(str(error)) from error

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Ask for one object: that it cannot be read, on a bad spot of a disk, is no reason to ask for no other."""
        unreadable = None
        with self._asking():
            try:
                yield
            except CorruptObjectError:
                raise
            except StorageError as error:
                self._storage.ping()
                unreadable = error
        if unreadable is not None:
            raise unreadable
