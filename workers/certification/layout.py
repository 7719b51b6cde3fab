"""What a PDF holds, as far as two engines can agree on it: its pages, where each character stands, links, metadata.

Read with PDFium. Two engines write the same document in another order and with other operators, and a reader joins
their glyphs to other words; so what is compared is each character and the point on the paper where it begins.
"""

from __future__ import annotations

import contextlib
import ctypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pypdfium2
from pypdfium2 import raw

from workers.certification import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the engines set for a hyphen, and what PDFium calls one at the end of a line.
HYPHENS = dict.fromkeys("\u00ad\u2010\u2011\u0002\ufffe", "-")
# Characters on one line: their baselines differ by no more, points.
BASELINE = 1.0
# A gap that is wider than this share of the character's height is one between words.
GAP = 0.25
METADATA = ("Title", "Author", "Subject", "Keywords")


@dataclass(frozen=True, slots=True)
class Character:
    """A visible character.

    Attributes:
        text: It.
        x: Where it begins, points from the page's left edge.
        y: Its baseline, points from the page's top.
        word: The number of its word on the page, in the order in which they were written.
    """

    text: str
    x: float
    y: float
    word: int


@dataclass(frozen=True, slots=True)
class Link:
    """A place on a page that leads somewhere.

    Attributes:
        target: The URL; or the page in this document, counted from 1, as ``page 3``.
        x: Its left edge, points from the page's.
        y: Its top edge, points from the page's.
    """

    target: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Page:
    """One page. Sizes are points; ``words`` are numbered as `Character.word` says."""

    width: float
    height: float
    characters: tuple[Character, ...]
    words: tuple[str, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a PDF holds.

    Attributes:
        count: How many pages it has.
        pages: The first of them.
        metadata: Title, author and so on, as far as there are any.
        attachments: The names of attached files.
    """

    count: int
    pages: tuple[Page, ...]
    metadata: dict[str, str] = field(default_factory=dict)
    attachments: tuple[str, ...] = ()


def read(content: bytes, *, most_pages: int) -> Layout:
    """Return the layout of a PDF.

    Args:
        content: The PDF.
        most_pages: Of how many pages at most.

    Raises:
        UnreadableError: It cannot be read.
    """
    try:
        with contextlib.closing(pypdfium2.PdfDocument(content)) as document:
            count = len(document)
            pages = []
            for number in range(min(count, most_pages)):
                with contextlib.closing(document[number]) as page:
                    pages.append(_page(document, page))
            metadata = {name: said for name in METADATA if (said := document.get_metadata_value(name).strip())}
            attachments = sorted(document.get_attachment(one).get_name() for one in range(document.count_attachments()))
            return Layout(count, tuple(pages), metadata, tuple(attachments))
    except pypdfium2.PdfiumError as error:
        raise UnreadableError(f"PDFium cannot read it: {error}") from error


def _page(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> Page:
    width, height = page.get_size()
    with contextlib.closing(page.get_textpage()) as text:
        characters, words = _characters(text, height)
    return Page(width, height, characters, words, tuple(_links(document, page, height)))


def _characters(text: pypdfium2.PdfTextPage, height: float) -> tuple[tuple[Character, ...], tuple[str, ...]]:
    x, y = ctypes.c_double(), ctypes.c_double()
    box = raw.FS_RECTF()
    characters: list[Character] = []
    words: list[str] = []
    left, right, baseline, gap = 0.0, 0.0, 0.0, 0.0
    in_word = False
    for index in range(raw.FPDFText_CountChars(text)):
        code = raw.FPDFText_GetUnicode(text, index)
        said = HYPHENS.get(chr(code), chr(code))
        if said.isspace():
            in_word = False
            continue
        # What PDFium adds where it sees a gap or a line's end, and what no font shows.
        if raw.FPDFText_IsGenerated(text, index) == 1 and said != "-":
            in_word = False
            continue
        raw.FPDFText_GetCharOrigin(text, index, x, y)
        raw.FPDFText_GetLooseCharBox(text, index, box)
        # Letters of one ligature lie on top of one another, and some scripts are written from the right.
        apart = max(box.left - right, left - box.right)
        if in_word and (abs(y.value - baseline) > BASELINE or apart > gap):
            in_word = False
        if in_word:
            words[-1] += said
        else:
            words.append(said)
        in_word = True
        characters.append(Character(said, x.value, height - y.value, len(words) - 1))
        left, right, baseline = box.left, box.right, y.value
        gap = max(GAP * (box.top - box.bottom), BASELINE)
    return tuple(characters), tuple(words)


def _links(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, height: float) -> Iterator[Link]:
    place, link = ctypes.c_int(0), raw.FPDF_LINK()
    box = raw.FS_RECTF()
    while raw.FPDFLink_Enumerate(page, place, link):
        target = _target(document, link)
        if target is not None and raw.FPDFLink_GetAnnotRect(link, box):
            # Engines name the corners of a box in any order.
            yield Link(target, min(box.left, box.right), height - max(box.top, box.bottom))


def _target(document: pypdfium2.PdfDocument, link: raw.FPDF_LINK) -> str | None:
    action = raw.FPDFLink_GetAction(link)
    if action and raw.FPDFAction_GetType(action) == raw.PDFACTION_URI:
        size = raw.FPDFAction_GetURIPath(document, action, None, 0)
        path = ctypes.create_string_buffer(size)
        raw.FPDFAction_GetURIPath(document, action, path, size)
        return path.value.decode("utf-8", "replace")
    destination = raw.FPDFLink_GetDest(document, link)
    if not destination and action:
        destination = raw.FPDFAction_GetDest(document, action)
    if not destination:
        return None
    return f"page {raw.FPDFDest_GetDestPageIndex(document, destination) + 1}"
