import pytest

from shared.batch_names import default_for, pattern_of
from shared.exceptions import InvalidRequestError


@pytest.mark.parametrize(
    ("text", "data", "name"),
    [
        ("invoice", {}, "invoice"),
        ("invoice-{{ number }}", {"number": 17}, "invoice-17"),
        ("{{number}} {{ customer.name }}", {"number": "A1", "customer": {"name": "Ása & Söhne"}}, "A1 Ása & Söhne"),
        ("{{ _index }}", {"_index": "not this"}, "3"),
        ("{{ total }}", {"total": 1.5}, "1.5"),
        ("{{ größe }}", {"größe": "XL"}, "XL"),
        ("a/{{ path }}", {"path": "../../etc\\passwd\n"}, "a-..-..-etc-passwd-"),
        ("{{ long }}", {"long": "x" * 500}, "x" * 200),
        (" {{ name }}.", {"name": "a"}, "a"),
    ],
)
def test_a_name_has_values_of_the_data(text, data, name):
    assert pattern_of(text).name_of(data, 3) == name


@pytest.mark.parametrize(
    "text", ["{{ number | upper }}", "{{ }}", "{{ a.b", "a }}", "{% if x %}a{% endif %}", "{{ a..b }}", "{{ 1a }}"]
)
def test_a_pattern_that_asks_for_more_is_refused(text):
    with pytest.raises(InvalidRequestError, match="there are no filters") as caught:
        pattern_of(text)
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "has no 'a.b'"),
        ({"a": 1}, "has no 'a.b'"),
        ({"a": {"b": None}}, "no text and no number"),
        ({"a": {"b": [1]}}, "no text and no number"),
        ({"a": {"b": True}}, "no text and no number"),
        ({"a": {"b": "\ud800"}}, "cannot be written"),
        ({"a": {"b": 10**5000}}, "cannot be written"),
        ({"a": {"b": "  "}}, "is empty"),
    ],
)
def test_data_that_gives_no_name_is_refused(data, says):
    with pytest.raises(ValueError, match=says):
        pattern_of("{{ a.b }}").name_of(data, 1)


def test_the_place_alone_asks_for_no_data():
    assert not pattern_of("invoice-{{ _index }}").asks_for_data
    assert pattern_of("{{ _index }}-{{ number }}").asks_for_data


@pytest.mark.parametrize(
    ("template", "name"),
    [("invoice", "invoice-7"), ("{{ x }} {% y", "-- x -- -- y-7"), ("x" * 300, "x" * 190 + "-7"), (None, "-7")],
)
def test_what_has_no_name_is_counted(template, name):
    assert pattern_of(default_for(template)).name_of({}, 7) == name
