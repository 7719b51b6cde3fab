"""Errors as answers: each says what was wrong, what was expected and what to do, and none shows internals."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from api import envelope
from shared import outcomes
from shared.database import DATABASE_AWAY
from shared.exceptions import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    NotReadyError,
    OverloadedError,
    PressroomError,
    TooLargeError,
    UnprocessableError,
    UnsupportedTypeError,
)
from shared.storage import CorruptObjectError, StorageError
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.render_values import RenderStatus

RETRY_SECONDS = 5

log = logger(__name__)


class InvalidBodyError(InvalidRequestError):
    """Raised when a body does not have its shape.

    Args:
        problems: For each broken field its path and what is wrong with it.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(message for _, message in problems), field=problems[0][0] or None)
        self.problems = problems


class RenderFailedError(PressroomError):
    """Raised when a render that a caller waits for failed.

    Args:
        message: Why.
        status: The HTTP status that tells whose fault it is.
        cause: The render's cause.
        line: The template's line, where it is known.
    """

    def __init__(self, message: str, *, status: int, cause: str | None, line: int | None) -> None:
        super().__init__(message)
        self.status = status
        self.cause = cause
        self.line = line

    @classmethod
    def of(cls, done: RenderStatus) -> RenderFailedError:
        """Say why a render that has ended brought no document."""
        return cls(outcomes.problem(done), status=outcomes.http_status(done), cause=done.cause, line=done.error_line)


def answer_error(status: int, message: str, **details: Any) -> Response:
    """Shape an error as the address family does that was asked, or as plain text for a browser.

    The families are ``/api/v1`` with its envelope, OData, and jsreport's.
    """
    details = {name: value for name, value in details.items() if value is not None}
    offered = ["application/json", "text/plain", "text/html"]
    if request.accept_mimetypes.best_match(offered, default="application/json") != "application/json":
        answer = Response(f"{message}\n", mimetype="text/plain")
    elif request.path.startswith("/api/v1/"):
        several = details.get("errors") or [{"field": details.get("field"), "message": message}]
        answer = envelope.failure(
            status,
            [one["message"] for one in several],
            fields=[one["field"] or None for one in several],
            **{name: details[name] for name in ("cause", "line") if name in details},
        )
    elif request.path.startswith("/odata"):
        answer = jsonify({"error": _as_odata(status, message, **details), "traceId": g.get("trace_id")})
    else:
        answer = jsonify({"message": message, **details, "traceId": g.get("trace_id")})
    answer.status_code = status
    return answer


def _as_odata(
    status: int, message: str, *, field: str | None = None, errors: Sequence[dict[str, str]] = (), **others: Any
) -> dict[str, Any]:
    # The names are those of OData JSON 4.0, 19.1.
    said: dict[str, Any] = {"code": str(status), "message": message, **others}
    if field is not None:
        said["target"] = field
    if errors:
        said["details"] = [{"code": str(status), "message": one["message"], "target": one["field"]} for one in errors]
    return said


def register(app: Flask) -> None:
    """Let every error that can leave a route become an answer."""
    app.register_error_handler(InvalidRequestError, _invalid)
    app.register_error_handler(UnprocessableError, _unprocessable)
    app.register_error_handler(ForbiddenError, lambda error: answer_error(403, error.message))
    app.register_error_handler(NotFoundError, _not_found)
    app.register_error_handler(ConflictError, lambda error: answer_error(409, error.message, field=error.field))
    app.register_error_handler(TooLargeError, lambda error: answer_error(413, error.message))
    app.register_error_handler(UnsupportedTypeError, lambda error: answer_error(415, error.message))
    app.register_error_handler(NotReadyError, lambda error: _later(error.message, error.retry_after))
    app.register_error_handler(OverloadedError, lambda error: _later(error.message, error.retry_after, status=429))
    app.register_error_handler(RenderFailedError, _render_failed)
    app.register_error_handler(StorageError, _storage_failed)
    app.register_error_handler(CorruptObjectError, _object_damaged)
    for away in DATABASE_AWAY:
        app.register_error_handler(away, _database_failed)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _invalid(error: InvalidRequestError) -> Response:
    return answer_error(400, error.message, field=error.field, errors=_listed(getattr(error, "problems", ())))


def _unprocessable(error: UnprocessableError) -> Response:
    return answer_error(422, error.message, field=error.problems[0][0], errors=_listed(error.problems))


def _not_found(error: NotFoundError) -> Response:
    answer = answer_error(404, error.message)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _listed(problems: Sequence[tuple[str, str]]) -> list[dict[str, str]] | None:
    """Return what is wrong field by field, where that is more than one thing."""
    return [{"field": field, "message": message} for field, message in problems] if len(problems) > 1 else None


def _render_failed(error: RenderFailedError) -> Response:
    answer = answer_error(error.status, error.message, cause=error.cause, line=error.line)
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def _storage_failed(error: StorageError) -> Response:
    log.error("storage failed", error=str(error))
    return _later("The storage does not answer; nothing was lost. Try again shortly", RETRY_SECONDS)


def _object_damaged(_error: CorruptObjectError) -> Response:
    # 500 and not 502, which proxies and clients take for a reason to try again.
    return answer_error(
        500,
        "The stored document was damaged: its bytes are not those that were stored, so none of them are served. "
        "Trying again does not help; the farm's operator sees with `pressroom verify` what is damaged",
    )


def _database_failed(error: Exception) -> Response:
    log.error("database failed", error=str(error))
    return _later("The database does not answer, or takes no changes now. Try again shortly", RETRY_SECONDS)


def _too_large(_error: RequestEntityTooLarge) -> Response:
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    return answer_error(413, f"The body is too large: expected at most {limit} bytes (PRESSROOM_MAX_BODY_BYTES)")


def _http(error: HTTPException) -> Response:
    answer = answer_error(error.code or 500, error.description or error.name)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer


def _unexpected(error: Exception) -> Response:
    log.error("request broke", exc_info=error)
    return answer_error(500, "Pressroom broke on this request; the log says more by the trace id")


def _later(message: str, seconds: int | None, *, status: int = 503) -> Response:
    answer = answer_error(status, message)
    if seconds is not None:
        answer.headers["Retry-After"] = str(seconds)
    return answer
