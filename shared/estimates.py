"""How long a render will still take, by what its template's last renders took with the same recipe.

Where something of that was never measured there is no estimate: no number is better than a made-up one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, bindparam, case, func, literal, select, tuple_

from shared import liveness
from shared.database import core, now
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

_TEMPLATE_OF = (
    select(_TEMPLATE).select_from(Render).outerjoin(TemplateVersion, _ITS_VERSION).where(Render.id == bindparam("id"))
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


def position(session: Session | Connection, render: Render | RenderProgress) -> int:
    """Return a queued render's place in its queue, from 1."""
    return 1 + (core(session).scalar(select(func.count()).where(*_ahead_of(render))) or 0)


def seconds_left(
    session: Session,
    render: Render | RenderProgress,
    *,
    place: int | None,
    dead_after: float,
    state: QueueState | None = None,
) -> float | None:
    """Estimate the seconds until a render has ended; None where that is not known.

    Args:
        session: A transaction.
        render: A queued or running render.
        place: Its place in the queue; None when it is running.
        dead_after: Silence after which a worker counts as dead, seconds.
        state: How its queue was a moment ago; None: it is read.
    """
    state = state or state_of(session, render.queue, dead_after=dead_after)
    averages = _Averages(session, state.averages)
    own = averages.seconds(_template_of(session, render), render.recipe)
    if own is None:
        return None
    if place is None:
        left = own - _elapsed(state.moment, render.started_at)
        # It takes longer than its like; nobody knows how much longer.
        return left if left > 0 else None
    wait = _wait(state, place, averages)
    return None if wait is None or not state.children else wait / state.children + own


class _Averages:
    """What the renders of each template take with each recipe, asked once for each."""

    def __init__(self, session: Session, known: dict[tuple[str | None, str], float | None]) -> None:
        self._session = session
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
        for version_id in self._session.scalars(versions).all():
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
        found = self._session.execute(
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


def _template_of(session: Session, render: Render | RenderProgress) -> str | None:
    return core(session).scalar(_TEMPLATE_OF, {"id": render.id})


def _ahead_of(render: Render | RenderProgress) -> tuple[ColumnElement[bool], ...]:
    earlier = tuple_(Render.queued_at, Render.id) < tuple_(literal(render.queued_at), literal(render.id))
    return (Render.state == State.QUEUED, Render.queue == render.queue, earlier)


def _elapsed(later: dt.datetime | None, earlier: dt.datetime | None) -> float:
    return (later - earlier).total_seconds() if later and earlier else 0.0
