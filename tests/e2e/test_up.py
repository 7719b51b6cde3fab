"""scripts/up, as a newcomer runs it; only what it prints, what it serves and what it leaves behind is looked at."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import psutil
import pypdf
import pytest
from farms import eventually, free_port

UP = Path(__file__).parents[2] / "scripts" / "up"
STOP_SECONDS = 10  # What the product promises.
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
PANGO = next(Path("/usr/lib").glob("*/libpango-1.0.so.0"), None)


class Launched:
    """A farm of scripts/up with a home of its own."""

    def __init__(self, home: Path, *, before: tuple[str, ...] = ()) -> None:
        self.home = home
        self.port = free_port()
        self.flower_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [*before, *command("--home", home, "--port", self.port, "--flower-port", self.flower_port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
            start_new_session=True,
        )

    def until_it_says(self, text: str) -> str:
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if text in line:
                return self.said[-1]
        pytest.fail(f"scripts/up ended before it said {text!r}: {self.said}")

    def get(self, path: str) -> tuple[int, bytes]:
        url = path if path.startswith("http") else self.url + path
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def report(self, content: str) -> int:
        """Order a report, wait for it, and return the answer's status."""
        body = json.dumps({"template": {"content": content, "recipe": "text"}}).encode()
        order = urllib.request.Request(
            f"{self.url}/api/report", data=body, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(order, timeout=90) as response:
                return response.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def count(self, state: str) -> int:
        with contextlib.closing(sqlite3.connect(self.home / "pressroom.db")) as database:
            (count,) = database.execute("SELECT count(*) FROM renders WHERE state = ?", (state,)).fetchone()
        return count

    def links(self) -> dict[str, str]:
        """The samples' names and addresses."""
        rows = (line.strip().rsplit(maxsplit=1) for line in self.said if "/reports/" in line)
        return {name.strip(): url for name, url in rows}

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def supervisor(self) -> psutil.Process:
        # Beside it, the launcher may have orphans of the programs for a moment.
        children = psutil.Process(self.process.pid).children()
        living = (child for child in children if child.status() != psutil.STATUS_ZOMBIE)
        return next(child for child in living if "supervisor.supervisord" in child.cmdline())

    def program(self, name: str) -> psutil.Process | None:
        """The process that the supervisor runs under this name, if it runs."""
        for process in self.supervisor().children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.environ().get("SUPERVISOR_PROCESS_NAME") == name:
                    return process
        return None

    def survivors(self, processes: list[psutil.Process]) -> list[str]:
        """Wait for the launcher and for these to end; describe those that do not."""
        self.process.wait(timeout=STOP_SECONDS)
        _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
        return [str(process) for process in alive]

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=3 * STOP_SECONDS)


def command(*options: object) -> list[str]:
    return [str(UP), "--no-apt", "--render-workers", "1", *map(str, options)]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PRESSROOM_")}


def refused(*options: object) -> str:
    """Run scripts/up, which must not start; return its one line."""
    ended = subprocess.run(
        command(*options), capture_output=True, text=True, env=environment(), timeout=90, check=False
    )
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("System packages are missing")]
    return line


@pytest.fixture(scope="module")
def launch():
    """Start farms, each in a home with a short path, as sockets need it; all are stopped at the end."""
    with contextlib.ExitStack() as stack:

        def start(**options) -> Launched:
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="pressroom-"))
            farm = Launched(Path(home, "home"), **options)
            stack.callback(farm.stop)
            return farm

        yield start


@pytest.fixture(scope="module")
def farm(launch):
    farm = launch()
    farm.until_it_says("Ctrl-C stops the farm.")
    return farm


def test_a_new_farm_says_where_it_is_on_a_line_of_its_own(farm):
    assert farm.said.count(f"Pressroom is ready at {farm.url}") == 1


def test_a_new_farm_renders_its_samples_into_pdfs_that_open(farm):
    pages = {name: len(pypdf.PdfReader(BytesIO(farm.get(url)[1])).pages) for name, url in farm.links().items()}

    assert pages["Invoice"] == 1
    assert pages["Delivery note"] == 1
    assert pages["Open items"] >= 10


def test_a_new_farm_shows_flower(farm):
    def is_up():
        with contextlib.suppress(OSError):
            return farm.get(f"http://127.0.0.1:{farm.flower_port}/")[0] == 200
        return False

    assert eventually(is_up, what="Flower's page")
    assert json.loads(farm.get("/api/v1/farm")[1])["data"]["flower"] == f"http://127.0.0.1:{farm.flower_port}"


def test_nobody_else_may_read_the_home(farm):
    assert farm.home.stat().st_mode & 0o077 == 0


def test_a_port_in_use_is_one_line_and_leaves_nothing(farm, tmp_path):
    line = refused("--home", tmp_path / "h", "--port", farm.port, "--flower-port", 0)

    assert line == (
        f"Port {farm.port} for the gateway is in use: stop what listens there, or choose another with --port"
    )


def test_flowers_port_in_use_is_one_line(farm, tmp_path):
    line = refused("--home", tmp_path / "h", "--port", free_port(), "--flower-port", farm.port)

    assert line.startswith(f"Port {farm.port} for Flower is in use")


def test_a_second_farm_in_the_same_home_is_one_line(farm):
    line = refused("--home", farm.home, "--port", free_port(), "--flower-port", 0)

    assert line == f"Another farm runs in {farm.home}: stop it, or choose another home with --home"


def test_a_home_that_is_a_file_is_one_line(tmp_path):
    home = tmp_path / "home"
    home.touch()

    line = refused("--home", home, "--port", free_port(), "--flower-port", 0)

    assert line.startswith(f"The home {home} cannot be written")
    assert line.endswith("choose another with --home")


def test_a_home_with_too_long_a_path_for_sockets_is_one_line(tmp_path):
    line = refused("--home", tmp_path / ("long" * 30), "--port", free_port(), "--flower-port", 0)

    assert "is too long a path for the sockets in it: choose one of at most" in line


def test_a_misspelt_setting_is_one_line(tmp_path, monkeypatch):
    home = tempfile.mkdtemp(prefix="pressroom-")
    environment_with_it = environment() | {"PRESSROOM_TOKEN": "secret"}

    ended = subprocess.run(
        command("--home", home, "--port", free_port(), "--flower-port", 0),
        capture_output=True,
        text=True,
        env=environment_with_it,
        timeout=90,
        check=False,
    )
    shutil.rmtree(home)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "Unknown setting PRESSROOM_TOKEN: did you mean PRESSROOM_TOKENS?"


def test_a_killed_program_is_started_again(farm):
    first = farm.program("flower")
    first.kill()

    def second():
        found = farm.program("flower")
        return found if found != first else None

    assert eventually(second, what="another Flower")


def test_a_killed_gateway_answers_again(farm):
    farm.program("gateway").kill()

    def is_ready():
        with contextlib.suppress(OSError):
            return farm.get("/readyz")[0] == 200
        return False

    assert eventually(is_ready, what="/readyz")


def test_two_farms_side_by_side_know_nothing_of_each_other(farm, launch):
    other = launch()
    other.until_it_says("Pressroom is ready")
    report = next(iter(farm.links().values())).removeprefix(farm.url)

    assert (farm.get(report)[0], other.get(report)[0]) == (200, 404)

    other.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_no_process(launch, number):
    stopped = launch()
    stopped.until_it_says("Pressroom is ready")
    processes = stopped.descendants()

    stopped.process.send_signal(number)

    assert stopped.survivors(processes) == []
    assert stopped.process.returncode == 0


def test_a_stop_in_the_middle_of_work_is_no_slower_and_answers_who_waits(launch):
    stopped = launch()
    stopped.until_it_says("Pressroom is ready")
    with ThreadPoolExecutor() as clients:
        # The one child renders the first for ever; nobody comes to the second.
        answers = [clients.submit(stopped.report, ENDLESS)]
        eventually(lambda: stopped.count("running") == 1, what="a render that has begun")
        answers.append(clients.submit(stopped.report, "x"))
        eventually(lambda: stopped.count("queued") == 1, what="a render that waits")
        processes = stopped.descendants()

        stopped.process.send_signal(signal.SIGTERM)

        assert stopped.survivors(processes) == []
        assert [answer.result() for answer in answers] == [503, 503]


def test_a_signal_before_the_farm_is_ready_leaves_no_process(launch):
    stopped = launch()
    stopped.until_it_says("Starting the farm")
    processes = eventually(lambda: len(stopped.descendants()) > 2 and stopped.descendants(), what="some programs")

    stopped.process.send_signal(signal.SIGTERM)

    assert stopped.survivors(processes) == []


def test_a_killed_supervisor_takes_the_whole_farm_with_it(launch):
    stopped = launch()
    stopped.until_it_says("Pressroom is ready")
    processes = stopped.descendants()

    stopped.supervisor().kill()

    assert stopped.survivors(processes) == []
    assert stopped.process.returncode == 1
    assert stopped.process.stdout.read().splitlines()[-1].startswith("The supervisor ended by itself")


def test_a_killed_launcher_takes_the_whole_farm_with_it(launch):
    stopped = launch()
    stopped.until_it_says("Pressroom is ready")
    processes = stopped.descendants()

    stopped.process.kill()

    assert stopped.survivors(processes) == []


def test_without_pango_the_farm_starts_and_offers_what_works(launch, tmp_path):
    allowed = os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0
    if PANGO is None or not allowed:
        pytest.skip("hiding Pango takes a mount namespace: root, and a kernel that allows it")
    nothing = tmp_path / "nothing"
    nothing.touch()
    hide = f'mount --bind {nothing} {PANGO.resolve()} && exec "$@"'

    farm = launch(before=("unshare", "--mount", "sh", "-c", hide, "sh"))
    farm.until_it_says("Ctrl-C stops the farm.")

    assert "weasyprint-pdf" not in json.loads(farm.get("/api/recipe")[1])
    assert "pango" in json.loads(farm.get("/readyz")[1])["recipes"]["weasyprint-pdf"].lower()
    assert any(line.strip().startswith("Without weasyprint-pdf: ") for line in farm.said)
    assert farm.get(farm.links()["Invoice"])[1].startswith(b"%PDF-")
