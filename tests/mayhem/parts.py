"""The farm's processes, and the supervisor that starts each anew when it dies, as an orchestrator would."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

RESTART_SECONDS = 1.0
LOOK_SECONDS = 0.1
STOP_SECONDS = 20


class Part:
    """A process of the farm, with a home of its own, as on a machine of its own.

    Args:
        name: What it is called here.
        command: Its command line.
        environment: Its environment.
        home: Its home; its log goes there, where the product's supervisor would put it.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], home: Path) -> None:
        self.name = name
        self.deaths: list[str] = []
        self._command = list(command)
        self._environment = dict(environment)
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._died_at: float | None = None
        # Set by who ends it on purpose, so that a death of its own stands out.
        self._expected = False

    def start(self) -> None:
        """Start it."""
        logs = self._home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{self.name}.jsonl").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._died_at = None
        self._expected = False

    def look(self) -> None:
        """Start it anew if it has been dead for a moment."""
        if self._process is None or self._process.poll() is None:
            return
        if self._died_at is None:
            self._died_at = time.monotonic()
            if not self._expected:
                self.deaths.append(f"ended by itself with code {self._process.returncode}")
        elif time.monotonic() - self._died_at > RESTART_SECONDS:
            self.start()

    def family(self) -> list[psutil.Process]:
        """Return its process and its children; none when it is dead."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if self._process is not None and self._process.poll() is None:
                parent = psutil.Process(self._process.pid)
                return [parent, *parent.children()]
        return []

    def kill(self) -> bool:
        """Kill its parent process as a crash would; False when there was none."""
        return self._signal(signal.SIGKILL)

    def terminate(self) -> bool:
        """Ask it to end, as a deployment would; False when there was nobody to ask."""
        return self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it for good."""
        if self._process is None:
            return
        for one in self.family():
            # A stopped one hears nothing.
            with contextlib.suppress(psutil.NoSuchProcess):
                one.resume()
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()

    def _signal(self, number: signal.Signals) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        self._expected = True
        self._process.send_signal(number)
        return True


class Supervisor:
    """Keeps parts running until the block ends, and then stops them, all at once."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        for part in self._parts:
            part.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        together([part.stop for part in self._parts])

    def _keep(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            for part in self._parts:
                part.look()


def together(actions: Sequence[Callable[[], object]]) -> None:
    """Do several things at once, and return when all are done; what one of them raises is raised here."""
    with ThreadPoolExecutor(max(len(actions), 1)) as threads:
        for doing in [threads.submit(action) for action in actions]:
            doing.result()
