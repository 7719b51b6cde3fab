"""What this machine's log files have of a trace, read such that large files and many lines take little.

The supervisor writes a file for each process and turns it over when it is large: an older one has a number behind its
name. The lines of a file are in the order of time, or nearly: threads and children write to it at once.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_BYTES = 1024 * 1024
# Nothing that the farm logs is longer; what is, comes from a program that knows no lines.
LONGEST_LINE_BYTES = 1024 * 1024
# In so many bytes behind any place there is a line with a time, unless other programs wrote there.
LOOK_BYTES = 64 * 1024
# As `shared.tracing` writes them.
_TRACE = b'"trace_id": "'
_MOMENT = re.compile(rb'"timestamp": "([^"]{1,40})"')


class LogSearch:
    """Looks for the lines of some trace ids.

    Attributes:
        truncated: Whether a part of what was to be looked through was not.
    """

    def __init__(
        self, folder: Path, trace_ids: frozenset[str], *, since: dt.datetime | None, bytes_per_file: int | None
    ) -> None:
        """Prepare the search.

        Args:
            folder: Where the log files are.
            trace_ids: The trace ids, at least one.
            since: When the earliest of the lines was written; None: nobody knows.
            bytes_per_file: How much of a file is looked through at most: from ``since`` on, or else at its end.
        """
        self.truncated = False
        self._folder = folder
        self._wanted = frozenset(trace_id.encode() for trace_id in trace_ids)
        # Derived ids begin as the one that they are derived from, so one string is enough to look for. So do those of a
        # batch's documents, of which there may be a million: nothing derived, no other line is looked at twice.
        begin = os.path.commonprefix(sorted(trace_ids)).encode()  # noqa: RUF071  # Of characters, as it should be.
        self._needle = _TRACE + (begin + b'"' if len(trace_ids) == 1 else begin)
        self._since = since
        self._most = bytes_per_file

    def files(self) -> Iterator[Iterator[bytes]]:
        """Yield the lines of each file; to be read one file after the other."""
        for path in sorted(self._folder.glob("*.jsonl*")):
            yield self._lines(path)

    def _lines(self, path: Path) -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                yield from self._lines_in(file)
        except FileNotFoundError:
            # It was turned over at this moment, and is listed under its new name.
            return
        except OSError:
            self.truncated = True

    def _lines_in(self, file: IO[bytes]) -> Iterator[bytes]:
        found = os.fstat(file.fileno())
        begin, end = 0, found.st_size
        if self._since is not None:
            if found.st_mtime < self._since.timestamp():
                return
            begin = _place_of(file, end, self._since)
        if self._most is not None and end - begin > self._most:
            self.truncated = True
            begin, end = (end - self._most, end) if self._since is None else (begin, begin + self._most)
        for text in _blocks(file, begin, end):
            yield from self._found_in(text)

    def _found_in(self, text: bytes) -> Iterator[bytes]:
        at = text.find(self._needle)
        while at >= 0:
            line_end = text.find(b"\n", at)
            line_end = len(text) if line_end < 0 else line_end
            begin = at + len(_TRACE)
            if text[begin : text.find(b'"', begin, line_end)] in self._wanted:
                yield text[text.rfind(b"\n", 0, at) + 1 : line_end]
            at = text.find(self._needle, line_end)


def _blocks(file: IO[bytes], begin: int, end: int) -> Iterator[bytes]:
    """Yield a stretch of a file in whole lines, some at a time; what is left of a line at its ends comes, too."""
    file.seek(begin)
    rest = b""
    while begin < end and (block := file.read(min(BLOCK_BYTES, end - begin))):
        begin += len(block)
        lines, newline, rest = (rest + block).rpartition(b"\n")
        yield lines + newline
        if len(rest) > LONGEST_LINE_BYTES:
            rest = b""
    yield rest


def _place_of(file: IO[bytes], size: int, moment: dt.datetime) -> int:
    """Return a place in a file before which all lines are earlier than a moment, found with a few looks."""
    low, high = 0, size
    while high - low > BLOCK_BYTES:
        middle = (low + high) // 2
        file.seek(middle)
        found = _MOMENT.search(file.read(LOOK_BYTES))
        try:
            is_earlier = found is not None and dt.datetime.fromisoformat(found[1].decode()) < moment
        except (ValueError, TypeError):
            found = None
        if found is None:
            # Other programs wrote here: it is read from what is known to be early enough.
            break
        low, high = (middle, high) if is_earlier else (low, middle)
    return low
