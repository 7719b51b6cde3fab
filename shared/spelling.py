"""What somebody probably meant who wrote a name that is none."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Comparing takes the product of both lengths, and no name that is meant is longer.
COMPARED_CHARACTERS = 200


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is written most like one, in upper or lower case; None when none is like it."""
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name[:COMPARED_CHARACTERS].casefold(), folded, n=1)
    return folded[near[0]] if near else None


def hint(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return what a refusal of a name ends with: a question for the nearest known one, or what is said otherwise."""
    near = nearest(name, known)
    return f"did you mean {near}?" if near else otherwise
