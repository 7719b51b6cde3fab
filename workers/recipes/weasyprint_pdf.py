"""PDF by WeasyPrint: the reference recipe, with the whole of CSS for paged media."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from billiard.exceptions import SoftTimeLimitExceeded

from shared.exceptions import EngineError, TemplateError
from workers.recipes import Document, RecipeUnavailableError
from workers.recipes.characters import check_markup

if TYPE_CHECKING:
    from workers.bounds import Bounds
    from workers.fetching import FetchPolicy


class WeasyPrintRecipe:
    """Turns HTML into PDF, one A4 page or more unless its CSS says otherwise."""

    media_type = "application/pdf"
    extension = "pdf"
    markup = True

    def __init__(self) -> None:
        """Load WeasyPrint.

        Raises:
            RecipeUnavailableError: WeasyPrint, or the system's Pango that it needs, is missing.
        """
        try:
            # Here, not above: where Pango is missing, the module must still be importable to say so.
            import weasyprint  # noqa: PLC0415

            from workers.recipes import weasyprint_parts  # noqa: PLC0415
        except OSError as error:
            raise RecipeUnavailableError(
                "WeasyPrint needs Pango: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
            ) from error
        except ImportError as error:
            raise RecipeUnavailableError("WeasyPrint is not installed: pip install weasyprint") from error
        self._weasyprint = weasyprint
        self._parts = weasyprint_parts
        self._fonts = weasyprint_parts.SharedFonts()
        # It writes a line for each URL it was refused and each CSS property it does not know, as many as a document
        # cares to name; what was refused stands in the policy.
        for name in ("weasyprint", "fontTools"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def render(self, content: str, *, policy: FetchPolicy, bounds: Bounds | None = None) -> Document:
        """Lay out and print the markup.

        Args:
            content: HTML.
            policy: Asked for every URL that the document names.
            bounds: Asked when the layout is done, before the pages are written.

        Raises:
            TemplateError: The markup is empty, or makes too many pages.
            DataError: It holds a character that no document can hold.
            EngineError: WeasyPrint broke on it.
        """
        check_markup(content)
        try:
            markup = self._weasyprint.HTML(string=content, url_fetcher=self._parts.PolicyFetcher(policy))
            pages = markup.render(font_config=self._fonts.take())
            if bounds is not None:
                bounds.check_pages(len(pages.pages))
            return Document(content=pages.write_pdf(), pages=len(pages.pages))
        except (MemoryError, SoftTimeLimitExceeded, TemplateError):
            raise
        except RecursionError as error:
            raise EngineError("The document's elements are nested too deeply for WeasyPrint") from error
        except Exception as error:
            raise EngineError(
                f"WeasyPrint broke on this document ({type(error).__name__}): {_first_line(error)}"
            ) from error
        finally:
            self._fonts.give_back()


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:300] if lines else "it gave no reason"
