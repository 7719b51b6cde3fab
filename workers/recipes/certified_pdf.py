"""PDF by the fastest engine that gives the reference's picture: which one that is, `workers.certification` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.recipes.weasyprint_pdf import WeasyPrintRecipe

if TYPE_CHECKING:
    from workers.bounds import Bounds
    from workers.fetching import FetchPolicy
    from workers.recipes import Document


class CertifiedPdfRecipe:
    """Turns HTML into PDF. Without a certificate to rest on, by itself, it is the reference."""

    media_type = "application/pdf"
    extension = "pdf"
    markup = True

    def __init__(self) -> None:
        """Load the reference.

        Raises:
            RecipeUnavailableError: It does not work here; a fast engine alone says nothing about its picture.
        """
        self._reference = WeasyPrintRecipe()

    def render(self, content: str, *, policy: FetchPolicy, bounds: Bounds | None = None) -> Document:
        """Lay out and print the markup, with the errors of the reference."""
        return self._reference.render(content, policy=policy, bounds=bounds)
