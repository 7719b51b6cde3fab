"""Recipes: markup in, a document out.

A recipe is a class without arguments, named by an entry point of the group ``pressroom.recipes``. It is made once per
worker, before the worker forks; whatever is slow to load is loaded in ``__init__``, so that children share it. One
that cannot work on this machine raises `RecipeUnavailableError` there, and the farm offers the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from workers.bounds import Bounds
    from workers.fetching import FetchPolicy


class RecipeUnavailableError(Exception):
    """Raised by a recipe's ``__init__`` when this machine lacks what it needs; its text says what and how to get it."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a recipe makes.

    Attributes:
        content: The document's bytes.
        pages: Number of pages; None where the format has none.
    """

    content: bytes
    pages: int | None


class Recipe(Protocol):
    """What the pipeline asks of a recipe.

    Attributes:
        media_type: The document's ``Content-Type``.
        extension: The document's file extension, without the dot.
        markup: Whether the recipe reads HTML, so that the templating engine must escape values.
    """

    media_type: str
    extension: str
    markup: bool

    def render(self, content: str, *, policy: FetchPolicy, bounds: Bounds | None = None) -> Document:
        """Turn markup into a document.

        Args:
            content: The expanded template.
            policy: Asked for every URL that the document names.
            bounds: What to ask while the document is made, where it can be known early that it becomes too large: the
                finished one is checked anyway. None: it may have any size.

        Raises:
            TemplateError, DataError: No document can be made of the markup, and its author can mend that.
            EngineError: The engine refused the markup or broke on it.
        """
        ...
