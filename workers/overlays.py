"""Laying one page over another: how much of it changed, and a picture in which a person sees what and where.

Both pages are pictures of the same size beside it, so that one can be slid over the other.

Only before: red. Only after: blue. Changed in colour alone: purple. The same in both: grey. What changed lies on
yellow, so that a single comma is found at once.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
GONE, COME, RECOLOURED = (214, 39, 40), (31, 87, 214), (148, 40, 190)
# Where only one of the two has paper.
GONE_PAPER, COME_PAPER = (255, 226, 222), (222, 232, 255)
HALO = (255, 243, 176)
HALO_PIXELS = 5
# Where the other page has paper, and this one has not.
NO_PAPER = (226, 228, 231)
# What did not change is drawn this faint.
FAINTNESS = 0.4


@dataclass(frozen=True, slots=True)
class Overlay:
    """What became of one page.

    Attributes:
        changed: The share of its pixels that differ, over 0 and up to 1.
        content: A PNG that shows them.
    """

    changed: float
    content: bytes


def overlay(before: bytes | None, after: bytes | None) -> Overlay | None:
    """Lay one page over the other, left top corners together.

    Args:
        before: The picture of the page as it was; None: there was no such page.
        after: The same of the page as it is.

    Returns:
        None when no pixel differs. Where only one of the two has paper, every pixel counts as changed.
    """
    # Pillow is heavy, and most workers of this queue never compare anything.
    from PIL import Image, ImageChops  # noqa: PLC0415

    old, new = _opened(before), _opened(after)
    if old is not None and new is not None and old.size == new.size and old.tobytes() == new.tobytes():
        return None
    size = _size(old, new)
    old_paper, new_paper = _paper(old, size), _paper(new, size)
    old, new = _padded(old, size), _padded(new, size)
    one_sided = ImageChops.difference(old_paper, new_paper)
    changed = ImageChops.lighter(_any_channel(ImageChops.difference(old, new)), one_sided)
    changed = changed.point(_all)
    count = changed.histogram()[255]
    if not count:
        return None

    old_grey, new_grey = old.convert("L"), new.convert("L")
    gone = _boosted(ImageChops.subtract(new_grey, old_grey))
    come = _boosted(ImageChops.subtract(old_grey, new_grey))
    recoloured = ImageChops.subtract(
        ImageChops.subtract(changed, one_sided), ImageChops.lighter(gone, come).point(_all)
    )

    drawn = Image.new("RGB", size, WHITE)
    drawn.paste(HALO, mask=_halo(changed))
    drawn.paste(GONE_PAPER, mask=ImageChops.subtract(old_paper, new_paper))
    drawn.paste(COME_PAPER, mask=ImageChops.subtract(new_paper, old_paper))
    both = ImageChops.lighter(old_grey, new_grey)
    drawn.paste(BLACK, mask=both.point(lambda value: round((255 - value) * FAINTNESS)))
    drawn.paste(GONE, mask=gone)
    drawn.paste(COME, mask=come)
    drawn.paste(RECOLOURED, mask=recoloured)
    content = io.BytesIO()
    drawn.save(content, "PNG")
    return Overlay(count / (size[0] * size[1]), content.getvalue())


def sides(before: bytes | None, after: bytes | None) -> tuple[bytes | None, bytes | None]:
    """Return both pages as PNGs of the size that their overlay has, left top corners together.

    Args:
        before: The picture of the page as it was; None: there was no such page.
        after: The same of the page as it is.
    """
    old, new = _opened(before), _opened(after)
    size = _size(old, new)
    return _side(old, size), _side(new, size)


def _side(picture: Image | None, size: tuple[int, int]) -> bytes | None:
    if picture is None:
        return None
    padded = _padded(picture, size, paper=NO_PAPER)
    red, green, blue = padded.split()
    content = io.BytesIO()
    # Most pages are grey, which takes a quarter of the bytes and half of the time.
    is_grey = red.tobytes() == green.tobytes() == blue.tobytes()
    (red if is_grey else padded).save(content, "PNG")
    return content.getvalue()


def _opened(picture: bytes | None) -> Image | None:
    from PIL import Image  # noqa: PLC0415  # As above.

    return None if picture is None else Image.open(io.BytesIO(picture)).convert("RGB")


def _size(*pictures: Image | None) -> tuple[int, int]:
    sizes = [one.size for one in pictures if one is not None]
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _paper(picture: Image | None, size: tuple[int, int]) -> Image:
    """Return where there is paper."""
    from PIL import Image  # noqa: PLC0415  # As above.

    paper = Image.new("L", size, 0)
    if picture is not None:
        paper.paste(255, (0, 0, *picture.size))
    return paper


def _padded(picture: Image | None, size: tuple[int, int], *, paper: tuple[int, int, int] = WHITE) -> Image:
    from PIL import Image  # noqa: PLC0415  # As above.

    if picture is not None and picture.size == size:
        return picture
    padded = Image.new("RGB", size, paper)
    if picture is not None:
        padded.paste(picture, (0, 0))
    return padded


def _any_channel(difference: Image) -> Image:
    from PIL import ImageChops  # noqa: PLC0415  # As above.

    red, green, blue = difference.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _boosted(ink: Image) -> Image:
    """Make a faint difference plain."""
    return ink.point(lambda value: min(128 + 2 * value, 255) if value else 0)


def _all(value: int) -> int:
    return 255 if value else 0


def _halo(changed: Image) -> Image:
    """Return the surroundings of what changed."""
    from PIL import ImageFilter  # noqa: PLC0415  # As above.

    # A blur, since it costs the same at any width; one pixel still leaves a trace everywhere in its reach.
    return changed.filter(ImageFilter.BoxBlur(HALO_PIXELS)).point(_all)
