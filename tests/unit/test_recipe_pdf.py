"""The PDF recipes: pages, CSS, errors. Each test runs on both engines."""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import barcode
import pytest
from pypdf import PdfReader

from shared.exceptions import DataError, EngineError, TemplateError
from workers.fetching import FetchPolicy
from workers.recipes import RecipeUnavailableError
from workers.recipes.plutoprint_pdf import PlutoPrintRecipe
from workers.recipes.weasyprint_pdf import WeasyPrintRecipe

# Any font file will do; this one comes with a package that the farm needs anyway.
FONT = base64.b64encode((Path(barcode.__file__).parent / "fonts" / "DejaVuSansMono.ttf").read_bytes()).decode()
MM = 72 / 25.4


@pytest.fixture(scope="module", params=[WeasyPrintRecipe, PlutoPrintRecipe])
def recipe(request):
    try:
        return request.param()
    except RecipeUnavailableError as error:
        pytest.skip(str(error))


def pages_of(recipe, markup):
    document = recipe.render(markup, policy=FetchPolicy())
    assert document.content.startswith(b"%PDF-")
    pages = PdfReader(io.BytesIO(document.content)).pages
    assert document.pages == len(pages)
    return pages


def size_of(page):
    return round(float(page.mediabox.width) / MM, 1), round(float(page.mediabox.height) / MM, 1)


def fonts_of(page):
    return {str(font.get_object()["/BaseFont"]) for font in page["/Resources"].get("/Font", {}).values()}


def left_edge(page):
    """Return where the first black rectangle begins, in CSS px from the left."""
    edges = []

    def look(operator, operands, matrix, _):
        if operator == b"re":
            edges.append(float(operands[0]) * matrix[0] + matrix[4])

    page.extract_text(visitor_operand_before=look)
    return round(min(edge for edge in edges if edge > 0) / 0.75)


def test_a_page_is_a4_with_margins_of_75_px_unless_css_says_otherwise(recipe):
    (page,) = pages_of(recipe, "<body style='margin: 0'><div style='background: #000; height: 50px'></div>")
    assert size_of(page) == (210.0, 297.0)
    assert left_edge(page) == 75


@pytest.mark.parametrize(
    ("size", "expected"),
    [("A5 landscape", (210.0, 148.0)), ("letter", (215.9, 279.4)), ("80mm 50mm", (80.0, 50.0)), ("A3", (297.0, 420.0))],
)
def test_css_sets_the_size_and_orientation(recipe, size, expected):
    (page,) = pages_of(recipe, f"<style>@page {{ size: {size}; margin: 5mm }}</style>x")
    assert size_of(page) == expected


def test_css_sets_the_margins(recipe):
    (page,) = pages_of(
        recipe,
        "<style>@page { margin: 0 0 0 100px } body { margin: 0 } p { background: #000; height: 9px }</style><p>",
    )
    assert left_edge(page) == 100


def test_header_and_footer_stand_on_every_page_with_its_number(recipe):
    pages = pages_of(
        recipe,
        "<style>@page { margin: 20mm; @top-left { content: 'Northwind' } "
        "@bottom-right { content: 'Page ' counter(page) ' of ' counter(pages) } } h1 { break-before: page }</style>"
        "<p>a<h1>b</h1><h1>c</h1>",
    )
    assert len(pages) == 3
    for number, page in enumerate(pages, start=1):
        text = " ".join(page.extract_text().split())
        assert "Northwind" in text
        assert f"Page {number} of 3" in text


def test_a_long_table_repeats_its_head(recipe):
    rows = "".join(f"<tr><td>row {n}</td></tr>" for n in range(120))
    pages = pages_of(recipe, f"<table><thead><tr><th>Heading</th></tr></thead><tbody>{rows}</tbody></table>")
    assert len(pages) > 1
    assert all("Heading" in page.extract_text() for page in pages)


def test_the_title_of_the_document_is_the_title_of_the_pdf(recipe):
    content = recipe.render("<title>Müller &amp; Söhne</title>x", policy=FetchPolicy()).content
    assert PdfReader(io.BytesIO(content)).metadata.title == "Müller & Söhne"


def test_letters_of_many_scripts_are_read_back(recipe):
    (page,) = pages_of(recipe, "<p>Ærøskøbing Łódź Αθήνα Київ</p>")
    assert "Ærøskøbing Łódź Αθήνα Київ" in page.extract_text()


def test_a_font_in_a_data_url_is_used_and_does_not_reach_the_next_document(recipe):
    use = "<style>p { font-family: Stranger, serif }</style><p>abc"
    face = f"<style>@font-face {{ font-family: Stranger; src: url(data:font/ttf;base64,{FONT}) }}</style>"
    fonts = [fonts_of(pages_of(recipe, markup)[0]) for markup in (use, face + use, use)]
    # WeasyPrint writes the name that the style sheet gave, PlutoPrint the one in the file.
    own = {name for name in fonts[1] if "Stranger" in name or "Mono" in name}
    assert len(own) == 1
    assert not any("Stranger" in name or "Mono" in name for name in fonts[0] | fonts[2])


@pytest.mark.parametrize("content", ["", " \n\t"])
def test_an_empty_document_is_an_error(recipe, content):
    with pytest.raises(TemplateError, match="The document is empty"):
        recipe.render(content, policy=FetchPolicy())


def test_characters_that_no_document_can_hold_are_an_error_that_says_where(recipe):
    with pytest.raises(DataError, match=r"NUL \(U\+0000\), which stands at character 3 after 'ab'"):
        recipe.render("ab\0c", policy=FetchPolicy())
    with pytest.raises(DataError, match=r"half a surrogate pair \(U\+D800\)"):
        recipe.render("<p>\ud800", policy=FetchPolicy())


def test_broken_markup_is_laid_out_as_browsers_do(recipe):
    (page,) = pages_of(
        recipe, "<table><p>one<b>two<td>three</x><!-- <style>p{color:</style><svg><rect width='x'/>&bogus;"
    )
    assert "one" in page.extract_text()


def test_a_document_without_pages_is_an_error():
    with pytest.raises(TemplateError, match="made no page"):
        PlutoPrintRecipe().render("<style>@page { size: 1px }</style>x", policy=FetchPolicy())


def test_nesting_without_end_is_an_error_of_weasyprint():
    try:
        recipe = WeasyPrintRecipe()
    except RecipeUnavailableError as error:
        pytest.skip(str(error))
    with pytest.raises(EngineError, match="nested too deeply"):
        recipe.render("<b>" * 3000, policy=FetchPolicy())


def test_a_child_renders_after_its_parent_has(recipe):
    """A worker forks; nothing that a recipe keeps may depend on what a fork leaves behind."""
    markup = "<p>Fork <b>safe</b>"
    assert len(pages_of(recipe, markup)) == 1
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        done = 1
        try:
            done = 0 if recipe.render(markup, policy=FetchPolicy()).pages == 1 else 1
        finally:
            os._exit(done)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_pango_weasyprint_says_what_to_install():
    program = (
        "import cffi\n"
        "def missing(self, name, *_): raise OSError(f'cannot load library {name!r}')\n"
        "cffi.FFI.dlopen = missing\n"
        "from workers.recipes import RecipeUnavailableError\n"
        "from workers.recipes.weasyprint_pdf import WeasyPrintRecipe\n"
        "try: WeasyPrintRecipe()\n"
        "except RecipeUnavailableError as error: print(error)\n"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=root)
    said = ran.stdout.strip().splitlines()[-1]
    assert said == "WeasyPrint needs Pango: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
