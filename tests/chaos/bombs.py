"""Small files that are large, or never end, for whoever reads them."""

from __future__ import annotations

import base64
import gzip
import struct
import zlib

MIB = 1024 * 1024
SVG = 'xmlns="http://www.w3.org/2000/svg"'


def url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def picture(content: str) -> str:
    """Return an image element of an SVG."""
    return f"<img src='{url('image/svg+xml', content.encode())}'>"


def zeros(size: int) -> bytes:
    """Return so many zeros, deflated, without ever holding them."""
    deflate = zlib.compressobj(9)
    some = bytes(MIB)
    return b"".join(deflate.compress(some) for _ in range(size // MIB)) + deflate.flush()


def png(width: int, height: int, packed: bytes) -> bytes:
    """Return an RGB picture of that size, whatever its packed content holds."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def black_png(side: int) -> bytes:
    """Return a square picture that is all there."""
    return png(side, side, zeros(side * (3 * side + 1) + MIB))


def woff(size: int) -> bytes:
    """Return a font whose one table is so large when it is unpacked."""
    packed = zeros(size)
    header = struct.pack(">4s4sIHHIHHIIIII", b"wOFF", b"\0\1\0\0", 64 + len(packed), 1, 0, 28 + size, 1, *[0] * 6)
    return header + struct.pack(">4sIIII", b"cmap", 64, len(packed), size, 0) + packed


def svgz(size: int) -> bytes:
    """Return an SVG that is so large when it is unpacked."""
    return gzip.compress(f"<svg {SVG}>{' ' * size}</svg>".encode(), 1)


# Each group draws the one before it ten times.
BILLION_USES = (
    f'<svg {SVG} width="9" height="9"><defs><rect id="a0" width="1" height="1"/>'
    + "".join(f'<g id="a{level}">' + f'<use href="#a{level - 1}"/>' * 10 + "</g>" for level in range(1, 10))
    + '</defs><use href="#a9"/></svg>'
)
BILLION_LAUGHS = (
    '<!DOCTYPE svg [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10))
    + f']><svg {SVG}><text y="9">&a9;</text></svg>'
)
