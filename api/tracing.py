"""A trace id on every request and answer, and one log line for each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from werkzeug.exceptions import BadRequest

from shared.identifiers import accepted_trace_id, new_trace_id
from shared.tracing import bind_trace, clear_trace, logger

if TYPE_CHECKING:
    from collections.abc import Callable

# Asked every few seconds by whoever watches the farm; their lines would bury the others.
UNLOGGED = frozenset({"/healthz", "/readyz"})

log = logger(__name__)


def register(app: Flask) -> None:
    """Bind a trace id when a request begins, and log the request when its answer has been sent."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()
        g.trace_id = (
            accepted_trace_id(
                traceparent=request.headers.get("traceparent"), x_trace_id=request.headers.get("X-Trace-Id")
            )
            or new_trace_id()
        )
        bind_trace(g.trace_id)
        if not request.host:
            # Every link in the answer would lead nowhere.
            raise BadRequest("The Host header is not a host's name")

    @app.after_request
    def end(answer: Response) -> Response:
        answer.headers["X-Trace-Id"] = g.trace_id
        answer.call_on_close(_line(answer))
        return answer


def _line(answer: Response) -> Callable[[], None]:
    """Prepare the line now, while the request is known; it is written when the last byte has left."""
    began, method, path = g.began, request.method, request.path
    # What a page asks is part of the page's own line; what it does has one of its own.
    quiet = path in UNLOGGED or ("pressroom.source" in request.environ and method == "GET")
    noted = {"render_id": g.get("render_id"), "report_id": g.get("report_id")}

    def write() -> None:
        if not quiet:
            log.info(
                "request",
                method=method,
                path=path,
                status=answer.status_code,
                request_ms=round((time.perf_counter() - began) * 1000),
                bytes=answer.content_length,
                **{name: value for name, value in noted.items() if value},
            )
        clear_trace()

    return write
