"""The envelope of every answer under ``/api/v1``: whether it worked, how many records, the records, the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, g, jsonify

if TYPE_CHECKING:
    from collections.abc import Sequence


def success(data: dict[str, Any] | Sequence[Any], *, status: int = 200, **meta: Any) -> Response:
    """Answer with one record, or a list of them.

    Args:
        data: The record or records.
        status: The HTTP status.
        meta: What else is said: for lists ``page``, ``pageSize`` and ``total``, with a save ``warnings``.
    """
    count = 1 if isinstance(data, dict) else len(data)
    answer = jsonify(success=True, count=count, data=data, meta={"traceId": g.trace_id, **meta}, status=status)
    answer.status_code = status
    return answer


def failure(status: int, errors: Sequence[str], *, fields: Sequence[str | None] = (), **others: Any) -> Response:
    """Answer with everything that was wrong.

    Args:
        status: The HTTP status.
        errors: What was wrong, in words.
        fields: For each of these the field that it is about; None: none, or not one alone.
        others: What else is said: of a render that failed, ``cause`` and ``line``.
    """
    meta: dict[str, Any] = {"traceId": g.get("trace_id"), **others}
    if any(fields):
        meta["fields"] = list(fields)
    answer = jsonify(success=False, errors=list(errors), meta=meta, status=status)
    answer.status_code = status
    return answer
