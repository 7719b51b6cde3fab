"""The command line of scripts/chaos, and the process that sees to it that nothing outlives a run.

It makes the network, starts itself again inside it, adopts whatever loses its parent in there, and removes everything
at the end, also after Ctrl-C. Killed processes' children are left to themselves until then, as they are on a machine.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

from processes import Undertaker, adopt_orphans

from mayhem.farm import NODES, StartError
from mayhem.faults import NotHealedError
from mayhem.network import FAMILY, Network, NetworkError
from mayhem.run import perform

if TYPE_CHECKING:
    from types import FrameType

SET_PDEATHSIG = 1  # linux/prctl.h
LEFT_SECONDS = 5.0
INTERRUPTED = 130


class StopRequest(BaseException):
    """Raised where the run is when it is told to stop."""


def main() -> None:
    """Perform a run; the exit code is 0 when all promises were kept, 1 when not."""
    options = parse_options()
    if options.network is None:
        sys.exit(keep(options))
    sys.exit(run_inside(options))


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="Start a farm of real parts, send it work, strike it by plan, and tell what was lost, doubled or "
        "stuck.",
        epilog="Clients send reports, renders, history records, prints, batches and runs of schedules. As root, "
        "render workers are on nodes of a network of their own, which is cut now and then.",
    )
    parser.add_argument("--minutes", type=float, default=10, help="how long faults strike (10)")
    parser.add_argument("--seed", type=int, help="decides the faults and the work; the same one plans the same (any)")
    parser.add_argument("--embedded", action="store_true", help="SQLite, the embedded Valkey, a folder; kills only")
    parser.add_argument("--quick", action="store_true", help="a farm that notices deaths within 4 s instead of 15")
    parser.add_argument("--keep", action="store_true", help="keep the farm's logs also when all promises were kept")
    parser.add_argument("--network", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.minutes > 0:
        parser.error(f"argument --minutes: {options.minutes:g} is no length: expected more than 0")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def keep(options: argparse.Namespace) -> int:
    """Perform the run in a process of its own, clean up behind it, and return its exit code."""
    adopt_orphans()
    network = None
    if not options.embedded:
        network = Network(f"{FAMILY}-{os.getpid()}", NODES)
        try:
            network.build()
        except NetworkError as error:
            say(f"without network cuts: {error}")
            network = None
    command = [sys.executable, "-m", "mayhem", *sys.argv[1:], "--seed", str(options.seed)]
    command += ["--network", network.name if network else ""]
    try:
        child = subprocess.Popen([*(network.inside("rack") if network else []), *command], start_new_session=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: child.terminate())
        return until_ended(child.pid)
    finally:
        Undertaker().end_all(within=LEFT_SECONDS)
        if network:
            network.remove()


def until_ended(pid: int) -> int:
    """Wait for a child and return its exit code, burying adopted ones meanwhile."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def run_inside(options: argparse.Namespace) -> int:
    """Perform the run, here."""
    # Its keeper may be killed.
    ctypes.CDLL(None).prctl(SET_PDEATHSIG, signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    network = Network(options.network, NODES) if options.network else None
    try:
        held = perform(
            minutes=options.minutes,
            seed=options.seed,
            embedded=options.embedded,
            quick=options.quick,
            keep=options.keep,
            network=network,
            say=say,
        )
    except StopRequest:
        say("stopped")
        return INTERRUPTED
    except (StartError, NotHealedError) as error:
        say(str(error))
        return 1
    return 0 if held else 1


def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Leave whatever is going on; from now on further signals change nothing."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise StopRequest


def say(line: str) -> None:
    """Tell whoever started it."""
    print(line, flush=True)  # noqa: T201  # It talks to a person at a terminal.


if __name__ == "__main__":
    main()
