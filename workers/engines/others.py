"""How a Jinja template finds the others that it includes, imports from or extends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader, TemplateNotFound, Undefined

from shared.exceptions import TemplateError
from shared.includes import JINJA, quoted, unfit
from workers.engines.formats import shown

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from jinja2 import Environment, Template

    from workers.engines import Library

# Each is a question to the database.
MOST_LOOKED_FOR = 1000


class Others(BaseLoader):
    """The other templates, as one expansion sees them: each is looked up once, and stays the same to the end."""

    def __init__(self, library: Library | None, make: Callable[[str, str], Template]) -> None:
        """Begin an expansion.

        Args:
            library: Where they are; None: there are none.
            make: Makes a template of a name and its text.
        """
        self._library = library
        self._make = make
        self._found: dict[str, Template | None] = {}
        self._named: dict[str, set[str]] = {}

    def note(self, parent: str, name: Any) -> None:
        """Note that one template names another.

        Raises:
            TemplateError: That leads back to the one that names it.
        """
        named = self._named.setdefault(parent, set())
        if not isinstance(name, str) or name in named:
            return
        way = self._way(name, parent)
        if way:
            shown_way = " -> ".join(quoted(one) for one in (parent, *way))
            raise TemplateError(
                f"the template includes itself: {shown_way}. Take one of these out; what repeats itself can be a macro"
            )
        named.add(name)

    def load(self, environment: Environment, name: Any, globals: MutableMapping[str, Any] | None = None) -> Template:  # noqa: A002  # Jinja's own word.
        """Return a template by its name.

        Raises:
            TemplateNotFound: There is none of this name.
            TemplateError: It is no name, or the template cannot be part of another.
        """
        del environment, globals
        if isinstance(name, Undefined):
            name._fail_with_undefined_error()  # noqa: SLF001  # As Jinja's own loaders do by using it.
        if not isinstance(name, str):
            raise TemplateError(f"{shown(name)} is not the name of a template: expected a text")
        if name not in self._found:
            self._found[name] = self._looked_up(name)
        template = self._found[name]
        if template is None:
            raise TemplateNotFound(name, f"there is no template named {quoted(name)}")
        return template

    def _looked_up(self, name: str) -> Template | None:
        if self._library is None:
            return None
        if len(self._found) >= MOST_LOOKED_FOR:
            raise TemplateError(f"the template looks for more than {MOST_LOOKED_FOR} others: expected fewer")
        source = self._library.find(name)
        if source is None:
            return None
        if source.engine != JINJA:
            raise TemplateError(unfit(name, source.engine))
        return self._make(name, source.content)

    def _way(self, start: str, end: str) -> list[str]:
        """Return how one template leads to another by what was noted: their names, both included; or nothing."""
        ways = [[start]]
        seen = {start}
        while ways:
            way = ways.pop()
            if way[-1] == end:
                return way
            following = self._named.get(way[-1], set()) - seen
            seen |= following
            ways += [[*way, one] for one in following]
        return []
