"""A network for the farm: the rack, where servers, gateways and clients are, and a namespace for each rendering node.

Each node hangs on the rack by one cable (a veth pair) that can be cut, or let through one way only, or be made narrow
and lossy. Nothing of it is connected with the machine's own network. Addresses are those set aside for benchmarks (RFC
2544), which no real network has.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

SERVERS = "198.18.0.1"
FAMILY = "pressroom"
# Where ip(8) keeps the names.
NAMES = Path("/run/netns")
NOBODY = "02:00:00:00:00:01"
# A line on which documents crawl and packets are lost; where the kernel has no network emulator, it is narrow instead:
# what does not fit its short queue is dropped.
LOSSY = ("netem", "delay", "120ms", "60ms", "loss", "12%")
NARROW = ("tbf", "rate", "256kbit", "burst", "1600", "limit", "4800")


class NetworkError(Exception):
    """Raised when this machine cannot have such a network; the text is the reason."""


class Network:
    """The namespaces of one run.

    Args:
        name: What the names of all its namespaces begin with.
        nodes: The nodes, each with a namespace of its own.
    """

    def __init__(self, name: str, nodes: tuple[str, ...]) -> None:
        self.name = name
        self.nodes = nodes

    def build(self) -> None:
        """Make it.

        Raises:
            NetworkError: This machine does not let us; nothing of it is left then.
        """
        if os.geteuid() != 0 or not shutil.which("ip"):
            raise NetworkError("network namespaces need root and ip(8), of Debian's iproute2")
        _remove_left_over()
        rack = self._space("rack")
        try:
            _ip("netns", "add", rack)
            _ip("-n", rack, "link", "set", "lo", "up")
            _ip("-n", rack, "address", "add", f"{SERVERS}/32", "dev", "lo")
            for number, node in enumerate(self.nodes, 1):
                self._connect(rack, node, number)
        except NetworkError:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove it, with all processes in it gone."""
        for space in (*self.nodes, "rack"):
            with contextlib.suppress(NetworkError):
                _ip("netns", "delete", self._space(space))

    def inside(self, space: str) -> list[str]:
        """Return what starts a command in a namespace."""
        return ["ip", "netns", "exec", self._space(space)]

    # -- From inside the rack ------------------------------------------------------------------------------------------

    def cut(self, node: str) -> None:
        """Unplug a node: what it sends is lost, and nobody is told."""
        _ip("link", "set", _cable(node), "down")

    def mend(self, node: str) -> None:
        """Plug it in again."""
        _ip("link", "set", _cable(node), "up")

    def deafen(self, node: str) -> None:
        """Let a node speak and hear nothing: its requests arrive, the answers do not."""
        _ip("neighbour", "replace", self._address(node), "lladdr", NOBODY, "dev", _cable(node), "nud", "permanent")

    def undeafen(self, node: str) -> None:
        """Let it hear again."""
        _ip("neighbour", "delete", self._address(node), "dev", _cable(node))

    def spoil(self, node: str) -> str:
        """Make the line to a node bad, both ways, and return how."""
        try:
            self._shape(node, "replace", *LOSSY)
        except NetworkError:
            self._shape(node, "replace", *NARROW)
            return " ".join(NARROW)
        return " ".join(LOSSY)

    def unspoil(self, node: str) -> None:
        """Make it good again."""
        self._shape(node, "delete")

    def _shape(self, node: str, action: str, *discipline: str) -> None:
        for prefix, device in (((), _cable(node)), (self.inside(node), "uplink")):
            _run(*prefix, "tc", "qdisc", action, "dev", device, "root", *discipline)

    def _space(self, space: str) -> str:
        return f"{self.name}-{space}"

    def _address(self, node: str) -> str:
        return f"198.18.{self.nodes.index(node) + 1}.2"

    def _connect(self, rack: str, node: str, number: int) -> None:
        space = self._space(node)
        _ip("netns", "add", space)
        _ip("link", "add", _cable(node), "netns", rack, "type", "veth", "peer", "name", "uplink", "netns", space)
        _ip("-n", space, "link", "set", "lo", "up")
        for where, device, host in ((rack, _cable(node), 1), (space, "uplink", 2)):
            _ip("-n", where, "address", "add", f"198.18.{number}.{host}/30", "dev", device)
            _ip("-n", where, "link", "set", device, "up")
        _ip("-n", space, "route", "add", "default", "via", f"198.18.{number}.1")


def _cable(node: str) -> str:
    return f"to-{node}"


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NetworkError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")


def _remove_left_over() -> None:
    """Remove the namespaces of runs that were killed."""
    for left in NAMES.glob(f"{FAMILY}-*-*") if NAMES.is_dir() else ():
        owner = re.fullmatch(rf"{FAMILY}-(\d+)-\w+", left.name)
        if owner and not Path("/proc", owner[1]).exists():
            # What hangs on its last process goes with that; a moment later it can be deleted.
            with contextlib.suppress(NetworkError):
                _ip("netns", "delete", left.name)
            time.sleep(0.01)
