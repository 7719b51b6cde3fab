"""Run by `benchmarks.history` as a process of its own: one purge by age. Prints what it did and took, as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from shared import history_removal
from shared.database import Database
from shared.durations import duration
from shared.settings import load_settings
from shared.storage import create_storage


def peak() -> int:
    """Return the most memory that this process held since it was last reset, KiB."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").split("VmHWM:")[1].split()[0])


def main(age: str) -> None:
    """Purge, and say how memory grew beyond what the process began with."""
    settings = load_settings()
    database, storage = Database(settings.database), create_storage(settings)
    database.ping()
    storage.ping()
    # See proc(5): from here on, the peak is counted anew.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before, began = peak(), time.perf_counter()
    done = history_removal.purge(database, storage, older_than=duration(age))
    seconds = round(time.perf_counter() - began, 1)
    figures = {"records": done.records, "printTasks": done.print_tasks, "seconds": seconds, "grownKib": peak() - before}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
