"""Names of assets: what people call files, and nothing that means something else somewhere."""

from __future__ import annotations

import pytest

from shared.assets import checked_name, folder_of
from shared.exceptions import InvalidRequestError


@pytest.mark.parametrize(
    "name",
    [
        "logo.png",
        "fonts/Brand Bold (2).woff2",
        "ü/ロゴ.png",
        "हिन्दी.css",
        "a_b-c~d+e@2x.png",
        ".a.css",
        "x" * 196 + ".css",
    ],
)
def test_what_people_call_files_is_a_name(name):
    assert checked_name(name) == name


def test_two_spellings_of_one_letter_are_one_name():
    assert checked_name("Lo\u0308we.png") == "L\u00f6we.png"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/logo.png",
        "a//b.png",
        "a/",
        "../a.png",
        "a/../b.png",
        "./a.png",
        "a\\b.png",
        "a\0.png",
        "a\n.png",
        "a%20b.png",
        "a?b.png",
        "a#b.png",
        "C:a.png",
        "'a'.png",
        "<a>.png",
        " a.png",
        "a /b.png",
        "a\u202egnp.png",
        "a\ud800.png",
        "x" * 201,
    ],
)
def test_what_means_something_else_in_a_url_or_a_folder_is_no_name(name):
    with pytest.raises(InvalidRequestError, match="expected") as caught:
        checked_name(name)
    assert caught.value.field == "name"
    caught.value.message.encode()


def test_the_folder_is_what_comes_before_the_last_slash():
    assert [folder_of(name) for name in ("a.png", "x/a.png", "x/y/a.png")] == ["", "x", "x/y"]
