"""Stored templates: found by id, shortid or name; every save makes an immutable version."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, delete, exists, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import lazyload

from shared.database import changed, now
from shared.exceptions import ConflictError, NotFoundError
from shared.identifiers import new_id, new_shortid
from shared.models import Batch, HistoryRecord, Render, Schedule, Template, TemplateVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import InstrumentedAttribute, Session

MOST_SCHEDULES_NAMED = 5
# Versions that a process keeps at hand, and the sample data that one of them may have; all are dropped when there are
# more, so that what no render asks for any more goes.
MOST_KNOWN_VERSIONS = 256
KNOWN_CHARACTERS = 64 * 1024

# Made once, as in `shared.renders`.
_CHOOSE = {
    column.key: select(Template.id, Template.shortid, Template.name, Template.version_id).where(
        column == bindparam("value")
    )
    for column in (Template.id, Template.shortid, Template.name)
}
_VERSION = select(
    TemplateVersion.id,
    TemplateVersion.number,
    TemplateVersion.engine,
    TemplateVersion.recipe,
    TemplateVersion.sample_data,
    TemplateVersion.options,
).where(TemplateVersion.id == bindparam("id"))
# By their ids, which no other version has in whichever database.
_KNOWN_VERSIONS: dict[str, ChosenVersion] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFields:
    """What a caller says of a template.

    Attributes:
        name: Its name, which no other template has.
        content: Its text.
        engine: The templating engine that it is written for.
        recipe: What becomes of the markup.
        sample_data: JSON text of an object; what it is rendered with when no data is sent.
        options: Options of its renders that name none: ``reportName``, ``download``, ``timeout`` (milliseconds).
        parameters: What it asks of whoever renders it.
        fields: What it expects in the data.
        context: A label that groups templates.
        context_colour: The label's colour, ``#rrggbb``.
        created_by: Who says it.
    """

    name: str
    content: str
    engine: str
    recipe: str
    sample_data: str | None
    options: dict[str, Any] | None = None
    parameters: list[Any] | None = None
    fields: list[Any] | None = None
    context: str | None = None
    context_colour: str | None = None
    created_by: str | None = None


class Newest(NamedTuple):
    """Which version of a template is the newest: its id and its number."""

    version_id: str
    number: int


def create(session: Session, fields: TemplateFields, *, shortid: str | None = None) -> Template:
    """Store a new template as its version 1, without looking at it.

    Raises:
        ConflictError: The name or the shortid is taken.
    """
    template_id = new_id()
    version = _version(template_id, 1, fields)
    template = Template(id=template_id, shortid=shortid or new_shortid(), name=fields.name, version_id=version.id)
    session.add(version)
    session.flush()
    session.add(template)
    if shortid is None:
        _flush(session, f"There is a template named {fields.name!r} already", field="name")
    else:
        _flush(session, f"There is a template named {fields.name!r}, or with shortid {shortid!r}, already")
    session.refresh(template)
    return template


def change(session: Session, template_id: str, fields: TemplateFields) -> Template:
    """Store a template's next version, without looking at it.

    Raises:
        NotFoundError: There is no such template.
        ConflictError: The new name is taken.
    """
    return replace(session, held(session, template_id), fields)


def replace(session: Session, template: Template, fields: TemplateFields) -> Template:
    """Store the next version of a template that is `held`, without looking at it.

    Raises:
        ConflictError: The new name is taken.
    """
    number = session.scalar(select(func.max(TemplateVersion.number)).where(TemplateVersion.template_id == template.id))
    template.version = _version(template.id, (number or 0) + 1, fields)
    template.name = fields.name
    template.modified_at = now()
    _flush(session, f"There is a template named {fields.name!r} already", field="name")
    session.refresh(template, ["modified_at"])
    return template


def fields_of(version: TemplateVersion) -> TemplateFields:
    """Return what a version says of its template."""
    return TemplateFields(**{field.name: getattr(version, field.name) for field in dataclasses.fields(TemplateFields)})


def find(
    session: Session, *, template_id: str | None = None, shortid: str | None = None, name: str | None = None
) -> Template:
    """Return the template of the first of these that is given: id, shortid, name.

    Raises:
        NotFoundError: There is none; the text names what was looked for.
    """
    field, column, value = _looked_for(template_id, shortid, name)
    template = session.scalars(select(Template).where(column == value)).one_or_none() if storable(value) else None
    if template is None:
        raise NotFoundError(f"There is no template whose {field} is {value!r}")
    return template


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenVersion:
    """What a render's acceptance asks of a template's version, which never changes; the fields are its columns."""

    id: str
    number: int
    engine: str
    recipe: str
    sample_data: str | None
    options: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenTemplate:
    """What it asks of the template itself, which may have another name or version at the next look."""

    id: str
    shortid: str
    name: str


def choose(
    connection: Connection,
    *,
    template_id: str | None = None,
    shortid: str | None = None,
    name: str | None = None,
    number: int | None = None,
) -> tuple[ChosenTemplate, ChosenVersion]:
    """Return the template of the first of these that is given: id, shortid, name; and its newest version, or another.

    Versions that were asked for lately are not read again.

    Raises:
        NotFoundError: There is no such template, or no such version of it.
    """
    field, column, value = _looked_for(template_id, shortid, name)
    found = connection.execute(_CHOOSE[column.key], {"value": value}).first() if storable(value) else None
    if found is None:
        raise NotFoundError(f"There is no template whose {field} is {value!r}")
    template = ChosenTemplate(id=found.id, shortid=found.shortid, name=found.name)
    if number is None:
        return template, _chosen_version(connection, found.version_id)
    its_id = select(TemplateVersion.id).where(TemplateVersion.template_id == template.id)
    version_id = connection.scalar(its_id.where(TemplateVersion.number == number))
    if version_id is None:
        newest = _chosen_version(connection, found.version_id).number
        raise NotFoundError(f"Template {template.name!r} has no version {number}: its newest is {newest}")
    return template, _chosen_version(connection, version_id)


def _looked_for(
    template_id: str | None, shortid: str | None, name: str | None
) -> tuple[str, InstrumentedAttribute[str], str]:
    if template_id is not None:
        return "_id", Template.id, template_id
    if shortid is not None:
        return "shortid", Template.shortid, shortid
    return "name", Template.name, name or ""


def _chosen_version(connection: Connection, version_id: str) -> ChosenVersion:
    known = _KNOWN_VERSIONS.get(version_id)
    if known is None:
        row = connection.execute(_VERSION, {"id": version_id}).one()
        known = ChosenVersion(**row._mapping)  # noqa: SLF001  # A row's public name for it.
        if len(known.sample_data or "") <= KNOWN_CHARACTERS:
            if len(_KNOWN_VERSIONS) >= MOST_KNOWN_VERSIONS:
                _KNOWN_VERSIONS.clear()
            _KNOWN_VERSIONS[version_id] = known
    return known


def find_by_any(session: Session, key: str) -> Template:
    """Return the template whose id, or else shortid, or else name this is.

    Raises:
        NotFoundError: There is none.
    """
    condition = or_(Template.id == key, Template.shortid == key, Template.name == key)
    found = session.scalars(select(Template).where(condition)).all() if storable(key) else []
    if not found:
        raise NotFoundError(f"There is no template whose id, shortid or name is {key!r}")
    return min(found, key=lambda one: (one.id != key, one.shortid != key))


def held(session: Session, template_id: str) -> Template:
    """Return a template that nobody else changes or removes until this transaction ends.

    Raises:
        NotFoundError: There is no such template.
    """
    template = None
    if storable(template_id):
        # Without its version: PostgreSQL finds nothing when a joined row became another while it waited for the lock.
        template = session.scalars(
            select(Template)
            .where(Template.id == template_id)
            .options(lazyload(Template.version))
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one_or_none()
    if template is None:
        raise NotFoundError(f"There is no template whose _id is {template_id!r}")
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


def newest(session: Session, name: str) -> Newest | None:
    """Return the newest version of the template of a name; None when there is none."""
    if not storable(name):
        return None
    found = session.execute(
        select(Template.version_id, TemplateVersion.number)
        .join(TemplateVersion, TemplateVersion.id == Template.version_id)
        .where(Template.name == name)
    ).one_or_none()
    return None if found is None else Newest(*found)


def text_of(session: Session, name: str, *, other_than: str | None) -> tuple[str, str] | None:
    """Return content and engine of the template of a name; None when there is none.

    Args:
        session: A transaction.
        name: The name.
        other_than: The id of a template that is passed over: it is about to give up its name, perhaps.
    """
    if not storable(name):
        return None
    found = session.execute(
        select(TemplateVersion.content, TemplateVersion.engine)
        .join(Template, Template.version_id == TemplateVersion.id)
        .where(Template.name == name, Template.id != (other_than or ""))
    ).one_or_none()
    return None if found is None else (found.content, found.engine)


def version(session: Session, version_id: str) -> TemplateVersion | None:
    """Return a version by its id; None when it is gone."""
    return session.get(TemplateVersion, version_id)


def versions(
    session: Session, template: Template, *, search: str, limit: int, offset: int
) -> tuple[int, Sequence[Any]]:
    """Return how many versions a template has under a name, and number, name, time and author of some, newest first.

    Args:
        session: A transaction.
        template: The template.
        search: What the name that it had contains, in whatever case.
        limit: How many at most.
        offset: How many come before.
    """
    chosen = (TemplateVersion.template_id == template.id, TemplateVersion.name.icontains(search, autoescape=True))
    count = session.scalar(select(func.count()).select_from(TemplateVersion).where(*chosen)) or 0
    found = session.execute(
        select(TemplateVersion.number, TemplateVersion.name, TemplateVersion.created_at, TemplateVersion.created_by)
        .where(*chosen)
        .order_by(TemplateVersion.number.desc())
        .limit(limit)
        .offset(offset)
    ).all()
    return count, found


def remove(session: Session, template_id: str) -> None:
    """Remove a template. Its versions stay for the renders that name them.

    Raises:
        NotFoundError: There is no such template.
        ConflictError: Schedules render it, and the text names them; or history records are of it.
    """
    # It asks for templates itself.
    from shared import previews  # noqa: PLC0415

    template = held(session, template_id)
    schedules = session.scalars(
        select(Schedule.name)
        .where(Schedule.template_shortid == template.shortid)
        .order_by(Schedule.name)
        .limit(MOST_SCHEDULES_NAMED + 1)
    ).all()
    if schedules:
        named = ", ".join(repr(name) for name in schedules[:MOST_SCHEDULES_NAMED])
        more = " and others" if len(schedules) > MOST_SCHEDULES_NAMED else ""
        raise ConflictError(
            f"Template {template.name!r} is rendered by the schedules {named}{more}: delete or change those first"
        )
    # Whoever is making one has a lock on the template by now, or waits for this one's.
    records = session.scalar(select(func.count()).where(HistoryRecord.template_id == template.id)) or 0
    if records:
        raise ConflictError(
            f"Template {template.name!r} has {records} history record{'s' if records > 1 else ''}: remove "
            f"{'them' if records > 1 else 'it'} first, each with DELETE /api/v1/report-history-record/{{id}}, "
            "or wait until they are purged"
        )
    previews.forget(session, template.id)
    session.delete(template)


def forget_unused_versions(session: Session, *, limit: int) -> int:
    """Remove versions of removed templates that no render names any more, and return how many.

    Args:
        session: A writing transaction.
        limit: How many at most.
    """
    unused = (
        select(TemplateVersion.id)
        .where(
            ~exists().where(Template.id == TemplateVersion.template_id),
            ~exists().where(Render.template_version_id == TemplateVersion.id),
            ~exists().where(
                or_(Batch.template_version_id == TemplateVersion.id, Batch.remake_version_id == TemplateVersion.id)
            ),
            # These say in their items which versions they are of.
            ~exists().where(Batch.kind == "requests", Batch.settled_at.is_(None)),
        )
        .limit(limit)
    )
    forget = delete(TemplateVersion).where(TemplateVersion.id.in_(unused))
    try:
        with session.begin_nested():
            return changed(session, forget)
    except IntegrityError:
        # A render that was accepted just before its template was removed; the next sweep sees it.
        return 0


def storable(value: str) -> bool:
    """Say whether a column may hold this: PostgreSQL takes a question with NUL or half a character for an error."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _version(template_id: str, number: int, fields: TemplateFields) -> TemplateVersion:
    return TemplateVersion(id=new_id(), template_id=template_id, number=number, **dataclasses.asdict(fields))


def _flush(session: Session, conflict: str, *, field: str | None = None) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise ConflictError(conflict, field=field) from error
