"""`python -m workers.flower`: Flower, Celery's own view of queues, workers and tasks."""

from __future__ import annotations

import sys
from importlib import import_module

from shared.memory import release_unused
from workers.clock import create_app


def main() -> None:
    """Serve Flower until told to stop; the arguments are Flower's own."""
    app = create_app("flower")
    # Loaded before it would be, so that what loading leaves unused (10 MB) can be given back.
    import_module("flower.command")
    import_module("celery.bin.celery")
    release_unused()
    app.start(["flower", *sys.argv[1:]])


if __name__ == "__main__":
    main()
