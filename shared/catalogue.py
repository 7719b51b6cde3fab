"""The names of the templating engines and recipes that are installed, without loading them."""

from __future__ import annotations

import functools
from importlib.metadata import EntryPoint, entry_points

ENGINES = "pressroom.engines"
RECIPES = "pressroom.recipes"
# Those of jsreport are called so, too: chrome-pdf, phantom-pdf.
PDF_SUFFIX = "-pdf"
# The fastest engine that gives the reference's picture; which one that is, the worker knows (`workers.certification`).
CERTIFIED_PDF = "pdf"
REFERENCE_PDF = "weasyprint-pdf"


@functools.cache
def installed(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name, in the order of their names."""
    return {entry.name: entry for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)}


def names(group: str) -> list[str]:
    """Return the names of a group's entry points."""
    return list(installed(group))


def makes_pdf(recipe: str) -> bool:
    """Say whether a recipe makes PDFs, which its name tells: whoever asks must not load it to see its media type."""
    return recipe == CERTIFIED_PDF or recipe.endswith(PDF_SUFFIX)
