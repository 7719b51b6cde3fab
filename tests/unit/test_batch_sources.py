import io
import json
import tracemalloc

import pytest

from shared import batch_sources
from shared.batch_sources import ARRAY, CSV, NDJSON
from shared.batch_tables import checked_charset
from shared.exceptions import InvalidRequestError, UnsupportedTypeError


def read(content, media_type, longest=1000):
    raw = content if isinstance(content, bytes) else content.encode()
    return list(batch_sources.items(io.BytesIO(raw), media_type, longest=longest))


def values(content, media_type):
    found = read(content, media_type)
    assert [json.loads(one.text) for one in found] == [one.value for one in found]
    return [one.value for one in found]


def test_lines_of_json():
    found = read(b'\xef\xbb\xbf{"a": 1}\r\n\n  {"a": "\xc3\xa4"} \n{"a":[]}', NDJSON)
    assert [(one.where, one.value) for one in found] == [
        ("line 1", {"a": 1}),
        ("line 3", {"a": "ä"}),
        ("line 4", {"a": []}),
    ]
    assert found[1].text == '{"a": "ä"}'.encode()


def test_a_json_array():
    assert values('[{"a": 1.5, "b": 12345678901234567890}, {"c": null}]', ARRAY) == [
        {"a": 1.5, "b": 12345678901234567890},
        {"c": None},
    ]
    assert values("[]", ARRAY) == []


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_table(separator):
    text = 'number,customer.name,customer.city\r\n1,"Ö , ""x""",\n\n2,b,c\n'.replace(",", separator)
    assert values(b"\xef\xbb\xbf" + text.encode(), CSV) == [
        {"number": "1", "customer": {"name": f'Ö {separator} "x"', "city": ""}},
        {"number": "2", "customer": {"name": "b", "city": "c"}},
    ]


@pytest.mark.parametrize(
    ("content", "media_type", "says"),
    [
        ('{"a": 1}\n{"a": \n', NDJSON, "line 2 is not JSON"),
        ('{"a": NaN}', NDJSON, "line 1 is not JSON"),
        (b'{"a": "\xff"}', NDJSON, "line 1 is not JSON"),
        ('{"a": "' + "x" * 1000 + '"}', NDJSON, "line 1 is longer than 1000 bytes"),
        ('[{"a": 1}, {"a": }]', ARRAY, "no JSON array, after item 1"),
        ('[{"a": 1}', ARRAY, "no JSON array, after item 1"),
        ('{"a": 1}', ARRAY, "expected .{…}, {…}."),
        ("", ARRAY, "no JSON array"),
        ('[{"a": "' + "x" * 1000 + '"}]', ARRAY, "item 1 is longer"),
        ("", CSV, "does not name its columns"),
        ("a,a\n1,2\n", CSV, "does not name its columns"),
        ("a,\n1,2\n", CSV, "does not name its columns"),
        ("a,b\n1,2\n3\n", CSV, "line 3 of the table has 1 value: expected 2, as the header has: 3$"),
        ('a,b\n1,"2\n\x003",4\n', CSV, 'line 3 of the table has 3 values: .*: 1,"2  3",4$'),
        ("a,b\n" + "x" * 500 + "\n", CSV, f"as the header has: {'x' * 79}…$"),
        ('{"a": 1}\n["é"\n', NDJSON, 'line 2 is not JSON .*: ."é"$'),
        ('[{"a": ' + "9" * 4301 + "}]", ARRAY, "more than 4300 digits in a row"),
        ('[{"b": 1}, {"a": ' + "9" * 70_000 + "}]", ARRAY, "more than 4300 digits in a row"),
        ('[{"a": 1e400}]', ARRAY, "item 1 has a number that is out of range"),
        ('[{"a": 1E99999999999999999999}]', ARRAY, "no JSON array, after item 0"),
        ('[{"a": ' + "[" * 300 + "]" * 300 + "}]", ARRAY, "item 1 is not JSON"),
        ('[{"a": ' + "[" * 3000 + "]" * 3000 + "}]", ARRAY, "item 1 has too many objects or lists"),
        (".".join("a" * 100) + "\n1\n", CSV, "called too deep"),
        ("a.b,a\n1,2\n", CSV, "called as a part of it"),
        ("a\n" + ",".join(["x" * 500] * 10) + "\n", CSV, "line 2 of the table cannot be read .it is longer"),
        ('a,b\n1,"2\n', CSV, "cannot be read"),
        ('a,b\n1,2\n1,"2"x\n1,2\n', CSV, "line 3 of the table cannot be read"),
        (b"a,b\n1,\xff\n", CSV, "not in UTF-8"),
        ("a,a.b\n1,2\n", CSV, "called as a part of it"),
        ("a\n" + "x" * 2000 + "\n", CSV, "cannot be read"),
    ],
)
def test_what_is_not_as_it_says_is_refused_with_its_place(content, media_type, says):
    with pytest.raises(InvalidRequestError, match=says) as caught:
        read(content, media_type)
    assert caught.value.field == "items"


@pytest.mark.parametrize("charset", ["windows-1252", "utf-16", "utf-16-le", "utf-8-sig", "UTF8"])
def test_a_table_in_another_encoding(charset):
    content = io.BytesIO("größe;b\n1;€\n".encode(charset))
    [item] = batch_sources.items(content, CSV, longest=1000, charset=charset)
    assert item.value == {"größe": "1", "b": "€"}


def test_a_table_in_another_encoding_than_it_says_is_refused():
    with pytest.raises(InvalidRequestError, match=r"not in ascii: .*charset=windows-1252"):
        list(batch_sources.items(io.BytesIO(b"a\n\xff\n"), CSV, longest=1000, charset="ascii"))


@pytest.mark.parametrize("charset", ["nonsense", "hex", "", "x" * 500, "ä"])
def test_what_is_no_encoding_of_texts_is_refused(charset):
    with pytest.raises(UnsupportedTypeError, match="expected the name of an encoding"):
        checked_charset(charset, is_table=True)


def test_json_is_in_no_other_encoding_than_its_own():
    assert checked_charset("UTF-8", is_table=False) == "UTF-8"
    with pytest.raises(UnsupportedTypeError, match="expected utf-8, which JSON always is in"):
        checked_charset("latin-1", is_table=False)


@pytest.mark.parametrize(
    ("media_type", "head", "line"),
    [(NDJSON, b"", b'{"a": "%s"}\n' % (b"x" * 500)), (CSV, b"a\n", b"x" * 500 + b"\n")],
)
def test_a_long_file_is_not_held(media_type, head, line, tmp_path):
    path = tmp_path / "items"
    with path.open("wb") as file:
        file.write(head)
        for _ in range(40_000):
            file.write(line)
    tracemalloc.start()
    with path.open("rb") as file:
        count = sum(1 for _ in batch_sources.items(file, media_type, longest=1000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 40_000
    assert peak < 2_000_000
