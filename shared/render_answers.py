"""What whoever asks after a render is told: its record's stored answer, or, where there is no record, one made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from shared import history, renders, templates
from shared.exceptions import NotFoundError
from shared.models import HistoryRecord, Render

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from shared.history import Promise


def find(session: Session, render_id: str) -> tuple[Render, HistoryRecord | None]:
    """Return a render, and its record if it has one; without their large parts.

    What else keeps a render, such as a report, shows it itself.

    Raises:
        NotFoundError: There is no such render, or what was kept of it is removed.
    """
    render = record = None
    if templates.storable(render_id):
        # The render first: of one that has ended, the record that is read after it has the answer.
        render = session.get(Render, render_id, options=renders.LIGHT)
        record = session.scalar(
            select(HistoryRecord).where(HistoryRecord.render_id == render_id).options(*history.LIGHT)
        )
    removed = render is not None and render.state == renders.State.SUCCEEDED and render.blob_key is None
    if render is None or removed or (render.kept and record is None):
        raise NotFoundError(f"There is no render {render_id!r}; one that nothing keeps is there for a while only")
    return render, record


def response_of(session: Session, record_id: str) -> dict[str, Any] | None:
    """Return the answer that is stored with a record; None when it, or the record, is not there."""
    return session.scalar(select(HistoryRecord.response).where(HistoryRecord.id == record_id))


def unrecorded(render_id: str, *, output_type: str, report_url: Callable[[str, str | None], str]) -> Promise:
    """Return what the caller of a render is promised that nothing is kept of.

    Args:
        render_id: The render.
        output_type: ``base64``, ``url`` or ``none``.
        report_url: Returns where the document is, of the render's id and that of its record, which there is not.
    """
    return history.Promise(
        output_type=output_type,
        file_name=f"{render_id}.pdf",
        report_url=report_url(render_id, None) if output_type == "url" else None,
    )
