"""The recipes html and text."""

from __future__ import annotations

import pytest

from shared.exceptions import DataError
from workers.fetching import FetchPolicy
from workers.recipes import Document
from workers.recipes.plain import HtmlRecipe, TextRecipe


@pytest.mark.parametrize("recipe", [HtmlRecipe(), TextRecipe()])
@pytest.mark.parametrize("content", ["", "Müller €\n", "<p>&amp;", "\N{GRINNING FACE}"])
def test_the_content_is_returned_in_utf_8_and_has_no_pages(recipe, content):
    assert recipe.render(content, policy=FetchPolicy()) == Document(content=content.encode(), pages=None)


@pytest.mark.parametrize("recipe", [HtmlRecipe(), TextRecipe()])
def test_half_a_surrogate_pair_is_an_error_that_says_where(recipe):
    with pytest.raises(DataError, match=r"U\+D83D\), which stands at character 6 after 'Dear'"):
        recipe.render("Dear \ud83d,", policy=FetchPolicy())


def test_only_html_is_markup():
    assert (HtmlRecipe.media_type, HtmlRecipe.extension, HtmlRecipe.markup) == (
        "text/html; charset=utf-8",
        "html",
        True,
    )
    assert (TextRecipe.media_type, TextRecipe.extension, TextRecipe.markup) == (
        "text/plain; charset=utf-8",
        "txt",
        False,
    )
