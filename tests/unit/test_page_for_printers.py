"""The test page that comes with the farm: what its template says, on paper as large as it says."""

from __future__ import annotations

import fnmatch
import importlib.resources
import io
import tomllib
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from workers import poppler
from workers.engines.jinja import JinjaEngine
from workers.fetching import FetchPolicy
from workers.recipes.weasyprint_pdf import WeasyPrintRecipe

FOLDER = importlib.resources.files("shared") / "test_page"
POINTS_PER_MM = 72 / 25.4
# So that a tenth of a millimetre is a pixel.
DPI = 254
INK = 128


@pytest.fixture(scope="module")
def page():
    [page] = pypdf.PdfReader(io.BytesIO((FOLDER / "page.pdf").read_bytes())).pages
    return page


@pytest.fixture(scope="module")
def drawn():
    return Image.open(io.BytesIO(poppler.page_picture(Path(str(FOLDER / "page.pdf")), 1, dpi=DPI, seconds=60))).convert(
        "L"
    )


def test_it_is_what_its_template_makes(page):
    template = (FOLDER / "page.html.jinja").read_text(encoding="utf-8")
    markup = JinjaEngine().expand(template, {}, markup=True, locale="en")
    [made] = pypdf.PdfReader(io.BytesIO(WeasyPrintRecipe().render(markup, policy=FetchPolicy()).content)).pages
    # Not byte by byte: another machine has other fonts. scripts/make-test-page makes it anew.
    assert page.extract_text().split() == made.extract_text().split()
    assert "Pressroom test page" in page.extract_text()


def test_it_is_of_a4_and_brings_its_fonts(page):
    assert [float(one) / POINTS_PER_MM for one in page.mediabox[2:]] == pytest.approx([210, 297], abs=0.01)
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        [descendant] = font["/DescendantFonts"]
        assert "/FontFile2" in descendant.get_object()["/FontDescriptor"].get_object()


def test_its_frame_is_ten_millimetres_from_each_edge(drawn):
    across = [x for x in range(drawn.width) if drawn.getpixel((x, 600)) < INK]
    down = [y for y in range(drawn.height) if drawn.getpixel((1700, y)) < INK]
    for first, last, size in ((across[0], across[-1], 2100), (down[0], down[-1], 2970)):
        assert first == pytest.approx(100, abs=3)
        assert last == pytest.approx(size - 100, abs=3)


def test_its_rulers_are_of_millimetres(drawn):
    # Below the short marks, only those of each ten are left.
    row = [drawn.getpixel((x, 172)) < INK for x in range(250, 1950)]
    marks = [250 + place for place, ink in enumerate(row) if ink and not row[place - 1]]
    assert marks == pytest.approx(range(300, 1901, 100), abs=2)


def test_an_installed_farm_has_it():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["shared"]
    assert any(fnmatch.fnmatch("test_page/page.pdf", one) for one in patterns)
