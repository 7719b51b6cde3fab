"""Where each child writes down what it works on, for its parent to read when it has died.

A child holds several renders at a time, and only one of them can have killed it. Memory that parent and children share
is the one place that a killed child leaves behind, and that costs nothing to write.
"""

from __future__ import annotations

import mmap
import os
import struct

# A child's number in the order of its place's children, its process id, and a render's id: a UUID's 36 characters.
_LINE = struct.Struct("=qi36s")
# A place's next children begin before the parent has read what became of the last one.
_LINES_EACH = 8


class Slate:
    """The lines of a worker's children; to be made before the first fork."""

    def __init__(self, places: int) -> None:
        """Make room.

        Args:
            places: How many children live at the same time.
        """
        self._memory = mmap.mmap(-1, _LINE.size * _LINES_EACH * places)
        self._mine: tuple[int, int] | None = None

    def take_line(self, place: int) -> None:
        """Take a line of one's own, in a child: that of the place's oldest child.

        Args:
            place: Which of the children this is; no two that live at the same time are the same.
        """
        lines = range(place * _LINES_EACH, (place + 1) * _LINES_EACH)
        oldest = min(lines, key=lambda line: self._read(line)[0])
        number = max(self._read(line)[0] for line in lines) + 1
        self._mine = oldest, number
        self.write("")

    def write(self, render_id: str) -> None:
        """Say what this child works on; the empty text: nothing that a document's own code can kill."""
        if self._mine is not None:
            line, number = self._mine
            _LINE.pack_into(self._memory, line * _LINE.size, number, os.getpid(), render_id.encode("ascii"))

    def read(self, child_pid: int) -> str:
        """Return what a child worked on when it wrote last; the empty text when it did not say."""
        read = (self._read(line) for line in range(len(self._memory) // _LINE.size))
        of_child = [(number, render_id) for number, pid, render_id in read if pid == child_pid]
        return max(of_child, default=(0, b""))[1].rstrip(b"\0").decode("ascii")

    def _read(self, line: int) -> tuple[int, int, bytes]:
        number, pid, render_id = _LINE.unpack_from(self._memory, line * _LINE.size)
        return number, pid, render_id
