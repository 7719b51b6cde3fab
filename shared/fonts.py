"""Whether a file is a font: its container is whole, and the tables that every font has are in it.

OpenType files (``ttf``, ``otf``), WOFF (https://www.w3.org/TR/WOFF/) and WOFF2 (https://www.w3.org/TR/WOFF2/).
Compressed tables are unpacked to the size that they declare and no further, so that a small file cannot fill the
memory; outlines are not looked at, which the layout engines do with care of their own.
"""

from __future__ import annotations

import struct
import threading
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of all tables, unpacked. The largest families of East Asian scripts have half of it.
MOST_BYTES = 32 * 1024 * 1024
# A font of 200 bytes can say that it has all of them; of so many uploads at once, each would.
_ONE_AT_A_TIME = threading.Lock()
MOST_TABLES = 200
FLAVOURS = (b"\x00\x01\x00\x00", b"true", b"OTTO")
COLLECTION = b"ttcf"
NEEDED = ("cmap", "head", "hhea", "hmtx", "maxp")
OUTLINES = ("glyf", "CFF ", "CFF2", "SVG ", "CBDT", "EBDT", "sbix")
HEAD_BYTES = 54
HEAD_MAGIC = 0x5F0F3CF5
UNITS_PER_EM = range(16, 16385)

# Section 5.1 of WOFF2, in its order.
_KNOWN_TAGS = (
    "cmap head hhea hmtx maxp name OS/2 post cvt_ fpgm glyf loca prep CFF_ VORG EBDT EBLC gasp hdmx kern LTSH PCLT "
    "VDMX vhea vmtx BASE GDEF GPOS GSUB EBSC JSTF MATH CBDT CBLC COLR CPAL SVG_ sbix acnt avar bdat bloc bsln cvar "
    "fdsc feat fmtx fvar gvar hsty just lcar mort morx opbd prop trak Zapf Silf Glat Gloc Feat Sill"
)
Table = bytes | memoryview
KNOWN_TAGS = tuple(tag.replace("_", " ") for tag in _KNOWN_TAGS.split())
_ANY_TAG = 0x3F
_UNTRANSFORMED_OUTLINES = 3
_LONGEST_NUMBER = 5


def check_opentype(content: bytes) -> None:
    """Refuse what is not a TrueType or OpenType font.

    Raises:
        ValueError: The text says what was found, or what is missing.
    """
    _check_flavour(content[:4])
    _, count = _unpacked(">4sH", content, 0)
    found: dict[str, bytes] = {}
    _check_count(count)
    left = MOST_BYTES
    for number in range(count):
        tag, _, offset, length = _unpacked(">4sIII", content, 12 + 16 * number)
        # Tables may lie on top of one another, and each is copied.
        left -= length
        if left < 0:
            raise ValueError(f"its tables have more than {MOST_BYTES} bytes")
        found[_name(tag)] = _part(content, offset, length, tag)
    _check_tables(found)


def check_woff(content: bytes) -> None:
    """Refuse what is not a WOFF font, with the errors of `check_opentype`."""
    _check_signature(content, b"wOFF")
    _, flavour, length, count = _unpacked(">4s4sIH", content, 0)
    _check_frame(content, flavour, length, count)
    found: dict[str, Table] = {}
    left = MOST_BYTES
    with _ONE_AT_A_TIME:
        for number in range(count):
            tag, offset, packed, size, _ = _unpacked(">4sIIII", content, 44 + 20 * number)
            left -= size
            if left < 0:
                raise ValueError(f"unpacked it would have more than {MOST_BYTES} bytes")
            part = _part(content, offset, packed, tag)
            found[_name(tag)] = part if packed == size else _inflated(part, size, tag)
        _check_tables(found)


def check_woff2(content: bytes) -> None:
    """Refuse what is not a WOFF2 font, with the errors of `check_opentype`."""
    _check_signature(content, b"wOF2")
    _, flavour, length, count, _, _, packed = _unpacked(">4s4sIHHII", content, 0)
    _check_frame(content, flavour, length, count)
    place = 48
    sizes: list[tuple[str, int]] = []
    for _ in range(count):
        tag, size, place = _directory_entry(content, place)
        sizes.append((tag, size))
    whole = sum(size for _, size in sizes)
    if whole > MOST_BYTES:
        raise ValueError(f"unpacked it would have more than {MOST_BYTES} bytes")
    with _ONE_AT_A_TIME:
        tables = memoryview(_unbrotlied(_part(content, place, packed, b"data"), whole))
        found: dict[str, Table] = {}
        begin = 0
        for tag, size in sizes:
            found[tag] = tables[begin : begin + size]
            begin += size
        _check_tables(found)


def _check_flavour(flavour: bytes) -> None:
    if flavour == COLLECTION:
        raise ValueError("it is a collection of fonts: expected a single one")
    if flavour not in FLAVOURS:
        raise ValueError(f"it begins with {flavour!r}, as no font does")


def _check_signature(content: bytes, signature: bytes) -> None:
    if content[:4] != signature:
        raise ValueError(f"it begins with {content[:4]!r}: expected {signature!r}")


def _check_frame(content: bytes, flavour: bytes, length: int, count: int) -> None:
    _check_flavour(flavour)
    if length != len(content):
        raise ValueError(f"it says that it has {length} bytes, and has {len(content)}")
    _check_count(count)


def _check_count(count: int) -> None:
    if not 0 < count <= MOST_TABLES:
        raise ValueError(f"it has {count} tables: expected 1 to {MOST_TABLES}")


def _check_tables(found: Mapping[str, Table]) -> None:
    missing = [tag for tag in NEEDED if tag not in found]
    if missing:
        raise ValueError(f"it has no table {', '.join(missing)}")
    if not any(tag in found for tag in OUTLINES):
        raise ValueError("it has no glyphs")
    head = found["head"]
    if len(head) < HEAD_BYTES or _unpacked(">I", head, 12)[0] != HEAD_MAGIC:
        raise ValueError("its table head is broken")
    if _unpacked(">H", head, 18)[0] not in UNITS_PER_EM:
        raise ValueError("its table head is broken: it has no usable size")
    if not _unpacked(">IH", found["maxp"], 0)[1]:
        raise ValueError("it has no glyphs")


def _unpacked(form: str, content: Table, offset: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, content, offset)
    except struct.error:
        raise ValueError("it breaks off") from None


def _name(tag: bytes) -> str:
    return tag.decode("latin-1")


def _part(content: bytes, offset: int, length: int, tag: bytes) -> bytes:
    if offset + length > len(content):
        raise ValueError(f"it breaks off in its table {_name(tag)}")
    return content[offset : offset + length]


def _inflated(packed: bytes, size: int, tag: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        # One byte more than declared: what is longer is no such table.
        table = unpacking.decompress(packed, size + 1)
    except zlib.error:
        table = b""
    if len(table) != size:
        raise ValueError(f"its table {_name(tag)} cannot be unpacked")
    return table


def _unbrotlied(packed: bytes, size: int) -> bytes:
    import brotli  # noqa: PLC0415  # Only who gets a WOFF2 font pays for it.

    unpacking = brotli.Decompressor()
    try:
        tables: bytes = unpacking.process(packed, output_buffer_limit=size + 1)
    except brotli.error:
        raise ValueError("its tables cannot be unpacked") from None
    if len(tables) != size:
        raise ValueError("its tables do not have the size that it says")
    return tables


def _directory_entry(content: bytes, place: int) -> tuple[str, int, int]:
    """Return a table's tag, its size in the packed data, and the place behind the entry."""
    flags = _unpacked(">B", content, place)[0]
    place += 1
    if flags & _ANY_TAG == _ANY_TAG:
        tag = _name(_part(content, place, 4, b"directory"))
        place += 4
    else:
        tag = KNOWN_TAGS[flags & _ANY_TAG]
    size, place = _number(content, place)
    version = flags >> 6
    if version != (_UNTRANSFORMED_OUTLINES if tag in {"glyf", "loca"} else 0):
        size, place = _number(content, place)
    return tag, size, place


def _number(content: bytes, place: int) -> tuple[int, int]:
    """Read a UIntBase128; return it and the place behind it."""
    value = 0
    for byte in _part(content, place, min(_LONGEST_NUMBER, len(content) - place), b"directory"):
        place += 1
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, place
    raise ValueError("its directory of tables is broken")
