"""How one document's layout differs from the reference's, in words for the person whose template it is."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from workers.certification.layout import Character, Layout, Link, Page

# Points. Two engines round otherwise, and a line that breaks elsewhere is off by far more.
TOLERANCE = 1.5
# Of a page, so many are named.
MOST_NAMED = 5
SHOWN_CHARACTERS = 60
# What the places of links may differ by: engines draw their boxes as high as the line, or as the font.
LINK_TOLERANCE = 4.0


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference.

    Attributes:
        kind: One of ``pages``, ``size``, ``words``, ``painting``, ``links``, ``metadata``, ``attachments``.
        page: The page that it is on, counted from 1; None: on none in particular.
        text: What differs, for a person.
    """

    kind: str
    page: int | None
    text: str


def differences(reference: Layout, other: Layout) -> list[Drift]:
    """Compare a document's layout with the reference's.

    Args:
        reference: How it must be.
        other: How it is.

    Returns:
        What differs; nothing when they agree.
    """
    found: list[Drift] = []
    if reference.count != other.count:
        found.append(Drift("pages", None, f"it has {_pages(other.count)}, and the reference {reference.count}"))
    for number, (before, after) in enumerate(zip(reference.pages, other.pages, strict=False), 1):
        found += _of_page(number, before, after)
    for name in dict.fromkeys((*reference.metadata, *other.metadata)):
        wanted, said = reference.metadata.get(name), other.metadata.get(name)
        if wanted != said:
            found.append(
                Drift("metadata", None, f"its {name.lower()} is {_shown(said)}, in the reference {_shown(wanted)}")
            )
    if reference.attachments != other.attachments:
        files = [", ".join(one.attachments) or "no files" for one in (other, reference)]
        found.append(Drift("attachments", None, f"attached to it: {files[0]}; to the reference: {files[1]}"))
    return found


def _of_page(number: int, reference: Page, other: Page) -> Iterator[Drift]:
    if max(abs(reference.width - other.width), abs(reference.height - other.height)) > TOLERANCE:
        sizes = [f"{one.width:.0f} by {one.height:.0f} pt" for one in (other, reference)]
        yield Drift("size", number, f"it is {sizes[0]}, in the reference {sizes[1]}")
    yield from (Drift("words", number, text) for text in _words(reference, other))
    yield from (Drift("links", number, text) for text in _links(reference.links, other.links))


def _words(reference: Page, other: Page) -> Iterator[str]:
    """Say which words stand elsewhere: those with a character that the other page has not at about its place."""
    missing, added = _unmatched(reference.characters, other.characters)
    if not missing and not added:
        return
    # Any character of a word that stands elsewhere may be found at another one's place by chance.
    gone = list(dict.fromkeys(one.word for one in missing))
    come = list(dict.fromkeys(one.word for one in added))
    places = _places(other.characters)
    known = defaultdict(list)
    for word in come:
        known[other.words[word]].append(places[word])
    origins = _places(reference.characters)
    for word in gone[:MOST_NAMED]:
        text = reference.words[word]
        where = min(known[text], key=lambda place: math.dist(place, origins[word]), default=None)
        yield _moved(text, origins[word], where)
    if not gone:
        for word in come[:MOST_NAMED]:
            yield f"{_quoted(other.words[word])} is not in the reference, at least not there"
    more = max(len(gone), len(come)) - MOST_NAMED
    if more > 0:
        yield f"and {more} more words of this page"


def _moved(text: str, wanted: tuple[float, float], found: tuple[float, float] | None) -> str:
    if found is None:
        return f"{_quoted(text)} is missing, or broken elsewhere"
    right, down = found[0] - wanted[0], found[1] - wanted[1]
    ways = []
    if abs(right) > TOLERANCE:
        ways.append(f"{abs(right):.1f} pt further {'right' if right > 0 else 'left'}")
    if abs(down) > TOLERANCE:
        ways.append(f"{abs(down):.1f} pt {'lower' if down > 0 else 'higher'}")
    return f"{_quoted(text)} stands {' and '.join(ways)}" if ways else f"{_quoted(text)} is spaced otherwise"


def _unmatched(reference: Sequence[Character], other: Sequence[Character]) -> tuple[list[Character], list[Character]]:
    """Pair each character with one at about the same place, and return those of both sides that have no partner."""
    cells: dict[tuple[str, int, int], list[Character]] = defaultdict(list)
    for one in other:
        cells[one.text, int(one.x // TOLERANCE), int(one.y // TOLERANCE)].append(one)
    missing = []
    for one in reference:
        partner = _partner(one, cells)
        if partner is None:
            missing.append(one)
        else:
            cells[one.text, int(partner.x // TOLERANCE), int(partner.y // TOLERANCE)].remove(partner)
    return missing, sorted((one for left in cells.values() for one in left), key=lambda one: one.word)


def _partner(one: Character, cells: dict[tuple[str, int, int], list[Character]]) -> Character | None:
    column, row = int(one.x // TOLERANCE), int(one.y // TOLERANCE)
    nearest, found = TOLERANCE, None
    for right in (column, column - 1, column + 1):
        for down in (row, row - 1, row + 1):
            for candidate in cells.get((one.text, right, down), ()):
                distance = max(abs(candidate.x - one.x), abs(candidate.y - one.y))
                if distance <= nearest:
                    nearest, found = distance, candidate
    return found


def _places(characters: Iterable[Character]) -> dict[int, tuple[float, float]]:
    """Return where each word begins."""
    places: dict[int, tuple[float, float]] = {}
    for one in characters:
        places.setdefault(one.word, (one.x, one.y))
    return places


def _links(reference: Sequence[Link], other: Sequence[Link]) -> Iterator[str]:
    # An engine may make one link of a text over two lines, or one for each line or box: what counts is that whoever
    # points there is led to the same place.
    for wanted in reference:
        if not any(_same_place(wanted, one) for one in other):
            yield f"there is no link to {_shown(wanted.target)} where the reference has one"
    for one in other:
        if not any(_same_place(wanted, one) for wanted in reference):
            yield f"there is a link to {_shown(one.target)} where the reference has none"


def _same_place(wanted: Link, one: Link) -> bool:
    return wanted.target == one.target and max(abs(wanted.x - one.x), abs(wanted.y - one.y)) <= LINK_TOLERANCE


def _pages(count: int) -> str:
    return f"{count} page{'' if count == 1 else 's'}"


def _quoted(text: str) -> str:
    shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    printable = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in shown)
    return f"“{printable}”"


def _shown(text: str | None) -> str:
    return "nothing" if text is None else _quoted(text)
