"""Tables with a header, as spreadsheets save them, read one line at a time."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from shared import batch_columns
from shared.exceptions import InvalidRequestError, UnsupportedTypeError

if TYPE_CHECKING:
    from collections.abc import Iterator

UTF_8 = "utf-8"
# What JSON may be said to be in.
_OF_JSON = (UTF_8, "utf8", "utf-8-sig", "ascii", "us-ascii")
SHOWN = 80
_SEPARATORS = ",;\t|"
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        where: Where it ends: ``line 17``.
        values: Its values, as many as the table has columns.
    """

    where: str
    values: list[str]


def checked_charset(name: str | None, *, is_table: bool) -> str:
    """Return a file's encoding.

    Args:
        name: What it is called; None: nobody said.
        is_table: Whether it is that of a table.

    Raises:
        UnsupportedTypeError: There is no such encoding of texts, or JSON is said to be in another than its own.
    """
    if name is None:
        return UTF_8
    try:
        found = io.TextIOWrapper(io.BytesIO(), encoding=name).encoding
    except (LookupError, ValueError):
        raise UnsupportedTypeError(
            f"charset is {beginning(name)}: expected the name of an encoding of texts, such as utf-8, utf-16 or "
            "windows-1252"
        ) from None
    if not is_table and found.lower() not in _OF_JSON:
        raise UnsupportedTypeError(f"charset is {name}: expected utf-8, which JSON always is in")
    return found


def table(text: IO[str], *, longest: int, is_named: bool, is_cut: bool = False) -> tuple[list[str], Iterator[Row]]:
    """Read a table: its columns, and its lines.

    Args:
        text: The table, at its beginning, whose line ends are as they were written.
        longest: Characters of one value at most.
        is_named: Whether columns without a name, or with that of another one, get one.
        is_cut: Whether it is the beginning of a table; it then ends before a line that is only begun.

    Raises:
        InvalidRequestError: It is no table; the text names the line.
    """
    csv.field_size_limit(longest)
    lines = _Lines(text, longest)
    reader = csv.reader(lines, delimiter=lines.separator, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise lines.unreadable(error) from error
    if is_named:
        names = batch_columns.named(names)
    if not names or "" in names or len(set(names)) != len(names):
        raise refusal(
            "The table's first line does not name its columns: expected a header such as number,customer.name,total",
            lines.record,
        )
    return names, _rows(reader, lines, len(names), is_cut=is_cut)


def wrong_charset(charset: str, error: UnicodeError) -> InvalidRequestError:
    """Say that a table is in another encoding."""
    why = error.reason if isinstance(error, UnicodeDecodeError) else str(error)[:SHOWN]
    return InvalidRequestError(
        f"The table is not in {charset.upper() if charset == UTF_8 else charset}: {why}. Say which encoding it is in, "
        "as Content-Type: text/csv; charset=windows-1252 does",
        field="items",
    )


def _rows(reader: Iterator[list[str]], lines: _Lines, count: int, *, is_cut: bool) -> Iterator[Row]:
    while True:
        lines.record = ""
        try:
            values = next(reader, None)
        except csv.Error as error:
            # An unclosed quote is noticed at the end; all others in their line.
            if is_cut and lines.is_over:
                return
            raise lines.unreadable(error) from error
        if values is None:
            return
        if not values:
            continue
        if len(values) != count:
            if is_cut and lines.is_over:
                return
            has = f"{len(values)} value{'s' * (len(values) != 1)}"
            raise refusal(
                f"line {lines.number} of the table has {has}: expected {count}, as the header has", lines.record
            )
        yield Row(f"line {lines.number}", values)


class _Lines:
    """The lines of a table, as `csv` reads them."""

    def __init__(self, text: IO[str], longest: int) -> None:
        self._text = text
        self._longest = longest
        # Each quote in a value may be written as two.
        self._most = 2 * longest + len('""\r\n')
        self._first = self._read().removeprefix(_MARK)
        self.separator = max(_SEPARATORS, key=self._first.count) if self._first.strip() else ","
        self.number = 0
        self._is_read = False
        # Of what is being read now, which has several lines where there are quotes.
        self.record = ""

    @property
    def is_over(self) -> bool:
        """Whether the text ended in the middle of a line."""
        return self._is_read or not self.record.endswith(("\n", "\r"))

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line, self._first = self._first or self._read(), ""
        if not line:
            self._is_read = True
            raise StopIteration
        self.number += 1
        self.record += line
        if len(self.record) > self._most:
            raise csv.Error(f"it is longer than {self._longest} bytes, the most that one item may have")
        return line

    def unreadable(self, error: csv.Error) -> InvalidRequestError:
        return refusal(f"line {self.number} of the table cannot be read ({error})", self.record)

    def _read(self) -> str:
        return self._text.readline(self._most + 1)


def refusal(message: str, text: str | bytes) -> InvalidRequestError:
    """Say what is wrong with a line, and which line that is."""
    quoted = beginning(text)
    return InvalidRequestError(f"{message}: {quoted}" if quoted else message, field="items")


def beginning(text: str | bytes) -> str:
    """Return as much of a text as a message has room for."""
    text = text[: 4 * SHOWN]
    plain = text if isinstance(text, str) else text.decode(errors="replace")
    # In one line, and without signs that nobody sees.
    plain = "".join(sign if sign.isprintable() else " " for sign in plain).strip()
    return plain if len(plain) <= SHOWN else f"{plain[: SHOWN - 1]}…"
