"""Making previews: renders like any other, of a template's newest version, or of what is not saved yet.

The first kind is kept, for whoever asks next, and waits behind all other renders; its author waits for the second.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared import catalogue, parameter_values, previews, templates
from shared.exceptions import UnprocessableError
from shared.models import Preview
from shared.submissions import Order, TemplateChoice, accept, stored_timeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.models import Template, TemplateVersion
    from shared.render_values import SubmittedRender
    from shared.settings import Settings
    from shared.storage import Storage
    from shared.submissions import Accepted
    from shared.templates import TemplateFields

QUEUE = "render.bulk"
SOURCE = "preview"


class _AlreadyThereError(Exception):
    """Raised within the transaction when somebody else was quicker."""


def submit(
    database: Database,
    storage: Storage,
    settings: Settings,
    template: Template,
    *,
    trace_id: str,
    created_by: str | None,
    recipe_states: Mapping[str, str],
    anew: bool = False,
) -> SubmittedRender | None:
    """Commit the render of a preview; the caller announces it. What was the preview before goes.

    Args:
        database: Where the rows go.
        storage: Where large data goes; while it is away, data stays in the row.
        settings: The limits.
        template: The template, with its newest version.
        trace_id: The trace of whoever asks.
        created_by: Who that is.
        recipe_states: What the living workers say of their recipes; empty when nobody is known to live.
        anew: Whether one that is there is replaced.

    Returns:
        The render; None when the newest version has one by now, and ``anew`` does not say that it is to go.

    Raises:
        UnprocessableError: The template's recipe makes no PDF.
        InvalidRequestError: The template cannot be rendered on this farm as it is.
        NotFoundError: The template was removed.
    """
    version = template.version
    if not catalogue.makes_pdf(version.recipe):
        raise UnprocessableError(
            [("recipe", f"The template's recipe is {version.recipe!r}, which makes no PDF: there is no preview")]
        )

    def write(session: Session, accepted: Accepted) -> None:
        newest = templates.held(session, template.id).version_id
        known = session.get(Preview, template.id, populate_existing=True)
        if known is not None and known.template_version_id == newest and not anew:
            raise _AlreadyThereError
        previews.put(session, template_id=template.id, version_id=version.id, render_id=accepted.render.id)

    order = Order(
        trace_id=trace_id,
        template=TemplateChoice(),
        data=sample_of(version),
        folder=previews.FOLDER,
        followed=True,
        queue=QUEUE,
        source=SOURCE,
        created_by=created_by,
    )
    try:
        accepted = accept(
            database,
            storage,
            settings,
            order,
            recipe_states=recipe_states,
            # The version that was looked at, whatever is saved meanwhile.
            stored=(template, version),
            within=write,
        )
    except _AlreadyThereError:
        return None
    return accepted.render


def submit_draft(
    database: Database,
    storage: Storage,
    settings: Settings,
    draft: TemplateFields,
    *,
    trace_id: str,
    recipe_states: Mapping[str, str],
) -> Accepted:
    """Commit the render of a template that is not saved, which nothing keeps; the caller announces it.

    Args:
        database: Where the row goes.
        storage: Where large data goes; while it is away, data stays in the row.
        settings: The limits.
        draft: What the template would be.
        trace_id: The trace of whoever asks.
        recipe_states: What the living workers say of their recipes; empty when nobody is known to live.

    Raises:
        InvalidRequestError: It cannot be rendered on this farm.
    """
    options = draft.options or {}
    # Certificates are for what is rendered again and again: what is typed at this moment is not compared.
    recipe = catalogue.REFERENCE_PDF if draft.recipe == catalogue.CERTIFIED_PDF else draft.recipe
    order = Order(
        trace_id=trace_id,
        template=TemplateChoice(content=draft.content, engine=draft.engine, recipe=recipe),
        data=sample_of(draft),
        report_name=options.get("reportName") or draft.name,
        timeout=stored_timeout(options),
        source=SOURCE,
        created_by=draft.created_by,
    )
    return accept(database, storage, settings, order, recipe_states=recipe_states)


def sample_of(version: TemplateVersion | TemplateFields) -> dict[str, Any]:
    """Return what a preview is rendered with: the sample data, and each parameter's example, or else its default."""
    examples = {one["name"]: one["example"] for one in version.parameters or () if one.get("example") is not None}
    return parameter_values.merged(examples, json.loads(version.sample_data or "{}"), version.parameters)
