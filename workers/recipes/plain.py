"""The recipes that hand out the expanded template itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.recipes import Document
from workers.recipes.characters import encoded

if TYPE_CHECKING:
    from workers.bounds import Bounds
    from workers.fetching import FetchPolicy


class HtmlRecipe:
    """HTML as it was expanded; whoever opens it fetches what it names."""

    media_type = "text/html; charset=utf-8"
    extension = "html"
    markup = True

    def render(self, content: str, *, policy: FetchPolicy, bounds: Bounds | None = None) -> Document:
        """Return the markup in UTF-8.

        Raises:
            EngineError: The content cannot be encoded.
        """
        del policy, bounds
        return Document(content=encoded(content), pages=None)


class TextRecipe:
    """Plain text; values are not escaped."""

    media_type = "text/plain; charset=utf-8"
    extension = "txt"
    markup = False

    def render(self, content: str, *, policy: FetchPolicy, bounds: Bounds | None = None) -> Document:
        """Return the text in UTF-8.

        Raises:
            EngineError: The content cannot be encoded.
        """
        del policy, bounds
        return Document(content=encoded(content), pages=None)
