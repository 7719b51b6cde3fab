"""What a batch is made of: a JSON array, lines of JSON, or a table with a header, read one item at a time.

A table and a JSON array are never held as a whole, however long they are: `csv` and ijson read both from a file.
"""

from __future__ import annotations

import decimal
import io
import json
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import ijson
from pydantic_core import from_json

from shared import batch_columns, batch_tables
from shared.batch_tables import SHOWN, UTF_8, beginning, refusal
from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.batch_columns import Columns

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
# The columns of so many items of JSON are told to whoever names one that there is not.
SOME_ITEMS = 20
# Python reads no longer whole numbers, and ijson dies of them.
MOST_DIGITS = 4300
_TOO_MANY_DIGITS = re.compile(rb"[0-9]{%d}" % (MOST_DIGITS + 1))


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

    @property
    def data(self) -> dict[str, Any]:
        """The data of one document.

        Raises:
            InvalidRequestError: It is none.
        """
        if not isinstance(self.value, dict):
            raise refusal(f"{self.where} is no object: expected the data of one document", self.text)
        return self.value

    def beginning(self) -> str:
        """Return as much of it as a message has room for."""
        return beginning(self.text)


def items(
    file: IO[bytes], media_type: str, *, longest: int, charset: str = UTF_8, columns: Columns | None = None
) -> Iterator[Item]:
    """Read the items of a file.

    Args:
        file: The file, at its beginning.
        media_type: `NDJSON`, `CSV` or `ARRAY`.
        longest: Bytes of one item at most.
        charset: A table's encoding, as of `batch_tables.checked_charset`.
        columns: Where its columns belong in the items; None: where their names say.

    Raises:
        InvalidRequestError: It is not what it says; the text names the line, or the item. Or a column is chosen that
            it does not have.
    """
    if media_type == CSV:
        return _items_of_table(file, longest, charset, columns)
    found = json_items(file, media_type, longest=longest)
    return found if columns is None else _moved(found, longest, columns)


def of_values(values: Iterable[Any]) -> Iterator[Item]:
    """Take items that were read with their request."""
    for number, value in enumerate(values, 1):
        yield Item(f"items[{number - 1}]", json.dumps(value, separators=(",", ":")).encode(), value)


def json_items(file: IO[bytes], media_type: str, *, longest: int, is_cut: bool = False) -> Iterator[Item]:
    """Read the items of a file of JSON as they are.

    Args:
        file: The file, at its beginning.
        media_type: `NDJSON` or `ARRAY`.
        longest: Bytes of one item at most.
        is_cut: Whether it is the beginning of a file; it then ends before what is only begun.

    Raises:
        InvalidRequestError: It is not what it says.
    """
    read = _lines if media_type == NDJSON else _entries
    return read(file, longest, is_cut=is_cut)


def _lines(file: IO[bytes], longest: int, *, is_cut: bool) -> Iterator[Item]:
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise _too_long(f"line {number}", longest, line)
        text = line.strip().removeprefix(b"\xef\xbb\xbf") if number == 1 else line.strip()
        if not text:
            continue
        try:
            value = _read(text, f"line {number}")
        except InvalidRequestError:
            if is_cut and not line.endswith(b"\n"):
                return
            raise
        yield Item(f"line {number}", text, value)


def _entries(file: IO[bytes], longest: int, *, is_cut: bool) -> Iterator[Item]:
    number = 0
    try:
        for value in ijson.items(_Checked(file), "item"):
            number += 1
            text = _written(value, f"item {number}", longest)
            # Read once more: ijson has a kind of number of its own, as floats would cost it the long whole ones.
            yield Item(f"item {number}", text, _read(text, f"item {number}"))
    except (ijson.JSONError, UnicodeDecodeError, decimal.DecimalException) as error:
        if is_cut and "premature EOF" in str(error):
            return
        why = (str(error).splitlines() or ["it has a number that nobody can read"])[0][:SHOWN]
        raise InvalidRequestError(f"The items are no JSON array, after item {number}: {why}", field="items") from error
    if not number:
        file.seek(0)
        beginning = file.read(4096).lstrip()
        if beginning[:1] != b"[":
            raise refusal("The items are no JSON array: expected [{…}, {…}]", beginning)


class _Checked:
    """A file of JSON without whole numbers that would end the process that reads them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        if _TOO_MANY_DIGITS.search(self._last + content):
            raise InvalidRequestError(
                f"The items have more than {MOST_DIGITS} digits in a row: expected shorter numbers", field="items"
            )
        self._last = (self._last + content)[-MOST_DIGITS:]
        return content


def _items_of_table(file: IO[bytes], longest: int, charset: str, columns: Columns | None) -> Iterator[Item]:
    text = io.TextIOWrapper(file, encoding=charset, newline="")
    try:
        names, rows = batch_tables.table(text, longest=longest, is_named=columns is not None)
        places = batch_columns.places_in_table(names, columns)
        for row in rows:
            value = batch_columns.item_of(places, row.values)
            yield Item(row.where, _written(value, row.where, longest), value)
    except UnicodeError as error:
        raise batch_tables.wrong_charset(charset, error) from error
    finally:
        text.detach()


def _moved(found: Iterator[Item], longest: int, columns: Columns) -> Iterator[Item]:
    missing = columns.names
    known: dict[str, None] = {}
    for number, item in enumerate(found):
        data = item.data
        if number < SOME_ITEMS:
            known |= dict.fromkeys(batch_columns.leaves(data))
        missing -= batch_columns.moved(data, columns)
        text = _written(data, item.where, longest)
        # Read once more: it may be deeper now than what can be read.
        yield Item(item.where, text, _read(text, item.where))
    if missing and known:
        raise batch_columns.unknown(min(missing), list(known))


def _read(text: bytes, where: str) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise refusal(f"{where} is not JSON ({str(error)[:SHOWN]})", text) from error


def _written(value: Any, where: str, longest: int) -> bytes:
    try:
        # ASCII only, as of what comes in a request: half of a surrogate pair stays an escape.
        text = json.dumps(value, separators=(",", ":"), default=float, allow_nan=False).encode()
    except RecursionError:
        raise InvalidRequestError(f"{where} has too many objects or lists in each other", field="items") from None
    except (ValueError, OverflowError):
        raise InvalidRequestError(f"{where} has a number that is out of range", field="items") from None
    if len(text) > longest:
        raise _too_long(where, longest, text)
    return text


def _too_long(where: str, longest: int, text: bytes) -> InvalidRequestError:
    return refusal(f"{where} is longer than {longest} bytes, the most that one item may have", text)
