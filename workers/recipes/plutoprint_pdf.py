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
    from workers.fetching import FetchPolicy

# WeasyPrint's default of 75 CSS px on all sides, in points: markup without @page has the same page in both.
MARGIN = 75 * plutoprint.UNITS_PX


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


class PlutoPrintRecipe:
    """Turns HTML into PDF, one A4 page or more unless its CSS says otherwise."""

    media_type = "application/pdf"
    extension = "pdf"
    markup = True

    def render(self, content: str, *, policy: FetchPolicy) -> Document:
        """Lay out and print the markup.

        Args:
            content: HTML.
            policy: Asked for every URL that the document names, ``data:`` URLs aside, which the engine decodes itself.

        Raises:
            TemplateError: The markup is empty, or no page came of it.
            DataError: It holds a character that no document can hold.
            EngineError: The engine broke on it.
        """
        check_markup(content)
        margins = plutoprint.PageMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        stream = io.BytesIO()
        try:
            book = plutoprint.Book(plutoprint.PAGE_SIZE_A4, margins, plutoprint.MEDIA_TYPE_PRINT)
            book.custom_resource_fetcher = _PolicyFetcher(policy)
            book.load_html(content)
            pages = book.get_page_count()
            if pages:
                book.write_to_pdf_stream(stream)
        except (MemoryError, SoftTimeLimitExceeded):
            raise
        except Exception as error:
            raise EngineError(f"PlutoPrint broke on this document: {error}") from error
        if not pages:
            raise TemplateError(
                "PlutoPrint made no page of this document: expected an @page size larger than its margins"
            )
        return Document(content=stream.getvalue(), pages=pages)
