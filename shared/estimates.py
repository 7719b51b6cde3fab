"""How long a render will still take, by what its template's last renders took with the same recipe.

Where something of that was never measured there is no estimate: no number is better than a made-up one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, func, select, tuple_
from sqlalchemy.orm import aliased

from shared import liveness
from shared.database import UtcDateTime, core, now
from shared.models import Render, TemplateVersion
from shared.renders import State

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from shared.render_values import RenderProgress

# Renders that an average is made of, at most: older ones had other data, and were made by other machines.
MEASURED = 20
# So many versions of it, and of each so many last renders, are searched for them. Who polls a status asks every second.
MOST_VERSIONS = 5
MOST_LOOKED_AT = 200
# So many stand for all that wait in a longer queue.
SAMPLED = 500

_ITS_VERSION = TemplateVersion.id == Render.template_version_id
_MEASURES = (Render.started_at, Render.finished_at, Render.recipe, Render.state)
# None for a text of its own, also in place of a template's.
_TEMPLATE = case((Render.content.is_(None), TemplateVersion.template_id))

# Made once, as in `shared.renders`: whoever waits for a report asks this more often than anything else.
_TEMPLATE_OF = (
    select(_TEMPLATE).select_from(Render).outerjoin(TemplateVersion, _ITS_VERSION).where(Render.id == bindparam("id"))
)
_EARLIER = aliased(Render)
_TEMPLATE_AND_EARLIER = _TEMPLATE_OF.add_columns(
    select(func.count())
    .where(
        _EARLIER.state == State.QUEUED,
        _EARLIER.queue == bindparam("queue"),
        tuple_(_EARLIER.queued_at, _EARLIER.id) < tuple_(bindparam("queued_at", type_=UtcDateTime()), bindparam("id")),
    )
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """What comes before the renders of a queue, as of a moment; a second later it is still as good for an estimate.

    Attributes:
        moment: When it was read, by the database's clock.
        running: Template, recipe and beginning of those that run, or of `SAMPLED`.
        waiting: Template and recipe of those that wait, the first first, or of `SAMPLED`.
        children: How many serve the queue.
        averages: Seconds by template and recipe, as far as somebody asked for them; None: never measured.
    """

    moment: dt.datetime
    running: Sequence[tuple[str | None, str, dt.datetime | None]]
    waiting: Sequence[tuple[str | None, str]]
    children: int
    averages: dict[tuple[str | None, str], float | None]


def state_of(session: Session, queue: str, *, dead_after: float) -> QueueState:
    """Read how a queue is.

    Args:
        session: A transaction.
        queue: The queue.
        dead_after: Silence after which a worker counts as dead, seconds.
    """
    kinds = select(_TEMPLATE, Render.recipe).select_from(Render).outerjoin(TemplateVersion, _ITS_VERSION)
    kinds = kinds.where(Render.queue == queue).limit(SAMPLED)
    running = kinds.add_columns(Render.started_at).where(Render.state == State.RUNNING)
    waiting = kinds.where(Render.state == State.QUEUED).order_by(Render.queued_at, Render.id)
    workers = liveness.alive(session, dead_after=dead_after)
    return QueueState(
        moment=session.scalars(select(now())).one(),
        running=[(template_id, recipe, started) for template_id, recipe, started in session.execute(running)],
        waiting=[(template_id, recipe) for template_id, recipe in session.execute(waiting)],
        children=sum(worker.children for worker in workers if queue in worker.queues),
        averages={},
    )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the rest of a render's way.

    Attributes:
        place: Its place in the queue, from 1; None: it runs.
        seconds: How long until it has ended; None: not known.
    """

    place: int | None
    seconds: float | None


def outlook(transaction: Session | Connection, render: Render | RenderProgress, state: QueueState) -> Outlook:
    """Estimate the rest of a render's way.

    Args:
        transaction: A transaction, or a connection for single questions.
        render: A queued or running render.
        state: How its queue was a moment ago.
    """
    connection = core(transaction)
    averages = _Averages(connection, state.averages)
    if render.state != State.QUEUED:
        template_id = connection.scalar(_TEMPLATE_OF, {"id": render.id})
        own = averages.seconds(template_id, render.recipe)
        left = None if own is None else own - _elapsed(state.moment, render.started_at)
        # One that takes longer than its like: nobody knows how much longer.
        return Outlook(None, left if left is not None and left > 0 else None)
    its = {"id": render.id, "queue": render.queue, "queued_at": render.queued_at}
    # Nothing of a render that was removed since it was read.
    template_id, earlier = connection.execute(_TEMPLATE_AND_EARLIER, its).first() or (None, 0)
    place = earlier + 1
    own = averages.seconds(template_id, render.recipe)
    wait = None if own is None else _wait(state, place, averages)
    if own is None or wait is None or not state.children:
        return Outlook(place, None)
    return Outlook(place, wait / state.children + own)


class _Averages:
    """What the renders of each template take with each recipe, asked once for each."""

    def __init__(self, connection: Connection, known: dict[tuple[str | None, str], float | None]) -> None:
        self._connection = connection
        self._known = known

    def seconds(self, template_id: str | None, recipe: str) -> float | None:
        kind = (template_id, recipe)
        if kind not in self._known:
            self._known[kind] = None if template_id is None else self._measured(template_id, recipe)
        return self._known[kind]

    def _measured(self, template_id: str, recipe: str) -> float | None:
        versions = (
            select(TemplateVersion.id)
            .where(TemplateVersion.template_id == template_id)
            .order_by(TemplateVersion.number.desc())
            .limit(MOST_VERSIONS)
        )
        took: list[float] = []
        # One after the other, and of each only the last renders: the index has those at hand, however many there are.
        for version_id in self._connection.scalars(versions).all():
            took += self._last(version_id, recipe)
            if len(took) >= MEASURED:
                break
        took = took[:MEASURED]
        return sum(took) / len(took) if took else None

    def _last(self, version_id: str, recipe: str) -> list[float]:
        """Return what the last renders of a version took, the last first."""
        last = (
            select(*_MEASURES, Render.content.is_(None).label("of_template"))
            .where(Render.template_version_id == version_id, Render.finished_at.is_not(None))
            .order_by(Render.finished_at.desc())
            .limit(MOST_LOOKED_AT)
            .subquery()
        )
        found = self._connection.execute(
            # What was rendered with a text of its own says nothing about the template.
            select(last.c.started_at, last.c.finished_at)
            .where(last.c.recipe == recipe, last.c.state == State.SUCCEEDED, last.c.of_template)
            .order_by(last.c.finished_at.desc())
            .limit(MEASURED)
        )
        return [_elapsed(finished, started) for started, finished in found]


def _wait(state: QueueState, place: int, averages: _Averages) -> float | None:
    """Return the seconds of work that come before a queued render; None where one of them was never measured."""
    before = 0.0
    for template_id, recipe, started in state.running:
        seconds = averages.seconds(template_id, recipe)
        if seconds is None:
            return None
        before += max(seconds - _elapsed(state.moment, started), 0)
    queued: list[float] = []
    for template_id, recipe in state.waiting[: place - 1]:
        seconds = averages.seconds(template_id, recipe)
        if seconds is None:
            return None
        queued.append(seconds)
    if queued:
        before += sum(queued) / len(queued) * (place - 1)
    return before


def _elapsed(later: dt.datetime | None, earlier: dt.datetime | None) -> float:
    return (later - earlier).total_seconds() if later and earlier else 0.0
