"""The Celery app of beat and Flower: the schedule and the broker, and nothing of what rendering needs in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery.signals import setup_logging

from shared.queues import create_celery
from shared.settings import load_settings
from shared.tracing import configure_logging

if TYPE_CHECKING:
    from celery import Celery


def create_app() -> Celery:
    """Make the app from the environment."""
    settings = load_settings()
    setup_logging.connect(lambda **_: configure_logging(settings, process="beat"), weak=False)
    return create_celery(settings)


def __getattr__(name: str) -> Celery:
    # Celery's command line wants an attribute of the module; making it on demand keeps the import without effect.
    if name == "app":
        globals()["app"] = made = create_app()
        return made
    raise AttributeError(name)
