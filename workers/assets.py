"""The assets as documents see them: always the newest content, and each content fetched once per worker.

Contents are kept in a folder of the machine's temporary ones, which the worker's parent makes and its children share.
A file there is named by its content's hash, so what a name stands for is asked of the database each time, and what
changed is seen at once. Children are killed at any moment: locks are the kernel's and end with them, and a file appears
whole or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import stamina

from shared import assets
from shared.database import DATABASE_AWAY
from shared.exceptions import NotFoundError, RenderError
from shared.renders import Cause
from shared.storage import StorageError
from shared.tracing import logger
from workers.fetching import Asset
from workers.library import AWAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from shared.database import Database
    from shared.storage import Storage

PREFIX = "pressroom-assets-"
OWNER = "owner.lock"
_CONTENT = re.compile(r"[0-9a-f]{64}")
_UNFINISHED = "unfinished"

log = logger(__name__)


class AssetUnavailableError(RenderError):
    """Raised when an asset that is known cannot be had: a document without its logo is worse than none."""

    cause = Cause.STORAGE


class AssetCache:
    """A folder of contents, bounded in bytes. Safe to use from several processes at once; what fails is done without.

    Args:
        limit: The most bytes that are kept; what was used longest ago goes first.
    """

    def __init__(self, limit: int) -> None:
        """Make the folder, and remove those of workers that were killed."""
        self._limit = limit
        for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            _remove_left_folder(left)
        # Named so that others look at it only after it is locked.
        made = Path(tempfile.mkdtemp(prefix=f"new-{PREFIX}"))
        self._owner = os.open(made / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._owner, fcntl.LOCK_EX)
        self._folder = made.rename(made.with_name(made.name.removeprefix("new-")))

    def read(self, sha256: str, fetch: Callable[[], bytes]) -> bytes:
        """Return a content.

        Args:
            sha256: Its hash.
            fetch: Gets it from elsewhere. Of all processes that ask for a content that is not here, one does.
        """
        content = self._kept(sha256)
        if content is None:
            # One lock for each first byte of a hash: few files, and two contents seldom wait for one another.
            with self._alone(f"fetch-{sha256[:2]}"):
                content = self._kept(sha256)
                if content is None:
                    content = fetch()
                    self._keep(sha256, content)
        return content

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._owner)

    def _kept(self, sha256: str) -> bytes | None:
        path = self._folder / sha256
        try:
            content = path.read_bytes()
            # So that the longest unused is the oldest.
            os.utime(path)
        except OSError:
            return None
        # The machine's temporary folder is everybody's.
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def _keep(self, sha256: str, content: bytes) -> None:
        if len(content) > self._limit:
            return
        try:
            with self._alone("room"):
                self._make_room(len(content))
                unfinished = self._folder / _UNFINISHED
                unfinished.write_bytes(content)
                unfinished.replace(self._folder / sha256)
        except OSError as error:
            log.warning("asset not kept", sha256=sha256, error=str(error))

    def _make_room(self, size: int) -> None:
        kept = [one for one in os.scandir(self._folder) if _CONTENT.fullmatch(one.name)]
        facts = sorted((one.stat().st_mtime_ns, one.stat().st_size, one.path) for one in kept)
        whole = size + sum(size for _, size, _ in facts)
        for _, freed, path in facts:
            if whole <= self._limit:
                return
            Path(path).unlink(missing_ok=True)
            whole -= freed

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Keep all other processes out of the blocks of this name; a folder that cannot be used keeps nobody out."""
        lock = self._open_lock(name)
        try:
            if lock is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            if lock is not None:
                os.close(lock)

    def _open_lock(self, name: str) -> int | None:
        try:
            with contextlib.suppress(FileExistsError):
                # Something may have tidied up there.
                self._folder.mkdir(mode=0o700)
            found = self._folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                log.warning("asset cache taken by another", folder=str(self._folder))
                return None
            return os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            log.warning("asset cache not usable", error=str(error))
            return None


class StoredAssets:
    """Finds and reads assets for one child."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        cache: AssetCache,
        untorn: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Take what is read from.

        Args:
            database: Says what a name stands for.
            storage: Has the contents.
            cache: Keeps them at hand.
            untorn: Makes a block in which no time limit strikes: a connection would not survive that.
        """
        self._database = database
        self._storage = storage
        self._cache = cache
        self._untorn = untorn

    def find(self, name: str) -> Asset:
        """Look an asset up, as `workers.fetching.Assets.find` says."""
        try:
            for again in stamina.retry_context(on=DATABASE_AWAY, attempts=None, timeout=AWAY_SECONDS, wait_max=2):
                with again, self._untorn():
                    return self._find(name)
        except DATABASE_AWAY as error:
            raise AssetUnavailableError("The assets cannot be looked up: submit the render again in a while") from error
        raise AssertionError("unreachable")

    def read(self, asset: Asset) -> bytes:
        """Return an asset's content, as `workers.fetching.Assets.read` says."""
        return self._cache.read(asset.sha256, lambda: self._fetched(asset))

    def _find(self, name: str) -> Asset:
        with self._database.reading() as session:
            found = assets.named(session, name)
            if found is None:
                raise NotFoundError(assets.missing(session, name))
        return Asset(found.name, found.media_type, found.size, found.sha256, found.blob_key)

    def _fetched(self, asset: Asset) -> bytes:
        try:
            with self._untorn():
                # Not a byte more than the row promises, whatever lies there.
                content = b"".join(self._storage.stream(asset.key, length=asset.size + 1))
        except FileNotFoundError as error:
            raise AssetUnavailableError(f"Asset {asset.name!r} is no longer in storage: upload it again") from error
        except StorageError as error:
            log.warning("storage failed", error=str(error))
            raise AssetUnavailableError(
                f"The storage did not hand out asset {asset.name!r}: submit the render again when it is back"
            ) from error
        if hashlib.sha256(content).hexdigest() != asset.sha256:
            log.error("asset altered in storage", name=asset.name, key=asset.key)
            raise AssetUnavailableError(
                f"What is in storage for asset {asset.name!r} is not what was uploaded: remove it and upload it again"
            )
        log.info("asset fetched", name=asset.name, sha256=asset.sha256, bytes=len(content))
        return content


def _remove_left_folder(folder: Path) -> None:
    """Remove a cache whose worker, and all its children, are gone."""
    try:
        owner = os.open(folder / OWNER, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        # Its worker lives.
        pass
    finally:
        os.close(owner)
