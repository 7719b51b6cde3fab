"""No templating: the content is the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.engines import Library
    from workers.fetching import Fetched


class NoneEngine:
    """Hands the content on as it is; data, escaping, locale, other templates and assets have no effect."""

    def expand(
        self,
        content: str,
        data: Mapping[str, Any],
        *,
        markup: bool,
        locale: str,
        library: Library | None = None,
        read_asset: Callable[[str], Fetched] | None = None,
    ) -> str:
        """Return the content unchanged."""
        del data, markup, locale, library, read_asset
        return content
