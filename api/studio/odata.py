"""Questions to the API's OData sets, written such that what people type is a value in them and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable


def entity(address: str, key: str) -> str:
    """Return the address of a set's entity."""
    escaped = quote(quoted(key), safe="'")
    return f"{address}({escaped})"


def quoted(text: str) -> str:
    """Write a text as a literal of a filter."""
    return "'" + text.replace("'", "''") + "'"


def either(name: str, values: Iterable[str]) -> str:
    """Return the condition that a property has one of some values."""
    return f"{name} in ({','.join(map(quoted, values))})"
