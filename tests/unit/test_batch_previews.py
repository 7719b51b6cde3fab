"""What the beginning of a file shows, and which of its columns is probably what."""

from __future__ import annotations

import pytest

from shared.batch_columns import columns_of
from shared.batch_previews import preview, recognised
from shared.batch_sources import ARRAY, CSV, NDJSON
from shared.batch_wishes import Wish, suggested
from shared.exceptions import InvalidRequestError, UnsupportedTypeError

WISHES = [Wish(path="code", type="string"), Wish(path="customer.city", type="string"), Wish(path="parts", type="array")]


def look(content, media_type=None, charset=None, *, columns=None, name=None, wishes=WISHES):
    raw = content if isinstance(content, bytes) else content.encode()
    chosen = None if columns is None else columns_of(columns)
    return preview(raw, media_type, charset, wishes=wishes, columns=chosen, name=name, longest=10_000)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbfa,b\n", (CSV, "utf-8")),
        ("Größe;b\n".encode(), (CSV, "utf-8")),
        ("Größe;b\n".encode()[:4], (CSV, "utf-8")),
        ("Größe;b\n".encode("windows-1252"), (CSV, "windows-1252")),
        ("Größe\tb\n".encode("utf-16"), (CSV, "utf-16")),
        (b"\xfe\xff" + "Größe\tb\n".encode("utf-16-be"), (CSV, "utf-16")),
        (b' \n{"a": 1}', (NDJSON, "utf-8")),
        (b'\xef\xbb\xbf[{"a": 1}]', (ARRAY, "utf-8")),
    ],
)
def test_what_a_file_is_shows_in_its_beginning(content, expected):
    assert recognised(content) == expected


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "windows-1252"])
def test_a_table_in_any_encoding(charset):
    text = 'Artikel-Code;Größe;Customer City;\r\n1;"a;\r\nb";Cork;x\r\n'
    found = look(text.encode(charset))
    assert (found.media_type, found.columns) == (CSV, ["Artikel-Code", "Größe", "Customer City", "column_4"])
    assert found.rows == [["1", "a;\r\nb", "Cork", "x"]]
    assert found.suggested == {"code": "Artikel-Code", "customer.city": "Customer City"}
    assert found.left == ["Größe", "column_4"]
    assert found.item == {"Größe": "a;\r\nb", "column_4": "x", "code": "1", "customer": {"city": "Cork"}}
    assert found.charset in (charset, "utf-8")


def test_what_is_chosen_goes_before_what_is_suggested():
    found = look("Code,Other\n1,2\n", columns={"code": "Other"}, name="n-{{ code }}.pdf")
    assert (found.item, found.left, found.name) == ({"Code": "1", "code": "2"}, ["Code"], "n-2")
    assert found.suggested == {"code": "Code"}
    missing = look("Code,Other\n1,2\n", columns={}, name="{{ customer.name }}")
    assert (missing.name, missing.missing, missing.left) == (None, "customer.name", ["Code", "Other"])


@pytest.mark.parametrize(
    ("content", "media_type", "rows"),
    [
        ('a,b\n1,2\n3,"4', CSV, [["1", "2"]]),
        ("a,b\n1,2\n3", CSV, [["1", "2"]]),
        ("a,b\n1,2\n3,4", CSV, [["1", "2"], ["3", "4"]]),
        ("a,b\n1,2\n3,ö".encode()[:-1], CSV, [["1", "2"], ["3", ""]]),
        ('{"a": 1}\n{"a": "b', NDJSON, [["1"]]),
        ('{"a": 1}\n{"a": "ö'.encode()[:-1], NDJSON, [["1"]]),
        ('[{"a": 1}, {"a": "b', ARRAY, [["1"]]),
        ('[{"a": 1}, {"a": "ö'.encode()[:-1], ARRAY, [["1"]]),
        ('[{"a": "b', ARRAY, []),
    ],
)
def test_what_is_cut_off_is_passed_over(content, media_type, rows):
    for said in (None, media_type):
        found = look(content, said)
        assert (found.media_type, found.rows) == (media_type, rows)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a,b\n1,2\n3\n4,5\n", "line 3 of the table has 1 value: expected 2, as the header has: 3"),
        ('{"a": 1}\n{"a": \n{"a": 2}\n', 'line 2 is not JSON .*: {"a":'),
        ('[{"a": 1}, {"a": }]', "no JSON array, after item 1"),
        ("[1]", "item 1 is no object: expected the data of one document: 1"),
        ('{"a": 1e400}', "out of range"),
        (b"a\n\x81\n", "not in windows-1252"),
    ],
)
def test_what_is_wrong_in_the_middle_is_refused(content, says):
    with pytest.raises(InvalidRequestError, match=says):
        look(content)


def test_only_the_first_lines_are_read():
    text = "a\n" + "1\n" * 50 + '"'
    assert len(look(text).rows) == 5
    assert look("a\n" + "1\n" * 50 + "1,2\n").columns == ["a"]


def test_items_of_json_show_the_paths_of_what_they_have():
    wishes = [Wish(path="customer", type="object"), Wish(path="parts", type="array")]
    text = '{"customer": {"n": 1}, "o": {"x": {"y": null}}, "parts": [1]}\n{"o": {"z": "é"}}'
    found = look(text, wishes=wishes)
    assert found.columns == ["customer", "o.x.y", "parts", "o.z"]
    assert found.rows == [['{"n": 1}', "", "[1]", ""], ["", "", "", "é"]]
    assert found.suggested == {"customer": "customer", "parts": "parts"}
    assert found.item == {"customer": {"n": 1}, "o": {"x": {"y": None}}, "parts": [1]}


def test_nothing_asks_only_what_is_wanted():
    found = look(b" ")
    assert (found.media_type, found.columns, found.item, found.wishes) == (None, (), None, WISHES)


@pytest.mark.parametrize(("media_type", "charset"), [(CSV, "nonsense"), (CSV, "hex"), (NDJSON, "utf-16")])
def test_an_encoding_that_cannot_be_is_refused(media_type, charset):
    with pytest.raises(UnsupportedTypeError, match="expected"):
        look("a\n1\n", media_type, charset)


@pytest.mark.parametrize(
    ("paths", "columns", "expected"),
    [
        (["name", "customer.name"], ["Customer Name", "Name"], {"name": "Name", "customer.name": "Customer Name"}),
        (["number"], ["Invoice number", "Order number"], {}),
        (["customer.name", "seller.name"], ["Name"], {}),
        (["customer.name"], ["Customer number"], {}),
        (["shipping.address.name"], ["Shipping address number"], {}),
        (
            ["postcode", "adressLine", "strasse"],
            ["Straße", "Post code", "Address line"],
            {"postcode": "Post code", "adressLine": "Address line", "strasse": "Straße"},
        ),
        (
            ["customerName", "café", "total"],
            ["customer_name", "Cafe", "Totals"],
            {"customerName": "customer_name", "café": "Cafe", "total": "Totals"},
        ),
        (["city"], ["County"], {}),
        (["ab"], ["AB", "Ab"], {}),
        (["ab"], ["AB", "ab"], {"ab": "ab"}),
        (["x"], [], {}),
        (["...", "日本"], ["!!!", "日本"], {"日本": "日本"}),
    ],
)
def test_what_is_clear_is_suggested_once(paths, columns, expected):
    assert suggested(paths, columns) == expected
