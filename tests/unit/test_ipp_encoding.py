"""IPP's bytes: what this writes, another implementation reads, and the other way round; and what printers get wrong."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyipp.enums import IppOperation
from pyipp.parser import parse
from pyipp.serializer import encode_dict

from shared.ipp import Operation
from shared.ipp.encoding import Tag, decode, encode

HEAD = [("attributes-charset", Tag.CHARSET, ["utf-8"]), ("attributes-natural-language", Tag.LANGUAGE, ["en"])]
INTEGERS = st.integers(-(2**31), 2**31 - 1)
# pyipp has lengths with a sign.
TEXTS = st.text(max_size=100)


def answer(*fields: bytes, status: int = 0, groups: bytes = b"\x01") -> bytes:
    return struct.pack(">bbhi", 2, 0, status, 1) + groups + b"".join(fields) + b"\x03"


def field(tag: int, name: bytes, value: bytes) -> bytes:
    return struct.pack(">BH", tag, len(name)) + name + struct.pack(">H", len(value)) + value


@given(number=INTEGERS, flag=st.booleans(), text=TEXTS, low=INTEGERS, high=INTEGERS)
def test_what_is_written_another_implementation_reads(number, flag, text, low, high):
    written = encode(
        Operation.CREATE_JOB,
        [*HEAD, ("job-name", Tag.NAME, [text]), ("requested-attributes", Tag.KEYWORD, ["all", "job-id"])],
        [
            ("copies", Tag.INTEGER, [number]),
            ("flag", Tag.BOOLEAN, [flag]),
            ("page-ranges", Tag.RANGE, [(low, high)]),
            ("media-col", Tag.BEGIN_COLLECTION, [[("media-source", Tag.KEYWORD, ["tray-1"])]]),
        ],
    )
    read = parse(written)
    assert read["version"] == (1, 1)
    assert read["status-code"] == IppOperation.CREATE_JOB
    assert read["operation-attributes"] == {
        "attributes-charset": "utf-8",
        "attributes-natural-language": "en",
        "job-name": text,
        "requested-attributes": ["all", "job-id"],
    }
    assert read["jobs"] == [
        {"copies": number, "flag": flag, "page-ranges": [low, high], "media-col": {"media-source": "tray-1"}}
    ]


@given(number=INTEGERS, flag=st.booleans(), text=TEXTS)
def test_what_another_implementation_writes_is_read(number, flag, text):
    written = encode_dict(
        {
            "version": (2, 0),
            "operation": IppOperation.CREATE_JOB,
            "operation-attributes-tag": {"attributes-charset": "utf-8", "job-name": text},
            "job-attributes-tag": {"copies": number, "last-document": flag, "job-state-reasons": ["a", "b"]},
        }
    )
    read = decode(written)
    # What no database keeps is left out.
    assert read.operation == {"attributes-charset": ["utf-8"], "job-name": [text.replace("\0", "")]}
    assert read.jobs == [{"copies": [number], "last-document": [flag], "job-state-reasons": ["a", "b"]}]


@given(junk=st.binary(max_size=200))
def test_what_is_no_ipp_is_refused_and_breaks_nothing(junk):
    for message in (junk, answer()[:-1] + junk, b"\x02\x00\x00\x00\x00\x00\x00\x01" + junk):
        try:
            decode(message)
        except ValueError:
            continue


@pytest.mark.parametrize("message", [b"", b"<html>not found</html>", answer()[:-1], answer(field(0x21, b"a", b"\0"))])
def test_what_breaks_off_or_is_something_else_is_refused(message):
    with pytest.raises(ValueError, match="it "):
        decode(message)


def test_collections_within_collections_that_never_end_are_refused():
    with pytest.raises(ValueError, match="no IPP"):
        decode(answer(field(0x34, b"media-col", b""), *[field(0x34, b"", b"")] * 100_000))


def test_a_printer_may_have_operations_that_nobody_has_heard_of():
    unheard = [
        field(0x23, name, struct.pack(">i", code)) for name, code in ((b"operations-supported", 2), (b"", 0x4F00))
    ]
    assert decode(answer(*unheard, groups=b"\x04")).printers == [{"operations-supported": [2, 0x4F00]}]


def test_values_that_are_none_are_left_out():
    read = decode(answer(field(0x13, b"media-default", b""), field(0x12, b"copies-supported", b""), groups=b"\x04"))
    assert read.printers == [{"media-default": [], "copies-supported": []}]


def test_texts_with_a_language_are_read_without_it():
    value = struct.pack(">H", 2) + b"de" + struct.pack(">H", 6) + "Büro ".encode()
    assert decode(answer(field(0x36, b"job-name", value), groups=b"\x02")).jobs == [{"job-name": ["Büro "]}]


def test_collections_are_read_with_their_members():
    size = [field(0x34, b"", b""), field(0x4A, b"", b"x"), field(0x21, b"", b"\0\0\0\x05"), field(0x37, b"", b"")]
    message = answer(
        field(0x34, b"media-col-default", b""),
        field(0x4A, b"", b"media-size"),
        *size,
        field(0x4A, b"", b"media-source"),
        field(0x44, b"", b"main"),
        field(0x37, b"", b""),
        field(0x44, b"media-default", b"a4"),
        groups=b"\x04",
    )
    assert decode(message).printers == [
        {"media-col-default": [{"media-size": [{"x": [5]}], "media-source": ["main"]}], "media-default": ["a4"]}
    ]


def test_groups_that_later_standards_bring_are_passed_over():
    message = answer(field(0x41, b"status-message", b"no"), b"\x09", field(0x44, b"document-state", b"x"), status=0x406)
    read = decode(message)
    assert (read.status, read.operation) == (0x406, {"status-message": ["no"]})
