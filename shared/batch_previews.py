"""What a batch's file is, by its beginning: its columns, its first lines, and what a template would find in them."""

from __future__ import annotations

import codecs
import io
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import batch_columns, batch_names, batch_sources, batch_tables, batch_wishes
from shared.batch_sources import ARRAY, CSV, NDJSON
from shared.batch_tables import SHOWN, UTF_8
from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.batch_columns import Columns
    from shared.batch_wishes import Wish

# What is looked at of a file.
MOST_BYTES = 2 * 1024 * 1024
ROWS = 5
_MARKS = {codecs.BOM_UTF8: UTF_8, codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
WINDOWS = "windows-1252"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What is known of a file.

    Attributes:
        media_type: What it is to be sent as; None: nothing was there to look at.
        charset: Its encoding.
        columns: The names of its columns.
        rows: Its first lines or items, as short texts in the columns' order.
        wishes: What the template wants.
        suggested: For each path that is wanted the column that is probably meant.
        left: The columns that nothing was chosen for.
        item: The first item, as the template finds it.
        name: What the first document is called.
        missing: The path that its name asks for, and that the item does not have.
    """

    media_type: str | None
    charset: str | None
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    wishes: Sequence[Wish]
    suggested: Mapping[str, str]
    left: Sequence[str] = ()
    item: Mapping[str, Any] | None = None
    name: str | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The first items of a file: those of a table by their columns."""

    columns: Sequence[str]
    items: Sequence[dict[str, Any]]
    is_table: bool

    @classmethod
    def of_table(cls, content: bytes, charset: str, longest: int) -> _Beginning:
        try:
            # A sign may be cut at the end.
            text = codecs.getincrementaldecoder(charset)().decode(content)
        except UnicodeError as error:
            raise batch_tables.wrong_charset(charset, error) from error
        names, rows = batch_tables.table(io.StringIO(text, newline=""), longest=longest, is_named=True, is_cut=True)
        some = itertools.islice(rows, batch_sources.SOME_ITEMS)
        return cls(names, [dict(zip(names, row.values, strict=True)) for row in some], is_table=True)

    @classmethod
    def of_json(cls, content: bytes, media_type: str, wishes: Sequence[Wish], longest: int) -> _Beginning:
        # A sign may be cut at its end; what is no sign at all, the reader names.
        whole_signs = codecs.getincrementaldecoder(UTF_8)("surrogateescape").decode(content)
        file = io.BytesIO(whole_signs.encode(errors="surrogateescape"))
        found = batch_sources.json_items(file, media_type, longest=longest, is_cut=True)
        items = [one.data for one in itertools.islice(found, batch_sources.SOME_ITEMS)]
        whole = {one.path for one in wishes if one.type == "object"}
        columns = dict.fromkeys(name for item in items for name in batch_columns.leaves(item, whole=whole))
        return cls(list(columns), items, is_table=False)

    def rows(self) -> list[list[str]]:
        """Return the values of the first ones, as people read them."""
        return [[_shown(batch_columns.value_at(item, name)) for name in self.columns] for item in self.items[:ROWS]]

    def first(self, columns: Columns) -> dict[str, Any] | None:
        """Return the first item with its values in their places."""
        if self.is_table:
            places = batch_columns.places_in_table(self.columns, columns)
            values = list(self.items[0].values()) if self.items else None
            return None if values is None else batch_columns.item_of(places, values)
        if not self.items:
            return None
        if missing := columns.names - {*self.columns} - {name for name in columns.names if self._has(name)}:
            raise batch_columns.unknown(min(missing), self.columns)
        # Not the item itself, which is shown, too.
        try:
            first: dict[str, Any] = json.loads(json.dumps(self.items[0], allow_nan=False))
        except ValueError:
            raise InvalidRequestError("The first item has a number that is out of range", field="items") from None
        batch_columns.moved(first, columns)
        return first

    def _has(self, column: str) -> bool:
        return any(batch_columns.value_at(item, column) is not None for item in self.items)


def preview(
    content: bytes,
    media_type: str | None,
    charset: str | None,
    *,
    wishes: Sequence[Wish],
    columns: Columns | None,
    name: str | None,
    longest: int,
) -> Preview:
    """Look at the beginning of a file.

    Args:
        content: The beginning; a line or an item that is cut off at its end is passed over.
        media_type: What it is, as of `batch_sources`; None: it is to be found out, with its encoding.
        charset: A table's encoding, where the media type is known; None: UTF-8.
        wishes: What the template wants.
        columns: What was chosen; None: what is suggested.
        name: How the documents are called; None: as they are when nobody says anything.
        longest: Bytes of one item at most.

    Raises:
        InvalidRequestError: It is not what it says, has no such column, or the name is none.
        UnsupportedTypeError: There is no such encoding.
    """
    pattern = None if name is None else batch_names.pattern_of(batch_names.without_extension(name))
    if not content.strip():
        return Preview(media_type=media_type, charset=charset, wishes=wishes, suggested={})
    if media_type is None:
        media_type, charset = recognised(content)
    charset = batch_tables.checked_charset(charset, is_table=media_type == CSV)
    if media_type == CSV:
        found = _Beginning.of_table(content, charset, longest)
    else:
        found = _Beginning.of_json(content, media_type, wishes, longest)
    fitting = [one.path for one in wishes if not (found.is_table and one.type in batch_wishes.GROUPS)]
    suggested = batch_wishes.suggested(fitting, found.columns)
    chosen = batch_columns.columns_of(suggested) if columns is None else columns
    item = found.first(chosen)
    called, missing = None, None
    if pattern is not None and item is not None:
        try:
            called = pattern.name_of(item, 1)
        except batch_names.UnnamedError as error:
            missing = error.path
    return Preview(
        media_type=media_type,
        charset=charset,
        columns=found.columns,
        rows=found.rows(),
        wishes=wishes,
        suggested=suggested,
        left=[one for one in found.columns if one not in chosen.names],
        item=item,
        name=called,
        missing=missing,
    )


def recognised(content: bytes) -> tuple[str, str]:
    """Return what the beginning of a file shows that it is: its media type and its encoding."""
    charset = next((charset for mark, charset in _MARKS.items() if content.startswith(mark)), None)
    if charset is None:
        try:
            codecs.getincrementaldecoder(UTF_8)().decode(content)
            charset = UTF_8
        except UnicodeDecodeError:
            charset = WINDOWS
    text = codecs.getincrementaldecoder(charset)(errors="replace").decode(content[:4096])
    sign = text.removeprefix("\ufeff").lstrip()[:1]
    return {"[": ARRAY, "{": NDJSON}.get(sign, CSV), charset


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
