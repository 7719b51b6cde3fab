"""Contents kept at hand in a folder, each in a file that its SHA-256 names.

What a content belongs to is asked elsewhere each time, so what changed is seen at once, and what was removed is not
found. Several processes use one folder: locks are the kernel's and end with whoever held them, and a file appears whole
or not at all. What fails is done without: a cache is no reason not to answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
import time
from typing import TYPE_CHECKING

from shared import file_locks
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from pathlib import Path
    from typing import IO

# Whoever is at it may be paused; others then do without.
PATIENCE_SECONDS = 20
_CONTENT = re.compile(r"[0-9a-f]{64}")

log = logger(__name__)


class ContentCache:
    """A folder of contents, bounded in bytes. Safe to use from several threads and processes at once.

    Args:
        folder: Where; made when the first content is kept. It is this user's alone.
        limit: The most bytes that are kept; what was used longest ago goes first. 0: nothing is.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        # By hash, which file this process has found whole. A change of it changes these.
        self._found_whole: dict[str, tuple[int, ...]] = {}

    def opened(self, sha256: str, size: int, fetch: Callable[[IO[bytes]], None]) -> IO[bytes]:
        """Return a file with a content, open for reading.

        Args:
            sha256: Its hash.
            size: Its bytes.
            fetch: Writes it into an empty file, or raises. Of all who ask for a content that is not here, one does.

        Raises:
            OSError: There is no room for it on the disk.
        """
        if size > self._limit:
            return self.spooled(fetch)
        kept = self._kept(sha256)
        if kept is not None:
            return kept
        # One lock for each first byte of a hash: few files, and two contents seldom wait for one another.
        with self._alone(f"fetch-{sha256[:2]}") as alone:
            kept = self._kept(sha256)
            if kept is not None:
                return kept
            return (alone and self._fetched(sha256, fetch)) or self.spooled(fetch)

    def read(self, sha256: str, fetch: Callable[[], bytes]) -> bytes:
        """Return a small content, with the arguments of `opened`; no file is needed for it."""
        kept = self._kept(sha256)
        if kept is None:
            with self._alone(f"fetch-{sha256[:2]}") as alone:
                kept = self._kept(sha256)
                if kept is None:
                    content = fetch()
                    if alone and len(content) <= self._limit and (file := self._fetched(sha256, _writing(content))):
                        file.close()
                    return content
        with kept:
            return kept.read()

    def spooled(self, fetch: Callable[[IO[bytes]], None]) -> IO[bytes]:
        """Return a file with what is fetched, open for reading, that has no name and goes when it is closed.

        Raises:
            OSError: There is no room for it on the disk.
        """
        with contextlib.ExitStack() as unless_fetched:
            file = unless_fetched.enter_context(self._nameless())
            fetch(file)
            file.seek(0)
            unless_fetched.pop_all()
        return file

    def _nameless(self) -> IO[bytes]:
        with contextlib.suppress(OSError):
            # There is more room than in the machine's temporary folder, which may be in memory.
            return tempfile.TemporaryFile(dir=self._folder)
        return tempfile.TemporaryFile()

    def _kept(self, sha256: str) -> IO[bytes] | None:
        try:
            file = (self._folder / sha256).open("rb")
        except OSError:
            return None
        with contextlib.ExitStack() as unless_whole:
            unless_whole.callback(file.close)
            try:
                if not self._is_whole(sha256, file):
                    return None
                # So that the longest unused has the oldest time of access. That of writing tells who wrote last.
                os.utime(file.fileno(), ns=(time.time_ns(), os.fstat(file.fileno()).st_mtime_ns))
            except OSError:
                return None
            unless_whole.pop_all()
        return file

    def _is_whole(self, sha256: str, file: BufferedReader) -> bool:
        """Say whether a kept file is still what its name says; each process looks once."""
        found = os.fstat(file.fileno())
        which = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if self._found_whole.get(sha256) == which:
            return True
        if hashlib.file_digest(file, hashlib.sha256).hexdigest() != sha256:
            log.warning("kept content altered", sha256=sha256)
            return False
        file.seek(0)
        self._found_whole[sha256] = which
        return True

    def _fetched(self, sha256: str, fetch: Callable[[IO[bytes]], None]) -> IO[bytes] | None:
        """Fetch a content and keep it, holding its lock; None: there is no room for it."""
        # One that was killed over it left it behind.
        unfinished = self._folder / f"unfinished-{sha256[:2]}"
        with contextlib.ExitStack() as at_end:
            try:
                file = _made(unfinished)
            except OSError as error:
                log.warning("content not kept", sha256=sha256, error=str(error))
                return None
            unless_fetched = at_end.enter_context(contextlib.ExitStack())
            unless_fetched.callback(_close, file)
            at_end.callback(unfinished.unlink, missing_ok=True)
            try:
                fetch(file)
                file.flush()
            except FileNotFoundError:
                # It is not there to be fetched.
                raise
            except OSError as error:
                log.warning("content not kept", sha256=sha256, error=str(error))
                return None
            self._keep(unfinished, sha256, os.fstat(file.fileno()).st_size)
            file.seek(0)
            unless_fetched.pop_all()
        return file

    def _keep(self, unfinished: Path, sha256: str, size: int) -> None:
        try:
            with self._alone("room") as alone:
                if alone and size <= self._limit:
                    self._make_room(size)
                    unfinished.replace(self._folder / sha256)
        except OSError as error:
            log.warning("content not kept", sha256=sha256, error=str(error))

    def _make_room(self, size: int) -> None:
        kept = [one for one in os.scandir(self._folder) if _CONTENT.fullmatch(one.name)]
        facts = sorted((one.stat().st_atime_ns, one.stat().st_size, one.name) for one in kept)
        whole = size + sum(size for _, size, _ in facts)
        for _, freed, name in facts:
            if whole <= self._limit:
                return
            (self._folder / name).unlink(missing_ok=True)
            self._found_whole.pop(name, None)
            whole -= freed

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[bool]:
        """Keep everybody else out of the blocks of this name; False: that cannot be had, in this folder or in time."""
        lock = self._open_lock(name)
        try:
            yield lock is not None and file_locks.lock(lock, seconds=PATIENCE_SECONDS)
        finally:
            if lock is not None:
                os.close(lock)

    def _open_lock(self, name: str) -> int | None:
        try:
            with contextlib.suppress(FileExistsError):
                # Something may have tidied up there.
                self._folder.mkdir(mode=0o700, parents=True)
            found = self._folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                log.warning("cache taken by another", folder=str(self._folder))
                return None
            return os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            log.warning("cache not usable", error=str(error))
            return None


def _writing(content: bytes) -> Callable[[IO[bytes]], None]:
    def write(file: IO[bytes]) -> None:
        file.write(content)

    return write


def _close(file: IO[bytes]) -> None:
    # What a full disk did not take is written once more, and fails once more.
    with contextlib.suppress(OSError):
        file.close()


def _made(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w+b")
