"""Real farms for tests: the product's own processes, each as `pressroom run` starts it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import requests

PRESSROOM = str(Path(sys.executable).with_name("pressroom"))
SAMPLES = Path(__file__).parent.parent / "deploy" / "samples"
START_SECONDS = 60

# Fast enough that a test sees a dead worker's work given away, slow enough for a loaded machine.
QUICK = {
    "PRESSROOM_HEARTBEAT_INTERVAL": "0.5",
    "PRESSROOM_WORKER_DEAD_AFTER": "4",
    "PRESSROOM_RECONCILE_INTERVAL": "1",
    "PRESSROOM_REPUBLISH_AFTER": "3",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition, *, seconds=30, every=0.05, what="the condition"):
    """Return the first value of a condition that is neither None nor False; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        # Not by its truth: requests takes an answer of 400 and more for false.
        if value is not None and value is not False:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(every)


class Farm:
    """Processes of one farm, or of one machine of a farm, with a home of their own."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.token: str | None = None
        ours = ("PRESSROOM_", "REPORTS_CLEAN_", "PURGE_HISTORY_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment = {
            **kept,
            **QUICK,
            "PRESSROOM_HOME": str(home),
            "PRESSROOM_PORT": str(self.port),
            **environment,
        }
        self.processes: dict[str, subprocess.Popen] = {}
        # How each was started, the last time.
        self.started: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {}
        (home / "logs").mkdir(parents=True, exist_ok=True)

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [PRESSROOM, *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )

    def run(self, name: str, *arguments: str, **environment: str) -> subprocess.Popen:
        """Start a process; its output goes where the product's own supervisor would put it.

        Args:
            name: What this farm calls it.
            arguments: What `pressroom run` takes.
            environment: What the process' environment has besides the farm's.
        """
        self.started[name] = (arguments, environment)
        with (self.home / "logs" / f"{name}.jsonl").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [PRESSROOM, "run", *arguments],
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.home,
            )
        return self.processes[name]

    def run_gateway(self, **environment: str) -> None:
        self.run("gateway", "gateway", **environment)
        eventually(lambda: self._answers("/healthz"), seconds=START_SECONDS, what="/healthz")

    def run_workers(self, *, children: int = 2, name: str = "render", **environment: str) -> subprocess.Popen:
        named = ("--queues", "render.high,render,render.bulk", "--children", str(children), "--name", name)
        return self.run(f"{name}-worker", "worker", *named, **environment)

    def run_caretakers(self) -> None:
        """Start what reconciles, sweeps, prints and makes thumbnails."""
        self.run_small_worker()
        self.run("beat", "beat")

    def run_small_worker(self) -> subprocess.Popen:
        queues = "thumbnail,print,webhook,maintenance"
        return self.run("small-worker", "worker", "--queues", queues, "--threads", "4", "--name", "small")

    def run_all(self) -> None:
        assert self.command("migrate").returncode == 0
        self.run_workers()
        self.run_caretakers()
        self.run_gateway()
        self.until_ready()

    def until_ready(self) -> None:
        eventually(lambda: self._answers("/readyz"), seconds=START_SECONDS, what="/readyz")

    def _answers(self, path: str) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(self.base + path, timeout=10).status_code == 200
        return False

    def request(self, method: str, path: str, **options) -> requests.Response:
        headers = {**options.pop("headers", {})}
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        url = path if path.startswith("http") else self.base + path
        return requests.request(method, url, headers=headers, timeout=options.pop("timeout", 90), **options)

    def post(self, path: str, body: object = None, **options) -> requests.Response:
        return self.request("POST", path, json=body, **options)

    def get(self, path: str, **options) -> requests.Response:
        return self.request("GET", path, **options)

    def report(self, template: dict, data: dict | None = None, **options) -> requests.Response:
        body = {"template": template, "options": options}
        if data is not None:
            body["data"] = data
        return self.post("/api/report", body)

    def until_done(self, status_url: str, *, seconds=60) -> requests.Response:
        """Poll as a client does, and return the answer that is no longer 'planned'."""

        def look():
            answer = self.get(status_url)
            return answer if answer.headers.get("Report-State") != "planned" else None

        return eventually(look, seconds=seconds, what=f"the end of {status_url}")

    def children(self, name: str) -> list[psutil.Process]:
        return psutil.Process(self.processes[name].pid).children()

    def logged(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted((self.home / "logs").glob("*.jsonl")))

    def kill(self, name: str) -> None:
        """Kill a process as a crash would; its children follow it, as they do there."""
        process = self.processes.pop(name)
        # A gateway's child ends what it has begun before it follows; until then it may still answer.
        following = psutil.Process(process.pid).children() if name == "gateway" else []
        process.kill()
        process.wait()
        psutil.wait_procs(following, timeout=30)

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()
