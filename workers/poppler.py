"""Reading PDFs with poppler's programs: pages, texts, pictures.

Each call is a process of its own with an end to its time and memory, so a document that is broken on purpose costs no
more than that.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

POINTS_PER_INCH = 72
# The programs, each with an end to the memory and the processor time that it may take.
BOUNDED = Path(__file__).with_name("bounded")
# Of a text longer than this, in bytes, only the pages before are looked at.
LARGEST_TEXT = 16 * 1024 * 1024
SAID_CHARACTERS = 200
# What pdfinfo and pdftoppm say of a document without pages.
NO_PAGES = "Invalid page count"
_PAGES = re.compile(rb"^Pages:\s+([0-9]+)", re.MULTILINE)
_PPM = re.compile(rb"P6\n([0-9]+) ([0-9]+)\n255\n")
_SIZE = re.compile(rb"^Page\s+[0-9]+ size:\s+([0-9.e+]+) x ([0-9.e+]+) pts", re.MULTILINE)


class UnreadablePdfError(Exception):
    """Raised when a PDF cannot be read; the text says why, for the person whose document it is."""


class TooSlowError(UnreadablePdfError):
    """Raised when reading took longer than it may."""


def page_sizes(path: Path, *, most: int, seconds: float) -> tuple[int, Sequence[tuple[float, float]]]:
    """Return how many pages a PDF has, and the width and height of its first ones, points, before any rotation.

    Args:
        path: The PDF.
        most: Of how many pages at most.
        seconds: The time limit.

    Raises:
        UnreadablePdfError: It is broken or encrypted, took too long, or poppler is not installed.
    """
    said = _run("pdfinfo", "-f", "1", "-l", str(most), str(path), seconds=seconds)
    pages = _PAGES.search(said)
    if pages is None:
        raise UnreadablePdfError("it does not say how many pages it has")
    count, sizes = int(pages[1]), [(float(width), float(height)) for width, height in _SIZE.findall(said)]
    if len(sizes) < min(count, most):
        raise UnreadablePdfError("it does not say how large its pages are")
    return count, sizes


def page_texts(path: Path, *, seconds: float) -> tuple[Sequence[str], bool]:
    """Return the text of each page, and whether that is all of them.

    Args:
        path: The PDF.
        seconds: The time limit.

    Raises:
        UnreadablePdfError: As of `page_sizes`.
    """
    with tempfile.TemporaryFile(prefix="pressroom-text-") as written:
        _run("pdftotext", "-enc", "UTF-8", "-eol", "unix", str(path), "-", seconds=seconds, output=written)
        written.seek(0)
        text = written.read(LARGEST_TEXT)
        whole = not written.read(1)
    # Each page ends with a form feed; a page that is cut is left out.
    *pages, _rest = text.decode("utf-8", "replace").split("\f")
    return pages, whole


def page_picture(path: Path, number: int, *, dpi: float, seconds: float) -> bytes:
    """Return the picture of one page, as a PPM.

    Args:
        path: The PDF.
        number: The page, counted from 1.
        dpi: Pixels per inch.
        seconds: The time limit.

    Raises:
        UnreadablePdfError: As of `page_sizes`.
    """
    # The crop box is what `page_sizes` measures, too.
    page = str(number)
    picture = _run("pdftoppm", "-f", page, "-l", page, "-r", f"{dpi:.4f}", "-cropbox", str(path), seconds=seconds)
    if not picture:
        raise UnreadablePdfError(f"page {number} cannot be drawn")
    return picture


def page_paintings(path: Path, first: int, last: int, *, dpi: float, seconds: float) -> Sequence[bytes]:
    """Return the pictures of some pages, each as a PPM, without smoothed edges: a pixel is painted, or it is not.

    Args:
        path: The PDF.
        first: The first page, counted from 1.
        last: The last page.
        dpi: Pixels per inch.
        seconds: The time limit.

    Raises:
        UnreadablePdfError: As of `page_sizes`.
    """
    pages = ("-f", str(first), "-l", str(last), "-r", f"{dpi:.4f}")
    drawn = _run("pdftoppm", *pages, "-aa", "no", "-aaVector", "no", "-cropbox", str(path), seconds=seconds)
    paintings, begin = [], 0
    while header := _PPM.match(drawn, begin):
        end = header.end() + 3 * int(header[1]) * int(header[2])
        paintings.append(drawn[begin:end])
        begin = end
    if begin != len(drawn) or len(paintings) != last - first + 1:
        raise UnreadablePdfError(f"its pages {first} to {last} cannot be drawn")
    return paintings


def _run(program: str, *arguments: str, seconds: float, output: IO[bytes] | None = None) -> bytes:
    if shutil.which(program) is None:
        raise UnreadablePdfError(f"{program} is not installed on this worker; it is part of poppler-utils")
    if seconds <= 0:
        raise TooSlowError(f"no time was left for {program}")
    try:
        # The programs' messages are read below, so they must be in one language.
        done = subprocess.run(  # noqa: S603  # A program of poppler's, and files that the worker named itself.
            [BOUNDED / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
            timeout=seconds,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as error:
        raise TooSlowError(f"{program} took longer than the {seconds:.3g} s that it had") from error
    if done.returncode == -signal.SIGXCPU:
        raise TooSlowError(f"{program} took more processor time than it may")
    if done.returncode:
        raise UnreadablePdfError(_reason(program, done.returncode, done.stderr.decode("utf-8", "replace")))
    return done.stdout or b""


def _reason(program: str, code: int, said: str) -> str:
    if "Incorrect password" in said:
        return "it is encrypted and needs a password"
    if NO_PAGES in said:
        return "it has no pages"
    if code < 0:
        return f"{program} broke on it (signal {-code})"
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), f"exit code {code}")
    return f"it is broken: {program} says {last[:SAID_CHARACTERS]!r}"
