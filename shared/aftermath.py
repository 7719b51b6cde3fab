"""What follows a render's end, in the transaction that writes it: record, print task, thumbnail. Webhooks will.

`shared.renders` calls `settle` for each end that it writes, so no way of ending a render can forget it. The messages
that are then due stay in the session until its transaction is over (`errands`); one that nobody sends is found by the
worker that looks for rows without a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from shared import history, outcomes, print_tasks
from shared.database import now
from shared.errands import Errand, Kind
from shared.models import HistoryRecord, Render, Thumbnail
from shared.renders import LIGHT, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

_ERRANDS = "errands"


def settle(session: Session, render_id: str) -> None:
    """Bring what waits for a render's end up to date.

    Args:
        session: The transaction that just wrote the end.
        render_id: The render.
    """
    # Read anew: the end was written past the session.
    render = session.get_one(Render, render_id, options=LIGHT, populate_existing=True)
    has_pdf = render.state == State.SUCCEEDED and render.media_type == history.PDF
    record = session.scalar(select(HistoryRecord).where(HistoryRecord.render_id == render_id).options(*history.LIGHT))
    if record is not None:
        task_id = print_tasks.made_with(session, record.id)
        record.response = history.answer_of(render, history.promise_of(record, print_task_id=task_id))
        record.modified_at = now()
        if has_pdf:
            record.blob_key, record.size = render.blob_key, render.size
            record.sha256, record.pages = render.sha256, render.pages
        if task_id is not None and has_pdf:
            if print_tasks.release(session, task_id):
                _leave(session, Errand(Kind.PRINT, task_id, render.trace_id))
        elif task_id is not None:
            print_tasks.give_up(session, task_id, error=f"There is nothing to print: {outcomes.problem(render)}")
    # Of a render that is settled late, somebody may have asked for one before.
    if has_pdf and session.get(Thumbnail, render_id) is None:
        session.add(Thumbnail(render_id=render_id, trace_id=render.trace_id))
        _leave(session, Errand(Kind.THUMBNAIL, render_id, render.trace_id))
    session.flush()


def settle_late(session: Session, render_id: str) -> bool:
    """Settle a render whose end was written without that; False when somebody else did, or its record is gone.

    Args:
        session: A writing transaction.
        render_id: The render.
    """
    # Whoever removes the record locks the render first, too.
    session.scalar(select(Render.id).where(Render.id == render_id).with_for_update())
    waits = select(HistoryRecord.id).where(HistoryRecord.render_id == render_id, HistoryRecord.response.is_(None))
    if session.scalar(waits) is None:
        return False
    settle(session, render_id)
    return True


def errands(session: Session) -> Sequence[Errand]:
    """Return what is to be announced once the session's transaction is committed."""
    return tuple(session.info.get(_ERRANDS, ()))


def _leave(session: Session, errand: Errand) -> None:
    session.info.setdefault(_ERRANDS, []).append(errand)
