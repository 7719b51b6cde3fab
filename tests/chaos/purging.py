"""Run as a process of its own: one purge of all that has ended. Prints how much memory it took beyond its beginning.

Arguments: the database's URL, and the folder of the objects.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sweeping import peak

from shared import history_removal
from shared.database import Database
from shared.storage.filesystem import FilesystemStorage


def main(url: str, folder: str) -> None:
    database, storage = Database(url), FilesystemStorage(Path(folder))
    database.ping()
    storage.ping()
    # See proc(5): from here on, the peak is counted anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    done = history_removal.purge(database, storage, older_than=0)
    sys.stdout.write(f"{done.records} {done.print_tasks} {peak() - before}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
