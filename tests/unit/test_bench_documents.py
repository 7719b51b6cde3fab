"""The documents of scripts/bench: what one farm makes of them, the other makes of them, too."""

from __future__ import annotations

import re

import pytest
from benchmarks.documents import NAMES, document

from workers.engines.jinja import JinjaEngine
from workers.fetching import FetchPolicy
from workers.recipes.plutoprint_pdf import PlutoPrintRecipe

PAGES = {"invoice": 1, "table400": 10, "label": 1, "statement": 60, "contract": 7, "table2000": 49}


@pytest.mark.parametrize("name", NAMES)
def test_a_document_has_its_pages(name):
    found = document(name)
    markup = JinjaEngine().expand(found.jinja, found.data, markup=True, locale="en")

    assert PlutoPrintRecipe().render(markup, policy=FetchPolicy()).pages == PAGES[name]


@pytest.mark.parametrize("name", NAMES)
def test_both_templates_have_the_same_markup_around_the_same_fields(name):
    found = document(name)

    def read(template):
        fields = re.findall(
            r"\{\{ *(?:@root\.)?(?:\w+\.)*(\w+) *\}\}", re.sub(r"\{\{(this|else)\}\}", "{{it}}", template)
        )
        markup = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", " ", template)
        return markup.split(), [field for field in fields if field not in ("it", "paragraph")]

    assert read(found.handlebars) == read(found.jinja)


@pytest.mark.parametrize("name", NAMES)
def test_a_document_needs_nothing_but_itself(name):
    found = document(name)

    assert not re.search(r"asset:|https?://(?!www\.w3\.org)", found.jinja + found.handlebars)
