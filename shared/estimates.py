"""How long a render will still take, by what its template's last renders took with the same recipe.

Where something of that was never measured there is no estimate: no number is better than a made-up one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, case, func, literal, select, tuple_

from shared import liveness
from shared.database import now
from shared.models import Render, TemplateVersion
from shared.renders import State

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.orm import Session

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


def position(session: Session, render: Render) -> int:
    """Return a queued render's place in its queue, from 1."""
    return 1 + (session.scalar(select(func.count()).where(*_ahead_of(render))) or 0)


def seconds_left(session: Session, render: Render, *, place: int | None, dead_after: float) -> float | None:
    """Estimate the seconds until a render has ended; None where that is not known.

    Args:
        session: A transaction.
        render: A queued or running render.
        place: Its place in the queue; None when it is running.
        dead_after: Silence after which a worker counts as dead, seconds.
    """
    averages = _Averages(session)
    moment = session.scalars(select(now())).one()
    own = averages.seconds(_template_of(session, render), render.recipe)
    if own is None:
        return None
    if place is None:
        left = own - _elapsed(moment, render.started_at)
        # It takes longer than its like; nobody knows how much longer.
        return left if left > 0 else None
    wait = _wait(session, render, place, moment, averages)
    workers = liveness.alive(session, dead_after=dead_after)
    children = sum(worker.children for worker in workers if render.queue in worker.queues)
    return None if wait is None or not children else wait / children + own


class _Averages:
    """What the renders of each template take with each recipe, asked once for each."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[tuple[str | None, str], float | None] = {}

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


def _wait(session: Session, render: Render, place: int, moment: dt.datetime, averages: _Averages) -> float | None:
    """Return the seconds of work that come before a queued render; None where one of them was never measured."""
    kinds = (
        select(_TEMPLATE, Render.recipe, Render.started_at).select_from(Render).outerjoin(TemplateVersion, _ITS_VERSION)
    )
    running = kinds.where(Render.state == State.RUNNING, Render.queue == render.queue)
    ahead = kinds.where(*_ahead_of(render))
    before = 0.0
    for template_id, recipe, started in session.execute(running.limit(SAMPLED)).all():
        seconds = averages.seconds(template_id, recipe)
        if seconds is None:
            return None
        before += max(seconds - _elapsed(moment, started), 0)
    queued: list[float] = []
    for template_id, recipe, _ in session.execute(ahead.limit(SAMPLED)).all():
        seconds = averages.seconds(template_id, recipe)
        if seconds is None:
            return None
        queued.append(seconds)
    if queued:
        before += sum(queued) / len(queued) * (place - 1)
    return before


def _template_of(session: Session, render: Render) -> str | None:
    return session.scalar(
        select(_TEMPLATE).select_from(Render).outerjoin(TemplateVersion, _ITS_VERSION).where(Render.id == render.id)
    )


def _ahead_of(render: Render) -> tuple[ColumnElement[bool], ...]:
    earlier = tuple_(Render.queued_at, Render.id) < tuple_(literal(render.queued_at), literal(render.id))
    return (Render.state == State.QUEUED, Render.queue == render.queue, earlier)


def _elapsed(later: dt.datetime | None, earlier: dt.datetime | None) -> float:
    return (later - earlier).total_seconds() if later and earlier else 0.0
