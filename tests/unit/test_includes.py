"""What is seen in a template before it is saved: which others it names, what is missing, and circles."""

from __future__ import annotations

import pytest

from shared import includes
from shared.exceptions import InvalidRequestError
from shared.includes import LONGEST_READ, MOST_LOOKED_FOR, MOST_WARNINGS, Text


def examine(content, others=None, *, name="mine", engine="jinja"):
    known = {one: text if isinstance(text, Text) else Text(text, "jinja") for one, text in (others or {}).items()}
    return includes.examine(name, Text(content, engine), known.get)


@pytest.mark.parametrize(
    "content",
    [
        "{% include 'a' %}",
        "{% extends 'a' %}",
        "{% import 'a' as a %}",
        "{% from 'a' import b %}",
        "{% include 'a' without context %}",
        "{% include ['a', 'b'] %}",
        "{% if x %}{% for i in y %}{% macro m() %}{% include 'a' %}{% endmacro %}{% endfor %}{% endif %}",
        "{% block c %}{% set d %}{% include 'a' %}{% endset %}{% endblock %}",
    ],
)
def test_every_way_to_name_another_template_is_seen(content):
    assert includes.read(content).references[0].names[0] == "a"
    assert "a" in examine(f"\n\n{content}")[0]
    assert examine(f"\n\n{content}")[0].startswith("line 3: there is no template named ")
    assert examine(content, {"a": ""}) == []


def test_of_several_names_the_first_that_there_is_counts():
    assert examine("{% include ['a', 'b'] %}", {"b": ""}) == []
    assert examine("{% include ['a', 'b'] %}") == ['line 1: there is no template named "a" or "b" yet']


@pytest.mark.parametrize(
    "content",
    ["{% include 'a' ignore missing %}", "{% include x %}", "{% include ['a', x] %}", "{% include 'a' ~ x %}", "plain"],
)
def test_what_need_not_be_there_is_not_missed(content):
    assert examine(content) == []


def test_a_template_for_another_engine_cannot_be_part_of_one():
    assert examine("\n{% include 'a' %}", {"a": Text("x", "none")}) == [
        "line 2: template \"a\" is for the engine 'none': only one for 'jinja' can be part of another"
    ]


@pytest.mark.parametrize(
    ("content", "line"), [("a\n{% include %}", 2), ("{% if x %}\n", 1), ("\n\n{{ 'x", 3), ("{% nosuch %}", 1)]
)
def test_a_template_that_cannot_be_read_is_a_warning_with_its_line(content, line):
    (warning,) = examine(content)
    assert warning.startswith(f"The template cannot be read: line {line}: ")


@pytest.mark.parametrize(
    "content",
    ["{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "{{ a" + ".b" * 20_000 + " }}", "{{ " + "9" * 5000 + " }}"],
    ids=["parentheses", "attributes", "digits"],
)
def test_a_template_that_no_reader_can_take_is_a_warning(content):
    (warning,) = examine(content)
    assert "too deeply" in warning


def test_a_template_that_is_too_long_to_be_looked_at_is_a_warning():
    (warning,) = examine("{% include 'mine' %}" + " " * LONGEST_READ)
    assert "was not looked at" in warning


def test_the_text_of_another_engine_is_not_looked_at():
    assert examine("{% include %}{% include 'mine' %}", engine="none") == []


@pytest.mark.parametrize(
    ("others", "line", "way"),
    [
        ({}, 2, '"mine" -> "mine"'),
        ({"a": "{% include 'mine' %}"}, 1, '"mine" -> "a" -> "mine"'),
        ({"a": "{% extends 'b' %}", "b": "{% import 'c' as c %}", "c": "{% include 'mine' %}"}, 2, '"mine" -> "mine"'),
    ],
    ids=["itself", "another", "the shortest way round"],
)
def test_a_template_that_would_include_itself_is_refused_with_the_way(others, line, way):
    with pytest.raises(InvalidRequestError) as caught:
        examine("{% include 'a' %}\n{% include 'mine' %}" if line == 2 else "{% include 'a' %}", others)
    assert caught.value.message.startswith(f"line {line}: the template would include itself: {way}.")
    assert caught.value.field == "content"


def test_a_long_way_round_is_found():
    others = {f"t{n}": f"{{% include 't{n + 1}' %}}" for n in range(50)} | {"t50": "{% include 'mine' %}"}
    with pytest.raises(InvalidRequestError, match=r'"mine" -> "t0" -> "t1" .* -> "t50" -> "mine"\.'):
        examine("{% include 't0' %}", others)


def test_a_circle_of_others_is_not_this_ones_fault():
    assert examine("{% include 'a' %}", {"a": "{% include 'b' %}", "b": "{% include 'a' %}"}) == []


def test_what_only_meets_again_is_no_circle():
    others = {"a": "{% include 'c' %}", "b": "{% include 'c' %}", "c": ""}
    assert examine("{% include 'a' %}{% include 'b' %}{% include 'a' %}", others) == []


def test_a_macro_that_calls_itself_is_no_circle():
    assert examine("{% macro m(n) %}{{ m(n - 1) }}{% endmacro %}{{ m(3) }}") == []


def test_each_other_template_is_asked_for_once_and_not_any_number_of_them():
    asked = []
    content = "".join(f"{{% include 't{n}' %}}{{% include 't{n}' %}}" for n in range(MOST_LOOKED_FOR + 100))
    warnings = includes.examine("mine", Text(content, "jinja"), asked.append)
    assert len(asked) == len(set(asked)) == MOST_LOOKED_FOR - 1
    assert len(warnings) == MOST_WARNINGS


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Köpfe / 1", '"Köpfe / 1"'),
        ('a"\n\0', '"a\\"\\n\\u0000"'),
        ("\ud800", '"?"'),
        ("x" * 200, '"' + "x" * 80 + '…"'),
        (5, '"5"'),
    ],
)
def test_a_name_is_shown_short_on_one_line_and_of_whole_characters(name, shown):
    assert includes.quoted(name) == shown
