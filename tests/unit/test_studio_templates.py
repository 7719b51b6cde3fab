"""Templates as the studio's forms and editors hold them: every value as the text that is typed, and back."""

from __future__ import annotations

import pytest

from api.studio.generating import value_of
from api.studio.templates import as_typed, typed_value

FOUND = {
    "id": "1",
    "name": "label",
    "version": 3,
    "content": "x",
    "engine": "jinja",
    "recipe": "pdf",
    "context": None,
    "contextColour": None,
    "sampleData": {"price": 92.0, "order": 12345678901234567890, "name": "Söhne"},
    "options": None,
    "parameters": [{"name": "tags", "type": "array", "required": False, "example": ["ä"]}],
    "fields": None,
}


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("2026-03-14", "date", "2026-03-14"),
        ("7", "string", "7"),
        (7, "integer", "7"),
        (92.0, "number", "92.0"),
        (False, "boolean", "false"),
        (["ä"], "array", '["ä"]'),
    ],
)
def test_a_value_is_typed_as_it_is_read(value, kind, text):
    assert typed_value(value, kind) == text
    assert value_of(text, kind) == value


def test_nothing_is_left_out_and_what_does_not_fit_stays_as_it_was_typed():
    assert typed_value(None, "integer") == ""
    assert value_of("  ", "string") is None
    assert value_of("soon", "number") == "soon"


def test_a_template_keeps_every_digit_of_its_sample():
    typed = as_typed(FOUND)

    assert typed["sampleData"] == '{\n  "price": 92.0,\n  "order": 12345678901234567890,\n  "name": "Söhne"\n}'
    assert typed["parameters"] == [
        {"name": "tags", "type": "array", "required": False, "default": "", "example": '["ä"]'}
    ]
    assert (typed["options"], typed["fields"]) == ({}, [])
