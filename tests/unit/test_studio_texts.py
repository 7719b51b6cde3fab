"""The studio's catalogues: every text of the pages is in them, translated, with the same values in it."""

from __future__ import annotations

import re

import pytest
from babel.messages.pofile import read_po
from catalogues import TEXTS, extracted, update

LANGUAGES = sorted(path.stem for path in TEXTS.glob("*.po"))


def texts(message) -> list[str]:
    return [message] if isinstance(message, str) else list(message)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language):
    untranslated = [one.id for one in update(language) if one.id and not all(texts(one.string))]
    assert untranslated == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_values_of_its_text(language):
    def values(message):
        return set(re.findall(r"%\((\w+)\)", " ".join(texts(message))))

    assert [one.id for one in update(language) if values(one.id) != values(one.string)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_the_texts_of_the_pages_and_no_others(language):
    with (TEXTS / f"{language}.po").open("rb") as file:
        written = {one.id for one in read_po(file, locale=language) if one.id}
    # scripts/texts writes it.
    assert written == {one.id for one in extracted() if one.id}


def test_the_pages_have_texts():
    assert len(extracted()) > 100
