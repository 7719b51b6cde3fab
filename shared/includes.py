"""What a Jinja template says of other templates: which it names, on which line, and whether they lead back to it.

Only constant names are seen here, as in ``{% include "header" %}``: a name that is worked out while the document is
made is looked up, and judged, by the engine. Nothing of a template is executed.
"""

from __future__ import annotations

import functools
import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

# The one engine whose templates can name others.
JINJA = "jinja"
SHOWN_CHARACTERS = 80
# Reading the worst of templates takes some ten seconds for a million characters; what is longer than this, or more in
# all, is seen when it is rendered.
LONGEST_READ = 500_000
MOST_READ = 2 * LONGEST_READ
MOST_WARNINGS = 20
MOST_LOOKED_FOR = 500
NAMING = (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)


@dataclass(frozen=True, slots=True)
class Reference:
    """One place at which a template names others.

    Attributes:
        names: The names it tries, in this order.
        line: Where, counted from 1.
        required: Whether one of them must exist.
    """

    names: tuple[str, ...]
    line: int
    required: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen in a template.

    Attributes:
        references: Where it names others.
        problem: Why it cannot be read, with the line; None when it can.
    """

    references: tuple[Reference, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A template's text, and the engine it is written for."""

    content: str
    engine: str


def quoted(name: object) -> str:
    """Return a template's name as a message can show it: in quotes, short, on one line, and of whole characters."""
    text = name if isinstance(name, str) else str(name)
    text = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "replace").decode()


def examine(name: str, text: Text, find: Callable[[str], Text | None]) -> list[str]:
    """Look at a template that is about to be saved, and return what its author should know.

    Args:
        name: The name that it will have.
        text: What it will be.
        find: Returns another stored template by its name, or None.

    Raises:
        InvalidRequestError: It would include itself, directly or by way of others; the text names the way.
    """
    if text.engine != JINJA:
        return []
    if len(text.content) > LONGEST_READ:
        return [f"The template has more than {LONGEST_READ} characters: it was not looked at before its first render"]
    reading = read(text.content)
    if reading.problem is not None:
        return [f"The template cannot be read: {reading.problem}"]
    shelf = _Shelf({name: text}, find)
    warnings = [doubt for reference in reading.references if (doubt := _doubt(reference, shelf)) is not None]
    _refuse_circle(name, reading, shelf)
    return warnings[:MOST_WARNINGS]


def read(content: str) -> Reading:
    """Find where a template names others."""
    try:
        parsed = _environment().parse(content)
        found = [reference for node in parsed.find_all(NAMING) if (reference := _reference(node)) is not None]
    except TemplateSyntaxError as error:
        return Reading(problem=f"line {error.lineno}: {' '.join((error.message or '').split())}")
    except (RecursionError, ValueError, OverflowError):
        # Parentheses in parentheses, or a number of thousands of digits.
        return Reading(problem="an expression in it nests too deeply, or is too long")
    return Reading(references=tuple(sorted(found, key=lambda reference: reference.line)))


@functools.cache
def _environment() -> Environment:
    # Nothing is ever rendered with it.
    return Environment(autoescape=True)


def _reference(node: nodes.Node) -> Reference | None:
    template: Any = node.template  # type: ignore[attr-defined]  # Each kind of node that is asked for has one.
    named = template.items if isinstance(template, nodes.List | nodes.Tuple) else [template]
    values = [one.value for one in named if isinstance(one, nodes.Const)]
    names = tuple(value for value in values if isinstance(value, str))
    if not names:
        return None
    required = len(names) == len(named) and not getattr(node, "ignore_missing", False)
    return Reference(names, node.lineno, required)


class _Shelf:
    """The stored templates as one save sees them: each is asked for once, and not more than a few hundred."""

    def __init__(self, known: dict[str, Text], find: Callable[[str], Text | None]) -> None:
        self._known: dict[str, Text | None] = dict(known)
        self._find = find

    def find(self, reference: Reference) -> tuple[str, Text] | None:
        """Return the template that a reference takes, and its name; None when there is none of its names."""
        for name in reference.names:
            if name not in self._known:
                # What is not looked for counts as there, and as leading nowhere: the render will tell.
                self._known[name] = self._find(name) if len(self._known) < MOST_LOOKED_FOR else Text("", JINJA)
            text = self._known[name]
            if text is not None:
                return name, text
        return None


def _doubt(reference: Reference, shelf: _Shelf) -> str | None:
    found = shelf.find(reference)
    if found is None:
        missing = " or ".join(quoted(one) for one in reference.names)
        return f"line {reference.line}: there is no template named {missing} yet" if reference.required else None
    name, text = found
    if text.engine == JINJA:
        return None
    return f"line {reference.line}: {unfit(name, text.engine)}"


def unfit(name: str, engine: str) -> str:
    """Say that a template is for an engine whose templates cannot be part of others."""
    return f"template {quoted(name)} is for the engine {engine!r}: only one for {JINJA!r} can be part of another"


def _refuse_circle(saved: str, reading: Reading, shelf: _Shelf) -> None:
    came_from: dict[str, str] = {}
    may_read = MOST_READ
    # The shortest way round comes first: it is the one that is easiest to understand.
    waiting = deque([(saved, 0, reading)])
    while waiting:
        current, line, seen = waiting.popleft()
        for reference in seen.references:
            found = shelf.find(reference)
            if found is None or found[1].engine != JINJA:
                continue
            following, text = found
            # The line in the template that is saved, wherever the way leads from there.
            first_line = line or reference.line
            if following == saved:
                raise InvalidRequestError(
                    f"line {first_line}: the template would include itself: {_way(saved, current, came_from)}. "
                    "Take one of these out; what repeats itself can be a macro",
                    field="content",
                )
            if following not in came_from:
                came_from[following] = current
                may_read -= len(text.content)
                if len(text.content) <= LONGEST_READ and may_read >= 0:
                    waiting.append((following, first_line, read(text.content)))


def _way(saved: str, last: str, came_from: dict[str, str]) -> str:
    way = [saved, last]
    while way[-1] != saved:
        way.append(came_from[way[-1]])
    return " -> ".join(quoted(one) for one in reversed(way))
