"""What a batch is made of: a JSON array, lines of JSON, or a table with a header, read one item at a time.

A table and a JSON array are never held as a whole, however long they are: `csv` and ijson read both from a file.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import ijson
from pydantic_core import from_json

from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NDJSON, CSV, ARRAY = "application/x-ndjson", "text/csv", "application/json"
# What people send them as.
MEDIA_TYPES = {
    NDJSON: NDJSON,
    "application/ndjson": NDJSON,
    "application/jsonl": NDJSON,
    "application/jsonlines": NDJSON,
    CSV: CSV,
    "application/csv": CSV,
    ARRAY: ARRAY,
}
_SEPARATORS = ",;\t|"
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Item:
    """One item as it was read.

    Attributes:
        where: Where it stands, as people say it: ``line 17``.
        text: Its JSON.
        value: The same, read.
    """

    where: str
    text: bytes
    value: Any


def items(file: IO[bytes], media_type: str, *, longest: int) -> Iterator[Item]:
    """Read the items of a file.

    Args:
        file: The file, at its beginning.
        media_type: `NDJSON`, `CSV` or `ARRAY`.
        longest: Bytes of one item at most.

    Raises:
        InvalidRequestError: It is not what it says; the text names the line, or the item.
    """
    read: dict[str, Callable[[IO[bytes], int], Iterator[Item]]] = {NDJSON: _lines, CSV: _rows, ARRAY: _entries}
    return read[media_type](file, longest)


def of_values(values: Iterable[Any]) -> Iterator[Item]:
    """Take items that were read with their request."""
    for number, value in enumerate(values, 1):
        yield Item(f"items[{number - 1}]", _written(value), value)


def _lines(file: IO[bytes], longest: int) -> Iterator[Item]:
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise _too_long(f"line {number}", longest)
        text = line.strip().removeprefix(b"\xef\xbb\xbf") if number == 1 else line.strip()
        if text:
            yield Item(f"line {number}", text, _read(text, f"line {number}"))


def _entries(file: IO[bytes], longest: int) -> Iterator[Item]:
    number = 0
    try:
        for value in ijson.items(file, "item"):
            number += 1
            text = _written(value)
            if len(text) > longest:
                raise _too_long(f"item {number}", longest)
            # Read once more: ijson has a kind of number of its own, as floats would cost it the long whole ones.
            yield Item(f"item {number}", text, from_json(text))
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            f"The items are no JSON array, after item {number}: {str(error).splitlines()[0][:_SHOWN]}", field="items"
        ) from error
    if not number:
        file.seek(0)
        if file.read(4096).lstrip()[:1] != b"[":
            raise InvalidRequestError("The items are no JSON array: expected [{…}, {…}]", field="items")


def _rows(file: IO[bytes], longest: int) -> Iterator[Item]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield from _read_rows(text, longest)
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"The table is not in UTF-8: {error.reason}", field="items") from error
    except csv.Error as error:
        raise InvalidRequestError(f"The table cannot be read: {error}", field="items") from error
    finally:
        text.detach()


def _read_rows(text: io.TextIOWrapper, longest: int) -> Iterator[Item]:
    csv.field_size_limit(longest)
    header = text.readline(longest)
    text.seek(0)
    separator = max(_SEPARATORS, key=header.count) if header.strip() else ","
    reader = csv.reader(text, delimiter=separator, strict=True)
    names = [name.strip() for name in next(reader, [])]
    if not names or "" in names or len(set(names)) != len(names):
        raise InvalidRequestError(
            "The table's first line does not name its columns: expected a header such as number,customer.name,total",
            field="items",
        )
    for row in reader:
        where = f"line {reader.line_num}"
        if not row:
            continue
        if len(row) != len(names):
            raise InvalidRequestError(
                f"{where} of the table has {len(row)} values: expected {len(names)}, as the header has", field="items"
            )
        value = _nested(names, row, where)
        written = _written(value)
        if len(written) > longest:
            raise _too_long(where, longest)
        yield Item(where, written, value)


def _nested(names: list[str], row: list[str], where: str) -> dict[str, Any]:
    """Put ``customer.name`` where a template looks for it."""
    found: dict[str, Any] = {}
    for name, value in zip(names, row, strict=True):
        *groups, last = name.split(".")
        inner = found
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise InvalidRequestError(
                    f"The table has a column {name!r} and one that is called as a part of it ({where})", field="items"
                )
        inner[last] = value
    return found


def _read(text: bytes, where: str) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequestError(f"{where} is not JSON: {str(error)[:_SHOWN]}", field="items") from error


def _written(value: Any) -> bytes:
    # ASCII only, as of what comes in a request: half of a surrogate pair stays an escape.
    return json.dumps(value, separators=(",", ":"), default=float).encode()


def _too_long(where: str, longest: int) -> InvalidRequestError:
    return InvalidRequestError(
        f"{where} is longer than {longest} bytes, the most that one item may have", field="items"
    )
