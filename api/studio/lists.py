"""Lists of the API as pages show them: a page of entries, its filters, and how many of these are set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request

from api.studio.asking import ask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE_SIZE = 25


def listed(
    address: str, *, filters: Sequence[str] = (), size: int = PAGE_SIZE, query: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a page of a list under ``/api/v1`` as its template takes it.

    Args:
        address: The list.
        filters: Which of the page's parameters are handed on, besides ``search``, ``sort`` and ``page``.
        size: How many a page has.
        query: What is asked for whatever the page's parameters say.
    """
    given = {name: request.args[name] for name in (*filters, "search", "sort") if request.args.get(name)}
    page = max(1, request.args.get("page", 1, int))
    said = ask("GET", address, query={**given, "page": page, "pageSize": size, **(query or {})})
    return {
        "entries": said.data,
        "page": page,
        "size": size,
        "total": said.meta["total"],
        "given": given,
        "active": sum(name in given for name in filters),
        "meta": said.meta,
    }
