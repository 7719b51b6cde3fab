"""Comparing pages as they are painted: lines, fills, pictures, colours.

Engines draw the same line as a stroke, as four fills or as a clipped one, so what is compared is the paint. Two pages
agree where each pixel of the one lies between the darkest and the lightest one of its surroundings on the other, as far
as words may be apart, and the other way round; so a hairline that is missing is found, and one that lies a pixel beside
is not. Edges are not smoothed (`poppler.page_paintings`): where two fills meet, each engine would have another seam.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers import poppler
from workers.certification.drift import TOLERANCE, Drift
from workers.overlays import overlay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from PIL.Image import Image

DPI = 96.0
REACH = math.ceil(TOLERANCE * DPI / poppler.POINTS_PER_INCH)
# Levels of 255: colours that nobody tells apart. Engines round opacities otherwise.
NOTABLE = 12
# Pixels of a page: where a curve or a dash ends is a matter of rounding.
SPECKS = 8
# Drawn in one go. A poster's picture may need much more than a page's, and is drawn alone.
PAGES_AT_ONCE = 4
LARGEST_EDGE = 1400


@dataclass(frozen=True, slots=True)
class Difference:
    """One page that is painted otherwise.

    Attributes:
        drift: What is to be said of it.
        changed: The share of its pixels that differ at all, over 0 and up to 1.
        content: A PNG of both pages, one over the other, as `workers.overlays` draws it.
    """

    drift: Drift
    changed: float
    content: bytes


def differences(
    reference: Path, other: Path, sizes: Sequence[tuple[float, float]], *, seconds: Callable[[], float]
) -> Iterator[Difference]:
    """Compare documents page by page, as long as both have pages of the same size.

    Args:
        reference: The PDF as it must be.
        other: The PDF as it is.
        sizes: Width and height of the pages that both have, points.
        seconds: Says how much time is left.

    Raises:
        UnreadablePdfError: One of the two cannot be drawn, or not in time.
    """
    for first in range(1, len(sizes) + 1, PAGES_AT_ONCE):
        last = min(first + PAGES_AT_ONCE - 1, len(sizes))
        edge = max(max(size) for size in sizes[first - 1 : last])
        dpi = min(DPI, LARGEST_EDGE * poppler.POINTS_PER_INCH / max(edge, 1))
        drawn = [poppler.page_paintings(path, first, last, dpi=dpi, seconds=seconds()) for path in (reference, other)]
        for page, (before, after) in enumerate(zip(*drawn, strict=True), first):
            found = _difference(page, before, after, dpi)
            if found is not None:
                yield found


def picture(reference: Path, other: Path, page: int, size: tuple[float, float], *, seconds: float) -> Difference | None:
    """Return the picture of a page whose words differ, painted otherwise or not."""
    dpi = min(DPI, LARGEST_EDGE * poppler.POINTS_PER_INCH / max(*size, 1))
    drawn = [poppler.page_picture(path, page, dpi=dpi, seconds=seconds / 2) for path in (reference, other)]
    found = overlay(*drawn)
    return None if found is None else Difference(Drift("words", page, ""), found.changed, found.content)


def _difference(page: int, before: bytes, after: bytes, dpi: float) -> Difference | None:
    from PIL import Image, ImageChops  # noqa: PLC0415  # Only who compares needs Pillow.

    if before == after:
        return None
    old, new = (Image.open(io.BytesIO(one)).convert("RGB") for one in (before, after))
    if old.size != new.size:
        # The layouts say so, in points.
        return None
    differing = ImageChops.lighter(_outside(old, new), _outside(new, old))
    red, green, blue = differing.split()
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue).point(_notable)
    count = strongest.histogram()[255]
    place = strongest.getbbox()
    if count <= SPECKS or place is None:
        return None
    left, top = (round(one * poppler.POINTS_PER_INCH / dpi) for one in place[:2])
    right, bottom = (round(one * poppler.POINTS_PER_INCH / dpi) for one in place[2:])
    text = (
        f"it is painted otherwise between {left} and {right} pt from the left, {top} and {bottom} pt from the top: "
        "a line, a fill, a picture or a colour differs"
    )
    shown = overlay(before, after)
    return Difference(Drift("painting", page, text), *(shown.changed, shown.content) if shown else (0.0, b""))


def _outside(one: Image, other: Image) -> Image:
    """Return by how much each pixel is darker or lighter than all that surrounds its place on the other picture."""
    from PIL import ImageChops  # noqa: PLC0415  # As above.

    darkest, lightest = _spread(other, ImageChops.darker), _spread(other, ImageChops.lighter)
    return ImageChops.lighter(ImageChops.subtract(darkest, one), ImageChops.subtract(one, lightest))


def _spread(picture: Image, pick: Callable[[Image, Image], Image]) -> Image:
    """Return the darkest or lightest of each pixel's surroundings, first along the lines, then along the columns."""
    for right, down in ((1, 0), (0, 1)):
        spread = picture
        for distance in range(1, REACH + 1):
            for way in (distance, -distance):
                moved = picture.copy()
                moved.paste(picture, (way * right, way * down))
                spread = pick(spread, moved)
        picture = spread
    return picture


def _notable(value: int) -> int:
    return 255 if value > NOTABLE else 0
