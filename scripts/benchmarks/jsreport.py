"""The real jsreport, to be measured beside the farm: installed once by npm into the user's cache, with its defaults.

What is set is set so that it stores as a farm does, in files, and so that nobody else reaches it. Its limit of time is
raised: it begins every asynchronous report at once, and those that wait long would fail.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.farms import Farm, MeasureError, StartError, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

VERSION = "4.14.2"
# jsreport wants Node 22.18 or newer, which Debian does not have yet; npm does.
PACKAGES = [f"jsreport@{VERSION}", "node@22"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL_SECONDS = 900
START_SECONDS = 120
STOP_SECONDS = 15
REPORT_MS = 3_600_000
SCRIPT = Path(__file__).with_name("jsreport.js")


def install() -> Path:
    """Install it, unless it was before.

    Returns:
        The folder that it is in.

    Raises:
        MeasureError: It cannot be installed, or lacks what it needs on this machine.
    """
    browser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pressroom-bench"
    folder = cache / f"jsreport-{VERSION}"
    if folder.exists():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise MeasureError(
            "--against jsreport installs it by npm, and there is none on the PATH: apt-get install nodejs npm"
        )
    cache.mkdir(parents=True, exist_ok=True)
    print(f"Installing jsreport {VERSION} into {folder}, about 500 MB …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="installing-") as unfinished:
        (Path(unfinished) / "package.json").write_text('{"private": true}')
        command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", *PACKAGES]
        try:
            # The browser is the machine's own.
            subprocess.run(
                command,
                cwd=unfinished,
                env=os.environ | {"PUPPETEER_SKIP_DOWNLOAD": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=True,
                timeout=INSTALL_SECONDS,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = error.stderr if isinstance(error.stderr, str) else ""
            last = "\n".join(said.strip().splitlines()[-5:]) or f"no end within {INSTALL_SECONDS} s"
            raise MeasureError(
                f"npm could not install jsreport {VERSION}; is its registry reachable (npm ping)? Run the same command "
                f"again when it is. npm said:\n{last}"
            ) from error
        Path(unfinished).chmod(0o755)
        Path(unfinished).rename(folder)
        # What the block wants to remove at its end.
        Path(unfinished).mkdir()
    return folder


def browser() -> str:
    """Return the path of the machine's Chromium.

    Raises:
        MeasureError: There is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise MeasureError(
            f"jsreport prints with Chromium, and none of {', '.join(BROWSERS)} is on the PATH: "
            "apt-get install --no-install-recommends chromium"
        )
    return found


@contextmanager
def running_jsreport(home: Path) -> Iterator[Farm]:
    """Run it until the block ends.

    Args:
        home: An empty folder for everything that it writes.

    Raises:
        MeasureError: It cannot be installed.
        StartError: It did not get ready.
    """
    folder = install()
    [port] = free_ports(1)
    node = folder / "node_modules" / "node" / "bin" / "node"
    configuration = json.dumps(configured(home, port))
    held = [sys.executable, "-m", "benchmarks.held", str(node), str(SCRIPT), str(folder), configuration]
    log = home / "jsreport.log"
    # Browsers leave profiles behind when they are killed.
    environment = os.environ | {"TMPDIR": str(home)}
    with log.open("wb") as output:
        # Like the farm's own launcher, it ends when this process does.
        command = ["setpriv", "--pdeathsig", "TERM", *held]
        process = subprocess.Popen(command, env=environment, cwd=home, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                last = "\n".join(log.read_text(errors="replace").strip().splitlines()[-15:])
                raise StartError(f"jsreport did not start:\n{last}")
            time.sleep(0.2)
        yield Farm(url, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def configured(home: Path, port: int) -> dict[str, object]:
    """Return its configuration."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {
        "httpPort": port,
        "hostname": "127.0.0.1",
        "store": {"provider": "fs"},
        "blobStorage": {"provider": "fs", "dataDirectory": str(home / "storage")},
        "tempDirectory": str(home / "temp"),
        "reportTimeout": REPORT_MS,
        "extensions": {
            "fs-store": {"dataDirectory": str(home / "data")},
            "chrome-pdf": {"launchOptions": {"executablePath": browser(), "args": arguments}},
        },
    }


def answers(url: str) -> bool:
    """Say whether it is ready."""
    with suppress(OSError), urllib.request.urlopen(f"{url}/api/ping", timeout=5) as answer:  # noqa: S310  # Ours.
        return bool(answer.status == 200)  # noqa: PLR2004  # OK.
    return False


def called(process: psutil.Process) -> tuple[str, str]:
    """Return the kind of a process, and the kind of its children that have ended: node starts nothing but browsers."""
    name = process.name()
    if "benchmarks.held" in process.cmdline():
        return "launcher", "chromium"
    return ("node" if name.startswith("node") else "chromium"), "chromium"
