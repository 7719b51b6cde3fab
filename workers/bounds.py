"""The bounds of what one render may make: its template's text, its pages, its document.

Time and memory are bounded from outside, where nothing that a document does can put it off; what is here ends a render
earlier, while it is cheap, and says what was too large. The sender can mend all of it, so it is a `TemplateError`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from shared.exceptions import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.settings import Settings
    from workers.recipes import Document

# Pieces of markup are counted and joined so many at a time: a thousand costs as little as none, and is still early.
PIECES = 1000
LONGEST_CHARACTER = 4


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one render may make.

    Attributes:
        markup_bytes: The longest text that a template may put out, in UTF-8.
        pages: The most pages that a document may have.
        document_bytes: The largest document.
    """

    markup_bytes: int
    pages: int
    document_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what a farm's settings allow."""
        return cls(settings.render_markup_bytes, settings.render_pages, settings.render_document_bytes)

    def check_pages(self, pages: int | None) -> None:
        """Refuse a document of too many pages; a recipe asks as soon as it knows, before it writes them.

        Raises:
            TemplateError: There are more than may be.
        """
        if pages is not None and pages > self.pages:
            raise TemplateError(
                f"The document has {pages} pages: expected at most {self.pages} (PRESSROOM_RENDER_PAGES); "
                "make several documents of it"
            )

    def check_size(self, size: int) -> None:
        """Refuse a document of too many bytes, whole or still being written.

        Raises:
            TemplateError: It is larger than it may be.
        """
        if size > self.document_bytes:
            raise TemplateError(
                f"The document is too large: it has {size} bytes or more, expected at most {self.document_bytes} "
                "(PRESSROOM_RENDER_DOCUMENT_BYTES); make several documents of it, or use smaller pictures"
            )

    def check(self, document: Document) -> None:
        """Refuse a document that is larger than it may be, whichever recipe made it.

        Raises:
            TemplateError: It has too many pages or bytes.
        """
        self.check_pages(document.pages)
        self.check_size(len(document.content))


def joining(limit: int) -> Callable[[Iterable[str]], str]:
    """Return what joins the pieces of a template's text, and stops drawing them when they get too long.

    Args:
        limit: The longest text, bytes in UTF-8.
    """

    def join(pieces: Iterable[str]) -> str:
        # What a macro or a block made is a list already, and mostly a short one.
        if isinstance(pieces, list):
            if sum(map(len, pieces)) > limit:
                raise _too_long(limit)
            return "".join(pieces)
        drawn = iter(pieces)
        joined = []
        # Each character takes a byte or more; how many in the end is counted only if it can matter.
        room = limit
        while some := list(itertools.islice(drawn, PIECES)):
            room -= sum(map(len, some))
            if room < 0:
                raise _too_long(limit)
            joined.append("".join(some))
        text = "".join(joined)
        check_markup(text, limit)
        return text

    return join


def check_markup(text: str, limit: int) -> None:
    """Refuse a template's text that is longer than it may be.

    Args:
        text: All of it.
        limit: The longest that may be, bytes in UTF-8.

    Raises:
        TemplateError: It is longer.
    """
    if len(text) * LONGEST_CHARACTER > limit and len(text.encode("utf-8", "surrogatepass")) > limit:
        raise _too_long(limit)


def _too_long(limit: int) -> TemplateError:
    return TemplateError(
        f"the template puts out too much: expected at most {limit} bytes of text (PRESSROOM_RENDER_MARKUP_BYTES)"
    )
