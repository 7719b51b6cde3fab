"""Waiting for a render on behalf of a synchronous request, without holding a database connection; and how long yet."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from shared import estimates, renders
from shared.exceptions import NotFoundError, NotReadyError
from shared.models import Render
from shared.renders import State

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from api.gateway import Gateway

# The finish signal comes at once; this is for the one that was lost.
LOOK_SECONDS = 1.0
# How long a client may well leave one that it asks after.
POLL_SECONDS = 1
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
            "Too many requests are waiting for their renders: try again shortly, or send this as an asynchronous one",
            retry_after=RETRY_SECONDS,
        )
    try:
        yield
    finally:
        gateway.places.release()


def for_end(gateway: Gateway, render: Render) -> Render:
    """Announce a committed render, and return it when it has ended. One that is not in time is cancelled.

    Args:
        gateway: The gateway.
        render: The render.

    Raises:
        NotFoundError: It was removed meanwhile.
    """
    with gateway.ended.watch(render.id) as ended:
        gateway.publish(render)
        return _until_ended(gateway, render.id, ended)


def outlook(gateway: Gateway, render: Render) -> dict[str, Any]:
    """Say where in the queue a render is and how long it will take, as far as that is known."""
    with gateway.database.reading() as session:
        place = estimates.position(session, render) if render.state == State.QUEUED else None
        left = estimates.seconds_left(session, render, place=place, dead_after=gateway.settings.worker_dead_after)
    outlook: dict[str, Any] = {} if place is None else {"positionInQueue": place}
    return outlook if left is None else outlook | {"estimatedSecondsLeft": round(left, 1)}


def _until_ended(gateway: Gateway, render_id: str, ended: threading.Event) -> Render:
    settings = gateway.settings
    began = time.monotonic()
    while True:
        # The signal is waited for, and not relied upon.
        ended.wait(LOOK_SECONDS)
        ended.clear()
        render = _look(gateway, render_id)
        waited = time.monotonic() - began
        if render.state == State.QUEUED and waited > settings.sync_wait:
            error = (
                f"The farm could not start this render within {settings.sync_wait:g} s: try again later, "
                "or send it as an asynchronous one"
            )
            render = _give_up(gateway, render_id, error=error, only_queued=True)
        elif waited > settings.sync_wait + render.timeout * settings.max_losses + MOST_SECONDS_OVER:
            # Ended, and not only left: what its caller is told, its record says, and nothing of it is printed later.
            render = _give_up(gateway, render_id, error="This render is long overdue: ask the farm's operator")
        if render.state in renders.ENDED:
            return render


def _give_up(gateway: Gateway, render_id: str, *, error: str, only_queued: bool = False) -> Render:
    with gateway.database.writing() as session:
        renders.cancel(session, render_id, only_queued=only_queued, error=error)
    return _look(gateway, render_id)


def _look(gateway: Gateway, render_id: str) -> Render:
    with gateway.database.reading() as session:
        render = session.get(Render, render_id, options=renders.LIGHT)
    if render is None:
        raise NotFoundError("The render was removed while it was waited for")
    return render
