"""Run by `benchmarks.jsreport`: holds a program and everything that it starts, until it is told to end.

A browser that is killed leaves its processes to whoever adopts orphans. If that were the machine's first process, the
time that they took would be counted nowhere, and those that live would stay behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NoReturn

# scripts/ is on the path, as it is for all of this package.
from processes import Undertaker, adopt_orphans, children

if TYPE_CHECKING:
    from types import FrameType

END_SECONDS = 5.0


class EndRequest(BaseException):
    """SIGTERM or SIGINT came."""


def main() -> None:
    """Run the command that the arguments are."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    adopt_orphans()
    try:
        # In a session of its own, so that Ctrl-C reaches it through this process only.
        program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
        while program.poll() is None:
            for orphan in set(children()) - {program.pid}:
                # Those that live are left alone: a browser's helper may be meant to outlive who started it.
                os.waitpid(orphan, os.WNOHANG)
            time.sleep(1)
    except EndRequest:
        pass
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        Undertaker().end_all(within=END_SECONDS)


def end(_number: int, _frame: FrameType | None) -> NoReturn:
    """Leave whatever is going on."""
    raise EndRequest


if __name__ == "__main__":
    main()
