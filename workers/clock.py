"""`python -m workers.clock`: beat, the clock of the periodic tasks. It loads nothing of what rendering needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.memory import release_unused
from shared.queues import create_celery
from shared.settings import load_settings
from shared.tracing import configure_logging, logger

if TYPE_CHECKING:
    from celery import Celery


def create_app(process: str) -> Celery:
    """Make an app that publishes and watches, but serves no queue.

    Args:
        process: What the process is called in its log lines.
    """
    settings = load_settings()
    configure_logging(settings, process=process)
    return create_celery(settings)


if __name__ == "__main__":
    # Started here and not by Celery's command line, which loads every command that any package adds to it.
    # Every duty is idempotent and short-spaced, so when it last ran need not outlive the process.
    app = create_app("beat")
    app.finalize()
    logger("workers.clock").info("beat starts", duties=sorted(app.conf.beat_schedule))
    release_unused()
    app.Beat(scheduler="celery.beat:Scheduler", quiet=True).run()
