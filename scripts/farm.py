"""Run the farm on this machine: the launcher behind scripts/up, which sets up the environment that this runs in.

It checks what can be checked before anything starts, brings the database up to date, and starts supervisord, which
keeps the programs (deploy/supervisord.conf). From then on it only sees to it that nothing outlives it: it stops all
when it is told to, and cleans up when supervisord itself dies. It stays as long as the farm does, so it imports little.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from checks import RefusalError, check_port, claim_home, find_setpriv
from processes import Undertaker, adopt_orphans

if TYPE_CHECKING:
    from types import FrameType

PROJECT = Path(__file__).resolve().parent.parent
# A stop is promised within 10 seconds, unless PRESSROOM_SHUTDOWN_GRACE is set to more. In the grace the programs finish
# what they have begun; after it they give the rest back. The broker is stopped after them, and supervisord last.
GRACE_SECONDS = 3
GIVING_BACK_SECONDS = 3
BROKER_SECONDS = 3
BREAKDOWN_SECONDS = 3.0  # Without the supervisor or the broker, a program would wait in vain for its work to end.
ORPHAN_SECONDS = 5.0


class StopRequest(BaseException):
    """SIGINT, SIGTERM or SIGHUP came; as KeyboardInterrupt, this is no error, and no `except Exception` holds it up."""


def main() -> None:
    """Run the farm until it is stopped."""
    options = parse_options(sys.argv[1:])
    # An inherited descriptor would keep some pipe or lock of the caller open for as long as the farm lives. It also
    # makes the home's lock descriptor 3, which supervisord leaves open (it closes those from 5).
    os.closerange(3, 256)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, request_stop)
    try:
        run(options)
    except RefusalError as refusal:
        stop_everything(within=BREAKDOWN_SECONDS)
        sys.exit(str(refusal))
    except StopRequest:
        print("\nStopping …", flush=True)
        stop_everything()
        print("Stopped.", flush=True)
    except BaseException:
        stop_everything()
        raise


def run(options: argparse.Namespace) -> NoReturn:
    """Start the farm and stay with it.

    Raises:
        RefusalError: It cannot start, or supervisord died.
        StopRequest: It was told to stop.
    """
    home = Path(options.home).absolute()
    environment = farm_environment(options, home)
    lock = claim_home(home)
    check_port(environment.get("PRESSROOM_HOST", "127.0.0.1"), options.port, "the gateway", "--port")
    if options.flower_port:
        check_port("127.0.0.1", options.flower_port, "Flower", "--flower-port (0: no Flower)")
    setpriv = find_setpriv()
    adopt_orphans()
    print("Starting the farm …", flush=True)
    prepare(home, environment)
    configuration = str(PROJECT / "deploy" / "supervisord.conf")
    supervisor = subprocess.Popen(
        [setpriv, "--pdeathsig", "TERM", sys.executable, "-m", "supervisor.supervisord", "-c", configuration],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=(home / "logs" / "supervisor.out").open("ab"),
        stderr=subprocess.STDOUT,
        pass_fds=[lock],
        start_new_session=True,
    )
    undertaker = Undertaker()
    greet(supervisor, home, environment, undertaker)
    while supervisor.poll() is None:
        undertaker.end_adopted(besides={supervisor.pid}, grace=ORPHAN_SECONDS)
        time.sleep(1)
    raise supervisor_died(supervisor, home)


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; its defaults are the PRESSROOM_* variables of the same meaning."""
    parser = argparse.ArgumentParser(
        prog="scripts/up",
        description="Set up and run the farm on this machine, in the foreground. Ctrl-C stops it.",
        epilog="Settings beyond these are PRESSROOM_* variables; README.md lists them.",
    )
    port = os.environ.get("PRESSROOM_PORT") or 8000
    home = os.environ.get("PRESSROOM_HOME") or "var"
    children = os.environ.get("PRESSROOM_RENDER_CHILDREN") or 0
    parser.add_argument("--port", type=port_number, default=port, help="port of the gateway (8000)")
    parser.add_argument("--flower-port", type=port_number, default=5555, help="port of Flower (5555); 0 leaves it out")
    parser.add_argument("--home", default=home, help="folder for everything that the farm writes (./var)")
    parser.add_argument("--render-workers", type=whole_number, default=children, help="renders at once (one per core)")
    parser.add_argument("--no-apt", action="store_true", help="never install a system package")
    options = parser.parse_args(arguments)
    if options.port == 0:
        parser.error("argument --port: 0 is no port: expected 1 to 65535")
    return options


def port_number(text: str) -> int:
    """Read a port, or 0.

    Raises:
        ArgumentTypeError: It is neither.
    """
    highest = 65535
    number = whole_number(text)
    if number > highest:
        raise argparse.ArgumentTypeError(f"{text} is no port: expected 1 to {highest}")
    return number


def whole_number(text: str) -> int:
    """Read a number that is not negative.

    Raises:
        ArgumentTypeError: It is not one.
    """
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def farm_environment(options: argparse.Namespace, home: Path) -> dict[str, str]:
    """Make the environment of every program: the caller's own, with what the options say."""
    environment = dict(os.environ)
    flower = f"http://127.0.0.1:{options.flower_port}" if options.flower_port else ""
    return environment | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)]),
        "PRESSROOM_HOME": str(home),
        "PRESSROOM_PORT": str(options.port),
        "PRESSROOM_FLOWER_URL": environment.get("PRESSROOM_FLOWER_URL") or flower,
        "PRESSROOM_SHUTDOWN_GRACE": environment.get("PRESSROOM_SHUTDOWN_GRACE") or str(GRACE_SECONDS),
        # These are for supervisord.conf and the other scripts. A PRESSROOM_* variable that is no setting is refused.
        "FARM_BROKER": "false" if environment.get("PRESSROOM_BROKER_URL") else "true",
        "FARM_FLOWER": "true" if options.flower_port else "false",
        "FARM_FLOWER_PORT": str(options.flower_port),
        "FARM_STOP_SECONDS": str(program_seconds()),
        "FARM_RENDER_WORKERS": str(options.render_workers or len(os.sched_getaffinity(0))),
    }


def prepare(home: Path, environment: dict[str, str]) -> None:
    """Check the settings and migrate the database, in a process of its own.

    Raises:
        RefusalError: One of both failed.
    """
    log = home / "logs" / "migrate.log"
    with log.open("wb") as output:
        finished = subprocess.run(
            [sys.executable, str(PROJECT / "scripts" / "prepare.py")],
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
            check=False,
        )
    if finished.returncode:
        lines = log.read_text(errors="replace").strip().splitlines() or ["The database could not be prepared"]
        last = lines[-1].removeprefix("Error: ")
        raise RefusalError(last if len(lines) == 1 else f"{last} (all of the output is in {log})")


def greet(supervisor: subprocess.Popen[bytes], home: Path, environment: dict[str, str], undertaker: Undertaker) -> None:
    """Wait until the farm is ready, and let scripts/welcome.py tell so.

    Raises:
        RefusalError: It did not get ready.
    """
    command = [sys.executable, str(PROJECT / "scripts" / "welcome.py")]
    welcome = subprocess.Popen(command, env=environment, cwd=home, stdin=subprocess.DEVNULL, process_group=0)
    while welcome.poll() is None:
        if supervisor.poll() is not None:
            raise supervisor_died(supervisor, home)
        undertaker.end_adopted(besides={supervisor.pid, welcome.pid}, grace=ORPHAN_SECONDS)
        time.sleep(0.1)
    if welcome.returncode:
        # It has told the reason itself.
        stop_everything()
        sys.exit(1)


def supervisor_died(supervisor: subprocess.Popen[bytes], home: Path) -> RefusalError:
    """Tell of the death that must not happen."""
    return RefusalError(
        f"The supervisor ended by itself (status {supervisor.returncode}), and the farm was stopped: "
        f"see {home / 'logs' / 'supervisor.log'}, and start it again"
    )


def request_stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """Leave whatever is going on; from now on further signals change nothing."""
    raise StopRequest


def program_seconds() -> int:
    """Return how long a program that is told to stop may take; what is no grace is refused by scripts/prepare.py."""
    try:
        grace = float(os.environ.get("PRESSROOM_SHUTDOWN_GRACE") or GRACE_SECONDS)
        return math.ceil(max(grace, 0)) + GIVING_BACK_SECONDS
    except (ValueError, OverflowError):
        return GRACE_SECONDS + GIVING_BACK_SECONDS


def stop_everything(*, within: float | None = None) -> None:
    """End every process of the farm, within so many seconds; None: as many as supervisord needs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A second Ctrl-C must not cut the cleaning short.
        signal.signal(number, signal.SIG_IGN)
    Undertaker().end_all(within=program_seconds() + BROKER_SECONDS if within is None else within)


if __name__ == "__main__":
    main()
