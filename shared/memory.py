"""Keeping idle processes small."""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def release_unused() -> None:
    """Give memory that is free in this process back to the system.

    Loading the libraries leaves some 7 MB of holes in the heap of each process, which glibc keeps for later. Where the
    C library is another, nothing happens. See malloc_trim(3).
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
