"""Pictures of first pages by the real pdftoppm, whatever the PDF is like."""

from __future__ import annotations

import io
import os
import shutil
import subprocess

import pdfs
import pytest
from PIL import Image, ImageFile

from workers import poppler, thumbnails
from workers.thumbnails import UnpicturableError, picture_of

UPRIGHT, FLAT = (595, 842), (842, 595)


@pytest.fixture
def document(tmp_path):
    def document(content):
        path = tmp_path / "document.pdf"
        path.write_bytes(content)
        return path

    return document


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Put a program in the place of one of poppler's; it tells its version as that would."""

    def program(name, script):
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\n[ "$1" = -v ] && exit\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return program


def refused(document) -> str:
    with pytest.raises(UnpicturableError) as error:
        picture_of(document)
    return str(error.value)


def test_it_is_a_png_400_pixels_wide(document):
    made = picture_of(document(pdfs.drawn(*UPRIGHT)))

    picture = Image.open(io.BytesIO(made.content))
    assert (picture.format, picture.size) == ("PNG", (400, 566))
    assert (made.width, made.height) == (400, 566)
    assert [picture.getpixel((x, 283)) for x in (100, 300)] == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize(
    ("page", "rotation", "size"),
    [
        (FLAT, 0, (400, 283)),
        (UPRIGHT, 90, (400, 283)),
        ((14400, 14400), 0, (400, 400)),
        ((14400, 1), 0, (400, 1)),
        ((10, 14400), 0, (1, 1200)),
    ],
)
def test_no_proportions_of_a_page_make_a_large_picture(document, page, rotation, size):
    made = picture_of(document(pdfs.drawn(*page, rotation=rotation)))

    assert (made.width, made.height) == size


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pdfs.drawn(*UPRIGHT, password="secret"), "the document is encrypted and needs a password"),
        (b"%PDF-1.7\nnonsense", "the document is broken: Syntax Error: Couldn't read xref table"),
        (pdfs.drawn(*UPRIGHT)[:200], "the document is broken: Syntax Error: Couldn't read xref table"),
        (b"", "the document is broken: Syntax Error: Document stream is empty"),
    ],
)
def test_a_document_that_cannot_be_read_has_none_for_a_reason(document, content, reason):
    assert refused(document(content)) == reason


def test_a_reason_does_not_say_where_the_document_is(tmp_path):
    assert str(tmp_path) not in refused(tmp_path / "gone.pdf")


def test_without_pdftoppm_it_says_what_to_install(document, monkeypatch, tmp_path):
    (tmp_path / "pdfinfo").symlink_to(shutil.which("pdfinfo"))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert refused(document(pdfs.drawn(*UPRIGHT))) == "pdftoppm: not installed on this worker, install poppler-utils"


def test_a_page_that_takes_too_long_is_given_up(document, program, monkeypatch):
    program("pdftoppm", "exec sleep 60")
    monkeypatch.setattr(thumbnails, "PAGE_SECONDS", 0.2)

    assert refused(document(pdfs.drawn(*UPRIGHT))) == "pdftoppm took longer than 0.2 s for the first page"


@pytest.mark.parametrize("script", ["exit 1", r"printf 'P6\n400 400\n255\nhalf'", r"printf 'P6\n40'", "kill -9 $$"])
@pytest.mark.parametrize("lenient", [False, True])
def test_a_pdftoppm_that_dies_over_a_page_is_the_pages_fault(document, program, script, lenient, monkeypatch):
    # As WeasyPrint sets it for its whole process.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    program("pdftoppm", script)

    assert refused(document(pdfs.drawn(*UPRIGHT))) == thumbnails.UNDRAWN


@pytest.mark.parametrize("name", thumbnails.PROGRAMS)
def test_popplers_programs_have_limits_that_outlive_their_worker(program, name):
    program(name, 'ulimit -v; ulimit -S -t; ulimit -H -t; echo "${LD_LIBRARY_PATH-unset} $*"')

    done = subprocess.run(
        [poppler.BOUNDED / name, "-r", "a b"],
        env={**os.environ, "LD_LIBRARY_PATH": ":"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == ["1048576", "30", "31", "unset -r a b"]
