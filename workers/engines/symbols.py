"""Filters that draw bar codes and QR codes as inline SVG.

In a template: ``{{ number | barcode("ean13") }}``, ``{{ link | qrcode(size_mm=25) }}``.

A symbol is one path of filled rectangles, so that no renderer leaves a hair line between neighbouring modules. It is
sized in millimetres, quiet zone included, so that it prints at the size and with the margin that scanners need.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import segno
from markupsafe import Markup, escape

from shared.exceptions import TemplateError
from workers.engines.formats import shown
from workers.engines.symbologies import SYMBOLOGIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_BARCODE = 80
# GS1 General Specifications, section 5: the widest quiet zone that any of the kinds asks for (EAN-13, left).
BARCODE_QUIET_MODULES = 11
BARCODE_TEXT_MM = 3.0
# Width of a figure of the usual sans-serif fonts, in heights.
FIGURE_WIDTH = 0.6
TEXT_GAP_MM = 1.0
SVG_FONTS = "Liberation Sans, DejaVu Sans, Arial, sans-serif"

# ISO/IEC 18004, 6.3.8.
QR_QUIET_MODULES = 4
# Below this, an office printer and a phone's camera no longer agree on what a module is.
SMALLEST_QR_MODULE_MM = 0.2
LARGEST_MM = 1000.0


def barcode(
    value: object,
    kind: str = "code128",
    height_mm: float = 15.0,
    module_mm: float = 0.33,
    text: bool = True,  # noqa: FBT001, FBT002  # A template writes barcode(text=false).
) -> Markup:
    """Draw a bar code of a value.

    Args:
        value: What to encode; for the kinds that have a check digit, with or without it.
        kind: One of `SYMBOLOGIES`.
        height_mm: Height of the bars.
        module_mm: Width of the narrowest bar.
        text: Whether the value stands below the bars, for people.
    """
    symbology = SYMBOLOGIES.get(kind) if isinstance(kind, str) else None
    if symbology is None:
        raise TemplateError(f"barcode: {shown(kind)} is not a kind; expected one of {', '.join(SYMBOLOGIES)}")
    height = _millimetres("barcode", "height_mm", height_mm, smallest=1.0)
    module = _millimetres("barcode", "module_mm", module_mm, smallest=0.1)
    content = _text("barcode", value)
    if len(content) > LONGEST_BARCODE:
        raise TemplateError(
            f"barcode: the value has {len(content)} characters; expected at most {LONGEST_BARCODE}; a qrcode holds more"
        )
    try:
        bars = symbology.encode(content)
    except ValueError as error:
        raise TemplateError(
            f"barcode: {shown(content)} cannot be encoded as {kind}: {error}; expected {symbology.expected}"
        ) from error
    width = (len(bars.modules) + 2 * BARCODE_QUIET_MODULES) * module
    path = "".join(
        f"M{_plain((BARCODE_QUIET_MODULES + start) * module)} 0h{_plain(length * module)}v{_plain(height)}"
        f"h-{_plain(length * module)}z"
        for start, length in _dark_runs(bars.modules)
    )
    if not text:
        return _svg(width, height, path)
    # Small enough that the text is never wider than the bars, however thin they are.
    size = min(BARCODE_TEXT_MM, len(bars.modules) * module / (FIGURE_WIDTH * len(bars.text)))
    below = (
        f'<text x="{_plain(width / 2)}" y="{_plain(height + TEXT_GAP_MM + 0.75 * size)}" text-anchor="middle" '
        f'font-family="{SVG_FONTS}" font-size="{_plain(size)}" fill="#000">{escape(bars.text)}</text>'
    )
    return _svg(width, height + TEXT_GAP_MM + size, path, below)


def qrcode(value: object, error: str = "m", size_mm: float = 30.0) -> Markup:
    """Draw a QR code of a value.

    Args:
        value: What to encode; text that is not ASCII is encoded as UTF-8, and marked so.
        error: The least error correction: ``l`` (7 %), ``m`` (15 %), ``q`` (25 %) or ``h`` (30 %).
        size_mm: Width and height, quiet zone included.
    """
    if not isinstance(error, str) or error.lower() not in {"l", "m", "q", "h"}:
        raise TemplateError(f"qrcode: error is {shown(error)}; expected l, m, q or h")
    size = _millimetres("qrcode", "size_mm", size_mm, smallest=1.0)
    content = _text("qrcode", value)
    try:
        # Scanners guess the encoding of a code that does not name it; ASCII needs no naming.
        symbol = segno.make(content, error=error, encoding="utf-8", eci=not content.isascii(), micro=False)
    except (segno.DataOverflowError, UnicodeError) as problem:
        raise TemplateError(
            f"qrcode: the value of {len(content)} characters does not fit into a QR code with error correction "
            f"{error!r}; expected less text, or a lower correction"
        ) from problem
    modules = len(symbol.matrix) + 2 * QR_QUIET_MODULES
    if size / modules < SMALLEST_QR_MODULE_MM:
        raise TemplateError(
            f"qrcode: the value of {len(content)} characters makes {modules} modules across, too fine to scan at "
            f"{_plain(size)} mm; expected size_mm of at least {_plain(modules * SMALLEST_QR_MODULE_MM)}, or less text"
        )
    path = "".join(
        f"M{QR_QUIET_MODULES + start} {QR_QUIET_MODULES + row}h{length}v1h-{length}z"
        for row, line in enumerate(symbol.matrix)
        for start, length in _dark_runs("1" if dark else "0" for dark in line)
    )
    return _svg(size, size, path, view=(modules, modules))


def _svg(width: float, height: float, path: str, rest: str = "", *, view: tuple[float, float] | None = None) -> Markup:
    across, down = view or (width, height)
    return Markup(  # noqa: S704  # Every part is made here; the only text of a value has been escaped.
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_plain(width)}mm" height="{_plain(height)}mm" '
        f'viewBox="0 0 {_plain(across)} {_plain(down)}" shape-rendering="crispEdges">'
        f'<rect width="{_plain(across)}" height="{_plain(down)}" fill="#fff"/>'
        f'<path fill="#000" d="{path}"/>{rest}</svg>'
    )


def _dark_runs(modules: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield where each run of dark modules starts and how long it is."""
    start = 0
    for module, run in groupby(modules):
        length = len(list(run))
        if module == "1":
            yield start, length
        start += length


def _text(filter_name: str, value: object) -> str:
    content = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not content:
        raise TemplateError(
            f"{filter_name}: there is nothing to encode in {shown(value)}; expected text or a whole number"
        )
    return content


def _millimetres(filter_name: str, name: str, value: object, *, smallest: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and smallest <= value <= LARGEST_MM:
        return float(value)
    raise TemplateError(
        f"{filter_name}: {name} is {shown(value)}; expected millimetres from {_plain(smallest)} to {_plain(LARGEST_MM)}"
    )


def _plain(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")
