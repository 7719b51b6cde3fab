"""How much one render may make, and how early that is noticed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from shared.exceptions import TemplateError
from shared.settings import load_settings
from workers.bounds import PIECES, Bounds, joining
from workers.engines import Source
from workers.engines.jinja import JinjaEngine
from workers.engines.none import NoneEngine
from workers.fetching import FetchPolicy
from workers.recipes import Document, RecipeUnavailableError
from workers.recipes.plain import TextRecipe
from workers.recipes.plutoprint_pdf import PlutoPrintRecipe
from workers.recipes.weasyprint_pdf import WeasyPrintRecipe

LIMIT = 100_000
WIDE = Bounds(markup_bytes=LIMIT, pages=100, document_bytes=10_000_000)
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}xx{% endfor %}{% endfor %}"
THREE_PAGES = "<p>a<p style='break-before: page'>b<p style='break-before: page'>c"


class Shelf:
    def __init__(self, content):
        self.source = Source(content, "jinja")

    def find(self, _name):
        return self.source


def expand(content, *, other="", most_bytes=LIMIT, **data):
    library = Shelf(other)
    return JinjaEngine().expand(content, data, markup=True, locale="en", library=library, most_bytes=most_bytes)


@pytest.fixture(scope="module", params=[WeasyPrintRecipe, PlutoPrintRecipe])
def recipe(request):
    try:
        return request.param()
    except RecipeUnavailableError as error:
        pytest.skip(str(error))


def test_the_settings_say_how_much_that_is():
    settings = load_settings(
        {
            "PRESSROOM_RENDER_MARKUP_BYTES": "1",
            "PRESSROOM_RENDER_PAGES": "2",
            "PRESSROOM_RENDER_DOCUMENT_BYTES": "3",
        }
    )
    assert Bounds.of(settings) == Bounds(markup_bytes=1, pages=2, document_bytes=3)


@pytest.mark.parametrize("character", ["x", "é", "漢", "😀", "\ud800"])
def test_a_text_may_be_as_long_as_the_limit_and_no_byte_longer(character):
    size = len(character.encode("utf-8", "surrogatepass"))
    for engine in (JinjaEngine(), NoneEngine()):
        exact = engine.expand(character * 5, {}, markup=False, locale="en", most_bytes=5 * size)
        assert exact == character * 5
        with pytest.raises(TemplateError, match=rf"at most {5 * size - 1} bytes .*PRESSROOM_RENDER_MARKUP_BYTES"):
            engine.expand(character * 5, {}, markup=False, locale="en", most_bytes=5 * size - 1)


def test_without_a_limit_a_text_has_none():
    assert len(expand("{{ 'x' * 1000000 }}", most_bytes=None)) == 1_000_000


def test_no_more_is_drawn_than_it_takes_to_be_too_long():
    drawn = itertools.count()

    with pytest.raises(TemplateError):
        joining(LIMIT)("x" * 1000 for _ in drawn)

    assert next(drawn) <= LIMIT / 1000 + PIECES


@pytest.mark.parametrize(
    "pieces",
    [
        ENDLESS,
        "{% include 'other' %}",
        "{% extends 'other' %}",
        f"{{% block body %}}{ENDLESS}{{% endblock %}}",
    ],
)
def test_a_template_that_never_ends_is_stopped_while_it_is_expanded(pieces):
    with pytest.raises(TemplateError, match="puts out too much: expected at most 100000 bytes") as caught:
        expand(f"\n{pieces}", other=ENDLESS)
    assert caught.value.line == 2
    assert caught.value.message.startswith("line 2: ")


@pytest.mark.parametrize(
    "content",
    [
        "{% macro m() %}TEXT{% endmacro %}{% set x = m() %}",
        "{% macro m() %}{{ caller() }}{% endmacro %}{% set x %}{% call m() %}TEXT{% endcall %}{% endset %}",
        "{% set x %}TEXT{% endset %}",
        "{% set x %}{% filter upper %}TEXT{% endfilter %}{% endset %}",
        "{% set x %}{{ self.b() }}{% endset %}{% if no %}{% block b %}TEXT{% endblock %}{% endif %}",
    ],
)
def test_what_a_template_only_keeps_is_bounded_as_well(content):
    # Nothing of it, or little, reaches the document.
    text = "{% for a in range(200) %}{{ part }}{% endfor %}"
    with pytest.raises(TemplateError, match="puts out too much") as caught:
        expand(content.replace("TEXT", text), part="x" * 1000)
    assert caught.value.line == 1
    assert expand(content.replace("TEXT", text), part="x") is not None


def test_the_limit_is_the_farms_whatever_a_template_catches():
    # Undefined names and `default` swallow a lot, but not this.
    with pytest.raises(TemplateError, match="puts out too much"):
        expand("{% macro m() %}{{ 'x' * 200000 }}{% endmacro %}{{ m() | default('small', true) }}")


def test_a_document_of_too_many_pages_is_refused_before_it_is_written(recipe):
    bounds = Bounds(markup_bytes=LIMIT, pages=2, document_bytes=1)
    # Written, it would be over its other bound.
    with pytest.raises(TemplateError, match=r"has 3 pages: expected at most 2 \(PRESSROOM_RENDER_PAGES\)"):
        recipe.render(THREE_PAGES, policy=FetchPolicy(), bounds=bounds)


def test_a_document_of_as_many_pages_as_may_be_is_made(recipe):
    bounds = Bounds(markup_bytes=LIMIT, pages=3, document_bytes=LIMIT)
    assert recipe.render(THREE_PAGES, policy=FetchPolicy(), bounds=bounds).pages == 3


def test_plutoprint_stops_at_the_byte_that_is_too_much():
    recipe = PlutoPrintRecipe()
    size = len(recipe.render(THREE_PAGES, policy=FetchPolicy()).content)
    enough, less = (Bounds(markup_bytes=LIMIT, pages=3, document_bytes=most) for most in (size, size // 2))

    assert len(recipe.render(THREE_PAGES, policy=FetchPolicy(), bounds=enough).content) == size
    with pytest.raises(TemplateError, match=rf"expected at most {size // 2} \(PRESSROOM_RENDER_DOCUMENT_BYTES\)"):
        recipe.render(THREE_PAGES, policy=FetchPolicy(), bounds=less)


def test_a_document_for_which_memory_does_not_suffice_is_not_handed_out_half_written(monkeypatch):
    # PlutoPrint goes on after an exception as if all had been written.
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(Bounds, "check_size", fail)
    with pytest.raises(MemoryError):
        PlutoPrintRecipe().render(THREE_PAGES, policy=FetchPolicy(), bounds=replace(WIDE, document_bytes=1000))


def test_a_finished_document_is_checked_whichever_recipe_made_it():
    document = TextRecipe().render("12345", policy=FetchPolicy(), bounds=WIDE)
    Bounds(markup_bytes=LIMIT, pages=1, document_bytes=5).check(document)
    with pytest.raises(TemplateError, match=r"5 bytes or more, expected at most 4 \(PRESSROOM_RENDER_DOCUMENT_BYTES\)"):
        Bounds(markup_bytes=LIMIT, pages=1, document_bytes=4).check(document)
    with pytest.raises(TemplateError, match="has 2 pages"):
        Bounds(markup_bytes=LIMIT, pages=1, document_bytes=5).check(Document(content=b"", pages=2))
