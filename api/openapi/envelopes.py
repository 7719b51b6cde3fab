"""The envelope of every answer under ``/api/v1``, as `api.envelope` makes it."""

from __future__ import annotations

from typing import Any

_TRACE_ID = {"type": ["string", "null"], "description": "The request's trace id: quote it when you ask for help."}
_WARNINGS = {
    "type": "array",
    "items": {"type": "string"},
    "description": "What you should know about what you saved, if anything.",
}


def one(schema: str) -> dict[str, Any]:
    """Return the schema of an answer with one record, whose schema has this name."""
    return _envelope({"$ref": f"#/components/schemas/{schema}"}, {"warnings": _WARNINGS})


def many(schema: str) -> dict[str, Any]:
    """Return the schema of a page of records, whose schema has this name."""
    return _envelope(
        {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}, "description": "This page of them."},
        {
            "page": {"type": "integer", "description": "Which page this is, counted from 1."},
            "pageSize": {"type": "integer", "description": "How many a page has at most."},
            "total": {"type": "integer", "description": "How many there are on all pages."},
        },
    )


def _envelope(data: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["success", "count", "data", "meta", "status"],
        "properties": {
            "success": {"type": "boolean", "const": True, "description": "That it worked."},
            "count": {"type": "integer", "description": "How many records `data` has."},
            "data": data,
            "meta": {
                "type": "object",
                "description": "What there is to know about the answer itself.",
                "required": ["traceId"],
                "properties": {"traceId": _TRACE_ID, **meta},
            },
            "status": {"type": "integer", "description": "The HTTP status, once more."},
        },
    }
