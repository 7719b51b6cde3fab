"""Names of documents from their data: ``invoice-{{ number }}``, ``{{ customer.name }} {{ number }}``.

No templating engine: a name is made for each of a million items, by processes that have no engine and no time limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME_LENGTH = 200
PLACE_LENGTH = 10
# The item's place in the batch, counted from 1.
INDEX = "_index"
_PLACE = re.compile(r"\{\{\s*([^\W\d][\w-]*(?:\.[\w-]+)*)\s*\}\}")
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%|%\}")
# What no file name has on some system, and what nobody sees.
_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


class UnnamedError(ValueError):
    """Raised when a document's data gives it no name; the text says why.

    Args:
        message: What is wrong.
        path: The path that it has no fit value at; None: it is not about one.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class NamePattern:
    """How the documents of a batch are called.

    Attributes:
        text: As it was written.
        parts: Texts, and between them the paths that are looked up in the data.
    """

    text: str
    parts: tuple[str, ...]

    @property
    def asks_for_data(self) -> bool:
        """Whether a name depends on the item's data."""
        return any(path != INDEX for path in self.parts[1::2])

    def name_of(self, data: Mapping[str, Any], index: int) -> str:
        """Make a document's name.

        Args:
            data: The item's data.
            index: Its place, counted from 1.

        Raises:
            UnnamedError: The data has no such value, or none that a name can have; the text says which.
        """
        found = list(self.parts)
        for place in range(1, len(found), 2):
            found[place] = str(index) if found[place] == INDEX else _looked_up(data, found[place])
        name = _UNFIT.sub("-", "".join(found)).strip().strip(".")
        if not name:
            raise UnnamedError(f"its name, of {self.text!r}, is empty")
        return name[:NAME_LENGTH]


def pattern_of(text: str, *, field: str = "name") -> NamePattern:
    """Read a pattern.

    Args:
        text: The pattern.
        field: What it is called on the wire.

    Raises:
        InvalidRequestError: It has braces that are no place for a value.
    """
    parts = tuple(_PLACE.split(text))
    if any(_LEFT_OVER.search(part) for part in parts[::2]):
        raise InvalidRequestError(
            f"{field} is {text[:NAME_LENGTH]!r}: expected a text in which {{{{ number }}}} or {{{{ customer.name }}}} "
            f"stand for values of the item's data, and {{{{ {INDEX} }}}} for its place; there are no filters",
            field=field,
        )
    return NamePattern(text, parts)


def default_for(name: str | None) -> str:
    """Return the pattern that counts: ``invoice-{{ _index }}``.

    Args:
        name: What the documents are called without their places; it may be anything.
    """
    # Short enough that the place, which tells them apart, is not cut off.
    text = re.sub(r"[{}%]", "-", name or "")[: NAME_LENGTH - PLACE_LENGTH]
    return f"{text}-{{{{ {INDEX} }}}}"


def without_extension(name: str) -> str:
    """Return a pattern without an extension: that comes with the document, and people write it."""
    stem, dot, extension = name.rpartition(".")
    return stem if dot and stem and extension.lower() in ("pdf", "html", "txt") else name


def _looked_up(data: Mapping[str, Any], path: str) -> str:
    found: Any = data
    for name in path.split("."):
        if not isinstance(found, dict) or name not in found:
            raise UnnamedError(f"its data has no {path!r}, which its name asks for", path)
        found = found[name]
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise UnnamedError(f"its {path!r}, which its name asks for, is no text and no number", path)
    try:
        text = str(found)
        text.encode()
    except (UnicodeEncodeError, ValueError):
        # Half of a surrogate pair; a number of thousands of digits.
        raise UnnamedError(f"its {path!r}, which its name asks for, cannot be written", path) from None
    return text
