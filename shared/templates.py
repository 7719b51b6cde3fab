"""Stored templates: found by id, shortid or name; every save makes an immutable version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from shared.database import now
from shared.exceptions import ConflictError, NotFoundError
from shared.identifiers import new_id, new_shortid
from shared.models import Template, TemplateVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFields:
    """What a caller says of a template. ``sample_data`` is JSON text of an object."""

    name: str
    content: str
    engine: str
    recipe: str
    sample_data: str | None


def create(session: Session, fields: TemplateFields, *, shortid: str | None = None) -> Template:
    """Store a new template as its version 1.

    Args:
        session: A writing transaction.
        fields: What it is.
        shortid: The shortid that it has elsewhere; None: a new one.

    Raises:
        ConflictError: The name or the shortid is taken.
    """
    template_id = new_id()
    version = _version(template_id, 1, fields)
    template = Template(id=template_id, shortid=shortid or new_shortid(), name=fields.name, version_id=version.id)
    session.add(version)
    session.flush()
    session.add(template)
    _flush(session, f"There is a template named {fields.name!r}, or with shortid {template.shortid!r}, already")
    session.refresh(template)
    return template


def change(session: Session, template_id: str, fields: TemplateFields) -> Template:
    """Store a template's next version.

    Raises:
        NotFoundError: There is no such template.
        ConflictError: The new name is taken, or another save came first.
    """
    template = find(session, template_id=template_id)
    number = session.scalar(select(func.max(TemplateVersion.number)).where(TemplateVersion.template_id == template.id))
    version = _version(template.id, (number or 0) + 1, fields)
    session.add(version)
    template.name = fields.name
    template.version_id = version.id
    template.modified_at = now()
    _flush(session, f"There is a template named {fields.name!r} already, or this one was saved at the same moment")
    session.refresh(template)
    return template


def find(
    session: Session, *, template_id: str | None = None, shortid: str | None = None, name: str | None = None
) -> Template:
    """Return the template of the first of these that is given: id, shortid, name.

    Raises:
        NotFoundError: There is none; the text names what was looked for.
    """
    looked_for: tuple[str, str, ColumnElement[bool]]
    if template_id is not None:
        looked_for = ("_id", template_id, Template.id == template_id)
    elif shortid is not None:
        looked_for = ("shortid", shortid, Template.shortid == shortid)
    else:
        looked_for = ("name", name or "", Template.name == name)
    field, value, condition = looked_for
    # Nothing here holds NUL, and PostgreSQL takes a question with one for an error.
    template = None if "\0" in value else session.scalars(select(Template).where(condition)).one_or_none()
    if template is None:
        raise NotFoundError(f"There is no template whose {field} is {value!r}")
    return template


def find_version(session: Session, template: Template, number: int) -> TemplateVersion:
    """Return one version of a template.

    Raises:
        NotFoundError: It has no such version; the text names the newest.
    """
    version = session.scalars(
        select(TemplateVersion).where(TemplateVersion.template_id == template.id, TemplateVersion.number == number)
    ).one_or_none()
    if version is None:
        raise NotFoundError(
            f"Template {template.name!r} has no version {number}: its newest is {template.version.number}"
        )
    return version


def all_templates(session: Session) -> Sequence[Template]:
    """Return every template, by name."""
    return session.scalars(select(Template).order_by(Template.name)).all()


def remove(session: Session, template_id: str) -> None:
    """Remove a template. Its versions stay for the renders that name them.

    Raises:
        NotFoundError: There is no such template.
    """
    session.delete(find(session, template_id=template_id))


def _version(template_id: str, number: int, fields: TemplateFields) -> TemplateVersion:
    return TemplateVersion(
        id=new_id(),
        template_id=template_id,
        number=number,
        name=fields.name,
        content=fields.content,
        engine=fields.engine,
        recipe=fields.recipe,
        sample_data=fields.sample_data,
    )


def _flush(session: Session, conflict: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise ConflictError(conflict) from error
