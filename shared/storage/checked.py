"""Reading whole objects, whichever store they are in, and making sure that they are what was put."""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.storage import CorruptObjectError
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator
    from typing import IO

# What was changed on its way from the store comes whole the next time.
MOST_TURNS = 3
PAUSE_SECONDS = 0.02

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """An object that is being read.

    Attributes:
        chunks: Its bytes.
        hashes: The hash that was kept with it; none: it has none; several: it was just being replaced.
    """

    chunks: Generator[bytes, None, None]
    hashes: Collection[str]


def fetch(opened: Callable[[], Opened], key: str, file: IO[bytes], *, sha256: str | None, size: int | None) -> None:
    """Write a whole object into a file and check it, as `shared.storage.Storage.fetch` says.

    Args:
        opened: Opens the object.
        key: Where it is.
        file: Where to.
        sha256: The hash that it must have; None: the one that was kept with it.
        size: Its bytes, where they are known.
    """
    for turn in range(1, MOST_TURNS + 1):
        file.seek(0)
        file.truncate()
        wrong = _fetched(opened(), key, file, sha256=sha256, size=size)
        if wrong is None:
            return
        if turn == MOST_TURNS:
            log.error("stored object damaged", key=key, expected=wrong.expected, found=wrong.found)
            raise wrong
        log.warning("stored object read again", key=key, expected=wrong.expected, found=wrong.found)
        time.sleep(PAUSE_SECONDS * turn)


def _fetched(
    opened: Opened, key: str, file: IO[bytes], *, sha256: str | None, size: int | None
) -> CorruptObjectError | None:
    """Read an object once, and say what is wrong with it."""
    hashes = opened.hashes if sha256 is None else (sha256,)
    digest = hashlib.sha256()
    length = 0
    with contextlib.closing(opened.chunks):
        for chunk in opened.chunks:
            length += len(chunk)
            if size is not None and length > size:
                return CorruptObjectError(key, expected=f"{size} bytes", found="more")
            digest.update(chunk)
            file.write(chunk)
    if size is not None and length != size:
        return CorruptObjectError(key, expected=f"{size} bytes", found=f"{length} bytes")
    if hashes and digest.hexdigest() not in hashes:
        return CorruptObjectError(key, expected=f"SHA-256 {min(hashes)}", found=f"SHA-256 {digest.hexdigest()}")
    return None
