"""The five sets that OData shows, with every property that their entities have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.odata.properties import Property, Type
from shared import spelling
from shared.exceptions import NotFoundError
from shared.models import Asset, Render, Report, Schedule, Task, Template, TemplateVersion
from shared.reports import PRESENTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import InstrumentedAttribute
    from sqlalchemy.sql.elements import ColumnElement

    from shared.models import Base


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySet:
    """One set.

    Attributes:
        name: Its name, as in ``/odata/reports``.
        entity: The name of its entities' type.
        main: The table with a row for each entity.
        properties: What its entities have, by wire name.
        order: The property that a list is ordered by when the client does not care.
        joined: The table with the rest of what is known of an entity; always one row for each.
        on: How they are joined.
        joined_key: The key of ``joined``, if its indexes have orders that lists are asked for in.
        shown: What ``main`` has to say for an entity to exist; None: nothing.
    """

    name: str
    entity: str
    main: type[Base]
    properties: Mapping[str, Property]
    order: str
    joined: type[Base] | None = None
    on: ColumnElement[bool] | None = None
    joined_key: InstrumentedAttribute[Any] | None = None
    shown: ColumnElement[bool] | None = None

    @property
    def key(self) -> Property:
        """The property that names an entity."""
        return self.properties["_id"]

    def joins(self, one: Property) -> bool:
        """Say whether a property lies in the joined table."""
        return self.joined is not None and one.column.class_ is self.joined


def named(name: str) -> EntitySet:
    """Return the set of a name.

    Raises:
        NotFoundError: There is none; the text names those that there are.
    """
    found = SETS.get(name)
    if found is None:
        hint = spelling.hint(name, SETS, f"there are {', '.join(SETS)}")
        raise NotFoundError(f"There is no set {name!r}: {hint}")
    return found


def _properties(*properties: Property) -> dict[str, Property]:
    return {one.name: one for one in properties}


def _text(
    name: str,
    column: InstrumentedAttribute[Any],
    *,
    nullable: bool = False,
    indexed: bool = False,
    narrow: bool = False,
    long: bool = False,
) -> Property:
    kind = Type.STRING
    return Property(name=name, type=kind, column=column, nullable=nullable, indexed=indexed, narrow=narrow, long=long)


def _flag(name: str, column: InstrumentedAttribute[Any], *, indexed: bool = False) -> Property:
    return Property(name=name, type=Type.BOOLEAN, column=column, indexed=indexed)


def _count(
    name: str, column: InstrumentedAttribute[Any], *, nullable: bool = False, big: bool = False, indexed: bool = False
) -> Property:
    kind = Type.INT64 if big else Type.INT32
    return Property(name=name, type=kind, column=column, nullable=nullable, indexed=indexed)


def _date(name: str, column: InstrumentedAttribute[Any], *, nullable: bool = False, indexed: bool = False) -> Property:
    return Property(name=name, type=Type.DATE, column=column, nullable=nullable, indexed=indexed)


def _object(name: str, column: InstrumentedAttribute[Any]) -> Property:
    return Property(name=name, type=Type.OBJECT, column=column, nullable=True)


def _objects(name: str, column: InstrumentedAttribute[Any]) -> Property:
    return Property(name=name, type=Type.OBJECTS, column=column, nullable=True)


REPORTS = EntitySet(
    name="reports",
    entity="Report",
    main=Report,
    joined=Render,
    on=Render.id == Report.render_id,
    joined_key=Render.id,
    # One that is marked as removed is the sweep's, and nobody else's.
    shown=Report.removed_at.is_(None),
    order="creationDate",
    properties=_properties(
        _text("_id", Report.id, narrow=True),
        _text("shortid", Report.shortid, narrow=True),
        _text("name", Report.name, indexed=True),
        _text("reportName", Report.name, indexed=True),
        Property(
            name="state",
            type=Type.STRING,
            column=Render.state,
            indexed=True,
            presented={str(stored): shown for stored, shown in PRESENTED.items()},
        ),
        _text("error", Render.error, nullable=True, long=True),
        _text("recipe", Render.recipe, indexed=True),
        _text("contentType", Render.media_type, nullable=True),
        _text("fileExtension", Render.extension, nullable=True),
        _text("templateShortid", Report.template_shortid, nullable=True, indexed=True, narrow=True),
        _text("blobName", Report.blob_name, narrow=True),
        _flag("public", Report.public),
        _flag("keep", Report.keep),
        _text("taskId", Report.task_id, nullable=True, indexed=True, narrow=True),
        _text("traceId", Render.trace_id, indexed=True, narrow=True),
        _count("attempts", Render.attempt),
        _count("pages", Render.pages, nullable=True),
        _count("size", Render.size, nullable=True, big=True, indexed=True),
        _text("sha256", Render.sha256, nullable=True),
        Property(
            name="creationDate", type=Type.DATE, column=Report.created_at, indexed=True, written_as=Render.submitted_at
        ),
        _date("modificationDate", Report.modified_at),
        _date("startedDate", Render.started_at, nullable=True),
        _date("finishedDate", Render.finished_at, nullable=True, indexed=True),
        _date("expirationDate", Report.expires_at, nullable=True),
    ),
)
TEMPLATES = EntitySet(
    name="templates",
    entity="Template",
    main=Template,
    joined=TemplateVersion,
    on=TemplateVersion.id == Template.version_id,
    order="name",
    properties=_properties(
        _text("_id", Template.id),
        _text("shortid", Template.shortid),
        _text("name", Template.name),
        _text("content", TemplateVersion.content, long=True),
        _text("engine", TemplateVersion.engine),
        _text("recipe", TemplateVersion.recipe),
        _object("sampleData", TemplateVersion.sample_data),
        _object("options", TemplateVersion.options),
        _objects("parameters", TemplateVersion.parameters),
        _objects("fields", TemplateVersion.fields),
        _text("context", TemplateVersion.context, nullable=True),
        _text("contextColour", TemplateVersion.context_colour, nullable=True),
        _count("version", TemplateVersion.number),
        _date("creationDate", Template.created_at),
        _date("modificationDate", Template.modified_at),
    ),
)
ASSETS = EntitySet(
    name="assets",
    entity="Asset",
    main=Asset,
    order="name",
    properties=_properties(
        _text("_id", Asset.id),
        _text("shortid", Asset.shortid),
        _text("name", Asset.name),
        _text("mediaType", Asset.media_type),
        _count("size", Asset.size, big=True),
        _text("sha256", Asset.sha256),
        _date("creationDate", Asset.created_at),
        _date("modificationDate", Asset.modified_at),
    ),
)
SCHEDULES = EntitySet(
    name="schedules",
    entity="Schedule",
    main=Schedule,
    order="name",
    properties=_properties(
        _text("_id", Schedule.id),
        _text("shortid", Schedule.shortid),
        _text("name", Schedule.name),
        _text("cron", Schedule.cron),
        _text("timezone", Schedule.timezone),
        _text("templateShortid", Schedule.template_shortid),
        _object("data", Schedule.data),
        _flag("enabled", Schedule.enabled),
        _flag("allowOverlap", Schedule.allow_overlap),
        _count("maxRetries", Schedule.max_retries),
        Property(name="retryDelay", type=Type.DOUBLE, column=Schedule.retry_delay),
        _date("nextRun", Schedule.next_run_at, nullable=True),
        _date("lastRun", Schedule.last_run_at, nullable=True),
        _text("lastState", Schedule.last_state, nullable=True),
        _date("creationDate", Schedule.created_at),
        _date("modificationDate", Schedule.modified_at),
    ),
)
TASKS = EntitySet(
    name="tasks",
    entity="Task",
    main=Task,
    order="creationDate",
    properties=_properties(
        _text("_id", Task.id),
        _text("scheduleShortid", Task.schedule_shortid),
        _text("scheduleId", Task.schedule_id),
        _text("state", Task.state),
        _text("error", Task.error, nullable=True, long=True),
        _count("attempt", Task.attempt),
        _text("renderId", Task.render_id, nullable=True),
        _date("dueDate", Task.due_at),
        _text("traceId", Task.trace_id),
        _date("creationDate", Task.created_at, indexed=True),
        _date("finishDate", Task.finished_at, nullable=True),
    ),
)
SETS = {one.name: one for one in (REPORTS, TEMPLATES, ASSETS, SCHEDULES, TASKS)}
