"""Templating: template and data in, markup out.

An engine is a class without arguments, named by an entry point of the group ``pressroom.engines``. It is made once
per worker, before the worker forks, and must not hold anything that cannot be shared by forked children.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.fetching import Fetched


@dataclass(frozen=True, slots=True)
class Source:
    """A stored template as another one sees it.

    Attributes:
        content: Its text.
        engine: The name of the engine that it is written for.
    """

    content: str
    engine: str


class Library(Protocol):
    """Where a template that is being expanded finds the others that it names."""

    def find(self, name: str) -> Source | None:
        """Return the stored template of exactly this name; None when there is none.

        Raises:
            EngineError: The library cannot be read now.
        """
        ...


class Engine(Protocol):
    """What the pipeline asks of a templating engine."""

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
        """Expand a template.

        Args:
            content: The template's text.
            data: The document's data; its top-level keys are the template's names.
            markup: Whether the result is HTML or XML, so that values must be escaped.
            locale: The locale of number, money and date filters that name none, for example ``en_IE``.
            library: The other templates; None: there are none.
            read_asset: Returns the asset of a name, or raises what is to end the render; None: there are none.
            most_bytes: The longest text that may come of it, in UTF-8; None: no limit.

        Raises:
            TemplateError: The template, or one that it includes, does not compile, raises, or puts out too much; with
                the template's line.
            EngineError: The library could not be read.
        """
        ...
