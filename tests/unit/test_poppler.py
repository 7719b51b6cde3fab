"""Whatever poppler's programs do with a document, its owner is told in plain words, and in time."""

from __future__ import annotations

import os

import compared
import psutil
import pypdf
import pytest

from workers import poppler
from workers.poppler import TooSlowError, UnreadablePdfError


@pytest.fixture
def pdf(tmp_path):
    path = tmp_path / "some.pdf"
    path.write_bytes(compared.document(extra="<p style='break-before: page'>Second"))
    return path


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """Return what puts a program of the test's own before a real one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def program(name, line):
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)

    return program


def test_a_document_without_pages_is_told_as_one(tmp_path):
    pypdf.PdfWriter().write(tmp_path / "empty.pdf")
    with pytest.raises(UnreadablePdfError, match=r"^it has no pages$"):
        poppler.page_sizes(tmp_path / "empty.pdf", most=1, seconds=20)


def test_a_page_of_any_size_is_measured(tmp_path):
    writer = pypdf.PdfWriter()
    writer.add_blank_page(1_000_000, 0.5)
    writer.write(tmp_path / "wide.pdf")
    assert poppler.page_sizes(tmp_path / "wide.pdf", most=1, seconds=20) == (1, [(1_000_000, 0.5)])


def test_pages_sizes_texts_and_pictures_are_read(pdf):
    count, sizes = poppler.page_sizes(pdf, most=1, seconds=20)
    assert (count, len(sizes)) == (2, 1)
    # A5 in points.
    assert sizes[0] == pytest.approx((419.5, 595.3), abs=1)
    texts, whole = poppler.page_texts(pdf, seconds=20)
    assert ([one.split()[0] for one in texts], whole) == (["Invoice", "Second"], True)
    assert poppler.page_picture(pdf, 2, dpi=72, seconds=20).startswith(b"P6\n420 596\n")


def test_a_text_that_is_too_long_ends_with_its_last_whole_page(pdf, monkeypatch):
    [first, _], _ = poppler.page_texts(pdf, seconds=20)
    monkeypatch.setattr(poppler, "LARGEST_TEXT", len(first) + 4)
    texts, whole = poppler.page_texts(pdf, seconds=20)
    assert (texts, whole) == ([first], False)


def test_a_program_that_takes_too_long_is_stopped(pdf, pretend):
    pretend("pdfinfo", "exec sleep 301")
    with pytest.raises(TooSlowError, match=r"pdfinfo took longer than the 0\.5 s"):
        poppler.page_sizes(pdf, most=1, seconds=0.5)
    assert ["sleep", "301"] not in [child.cmdline() for child in psutil.Process().children(recursive=True)]


def test_a_program_that_used_up_its_processor_time_took_too_long(pdf, pretend):
    pretend("pdftotext", "kill -XCPU $$")
    with pytest.raises(TooSlowError, match="pdftotext took more processor time than it may"):
        poppler.page_texts(pdf, seconds=20)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("kill -SEGV $$", "pdfinfo broke on it .signal 11."),
        ("echo nothing to say", "does not say how many pages"),
        ("echo 'Pages: 3'", "does not say how large its pages are"),
        ("echo 'Syntax Error: no trailer' >&2; exit 1", "it is broken: pdfinfo says 'Syntax Error: no trailer'"),
        ("exit 3", "it is broken: pdfinfo says 'exit code 3'"),
        ("echo 'Command Line Error: Incorrect password' >&2; exit 1", "it is encrypted and needs a password"),
    ],
)
def test_what_a_program_says_becomes_a_reason(pdf, pretend, line, why):
    pretend("pdfinfo", line)
    with pytest.raises(UnreadablePdfError, match=why):
        poppler.page_sizes(pdf, most=1, seconds=20)


def test_a_page_that_cannot_be_drawn_is_named(pdf, pretend):
    pretend("pdftoppm", "exit 0")
    with pytest.raises(UnreadablePdfError, match="page 2 cannot be drawn"):
        poppler.page_picture(pdf, 2, dpi=72, seconds=20)


def test_a_program_has_an_end_to_its_memory(pdf, pretend, tmp_path):
    pretend("pdfinfo", f"ulimit -v > {tmp_path}/limit; echo 'Pages: 0'")
    poppler.page_sizes(pdf, most=1, seconds=20)
    assert int((tmp_path / "limit").read_text()) == 1024 * 1024
