"""How the API shows what leads from one thing to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.references import Reference


def shown(thing: Reference) -> dict[str, Any]:
    """Return a reference as the API shows it."""
    return {
        "kind": thing.kind,
        "id": thing.id,
        "name": thing.name,
        "traceId": thing.trace_id,
        "status": thing.status,
    }
