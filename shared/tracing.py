"""Logs: one JSON object per line, each with the trace id that it belongs to.

Configured once per process, before anything logs. The gateway and the workers bind the trace id when a request or a
task begins (`bind_trace`) and clear it at the end; everything that is logged in between carries it, libraries included.
What our own code says is rendered and written at once; what libraries say comes through `logging`. Both go through the
one handler: its lock is made anew in a forked child, so that a child cannot wait for a thread that it does not have.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.config
from typing import TYPE_CHECKING, Any, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from shared.settings import Settings

# Chatty below warning, and nothing in it that the canonical lines do not say.
QUIET = (
    "fontTools",
    "weasyprint",
    "PIL",
    "urllib3",
    "werkzeug",
    "celery.app.trace",
    "celery.beat",
    "celery.worker.strategy",
    "alembic",
)


def configure_logging(settings: Settings, *, process: str) -> None:
    """Send everything that this process logs to standard output in one form.

    Args:
        settings: The log's level and form.
        process: Which process this is, on every line: ``gateway``, ``worker``, ``beat``.
    """

    def name_process(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    shared_steps: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_process,
    ]
    last: list[Any]
    if settings.log_format == "json":
        last = [structlog.processors.format_exc_info, _as_json]
    else:
        last = [structlog.dev.ConsoleRenderer()]
    logging.captureWarnings(capture=True)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [*shared_steps, structlog.stdlib.PositionalArgumentsFormatter()],
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
                }
            },
            "handlers": {
                "output": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "structured"}
            },
            "root": {"handlers": ["output"], "level": settings.log_level},
            "loggers": {name: {"level": "WARNING"} for name in QUIET}
            # It brings a handler of its own, with a form of its own.
            | {"gunicorn.error": {"handlers": [], "propagate": True}},
        }
    )
    [output] = logging.getLogger().handlers
    structlog.configure(
        processors=[*shared_steps, *last],
        logger_factory=lambda name: _Output(cast("logging.StreamHandler[Any]", output), name),
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=True,
    )


class _Output:
    """Writes rendered lines with a handler of `logging`, without the record that it makes of each.

    Args:
        handler: The handler.
        name: The logger's name, for `structlog.stdlib.add_logger_name`.
    """

    def __init__(self, handler: logging.StreamHandler[Any], name: str) -> None:
        self._handler = handler
        self.name = name

    def msg(self, line: str) -> None:
        """Write a line. One that cannot be written is no reason to fail."""
        with contextlib.suppress(OSError, ValueError):
            self._handler.acquire()
            try:
                self._handler.stream.write(f"{line}\n".encode(errors="backslashreplace").decode())
                self._handler.flush()
            finally:
                self._handler.release()

    debug = info = warning = error = critical = msg


_ENCODER = json.JSONEncoder(default=str, ensure_ascii=False)


def _as_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    return _ENCODER.encode(event)


def bind_trace(trace_id: str, **context: object) -> None:
    """Begin a request or task: forget the last one's context and bind this one's."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(trace_id=trace_id, **context)


def clear_trace() -> None:
    """End a request or task."""
    structlog.contextvars.clear_contextvars()


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return bound
