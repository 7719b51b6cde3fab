"""The assets as documents see them: always the newest content, and each content fetched once per worker.

Contents are kept in a folder of the machine's temporary ones, which the worker's parent makes and its children share.
What a name stands for is asked of the database each time, so what changed is seen at once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import stamina

from shared import assets
from shared.content_cache import ContentCache
from shared.database import DATABASE_AWAY
from shared.exceptions import NotFoundError, PartAwayError, RenderError
from shared.renders import Cause
from shared.storage import CorruptObjectError, StorageError
from shared.tracing import logger
from workers.fetching import Asset
from workers.library import AWAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from shared.database import Database
    from shared.storage import Storage

PREFIX = "pressroom-assets-"
OWNER = "owner.lock"

log = logger(__name__)


class AssetUnavailableError(RenderError):
    """Raised when an asset that is known cannot be had: a document without its logo is worse than none."""

    cause = Cause.STORAGE


class AssetCache(ContentCache):
    """The contents that one worker's children share.

    Args:
        limit: The most bytes that are kept.
    """

    def __init__(self, limit: int) -> None:
        """Make the folder, and remove those of workers that were killed."""
        for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            _remove_left_folder(left)
        # Named so that others look at it only after it is locked.
        made = Path(tempfile.mkdtemp(prefix=f"new-{PREFIX}"))
        self._owner = os.open(made / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._owner, fcntl.LOCK_EX)
        super().__init__(made.rename(made.with_name(made.name.removeprefix("new-"))), limit)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._owner)


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
            raise PartAwayError("The assets cannot be looked up", part="database") from error
        raise AssertionError("unreachable")

    def read(self, asset: Asset) -> bytes:
        """Return an asset's content, as `workers.fetching.Assets.read` says."""
        # Another child may be fetching it: that is waited for in the cache.
        with self._untorn():
            return self._cache.read(asset.sha256, lambda: self._fetched(asset))

    def _find(self, name: str) -> Asset:
        with self._database.reading() as session:
            found = assets.named(session, name)
            if found is None:
                raise NotFoundError(assets.missing(session, name))
        return Asset(found.name, found.media_type, found.size, found.sha256, found.blob_key)

    def _fetched(self, asset: Asset) -> bytes:
        try:
            content = self._storage.get(asset.key, sha256=asset.sha256, size=asset.size)
        except FileNotFoundError as error:
            raise AssetUnavailableError(f"Asset {asset.name!r} is no longer in storage: upload it again") from error
        except CorruptObjectError as error:
            raise AssetUnavailableError(
                f"What is in storage for asset {asset.name!r} is not what was uploaded: remove it and upload it again"
            ) from error
        except StorageError as error:
            log.warning("storage failed", error=str(error))
            raise PartAwayError(f"The storage did not hand out asset {asset.name!r}", part="storage") from error
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
