"""What is given for a template's parameters: all that is wrong with it, and what the template finds."""

from __future__ import annotations

import pytest

from shared import catalogue
from shared.parameter_values import MOST_NAMED, merged, problems
from shared.parameters import TYPES

DECLARED = [
    {"name": "code", "type": "string", "required": True},
    {"name": "count", "type": "integer", "required": True},
    {"name": "since", "type": "date", "required": False, "default": "2026-01-01"},
    {"name": "colour", "type": "boolean", "required": False},
]
GOOD = {"code": "PR-1", "count": 3}


@pytest.mark.parametrize("given", [GOOD, GOOD | {"since": "2026-02-28"}, GOOD | {"since": None, "colour": None}])
def test_what_fits_is_taken(given):
    assert problems(given, DECLARED) == []


def test_everything_that_is_wrong_is_said():
    given = {"count": "3", "since": "2026-02-30", "color": True, "other": 1}

    assert problems(given, DECLARED) == [
        ("parameters.code", "parameters.code is missing: the template needs a text"),
        ("parameters.count", 'parameters.count is "3": expected a whole number'),
        ("parameters.since", 'parameters.since is "2026-02-30": expected a date such as 2026-03-14'),
        ("parameters.color", "parameters.color is not a parameter of this template: did you mean colour?"),
        (
            "parameters.other",
            "parameters.other is not a parameter of this template: expected code, count, since, colour",
        ),
    ]


def test_nothing_is_no_value_for_what_is_required():
    assert problems(GOOD | {"code": None}, DECLARED) == [
        ("parameters.code", "parameters.code is null: the template needs a text")
    ]


def test_a_default_does_not_stand_in_for_what_is_required():
    declared = [{"name": "code", "type": "string", "required": True, "default": "x"}]

    assert [field for field, _ in problems({}, declared)] == ["parameters.code"]


@pytest.mark.parametrize("kind", TYPES)
def test_a_value_of_another_type_is_named_with_what_was_expected(kind):
    wrong = "text" if kind != "string" else 5

    [(field, message)] = problems({"it": wrong}, [{"name": "it", "type": kind, "required": False}])

    assert field == "parameters.it"
    assert TYPES[kind] in message


@pytest.mark.parametrize("declared", [None, []])
def test_a_template_that_declares_no_parameters_takes_any(declared):
    assert problems({"anything": {"at": "all"}}, declared) == []


def test_a_heap_of_unknown_names_is_counted():
    found = problems(GOOD | {f"x{number}" * 100: 1 for number in range(MOST_NAMED + 5)}, DECLARED)

    assert len(found) == MOST_NAMED + 1
    assert "5 more" in found[-1][1]
    assert all(len(message) < 300 for _, message in found)


@pytest.mark.parametrize(
    ("parameters", "data", "names"),
    [
        ({}, None, {"rows": []}),
        ({"code": "a"}, None, {"rows": [], "code": "a"}),
        ({"code": "a"}, {"code": "b", "x": 1}, {"rows": [], "code": "b", "x": 1}),
        ({"code": "a"}, [{"x": 1}], {"rows": [{"x": 1}], "code": "a"}),
        ({"code": "a"}, [], {"rows": [], "code": "a"}),
        ({"code": "a"}, {"rows": 5}, {"rows": 5, "code": "a"}),
        ({"rows": ["of", "mine"]}, None, {"rows": ["of", "mine"]}),
        ({"rows": ["of", "mine"]}, [{"x": 1}], {"rows": [{"x": 1}]}),
        ({"not a name": 1}, {}, {"rows": [], "not a name": 1}),
    ],
)
def test_parameters_are_names_where_no_key_of_the_data_is(parameters, data, names):
    assert merged(parameters, data, None) == {"parameters": parameters, **names}


def test_a_key_of_the_data_wins_over_all_parameters_together():
    assert merged({"code": "a"}, {"parameters": 5}, None) == {"parameters": 5, "rows": [], "code": "a"}


def test_what_is_left_out_is_its_default():
    found = merged(GOOD | {"colour": None}, None, DECLARED)

    assert found["since"] == found["parameters"]["since"] == "2026-01-01"
    assert found["colour"] is None
    assert merged({"since": "2026-05-05"}, None, DECLARED)["since"] == "2026-05-05"
    assert merged({"since": None}, None, DECLARED)["since"] == "2026-01-01"


def test_a_recipes_name_tells_whether_it_makes_pdfs():
    for name, entry in catalogue.installed(catalogue.RECIPES).items():
        assert catalogue.makes_pdf(name) == (entry.load().media_type == "application/pdf")
