"""The backlog: how many renders wait, of whom, and how soon there will be room for more.

A client is whoever sends a token, as ``created_by`` has it. Requests without a token are one client together, and with
them the renders that the farm's own schedules fire.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text

from shared.database import now
from shared.exceptions import OverloadedError
from shared.models import Render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy.orm import Session

    from shared.settings import Settings

    # Renders by queue and client.
    Counts = Mapping[tuple[str, str | None], int]

MEASURED_SECONDS = 60
SOONEST_SECONDS, LATEST_SECONDS = 1, 300
# Where nothing ended lately, nobody knows.
UNMEASURED_SECONDS = 30

# A partial index has those that wait in this order, and SQLite must be told: it would search a bigger one, and sort.
_WAITING_TEXT = "SELECT queue, created_by, count(*) FROM {} WHERE state = 'queued' GROUP BY queue, created_by"
_WAITING = text(_WAITING_TEXT.format("renders"))
_WAITING_SQLITE = text(_WAITING_TEXT.format("renders INDEXED BY renders_waiting"))


def waiting(session: Session) -> Counts:
    """Count the renders that wait, by queue and client; also those that are put off."""
    return _counted(session.execute(_WAITING_SQLITE if session.get_bind().dialect.name == "sqlite" else _WAITING))


def ended_lately(session: Session) -> Counts:
    """Count the renders that ended in the last minute, by queue and client."""
    statement = select(Render.queue, Render.created_by, func.count()).where(Render.finished_at > now(-MEASURED_SECONDS))
    return _counted(session.execute(statement.group_by(Render.queue, Render.created_by)))


def _counted(found: Iterable[Any]) -> Counts:
    return {(row[0], row[1]): row[2] for row in found}


def check_queue(counts: Counts, settings: Settings, *, queue: str, ended: Callable[[], Counts]) -> None:
    """Refuse a render for which its queue has no room.

    Args:
        counts: The renders that wait, as of `waiting`.
        settings: The limits.
        queue: Where it is to wait.
        ended: Returns what `ended_lately` does; called only when there is no room.

    Raises:
        OverloadedError: Too many wait; the text says how many, which limit that is, and when to try again.
    """
    there = _in_queue(counts, queue)
    if there >= settings.max_queued:
        seconds = seconds_until_room(there - settings.max_queued + 1, _in_queue(ended(), queue))
        raise OverloadedError(
            f"{there} renders wait in queue {queue!r} already, and at most {settings.max_queued} may "
            f"(PRESSROOM_MAX_QUEUED): try again in {seconds} s",
            retry_after=seconds,
        )


def check_client(counts: Counts, settings: Settings, *, client: str | None, ended: Callable[[], Counts]) -> None:
    """Refuse a render of a client that has too many waiting, in whichever queues; as `check_queue` does.

    Args:
        counts: The renders that wait, as of `waiting`.
        settings: The limits.
        client: Who sends it.
        ended: Returns what `ended_lately` does; called only when there is no room.

    Raises:
        OverloadedError: Too many wait.
    """
    there = _of_client(counts, client)
    if there >= settings.max_queued_per_client:
        seconds = seconds_until_room(there - settings.max_queued_per_client + 1, _of_client(ended(), client))
        whose = "sent without a token" if client is None else f"of {client}"
        raise OverloadedError(
            f"{there} renders {whose} wait already, and at most {settings.max_queued_per_client} of one client may "
            f"(PRESSROOM_MAX_QUEUED_PER_CLIENT): try again in {seconds} s",
            retry_after=seconds,
        )


def seconds_until_room(too_many: int, ended: int) -> int:
    """Return after how many seconds there is room again.

    Args:
        too_many: How many must have ended by then.
        ended: How many ended in the last minute.
    """
    if not ended:
        return UNMEASURED_SECONDS
    return min(max(math.ceil(too_many * MEASURED_SECONDS / ended), SOONEST_SECONDS), LATEST_SECONDS)


def _in_queue(counts: Counts, queue: str) -> int:
    return sum(count for (its_queue, _), count in counts.items() if its_queue == queue)


def _of_client(counts: Counts, client: str | None) -> int:
    return sum(count for (_, its_client), count in counts.items() if its_client == client)
