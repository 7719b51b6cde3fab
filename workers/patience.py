"""How long work waits for a storage that is away, and when it waits in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.storage import StorageError

if TYPE_CHECKING:
    from shared.storage import Storage

# From one try to the next of what waits for a part of the farm.
FIRST_DELAY_SECONDS = 5
LONGEST_DELAY_SECONDS = 60
# A storage that answers, and yet did not do so many times what was asked of it, never will.
MOST_REFUSALS = 10


def delay(before: int) -> int:
    """Return how many seconds to wait after so many waits before this one."""
    return min(FIRST_DELAY_SECONDS * (1 << before), LONGEST_DELAY_SECONDS)


def is_in_vain(storage: Storage, before: int) -> bool:
    """Say whether waiting does not help after so many waits before this one: the storage does answer."""
    if before + 1 < MOST_REFUSALS:
        return False
    try:
        storage.ping()
    except StorageError:
        return False
    return True
