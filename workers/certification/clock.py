"""An end to the processor time of a comparison's engines, where no message's time limit is about them."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

from workers.limits import SOFT_LIMIT_SIGNAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextlib.contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Let the soft time limit of `workers.limits` strike when this process has worked for so long in this block.

    Processor time, not that of the wall: a machine that is busy with other work says nothing about a document.
    """
    before = signal.signal(signal.SIGVTALRM, _struck)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _struck(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(SOFT_LIMIT_SIGNAL)
