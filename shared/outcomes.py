"""How the end of a render is told to whoever asked for it, by HTTP status and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.renders import CALLERS_CAUSES, Cause, State

if TYPE_CHECKING:
    from shared.batch_feeding import Entry
    from shared.models import Render
    from shared.render_values import RenderStatus

OK = 200


def http_status(render: Render | RenderStatus) -> int:
    """Return the HTTP status of an ended render's answer."""
    if render.state == State.SUCCEEDED:
        return OK
    if render.state == State.CANCELLED:
        # With an error it was the farm that gave it up, before it began.
        return 503 if render.error else 410
    if render.cause in CALLERS_CAUSES:
        return 400
    return 503 if render.cause == Cause.STORAGE else 500


def problem(render: Render | RenderStatus | Entry) -> str:
    """Say why an ended render has no document."""
    return render.error or ("The render was cancelled" if render.state == State.CANCELLED else "The render failed")
