"""Which column stands where: in tables and in JSON, with values as they are."""

from __future__ import annotations

import io
import json

import pytest

from shared import batch_sources
from shared.batch_columns import columns_of
from shared.batch_sources import ARRAY, CSV, NDJSON
from shared.exceptions import InvalidRequestError

LONG = "x" * 1_500_000


def read(content, media_type, chosen, **options):
    raw = content if isinstance(content, bytes) else content.encode()
    found = list(
        batch_sources.items(io.BytesIO(raw), media_type, longest=10_000_000, columns=columns_of(chosen), **options)
    )
    assert [json.loads(one.text) for one in found] == [one.value for one in found]
    return [one.value for one in found]


@pytest.mark.parametrize(
    ("content", "chosen", "item"),
    [
        # A mark, an empty name and a double one.
        (
            "\ufeffA,B,,B\r\n1,2,3,4\r\n",
            {"b.c": "B", "x": "A"},
            {"x": "1", "b": {"c": "2"}, "column_3": "3", "B_2": "4"},
        ),
        ('\ufeff"A",B\n1,2\n', {"x": "A"}, {"x": "1", "B": "2"}),
        # What is in the way gives way.
        ('A;"B; ""of, all"" it"\n1;"2\n3"\n', {"A": 'B; "of, all" it'}, {"A": "2\n3"}),
        ("a,b\n1,2\n", {"a": "b", "b": "a"}, {"a": "2", "b": "1"}),
        ("customer,Name\nACME,Byrne\n", {"customer.name": "Name"}, {"customer": {"name": "Byrne"}}),
        ("customer.name,Who,customer.city\na,b,c\n", {"customer": "Who"}, {"customer": "b"}),
        ("a.b,a.c,X\n1,2,3\n", {"a.b": "X"}, {"a": {"b": "3", "c": "2"}}),
        ("a,b\n1,2\n", {"x": "a", "y": "a"}, {"x": "1", "y": "1", "b": "2"}),
        # Of which one is a part of the other, as long as nobody says what it is.
        ("a,a.b\n1,2\n", {"x": "a"}, {"x": "1", "a": {"b": "2"}}),
        ("A,,A\n1,2,3\n", {}, {"A": "1", "column_2": "2", "A_2": "3"}),
    ],
)
def test_the_columns_of_a_table(content, chosen, item):
    assert read(content, CSV, chosen) == [item]


@pytest.mark.parametrize("media_type", [NDJSON, ARRAY])
@pytest.mark.parametrize(
    ("content", "chosen", "item"),
    [
        (
            '{"N": 12345678901234567890, "o": {"N": 1.5}}',
            {"n": "N", "q.r": "o.N"},
            {"n": 12345678901234567890, "q": {"r": 1.5}},
        ),
        ('{"N": 1e2, "p": "N\\" "}', {"n": "N"}, {"n": 100.0, "p": 'N" '}),
        ('{"N": {"}": "]\\\\"}}', {"n": "N"}, {"n": {"}": "]\\"}}),
        ('{"N": [1, {"N": 2}]}', {"n": "N"}, {"n": [1, {"N": 2}]}),
        ('{"a": 1, "b": {"c": 2, "d": 3}}', {"a": "b.c", "b.c": "a"}, {"a": 2, "b": {"c": 1, "d": 3}}),
        ('{"customer": "ACME", "n": 1}', {"customer.name": "n"}, {"customer": {"name": 1}}),
        ('{"customer": {"name": 1, "city": 2}, "n": 3}', {"customer.name": "n"}, {"customer": {"name": 3, "city": 2}}),
        ('{"customer": {"name": 1}, "n": 3}', {"customer": "n"}, {"customer": 3}),
        # A name with a dot in it, and both an object and a part of it.
        ('{"a.b": 1, "a": {"b": 2}}', {"x": "a.b"}, {"x": 1, "a": {"b": 2}}),
        ('{"o": {"n": 1, "m": 2}}', {"p": "o", "q": "o.n"}, {"p": {"n": 1, "m": 2}, "q": 1}),
        ('{"a": null}', {"x": "a"}, {"x": None}),
    ],
)
def test_the_columns_of_json(media_type, content, chosen, item):
    assert read(f"[{content}]" if media_type == ARRAY else content, media_type, chosen) == [item]


def test_an_item_that_lacks_a_column_keeps_what_it_has():
    assert read('{"N": 1}\n{"n": 2}\n{}', NDJSON, {"n": "N"}) == [{"n": 1}, {"n": 2}, {}]


def test_long_items_are_mapped_too():
    text = "[" + ",".join(f'{{"N": "{LONG}"}}' for _ in range(2)) + "]"
    assert read(text, ARRAY, {"n": "N"}) == [{"n": LONG}, {"n": LONG}]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        ("Code,Customer City\n1,2\n", CSV),
        ('{"Code": 1}\n{"Customer City": 2}', NDJSON),
        ('[{"Code": 1, "Customer City": 2}]', ARRAY),
    ],
)
def test_a_column_that_the_file_does_not_have_is_refused_with_those_that_it_has(content, media_type):
    with pytest.raises(InvalidRequestError) as caught:
        read(content, media_type, {"code": "Code", "city": "Customer Ciy"})
    assert caught.value.field == "columns"
    assert caught.value.message == (
        "columns names 'Customer Ciy', and the file has no such column: did you mean 'Customer City'? "
        "It has 'Code', 'Customer City'"
    )


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"": "a"}, "expected a path such as"),
        ({"a..b": "a"}, "expected a path such as"),
        ({".".join("a" * 31): "a"}, "at most 30 names"),
        ({"a.b": "x", "c": "y", "a": "z"}, "'a' and 'a.b', which is a part of it"),
    ],
)
def test_places_that_are_none_are_refused(chosen, says):
    with pytest.raises(InvalidRequestError, match=says) as caught:
        columns_of(chosen)
    assert caught.value.field == "columns"
