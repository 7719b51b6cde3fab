"""Templating: template and data in, markup out.

An engine is a class without arguments, named by an entry point of the group ``pressroom.engines``. It is made once
per worker, before the worker forks, and must not hold anything that cannot be shared by forked children.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Engine(Protocol):
    """What the pipeline asks of a templating engine."""

    def expand(self, content: str, data: Mapping[str, Any], *, markup: bool, locale: str) -> str:
        """Expand a template.

        Args:
            content: The template's text.
            data: The document's data; its top-level keys are the template's names.
            markup: Whether the result is HTML or XML, so that values must be escaped.
            locale: The locale of number, money and date filters that name none, for example ``en_IE``.

        Raises:
            TemplateError: The template does not compile, or raises; with its line.
        """
        ...
