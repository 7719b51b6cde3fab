"""Templates shown before they are saved, under ``/api/v1``: what an author types, as the document it would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, g

from api import documents, gateway, template_saves, waiting
from api.access import caller
from api.bodies import read_body
from api.errors import RenderFailedError
from api.openapi import described
from api.openapi.operations import previews as operations
from api.template_bodies import DraftBody
from shared import previewing
from shared.queues import DEFAULT_QUEUE
from shared.renders import State

if TYPE_CHECKING:
    from api.gateway import Gateway
    from shared.submissions import Accepted
    from shared.templates import TemplateFields

blueprint = Blueprint("previews", __name__, url_prefix="/api/v1")


@blueprint.post("/preview")
@described(operations.SHOW, body=DraftBody)
def show() -> Response:
    """Render a template that is not saved, from its own sample data, and keep nothing of it."""
    draft = template_saves.draft(read_body(DraftBody))
    farm = gateway.current()
    with waiting.place(farm):
        accepted = _submit(farm, draft)
        with waiting.accepted(accepted.render, address=None):
            # Whoever types on asks for the next one, and hangs up on this one.
            done = waiting.for_end(farm, accepted.render, is_wanted=waiting.client_is_there)
            if done.state != State.SUCCEEDED:
                raise RenderFailedError.of(done)
            answer = documents.serve(farm.storage, done, name=accepted.name, attachment=False)
    answer.headers["Cache-Control"] = "no-store"
    return template_saves.warned(answer, done.warnings or ())


def _submit(farm: Gateway, draft: TemplateFields) -> Accepted:
    with farm.intake.admitting(queue=DEFAULT_QUEUE, client=caller(), waits=True):
        accepted = previewing.submit_draft(
            farm.database, farm.storage, farm.settings, draft, trace_id=g.trace_id, recipe_states=farm.recipe_states()
        )
    g.render_id = accepted.render.id
    return accepted
