"""Waiting for a render on behalf of a synchronous request, without holding a database connection; and how long yet."""

from __future__ import annotations

import contextlib
import select
import time
from typing import TYPE_CHECKING, Any

from flask import request

from shared import estimates, render_status, renders
from shared.database import DATABASE_AWAY
from shared.exceptions import NotFoundError, NotReadyError
from shared.limits import OVERDUE_SECONDS
from shared.renders import State
from shared.storage import CorruptObjectError, StorageError
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from api.gateway import Gateway
    from shared.models import Render
    from shared.render_values import RenderProgress, RenderStatus, SubmittedRender
    from shared.signals import Awaited

# The finish signal comes at once; this is for the one that was lost.
LOOK_SECONDS = 1.0
# How long a client may well leave one that it asks after.
POLL_SECONDS = 1
MOST_SECONDS_OVER = OVERDUE_SECONDS + 60
RETRY_SECONDS = 5

log = logger(__name__)


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


@contextlib.contextmanager
def accepted(render: SubmittedRender, *, address: str | None) -> Iterator[None]:
    """Tell a caller what was accepted if a part of the farm is away in the block: sent again, it would be done twice.

    Args:
        render: What is committed.
        address: Where it can be asked for; None: nothing of it is kept.

    Raises:
        NotReadyError: The database or the storage is away.
    """
    try:
        yield
    except CorruptObjectError:
        raise
    except (StorageError, *DATABASE_AWAY) as error:
        part = "storage" if isinstance(error, StorageError) else "database"
        log.warning("accepted, and not answered", render_id=render.id, part=part, error=str(error))
        advice = (
            "Nothing of it is kept, so it may be sent again"
            if address is None
            else f"Do not send it again, or it is done twice: ask for it at {address}"
        )
        raise NotReadyError(
            f"This was accepted as render {render.id}, but the {part} does not answer at this moment. {advice}",
            # Some clients send a request again of themselves when they are told when to.
            retry_after=RETRY_SECONDS if address is None else None,
        ) from error


def for_end(gateway: Gateway, render: SubmittedRender, *, is_wanted: Callable[[], bool] = lambda: True) -> RenderStatus:
    """Announce a committed render, and return it when it has ended. One that is not in time is cancelled.

    A database that is away is waited for as long as a place in the queue is.

    Args:
        gateway: The gateway.
        render: The render.
        is_wanted: Says whether anybody still waits for it; one that nobody wants any more is cancelled.

    Raises:
        NotFoundError: It was removed meanwhile.
        DatabaseAwayError: As `shared.database.DATABASE_AWAY`: the database was away for too long.
    """
    with gateway.ended.watch(render.id) as ended:
        gateway.publish(render)
        return _until_ended(gateway, render.id, ended, is_wanted)


def client_is_there() -> bool:
    """Say whether the client of this request still holds its connection."""
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        return True
    look = select.poll()
    look.register(connection, select.POLLRDHUP)
    return not look.poll(0)


def outlook(gateway: Gateway, render: Render | RenderProgress) -> dict[str, Any]:
    """Say where in the queue a render is and how long it will take, as far as that is known."""
    state = gateway.queue_state(render.queue)
    with gateway.database.looking() as connection:
        found = estimates.outlook(connection, render, state)
    place = {} if found.place is None else {"positionInQueue": found.place}
    return place if found.seconds is None else {**place, "estimatedSecondsLeft": round(found.seconds, 1)}


def _until_ended(gateway: Gateway, render_id: str, ended: Awaited, is_wanted: Callable[[], bool]) -> RenderStatus:
    settings = gateway.settings
    began = heard = time.monotonic()
    while True:
        # The signal is waited for, and not relied upon.
        ended.wait(min(LOOK_SECONDS, max(0, gateway.waits_until - time.monotonic())))
        ended.clear()
        if ended.status is not None and ended.status.state in renders.ENDED:
            # The worker said it after the commit.
            return ended.status
        waited = time.monotonic() - began
        try:
            render = _look(gateway, render_id)
        except DATABASE_AWAY:
            if time.monotonic() - heard > settings.sync_wait or time.monotonic() >= gateway.waits_until:
                raise
            continue
        heard = time.monotonic()
        if render.state == State.QUEUED and waited > settings.sync_wait:
            error = (
                f"The farm could not start this render within {settings.sync_wait:g} s: try again later, "
                "or send it as an asynchronous one"
            )
            render = _give_up(gateway, render_id, error=error, only_queued=True)
        elif time.monotonic() >= gateway.waits_until:
            render = _give_up(gateway, render_id, error="The gateway is being restarted: send this request again")
        elif waited > settings.sync_wait + render.timeout * settings.max_losses + MOST_SECONDS_OVER:
            # Ended, and not only left: what its caller is told, its record says, and nothing of it is printed later.
            render = _give_up(gateway, render_id, error="This render is long overdue: ask the farm's operator")
        elif not is_wanted():
            render = _give_up(gateway, render_id)
        if render.state in renders.ENDED:
            return render


def _give_up(gateway: Gateway, render_id: str, *, error: str | None = None, only_queued: bool = False) -> RenderStatus:
    with gateway.database.writing() as session:
        renders.cancel(session, render_id, only_queued=only_queued, error=error)
    return _look(gateway, render_id)


def _look(gateway: Gateway, render_id: str) -> RenderStatus:
    with gateway.database.looking() as connection:
        status = render_status.of_render(connection, render_id)
    if status is None:
        raise NotFoundError("The render was removed while it was waited for")
    return status
