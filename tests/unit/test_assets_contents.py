"""A content is what its name says, or it is refused with what it is."""

from __future__ import annotations

import struct
import zlib

import asset_files
import brotli
import pytest

from shared import fonts
from shared.asset_contents import KINDS, MOST_PIXELS, check_content, kind_of
from shared.exceptions import InvalidRequestError, UnsupportedTypeError

PNG = asset_files.picture()
TTF = asset_files.font()
WOFF = asset_files.font(flavour="woff")
WOFF2 = asset_files.font(flavour="woff2")
CONTENTS = {
    "png": PNG,
    "jpg": asset_files.picture("JPEG"),
    "jpeg": asset_files.picture("JPEG"),
    "gif": asset_files.picture("GIF"),
    "webp": asset_files.picture("WEBP"),
    "svg": asset_files.SVG,
    "ttf": TTF,
    "otf": TTF,
    "woff": WOFF,
    "woff2": WOFF2,
    "css": "p { content: 'ä' }".encode(),
    "json": b'{"a": [1, null]}',
}


def said_of(name, content):
    with pytest.raises(InvalidRequestError) as caught:
        check_content(name, content)
    assert caught.value.field == "file"
    assert caught.value.message.startswith(f"{name} is not {kind_of(name).noun}: ")
    return caught.value.message.partition(": ")[2]


def png_that_says(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return PNG[:8] + chunk + PNG[8 + len(chunk) :]


@pytest.mark.parametrize("extension", KINDS)
def test_each_kind_is_taken(extension):
    check_content(f"a.b/x.{extension.upper()}", CONTENTS[extension])


@pytest.mark.parametrize("extension", [one for one in KINDS if one not in {"css", "json"}])
def test_a_text_under_another_name_is_refused(extension):
    assert said_of(f"x.{extension}", b"hello, I am a text")


@pytest.mark.parametrize("extension", KINDS)
def test_an_empty_file_is_refused(extension):
    assert said_of(f"x.{extension}", b"") == "it is empty"


def test_every_picture_is_only_what_its_name_says():
    names = ["png", "jpg", "gif", "webp"]
    for name in names:
        for other in names:
            if other != name:
                assert "cannot be read as one" in said_of(f"x.{name}", CONTENTS[other])


@pytest.mark.parametrize("name", ["x.exe", "x", "x.", "folder.png/x", "x.png.html", ".gitignore"])
def test_another_extension_is_refused_with_those_that_are_taken(name):
    with pytest.raises(UnsupportedTypeError, match="png, jpg, jpeg, gif, webp, svg, ttf, otf, woff, woff2, css, json"):
        kind_of(name)


@pytest.mark.parametrize("size", [(10_000, MOST_PIXELS // 10_000 + 1), (60_000, 60_000)])
def test_a_picture_that_would_fill_the_memory_is_refused_by_what_it_declares(size):
    # Pillow warns of some, refuses others, and says nothing of the rest: all are refused alike.
    assert str(MOST_PIXELS) in said_of("x.png", png_that_says(*size))


def test_a_broken_picture_is_refused():
    assert said_of("x.png", PNG[:-10])
    assert said_of("x.webp", asset_files.picture("WEBP")[:-10])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'>]><svg>&a;</svg>", "<!DOCTYPE>"),
        (b"<!DOCTYPE svg SYSTEM 'file:///etc/passwd'><svg/>", "<!DOCTYPE>"),
        (b"<html/>", "its root element is <html>"),
        (b"<svg>", "not well-formed"),
        (b"<svg>&nothing;</svg>", "not well-formed"),
        (b"<?xml version='1.0' encoding='cp999'?><svg/>", "encoding"),
    ],
)
def test_an_svg_is_xml_without_entities(content, said):
    assert said in said_of("x.svg", content)


def test_an_svg_in_utf_16_is_xml_too():
    check_content("x.svg", "<?xml version='1.0' encoding='utf-16'?><svg/>".encode("utf-16"))


def test_a_style_sheet_is_utf_8():
    assert "byte 4" in said_of("x.css", b"/* \xe4 */")
    assert "NUL" in said_of("x.css", b"p\0")


@pytest.mark.parametrize("content", [b"{", b"'a'", b"\xff", b"{}{}", b"[" * 100_000])
def test_json_parses(content):
    said_of("x.json", content)


def test_an_opentype_font_needs_its_tables():
    assert "breaks off" in said_of("x.ttf", TTF[:5000])
    assert "breaks off" in said_of("x.ttf", TTF[:20])
    assert "no table cmap" in said_of("x.ttf", TTF.replace(b"cmap", b"camp", 1))
    assert "no glyphs" in said_of("x.ttf", TTF.replace(b"glyf", b"flyg", 1))
    assert "collection" in said_of("x.ttf", b"ttcf" + TTF[4:])
    assert "its table head" in said_of("x.ttf", TTF.replace(struct.pack(">I", fonts.HEAD_MAGIC), b"none", 1))


def test_tables_on_top_of_one_another_do_not_multiply_a_font():
    size = fonts.MOST_BYTES // 100
    tables = b"".join(struct.pack(">4sIII", b"t%03d" % number, 0, 0, size) for number in range(101))
    content = struct.pack(">4sHHHH", b"\0\1\0\0", 101, 0, 0, 0) + tables

    assert "more than" in said_of("x.ttf", content + bytes(size - len(content)))


@pytest.mark.parametrize("extension", ["woff", "woff2"])
def test_a_compressed_font_is_whole(extension):
    content = CONTENTS[extension]
    assert "says that it has" in said_of(f"x.{extension}", content[:-1])
    assert "begins with" in said_of(f"x.{extension}", TTF)
    assert "collection" in said_of(f"x.{extension}", content[:4] + b"ttcf" + content[8:])
    assert said_of(f"x.{extension}", content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def woff(tag, packed, size):
    entry = struct.pack(">4sIIII", tag, 64, len(packed), size, 0)
    header = struct.pack(">4s4sIHHIHHIIIII", b"wOFF", b"\0\1\0\0", 64 + len(packed), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    return header + entry + packed


def woff2(packed, *sizes):
    def number(value):
        groups = [value >> shift & 0x7F for shift in (28, 21, 14, 7, 0)]
        while len(groups) > 1 and not groups[0]:
            groups.pop(0)
        return bytes([*(one | 0x80 for one in groups[:-1]), groups[-1]])

    directory = b"".join(b"\0" + number(size) for size in sizes)
    whole = 48 + len(directory) + len(packed)
    header = struct.pack(
        ">4s4sIHHIIHHIIIII", b"wOF2", b"\0\1\0\0", whole, len(sizes), 0, 0, len(packed), 1, 0, 0, 0, 0, 0, 0
    )
    return header + directory + packed


def test_a_font_that_declares_too_much_is_refused_before_it_is_unpacked():
    assert "more than" in said_of("x.woff", woff(b"cmap", b"x", fonts.MOST_BYTES + 1))
    assert "more than" in said_of("x.woff2", woff2(b"x", fonts.MOST_BYTES, 1))


def test_a_font_that_declares_too_little_is_unpacked_no_further():
    bomb = bytes(50_000_000)

    assert "cannot be unpacked" in said_of("x.woff", woff(b"cmap", zlib.compress(bomb), 1000))
    assert "do not have the size" in said_of("x.woff2", woff2(brotli.compress(bomb, quality=1), 1000))


def test_a_font_that_declares_more_than_it_has_is_refused():
    assert "cannot be unpacked" in said_of("x.woff", woff(b"cmap", zlib.compress(b"abc"), 1000))
    assert "do not have the size" in said_of("x.woff2", woff2(brotli.compress(b"abc"), 1000))
    assert "cannot be unpacked" in said_of("x.woff2", woff2(b"\xff\xff\xff\xff", 1000))


def test_an_svg_that_is_nested_too_deeply_for_those_who_draw_it_is_refused():
    deep = b"<svg>" + b"<g>" * 249 + b"</g>" * 249 + b"</svg>"
    check_content("a.svg", deep)
    with pytest.raises(InvalidRequestError, match="nested more than 250 deep"):
        check_content("a.svg", deep.replace(b"<g>", b"<g><g>", 1).replace(b"</g>", b"</g></g>", 1))


def test_a_number_that_json_has_not_is_refused():
    with pytest.raises(InvalidRequestError):
        check_content("a.json", b'{"a": NaN}')
