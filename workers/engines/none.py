"""No templating: the content is the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.bounds import check_markup

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
        most_bytes: int | None = None,
    ) -> str:
        """Return the content unchanged.

        Raises:
            TemplateError: It is longer than it may be.
        """
        del data, markup, locale, library, read_asset
        if most_bytes is not None:
            check_markup(content, most_bytes)
        return content
