"""IPP messages as bytes, by RFC 8010: what the farm asks, and what printers answer."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Understood by whatever speaks IPP at all; later versions add nothing that is asked for here.
VERSION = (1, 1)
# A request's only one at a time on its connection.
REQUEST_ID = 1


class Tag(enum.IntEnum):
    """The tags of RFC 8010, 3.5, that are written or of which something must be known."""

    OPERATION_GROUP = 0x01
    JOB_GROUP = 0x02
    END = 0x03
    PRINTER_GROUP = 0x04
    LAST_GROUP = 0x0F
    LAST_OUT_OF_BAND = 0x1F
    INTEGER = 0x21
    BOOLEAN = 0x22
    ENUM = 0x23
    RANGE = 0x33
    BEGIN_COLLECTION = 0x34
    TEXT_WITH_LANGUAGE = 0x35
    NAME_WITH_LANGUAGE = 0x36
    END_COLLECTION = 0x37
    FIRST_TEXT = 0x40
    TEXT = 0x41
    NAME = 0x42
    KEYWORD = 0x44
    URI = 0x45
    CHARSET = 0x47
    LANGUAGE = 0x48
    MIME_TYPE = 0x49
    MEMBER_NAME = 0x4A
    LAST_TEXT = 0x5F


# An attribute of a request: name, tag, values.
Attribute = tuple[str, Tag, "Sequence[Any]"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a printer answered.

    Attributes:
        status: IPP's status code.
        operation: The attributes of the answer itself, by name; each has all its values, in order.
        jobs: Those of each job.
        printers: Those of each printer.
    """

    status: int
    operation: Mapping[str, list[Any]] = field(default_factory=dict)
    jobs: Sequence[Mapping[str, list[Any]]] = ()
    printers: Sequence[Mapping[str, list[Any]]] = ()


def encode(
    operation: int, operation_attributes: Sequence[Attribute], job_attributes: Sequence[Attribute] = ()
) -> bytes:
    """Write a request, without the document that may follow it.

    Args:
        operation: The operation's code.
        operation_attributes: Its attributes; the first two are charset and language, in this order.
        job_attributes: The job's.
    """
    written = [struct.pack(">bbhi", *VERSION, operation, REQUEST_ID), bytes([Tag.OPERATION_GROUP])]
    written += [_attribute(*one) for one in operation_attributes]
    if job_attributes:
        written.append(bytes([Tag.JOB_GROUP]))
        written += [_attribute(*one) for one in job_attributes]
    return b"".join([*written, bytes([Tag.END])])


def _attribute(name: str, tag: Tag, values: Sequence[Any]) -> bytes:
    # Only the first of several values has the name.
    return b"".join(_value(name if place == 0 else "", tag, value) for place, value in enumerate(values))


def _value(name: str, tag: Tag, value: Any) -> bytes:
    if tag == Tag.BEGIN_COLLECTION:
        members = [
            _field(Tag.MEMBER_NAME, "", member.encode()) + _attribute("", member_tag, values)
            for member, member_tag, values in value
        ]
        return _field(tag, name, b"") + b"".join(members) + _field(Tag.END_COLLECTION, "", b"")
    if tag in (Tag.INTEGER, Tag.ENUM):
        return _field(tag, name, struct.pack(">i", value))
    if tag == Tag.BOOLEAN:
        return _field(tag, name, struct.pack(">?", value))
    if tag == Tag.RANGE:
        return _field(tag, name, struct.pack(">ii", *value))
    return _field(tag, name, value.encode())


def _field(tag: int, name: str, value: bytes) -> bytes:
    encoded = name.encode()
    return b"".join((struct.pack(">BH", tag, len(encoded)), encoded, struct.pack(">H", len(value)), value))


def decode(message: bytes) -> Answer:
    """Read an answer.

    Raises:
        ValueError: It is no IPP.
    """
    try:
        return _decode(message)
    except (struct.error, IndexError, RecursionError) as error:
        raise ValueError("it is no IPP message, or one that breaks off") from error


def _decode(message: bytes) -> Answer:
    major, _minor, status, _request_id = struct.unpack_from(">bbhi", message)
    if major not in (1, 2):
        raise ValueError("it is no IPP message of version 1 or 2")
    reader = _Reader(message, struct.calcsize(">bbhi"))
    groups: list[tuple[int, dict[str, list[Any]]]] = []
    values: list[Any] = []
    while (tag := reader.byte()) != Tag.END:
        if tag <= Tag.LAST_GROUP:
            groups.append((tag, {}))
            continue
        name, value = reader.field(tag)
        if name:
            # A name that comes twice is a printer's mistake: the last one holds.
            values = groups[-1][1][name] = []
        if value is not None:
            values.append(value)
    return Answer(
        status,
        next((attributes for group, attributes in groups if group == Tag.OPERATION_GROUP), {}),
        [attributes for group, attributes in groups if group == Tag.JOB_GROUP],
        [attributes for group, attributes in groups if group == Tag.PRINTER_GROUP],
    )


class _Reader:
    """Reads a message from front to back."""

    def __init__(self, message: bytes, place: int) -> None:
        self.message = message
        self.place = place

    def byte(self) -> int:
        self.place += 1
        return self.message[self.place - 1]

    def bytes(self) -> bytes:
        (length,) = struct.unpack_from(">H", self.message, self.place)
        begin = self.place + 2
        self.place = begin + length
        if self.place > len(self.message):
            raise ValueError("it breaks off")
        return self.message[begin : self.place]

    def field(self, tag: int) -> tuple[str, Any]:
        """Read a name and a value; the value is None where it is out of band, such as ``no-value``."""
        name = self.bytes().decode("utf-8", "replace")
        raw = self.bytes()
        return name, self.collection() if tag == Tag.BEGIN_COLLECTION else _read(tag, raw)

    def collection(self) -> dict[str, list[Any]]:
        members: dict[str, list[Any]] = {}
        values: list[Any] = []
        while (tag := self.byte()) != Tag.END_COLLECTION:
            _, value = self.field(tag)
            if tag == Tag.MEMBER_NAME:
                values = members.setdefault(value, [])
            elif value is not None:
                values.append(value)
        self.field(Tag.END_COLLECTION)
        return members


def _read(tag: int, raw: bytes) -> Any:
    if tag <= Tag.LAST_OUT_OF_BAND:
        return None
    if tag in (Tag.INTEGER, Tag.ENUM):
        return struct.unpack(">i", raw)[0]
    if tag == Tag.BOOLEAN:
        return raw != b"\0"
    if tag == Tag.RANGE:
        return struct.unpack(">ii", raw)
    if tag in (Tag.TEXT_WITH_LANGUAGE, Tag.NAME_WITH_LANGUAGE):
        (language,) = struct.unpack_from(">H", raw)
        raw = raw[2 + language + 2 :]
    elif not Tag.FIRST_TEXT <= tag <= Tag.LAST_TEXT:
        # Dates, resolutions, octets, and what a later standard brings: nothing here asks for them.
        return raw
    # Some devices end a text as C does; a database has no place for that.
    return raw.decode("utf-8", "replace").replace("\0", "")
