"""Which small documents a process was asked for: one that is asked for again is worth keeping at hand."""

from __future__ import annotations

import threading

# Hashes; the oldest are forgotten.
MOST_REMEMBERED = 10_000


class AskedFor:
    """Remembers which small documents a process was asked for. Safe to use from threads."""

    def __init__(self) -> None:
        self._hashes: dict[str, None] = {}
        self._lock = threading.Lock()

    def before(self, sha256: str) -> bool:
        """Say whether this one was asked for before, and remember that it is asked for now."""
        with self._lock:
            if sha256 in self._hashes:
                return True
            if len(self._hashes) >= MOST_REMEMBERED:
                del self._hashes[next(iter(self._hashes))]
            self._hashes[sha256] = None
            return False
