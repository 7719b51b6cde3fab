"""PDF by PlutoPrint: many times faster than WeasyPrint, without system libraries, but without grid and tags."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import plutoprint
from billiard.exceptions import SoftTimeLimitExceeded

from shared.exceptions import EngineError, RenderError, TemplateError
from workers.fetching import FetchRefusedError
from workers.recipes import Document
from workers.recipes.characters import check_markup

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from workers.bounds import Bounds
    from workers.fetching import FetchPolicy

# WeasyPrint's default of 75 CSS px on all sides, in points: markup without @page has the same page in both.
MARGIN = 75 * plutoprint.UNITS_PX
PIECE_BYTES = 32 * 1024


class _PolicyFetcher(plutoprint.ResourceFetcher):
    """Fetches what the policy allows."""

    def __init__(self, policy: FetchPolicy) -> None:
        super().__init__()
        self._policy = policy

    def fetch_url(self, url: str) -> plutoprint.ResourceData:
        try:
            found = self._policy.fetch(url)
        except (FetchRefusedError, RenderError, MemoryError, SoftTimeLimitExceeded):
            # An exception would only be printed to stderr, with its traceback, for each URL that a document names; what
            # must end the render is remembered in the policy.
            # Nothing of no type leaves the same gap as a resource that is not there, alternative text included.
            return plutoprint.ResourceData(b"", "", "")
        return plutoprint.ResourceData(found.content, found.media_type, "")


class _Output(io.RawIOBase):
    """Takes what the engine writes.

    An exception would only be printed to stderr, and the engine would go on as if all had been written: the first one
    is remembered, and raised when the document is asked for.
    """

    def __init__(self, bounds: Bounds | None) -> None:
        self._bounds = bounds
        self._pieces: list[bytes] = []
        self._size = 0
        self._failure: BaseException | None = None

    def writable(self) -> bool:
        return True

    def write(self, content: Buffer) -> int:
        piece = bytes(content)
        if self._failure is None:
            try:
                self._size += len(piece)
                if self._bounds is not None:
                    self._bounds.check_size(self._size)
                self._pieces.append(piece)
            except (MemoryError, SoftTimeLimitExceeded, TemplateError) as error:
                self._failure = error
                self._pieces.clear()
        return len(piece)

    def getvalue(self) -> bytes:
        if self._failure is not None:
            raise self._failure
        return b"".join(self._pieces)


class PlutoPrintRecipe:
    """Turns HTML into PDF, one A4 page or more unless its CSS says otherwise."""

    media_type = "application/pdf"
    extension = "pdf"
    markup = True

    def render(self, content: str, *, policy: FetchPolicy, bounds: Bounds | None = None) -> Document:
        """Lay out and print the markup.

        Args:
            content: HTML.
            policy: Asked for every URL that the document names, ``data:`` URLs aside, which the engine decodes itself.
            bounds: Asked when the pages are known, and while they are written.

        Raises:
            TemplateError: The markup is empty, no page came of it, or too much.
            DataError: It holds a character that no document can hold.
            EngineError: The engine broke on it.
        """
        check_markup(content)
        margins = plutoprint.PageMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        output = _Output(bounds)
        # The engine writes some hundred small pieces a page.
        stream = io.BufferedWriter(output, PIECE_BYTES)
        try:
            book = plutoprint.Book(plutoprint.PAGE_SIZE_A4, margins, plutoprint.MEDIA_TYPE_PRINT)
            book.custom_resource_fetcher = _PolicyFetcher(policy)
            book.load_html(content)
            pages = book.get_page_count()
            if bounds is not None:
                bounds.check_pages(pages)
            if pages:
                book.write_to_pdf_stream(stream)
                stream.flush()
        except (MemoryError, SoftTimeLimitExceeded, TemplateError):
            raise
        except Exception as error:
            raise EngineError(f"PlutoPrint broke on this document: {error}") from error
        if not pages:
            raise TemplateError(
                "PlutoPrint made no page of this document: expected an @page size larger than its margins"
            )
        return Document(content=output.getvalue(), pages=pages)
