"""Run as a process of its own: one purge of all that has ended. Prints how much memory it took in all, and beyond its
first batches.

Arguments: the database's URL, and the folder of the objects.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sweeping import peak

from shared import history_removal
from shared.database import Database
from shared.storage.filesystem import FilesystemStorage

# A record has two. The first batches also take what any program takes once: its statements, compiled.
WARM_UP = 2 * 2 * history_removal.BATCH


class WarmingUp(FilesystemStorage):
    """A folder that notes how much memory this process took until its first objects were gone."""

    deleted = 0
    first = 0
    before = 0

    def delete(self, key: str) -> None:
        super().delete(key)
        self.deleted += 1
        if self.deleted == WARM_UP:
            self.first = peak()
            self.before = counted_anew()


def counted_anew() -> int:
    """Return how much memory this process holds; from here on, the peak is counted anew: see proc(5)."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def main(url: str, folder: str) -> None:
    database, storage = Database(url), WarmingUp(Path(folder))
    database.ping()
    storage.ping()
    before = counted_anew()
    done = history_removal.purge(database, storage, older_than=0)
    grown = max(storage.first, peak()) - before
    sys.stdout.write(f"{done.records} {done.print_tasks} {grown} {peak() - storage.before}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
