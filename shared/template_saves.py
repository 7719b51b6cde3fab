"""Saving a template: it is looked at first, and two who save at once are put one behind the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import certificates, templates
from shared.exceptions import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.errands import Errand
    from shared.models import Template
    from shared.templates import TemplateFields

# How often a template is looked at again because another save, which came first, changed its text.
MOST_TRIES = 10


@dataclass(frozen=True, slots=True)
class Saved:
    """A template as it was saved, what its author should know, and what is to be announced."""

    template: Template
    warnings: list[str]
    errand: Errand | None = None


def save_new(database: Database, fields: TemplateFields, *, trace_id: str, shortid: str | None = None) -> Saved:
    """Look at a new template, and store it as its version 1.

    Args:
        database: Where it goes.
        fields: What it is.
        trace_id: The trace of whoever saves it.
        shortid: The shortid that it has elsewhere; None: a new one.

    Raises:
        InvalidRequestError: It would include itself.
        ConflictError: The name or the shortid is taken.
    """
    with database.reading() as session:
        warnings = _examine(session, fields, template_id=None)
    with database.writing() as session:
        template = templates.create(session, fields, shortid=shortid)
        return Saved(template, warnings, certificates.order(session, template.version, trace_id=trace_id))


def save_change(
    database: Database,
    look_up: Callable[[Session], Template],
    merge: Callable[[Template], TemplateFields],
    *,
    trace_id: str,
) -> Saved:
    """Look at a template's next version, and store it; of two at once, one is merged into what the other made.

    Args:
        database: Where the template is.
        look_up: Finds it.
        merge: Returns what it shall be from what it is; called again when another save came first.
        trace_id: The trace of whoever saves it.

    Raises:
        InvalidRequestError: It would include itself.
        NotFoundError: There is no such template.
        ConflictError: The new name is taken, or other saves came first again and again.
    """
    for _ in range(MOST_TRIES):
        with database.reading() as session:
            before = look_up(session)
            fields = merge(before)
            # Before the transaction that writes: while one writes to SQLite, nobody else does.
            warnings = _examine(session, fields, template_id=before.id)
        with database.writing() as session:
            template = templates.held(session, before.id)
            merged = fields if template.version_id == before.version_id else merge(template)
            if _looked_at(merged) == _looked_at(fields):
                template = templates.replace(session, template, merged)
                return Saved(template, warnings, certificates.order(session, template.version, trace_id=trace_id))
    raise ConflictError(f"Template {before.name!r} is being saved by others all the time: try again")


def _looked_at(fields: TemplateFields) -> tuple[str, str, str]:
    return fields.name, fields.content, fields.engine


def _examine(session: Session, fields: TemplateFields, *, template_id: str | None) -> list[str]:
    from shared import includes  # noqa: PLC0415  # It imports Jinja, which most processes never need.

    def text_of(name: str) -> includes.Text | None:
        found = templates.text_of(session, name, other_than=template_id)
        return None if found is None else includes.Text(*found)

    return includes.examine(fields.name, includes.Text(fields.content, fields.engine), text_of)
