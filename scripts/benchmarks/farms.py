"""Farms to measure: started as a user does, with scripts/up, on free ports."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.settings import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psutil

UP = Path(__file__).resolve().parent.parent / "up"
LAST_LINE = "Ctrl-C stops the farm."  # scripts/welcome.py prints it when the samples are rendered, too.
STOP_SECONDS = 15


class MeasureError(Exception):
    """Nothing can be measured; the message says why, and what to do."""


class StartError(MeasureError):
    """The farm did not start; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Farm:
    """A running farm: its gateway's address, and the process of its launcher."""

    url: str
    launcher: int


@contextmanager
def running_farm(home: Path, *options: str, up: Path = UP, settings: Mapping[str, str] | None = None) -> Iterator[Farm]:
    """Run a farm until the block ends. What somebody has set for a farm of his own does not reach it.

    Args:
        home: Its home.
        options: What else to say to scripts/up.
        up: The scripts/up of another checkout.
        settings: Its settings, by their variables' names.

    Raises:
        StartError: It did not get ready.
    """
    port, flower_port = free_ports(2)
    # It ends when this process does, however that ends.
    held = ["setpriv", "--pdeathsig", "TERM", str(up)]
    command = [*held, "--port", str(port), "--flower-port", str(flower_port), "--home", str(home), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    said: list[str] = []
    with subprocess.Popen(
        command, env=environment | dict(settings or {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as launcher:
        if launcher.stdout is None:
            raise StartError("Its output cannot be read")
        try:
            for line in launcher.stdout:
                said.append(line)
                if line.strip() == LAST_LINE:
                    break
            else:
                raise StartError(f"The farm did not start:\n{''.join(said)}")
            yield Farm(f"http://127.0.0.1:{port}", launcher.pid)
        finally:
            launcher.terminate()
            try:
                launcher.communicate(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                launcher.kill()  # What it leaves behind is told to end by the kernel.
                raise


def called(process: psutil.Process) -> str:
    """Call a process of a farm by the name that the supervisor gave its program."""
    command = process.cmdline()
    if any(word.endswith("/scripts/farm.py") for word in command):
        return "launcher"
    if "supervisor.supervisord" in command:
        return "supervisord"
    # Valkey writes its title over its environment, and with it that name.
    return str(process.environ().get("SUPERVISOR_PROCESS_NAME", process.name()))


def free_ports(count: int) -> list[int]:
    """Find ports that nothing listens on at this moment."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
