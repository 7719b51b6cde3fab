"""What a farm takes: processor time and memory of all its processes together, those that have ended included.

A process' own time counts while it lives, and its parent's `cutime` has it afterwards. So the sum over a tree loses
nothing, as long as whoever ends is waited for inside it: both farms are run by a launcher that adopts orphans.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
KIB_PER_MIB = 1024
# A look costs some 30 ms of a core, which is then missing to the farm.
SAMPLE_SECONDS = 1.0
# A farm has come to rest when its processes took less than this of a core since the last look: idle ones take a third.
RESTING = 0.15
REST_LOOK_SECONDS = 0.5
REST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Times:
    """The processor time, user and system, of one process: its own, and that of its children that were waited for."""

    process: int
    parent: int
    own: float
    ended: float


def parsed(stat: bytes) -> Times:
    """Read a line of /proc/<id>/stat (proc(5))."""
    number, _, rest = stat.partition(b" (")
    # The program's name stands in parentheses, and may hold anything.
    fields = rest.rpartition(b")")[2].split()
    user, system, ended_user, ended_system = (int(field) / TICKS for field in fields[11:15])
    return Times(int(number), int(fields[1]), user + system, ended_user + ended_system)


def everybody() -> list[Times]:
    """Return the times of every process on this machine."""
    found = []
    for process in PROC.glob("[0-9]*"):
        with suppress(OSError):  # It has ended since.
            found.append(parsed((process / "stat").read_bytes()))
    return found


def below(root: int, processes: Iterable[Times]) -> list[Times]:
    """Return the process of this id, and all that descend from it."""
    children: dict[int, list[Times]] = {}
    found = []
    for one in processes:
        children.setdefault(one.parent, []).append(one)
        if one.process == root:
            found.append(one)
    for one in found:
        found.extend(children.get(one.process, ()))
    return found


class Tree:
    """A farm's processes."""

    def __init__(self, root: int, called: Callable[[psutil.Process], tuple[str, str]]) -> None:
        """Prepare to look at them.

        Args:
            root: The id of the launcher.
            called: Gives a process' kind, and the kind of its children that have ended.
        """
        self._root = root
        self._called = called
        self._known: dict[int, tuple[str, str]] = {}

    def processor_seconds(self) -> dict[str, float]:
        """Return what each kind of process has taken since the farm was started."""
        taken: dict[str, float] = {}
        for one in below(self._root, everybody()):
            own, ended = self._kinds(one.process)
            taken[own] = taken.get(own, 0.0) + one.own
            taken[ended] = taken.get(ended, 0.0) + one.ended
        return taken

    def memory(self) -> float:
        """Return the PSS of all together, in MiB."""
        total = 0
        for one in below(self._root, everybody()):
            with suppress(OSError, ValueError):  # It has ended since, or waits to be buried.
                rollup = (PROC / str(one.process) / "smaps_rollup").read_bytes()
                total += int(rollup.partition(b"\nPss:")[2].split(maxsplit=1)[0])
        return total / KIB_PER_MIB

    def rest(self) -> None:
        """Wait until the farm has nothing to do any more: what comes after a document's end belongs to its price."""
        deadline = time.monotonic() + REST_SECONDS
        before = sum(self.processor_seconds().values())
        while time.monotonic() < deadline:
            time.sleep(REST_LOOK_SECONDS)
            now = sum(self.processor_seconds().values())
            if now - before < RESTING * REST_LOOK_SECONDS:
                return
            before = now

    def _kinds(self, process: int) -> tuple[str, str]:
        if process not in self._known:
            try:
                found = self._called(psutil.Process(process))
            except psutil.Error:  # It has ended since: not worth to be remembered, as its id can come again.
                return ("ended", "ended")
            self._known[process] = found
        return self._known[process]


def difference(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return what each kind of process took between two looks."""
    return {kind: after.get(kind, 0.0) - before.get(kind, 0.0) for kind in sorted(before.keys() | after.keys())}


class Watch:
    """Samples a farm's memory while a block runs."""

    def __init__(self, tree: Tree, *, every: float = SAMPLE_SECONDS) -> None:
        self._tree = tree
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        # When it was (time.monotonic), and MiB.
        self.samples: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self.samples.append((time.monotonic(), self._tree.memory()))
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        self.samples.append((time.monotonic(), self._tree.memory()))

    def peak(self) -> float:
        """Return the most that was seen, in MiB."""
        return max(memory for _, memory in self.samples)

    def _sample(self) -> None:
        while not self._over.wait(self._every):
            self.samples.append((time.monotonic(), self._tree.memory()))
