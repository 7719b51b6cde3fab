"""What a template wants to be told of each document of a batch."""

from __future__ import annotations

import json

from shared.batch_wishes import wishes_of
from shared.models import TemplateVersion


def wanted(parameters=None, fields=None, sample=None):
    text = None if sample is None else json.dumps(sample)
    return wishes_of(TemplateVersion(parameters=parameters, fields=fields, sample_data=text))


def shown(**said):
    return [(one.path, one.type, one.required, one.example) for one in wanted(**said)]


def test_a_template_that_says_nothing_wants_nothing():
    assert shown() == []


def test_what_is_declared_comes_first_and_once_with_an_example_of_its_own_or_of_the_sample():
    assert shown(
        parameters=[
            {"name": "code", "type": "string", "required": True, "example": "PR-1"},
            {"name": "due", "type": "date"},
        ],
        fields=[{"name": "code", "type": "string"}, {"name": "customer.city"}],
        sample={"due": "2026-03-14", "customer": {"city": "Cork", "name": "Byrne"}},
    ) == [
        ("code", "string", True, "PR-1"),
        ("due", "date", False, "2026-03-14"),
        ("customer.city", "string", False, "Cork"),
        ("customer.name", "string", False, "Byrne"),
    ]


def test_of_a_sample_the_leaves_are_wanted_by_their_paths():
    sample = {"a": {"b": {"c": 1.5}, "d": []}, "e": True, "f": None, "g": {}}
    assert [(path, kind) for path, kind, _, _ in shown(sample=sample)] == [
        ("a.b.c", "number"),
        ("a.d", "array"),
        ("e", "boolean"),
        ("f", "string"),
        ("g", "object"),
    ]


def test_of_what_is_declared_as_a_whole_no_part_is_wanted():
    declared = [{"name": "customer", "type": "object"}]
    assert [one[0] for one in shown(parameters=declared, sample={"customer": {"city": "Cork"}})] == ["customer"]
