"""Thumbnails: pictures of documents' first pages. A render has at most one; `workers.thumbnails` makes it.

It is ordered in the transaction that ends the render if somebody follows that (`shared.aftermath`), or here: of a
stored report when somebody first asks for it, and of any document when it is to be made again.
Each attempt's object has a key of its own, so that one that was given up overwrites nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from shared import history, leases, outcomes
from shared.errands import Errand, Kind
from shared.exceptions import ConflictError, NotFoundError
from shared.models import Render, RetiredObject, Thumbnail
from shared.renders import ENDED, LIGHT, State

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

FOLDER = "thumbnails/"
MEDIA_TYPE = "image/png"
EXTENSION = "png"
# When to ask again for one that is being made.
RETRY_SECONDS = 2
ANEW = "POST to the same address to have it made anew"


def blob_key(render_id: str, *, attempt: int) -> str:
    """Name the object of one attempt."""
    return f"{FOLDER}{render_id}~{attempt}.{EXTENSION}"


def finished(session: Session, render_id: str, *, advice: str = ANEW) -> Thumbnail:
    """Return the thumbnail of a render.

    Args:
        session: A transaction.
        render_id: The render.
        advice: What to do where it could not be made.

    Raises:
        NotFoundError: It is not there: not yet, and then the error says when to ask again; or it could not be made, or
            there is no PDF to make it of, or no such render, and then the text says why.
    """
    thumbnail = session.get(Thumbnail, render_id)
    if thumbnail is None:
        render = session.get(Render, render_id, options=LIGHT)
        raise _gone(render_id) if render is None else _absent(render)
    match thumbnail.state:
        case leases.State.SUCCEEDED:
            return thumbnail
        case leases.State.FAILED:
            raise NotFoundError(f"There is no thumbnail: {thumbnail.error}. {advice}".rstrip())
        case _:
            raise being_made()


def being_made() -> NotFoundError:
    """Return what is answered while a thumbnail is on its way."""
    return NotFoundError("The thumbnail is being made: ask again in a moment", retry_after=RETRY_SECONDS)


def is_wanting(session: Session, render_id: str) -> bool:
    """Say whether nobody has asked for the thumbnail of a PDF that is there."""
    if session.get(Thumbnail, render_id) is not None:
        return False
    render = session.get(Render, render_id, options=LIGHT)
    return render is not None and _has_pdf(render)


def order(session: Session, render_id: str) -> Errand | None:
    """Queue the thumbnail of a render that has none.

    Args:
        session: A writing transaction.
        render_id: The render.

    Returns:
        What is to be announced after the commit; None: it has one, or is no PDF, or is gone.
    """
    render = _held(session, render_id)
    if render is None or not _has_pdf(render) or session.get(Thumbnail, render_id, populate_existing=True) is not None:
        return None
    return _ordered(session, render)


def remake(session: Session, render_id: str) -> Errand:
    """Queue a thumbnail again, or for the first time; one that is queued already stays so.

    Args:
        session: A writing transaction.
        render_id: The render.

    Returns:
        What is to be announced after the commit.

    Raises:
        NotFoundError: There is no such render.
        ConflictError: It has no PDF.
    """
    render = _held(session, render_id)
    if render is None:
        raise _gone(render_id)
    if render.state not in ENDED:
        raise ConflictError("The document is not made yet: its thumbnail is made when it is")
    if not _has_pdf(render):
        raise ConflictError(f"There is no thumbnail to make: {_without_pdf(render)}")
    if session.get(Thumbnail, render_id, populate_existing=True) is None:
        return _ordered(session, render)
    leases.again(session, Thumbnail, render_id)
    return Errand(Kind.THUMBNAIL, render_id, render.trace_id)


def forget(session: Session, render_ids: Collection[str]) -> list[str]:
    """Remove the thumbnails of renders that are about to go, and note their objects for the sweep.

    Args:
        session: A writing transaction. None of these renders is given another thumbnail, in it or later.
        render_ids: The renders.

    Returns:
        The keys of the pictures, for whoever removes them after the commit without waiting for the sweep.
    """
    gone = session.execute(
        delete(Thumbnail)
        .where(Thumbnail.render_id.in_(render_ids))
        .returning(Thumbnail.render_id, Thumbnail.attempt, Thumbnail.blob_key)
        .execution_options(synchronize_session=False)
    ).all()
    # Those of all attempts: nobody knows what a lost one stored, or has still to store.
    session.add_all(
        RetiredObject(key=blob_key(render_id, attempt=one))
        for render_id, attempt, _ in gone
        for one in range(1, attempt + 1)
    )
    session.flush()
    return [key for _, _, key in gone if key]


def _held(session: Session, render_id: str) -> Render | None:
    # Its end is written under the same lock, and so is its removal.
    return session.scalar(select(Render).where(Render.id == render_id).options(*LIGHT).with_for_update())


def _ordered(session: Session, render: Render) -> Errand:
    session.add(Thumbnail(render_id=render.id, trace_id=render.trace_id))
    session.flush()
    return Errand(Kind.THUMBNAIL, render.id, render.trace_id)


def _gone(render_id: str) -> NotFoundError:
    return NotFoundError(f"There is no render {render_id!r}")


def _absent(render: Render) -> NotFoundError:
    if render.state not in ENDED:
        return NotFoundError("The document is not made yet, and so its thumbnail is not", retry_after=RETRY_SECONDS)
    if not _has_pdf(render):
        return NotFoundError(f"There is no thumbnail: {_without_pdf(render)}")
    return NotFoundError(f"There is no thumbnail of this document. {ANEW}")


def _has_pdf(render: Render) -> bool:
    return render.state == State.SUCCEEDED and render.media_type == history.PDF and render.blob_key is not None


def _without_pdf(render: Render) -> str:
    if render.state != State.SUCCEEDED:
        return f"there is no document. {outcomes.problem(render)}"
    if render.media_type != history.PDF:
        return f"the document is {render.media_type}, and thumbnails are made of {history.PDF}"
    return "the document is gone"
