"""What an asset may be: its kinds by extension, and whether a content is of the kind that its name says.

What passes here goes into layout engines, so what is checked is what would break them or fill their memory: a picture's
dimensions, a font's container, entities in an SVG. The libraries are loaded by the first file that needs them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn
from xml.parsers import expat

from pydantic_core import from_json

from shared import fonts
from shared.exceptions import InvalidRequestError, UnsupportedTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

# Decoded, four bytes each: more than an A4 page at 600 dots per inch, well within a rendering child's memory.
MOST_PIXELS = 50_000_000
SHOWN_CHARACTERS = 200
# What reads pictures for a document calls itself for each level, and a child has one stack.
DEEPEST = 250
SVG_NAMES = ("http://www.w3.org/2000/svg svg", "svg")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that may be an asset.

    Attributes:
        media_type: Its ``Content-Type``.
        noun: What it is called in an error.
        check: Raises `ValueError`, with what was found, for a content that is something else.
    """

    media_type: str
    noun: str
    check: Callable[[bytes], None]


def kind_of(name: str) -> Kind:
    """Return the kind that a name's extension says.

    Raises:
        UnsupportedTypeError: No such files are taken; the text names those that are.
    """
    last = name.rpartition("/")[2]
    extension = extension_of(name)
    kind = KINDS.get(extension)
    if kind is None:
        raise UnsupportedTypeError(
            f"{last[:SHOWN_CHARACTERS]} has {f'the extension {extension!r}' if extension else 'no extension'}: "
            f"expected one of {', '.join(KINDS)}"
        )
    return kind


def extension_of(name: str) -> str:
    """Return a name's extension in lower case, without the dot; empty: it has none."""
    return name.rpartition("/")[2].rpartition(".")[2].lower() if "." in name.rpartition("/")[2] else ""


def check_content(name: str, content: bytes) -> None:
    """Refuse a content that is not of the kind that its name says.

    Raises:
        UnsupportedTypeError: The name's extension is none of an asset's.
        InvalidRequestError: The text says what was expected and what was found.
    """
    kind = kind_of(name)
    if not content:
        raise InvalidRequestError(f"{name} is not {kind.noun}: it is empty", field="file")
    try:
        kind.check(content)
    except ValueError as error:
        reason = " ".join(str(error).split())[:SHOWN_CHARACTERS]
        raise InvalidRequestError(f"{name} is not {kind.noun}: {reason}", field="file") from error


def _picture(form: str) -> Callable[[bytes], None]:
    def check(content: bytes) -> None:
        import importlib  # noqa: PLC0415  # With Pillow, below.

        # Pillow takes 10 MB, and each of its formats some more: only gateways that get pictures pay, for what they get.
        importlib.import_module(f"PIL.{form}ImagePlugin")
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

        try:
            with Image.open(io.BytesIO(content), formats=(form.upper(),)) as picture:
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    _too_many_pixels(width, height)
                picture.verify()
        except UnidentifiedImageError:
            raise ValueError(f"it cannot be read as one, and begins with {content[:8]!r}") from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise ValueError(f"it has more than {MOST_PIXELS} pixels") from None
        except ValueError:
            raise
        except Exception as error:  # Pillow raises whatever its decoders stumble over.
            raise ValueError(f"it is broken ({error})") from error

    return check


def _too_many_pixels(width: int, height: int) -> NoReturn:
    raise ValueError(f"it has {width} x {height} pixels: expected at most {MOST_PIXELS} in all")


def _svg(content: bytes) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse_doctype(*_: object) -> None:
        # Entities are declared there: a kilobyte of them can stand for gigabytes, or for a file of the reader's.
        raise ValueError("it has a <!DOCTYPE>, which may declare entities: remove that line")

    depth = 0

    def open_element(name: str, _attributes: object) -> None:
        nonlocal depth
        if not depth and name not in SVG_NAMES:
            raise ValueError(f"its root element is <{name.rpartition(' ')[2]}>: expected <svg>")
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"its elements are nested more than {DEEPEST} deep")

    def close_element(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = open_element
    parser.EndElementHandler = close_element
    try:
        parser.Parse(content, True)  # noqa: FBT003  # Expat takes no keywords.
    except expat.ExpatError as error:
        raise ValueError(f"it is not well-formed XML ({error})") from error
    except LookupError as error:
        raise ValueError(f"its encoding is not known ({error})") from error


def _css(content: bytes) -> None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start + 1})") from error
    if "\0" in text:
        raise ValueError("it holds NUL, as no text does")


def _json(content: bytes) -> None:
    from_json(content, allow_inf_nan=False)


KINDS = {
    "png": Kind("image/png", "a PNG image", _picture("Png")),
    "jpg": Kind("image/jpeg", "a JPEG image", _picture("Jpeg")),
    "jpeg": Kind("image/jpeg", "a JPEG image", _picture("Jpeg")),
    "gif": Kind("image/gif", "a GIF image", _picture("Gif")),
    "webp": Kind("image/webp", "a WebP image", _picture("WebP")),
    "svg": Kind("image/svg+xml", "an SVG image", _svg),
    "ttf": Kind("font/ttf", "a TrueType or OpenType font", fonts.check_opentype),
    "otf": Kind("font/otf", "a TrueType or OpenType font", fonts.check_opentype),
    "woff": Kind("font/woff", "a WOFF font", fonts.check_woff),
    "woff2": Kind("font/woff2", "a WOFF2 font", fonts.check_woff2),
    "css": Kind("text/css", "a style sheet", _css),
    "json": Kind("application/json", "JSON", _json),
}
