"""Waiting for a render on behalf of a synchronous request, without holding a database connection."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from shared import renders
from shared.exceptions import NotFoundError, NotReadyError
from shared.models import Render

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from api.gateway import Gateway

# The finish signal comes at once; this is for the one that was lost.
LOOK_SECONDS = 1.0
MOST_SECONDS_OVER = renders.OVERDUE_SECONDS + 60
RETRY_SECONDS = 5


@contextlib.contextmanager
def place(gateway: Gateway) -> Iterator[None]:
    """Take one of the places for waiting; some threads are always left for those who do not wait.

    Raises:
        NotReadyError: All places are taken.
    """
    if not gateway.places.acquire(blocking=False):
        raise NotReadyError(
            "Too many requests are waiting for their renders: try again shortly, or use options.reports.async",
            retry_after=RETRY_SECONDS,
        )
    try:
        yield
    finally:
        gateway.places.release()


def until_ended(gateway: Gateway, render_id: str, ended: threading.Event) -> Render:
    """Return the render when it has ended.

    Args:
        gateway: The gateway.
        render_id: The render.
        ended: Set when it ends; waited for, and not relied upon.

    Raises:
        NotReadyError: The farm could not start it in time; it was cancelled. Or it is long overdue.
        NotFoundError: It was removed meanwhile.
    """
    began = time.monotonic()
    while True:
        ended.wait(LOOK_SECONDS)
        ended.clear()
        with gateway.database.reading() as session:
            render = session.get(Render, render_id, options=renders.LIGHT)
        if render is None:
            raise NotFoundError("The render was removed while it was waited for")
        if render.state in renders.ENDED:
            return render
        waited = time.monotonic() - began
        if render.state == renders.State.QUEUED and waited > gateway.settings.sync_wait:
            with gateway.database.writing() as session:
                withdrawn = renders.cancel(session, render_id, only_queued=True)
            if withdrawn:
                raise NotReadyError(
                    f"The farm could not start this render within {gateway.settings.sync_wait:g} s: try again later, "
                    "or use options.reports.async",
                    retry_after=RETRY_SECONDS,
                )
        if waited > gateway.settings.sync_wait + render.timeout * gateway.settings.max_losses + MOST_SECONDS_OVER:
            raise NotReadyError("This render is long overdue: ask the farm's operator", retry_after=RETRY_SECONDS)
