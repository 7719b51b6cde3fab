"""No templating: the content is the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class NoneEngine:
    """Hands the content on as it is; data, escaping and locale have no effect."""

    def expand(self, content: str, data: Mapping[str, Any], *, markup: bool, locale: str) -> str:
        """Return the content unchanged."""
        del data, markup, locale
        return content
