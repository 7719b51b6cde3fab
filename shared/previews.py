"""Previews: for each template one render that shows what its newest version looks like, made from its sample data.

A preview is made when somebody asks for it (`shared.previewing`). The row is what keeps the render, so there is one
however many ask at once, and the one before goes in the transaction that writes the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from shared import history, outcomes, renders, thumbnails
from shared.database import now
from shared.exceptions import NotFoundError
from shared.models import Preview, Render
from shared.renders import ENDED, LIGHT, State

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shared.models import Template

FOLDER = "previews"
# When to ask again for one that is being made.
RETRY_SECONDS = 2


def of_template(session: Session, template: Template) -> Render | None:
    """Return the render that shows a template's newest version, however far it is; None when there is none."""
    preview = session.get(Preview, template.id)
    if preview is None or preview.template_version_id != template.version_id:
        return None
    return session.get_one(Render, preview.render_id, options=LIGHT)


def check_finished(render: Render) -> None:
    """Refuse a preview that has no document.

    Raises:
        NotFoundError: Not yet, and then the error says when to ask again; or never, and then the text says why.
    """
    if render.state not in ENDED:
        raise being_made()
    if render.state != State.SUCCEEDED:
        raise NotFoundError(
            f"There is no preview: {outcomes.problem(render)}. "
            "POST to the template's thumbnail to have both made anew, or save a new version"
        )
    if render.media_type != history.PDF:
        raise NotFoundError(f"There is no preview: it would be {render.media_type}, and previews are {history.PDF}")


def being_made() -> NotFoundError:
    """Return what is answered while a preview is on its way."""
    return NotFoundError(
        "The preview is being made from the template's sample data: ask again in a moment", retry_after=RETRY_SECONDS
    )


def put(session: Session, *, template_id: str, version_id: str, render_id: str) -> None:
    """Make a render the preview of a template; the one before is nobody's from now on.

    Args:
        session: A writing transaction, in which the template is `shared.templates.held`.
        template_id: The template.
        version_id: The version that is rendered.
        render_id: The render.
    """
    preview = session.get(Preview, template_id, populate_existing=True)
    if preview is None:
        session.add(Preview(template_id=template_id, template_version_id=version_id, render_id=render_id))
    else:
        _give_up(session, preview.render_id)
        preview.template_version_id, preview.render_id, preview.created_at = version_id, render_id, now()
    session.flush()


def forget(session: Session, template_id: str) -> None:
    """Remove the preview of a template that is about to go.

    Args:
        session: A writing transaction, in which the template is `shared.templates.held`.
        template_id: The template.
    """
    preview = session.get(Preview, template_id, populate_existing=True)
    if preview is not None:
        _give_up(session, preview.render_id)
        session.delete(preview)
        session.flush()


def _give_up(session: Session, render_id: str) -> None:
    """Leave a render to the sweep, and end it if it has not ended: then no thumbnail is ordered any more."""
    # First: whoever writes its end, and with it the order for a thumbnail, holds this row until then.
    session.execute(
        update(Render).where(Render.id == render_id).values(kept=False).execution_options(synchronize_session=False)
    )
    renders.cancel(session, render_id)
    thumbnails.forget(session, [render_id])
