"""Accepting work: from what a caller asked to a row that the farm's promise rests on.

Whoever asks (an HTTP request, later a schedule or a batch) comes through `accept`. The message is published by the
caller after this returns, so that nothing is announced that is not yet committed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from shared import catalogue, placement, render_keys, renders, reports, templates
from shared.exceptions import InvalidRequestError, NotFoundError
from shared.identifiers import new_id
from shared.liveness import WORKING
from shared.queues import DEFAULT_QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.models import Template, TemplateVersion
    from shared.placement import Place
    from shared.renders import SubmittedRender
    from shared.reports import PromisedReport
    from shared.settings import Settings
    from shared.storage import Storage
    from shared.templates import ChosenTemplate, ChosenVersion

DEFAULT_REPORT_NAME = "report"
# Less is no limit but a refusal: starting takes about as long.
SHORTEST_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChoice:
    """Which template to render. Inline properties override the stored template's; content alone needs none.

    ``version`` pins one of a stored template's versions; without it, the newest is taken.
    """

    template_id: str | None = None
    shortid: str | None = None
    name: str | None = None
    version: int | None = None
    content: str | None = None
    engine: str | None = None
    recipe: str | None = None

    @property
    def names_a_stored_one(self) -> bool:
        """Whether a stored template is meant."""
        return any(value is not None for value in (self.template_id, self.shortid, self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWish:
    """How the result is to be kept as a report.

    Attributes:
        blob_name: The stored object's name, without extension; None: the report's id.
        public: Whether everybody may read it.
        keep: Whether no clean-up may remove it.
        expires_in: Seconds after which the clean-up may; None: as the farm's settings say.
        task_id: The schedule's task that makes it.
    """

    blob_name: str | None = None
    public: bool = False
    keep: bool = False
    expires_in: float | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a caller asks for.

    Attributes:
        trace_id: The trace it belongs to.
        template: What to render, and what is said of it beside a stored one.
        data: The document's data; None: the stored template's sample data.
        report_name: The document's name; None: the template's.
        timeout: Time limit, seconds; None: the template's, or else the farm's default.
        download: Whether it is for saving rather than for viewing; None: as the template says.
        report: How to keep the result as a report; None: not as one.
        folder: The storage folder of a result that something else than a report keeps; None: nothing does.
        followed: Whether rows that ``within`` writes wait for the render's end.
        queue: Where to wait.
        source: Where it came from: ``api``, ``studio``, ``schedule``, ``batch``, ``replay`` or ``preview``.
        created_by: Who sent it; None: somebody who needed no token, or the farm itself.
    """

    trace_id: str
    template: TemplateChoice
    data: Mapping[str, Any] | None = None
    report_name: str | None = None
    timeout: float | None = None
    download: bool | None = None
    report: ReportWish | None = None
    folder: str | None = None
    followed: bool = False
    queue: str = DEFAULT_QUEUE
    source: str = "api"
    created_by: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was committed.

    Attributes:
        render: The queued render.
        report: The promised report, if one was asked for.
        name: The document's name, without extension.
        download: Whether it is for saving rather than for viewing.
        template: The stored template, if it was one.
        version: The version of it that is rendered.
    """

    render: SubmittedRender
    report: PromisedReport | None
    name: str
    download: bool = False
    template: Template | ChosenTemplate | None = None
    version: TemplateVersion | ChosenVersion | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be rendered, and how, with what the template says of its renders.

    Attributes:
        template: The stored template, if it is one.
        version: The version of it.
        engine: The templating engine.
        recipe: The recipe.
        timeout: The time limit, seconds.
    """

    template: ChosenTemplate | None
    version: ChosenVersion | None
    engine: str
    recipe: str
    timeout: float


def choose(database: Database, choice: TemplateChoice, settings: Settings, states: Mapping[str, str]) -> Chosen:
    """Find what is to be rendered, for whoever submits many of it.

    Args:
        database: Where templates are.
        choice: Which.
        settings: The limits.
        states: What the living workers say of their recipes; empty when nobody is known to live.

    Raises:
        InvalidRequestError: It cannot be served.
        NotFoundError: The template, or the version of it, does not exist.
    """
    template, version = _found(database, choice)
    engine, recipe = _checked_engine_and_recipe(choice, version, settings, states)
    timeout = checked_timeout(stored_timeout(version.options if version else None), settings)
    return Chosen(template, version, engine, recipe, timeout)


def accept(
    database: Database,
    storage: Storage,
    settings: Settings,
    order: Order,
    *,
    recipe_states: Mapping[str, str],
    stored: tuple[Template, TemplateVersion] | None = None,
    within: Callable[[Session, Accepted], None] | None = None,
) -> Accepted:
    """Commit an order.

    Args:
        database: Where the row goes.
        storage: Where large data goes; while it is away, data stays in the row.
        settings: The limits.
        order: What is asked.
        recipe_states: What the living workers say of their recipes; empty when nobody is known to live.
        stored: The template and its version, where they are found already; then the order's template names none.
        within: Called in the same transaction, for what must be written with the order or not at all; what it raises
            takes everything back.

    Raises:
        InvalidRequestError: A field's value cannot be served.
        NotFoundError: The template, or the version of it, does not exist.
        ConflictError: The ``blobName`` is taken.
    """
    blob_name = order.report.blob_name if order.report else None
    if blob_name is not None:
        reports.checked_blob_name(blob_name)
    template, version = stored or _found(database, order.template)
    engine, recipe = _checked_engine_and_recipe(order.template, version, settings, recipe_states)
    # What the template says of its renders holds where this one says nothing.
    options = (version.options if version else None) or {}
    timeout = checked_timeout(stored_timeout(options) if order.timeout is None else order.timeout, settings)
    download = bool(options.get("download")) if order.download is None else order.download
    name = (
        order.report_name or options.get("reportName") or (template.name if template else None) or DEFAULT_REPORT_NAME
    )
    render_id, report_id = new_id(), new_id()
    data = _data_of(order, version)
    place = place_data(database, storage, settings, data, render_id=render_id, trace_id=order.trace_id)
    submission = renders.Submission(
        render_id=render_id,
        trace_id=order.trace_id,
        queue=order.queue,
        template_version_id=version.id if version else None,
        content=order.template.content,
        engine=engine,
        recipe=recipe,
        data=data if place.key is None else None,
        data_key=place.key,
        timeout=timeout,
        blob_stem=_blob_stem(order, render_id, blob_name or report_id),
        kept=order.report is not None or order.folder is not None,
        followed=order.followed,
        source=order.source,
        created_by=order.created_by,
    )

    def write(transaction: Session | Connection) -> Accepted:
        render = _submit(transaction, place, submission)
        report = None
        if order.report:
            report = reports.create(
                transaction,
                render,
                report_id=report_id,
                name=name,
                blob_name=blob_name or report_id,
                public=order.report.public,
                template_shortid=template.shortid if template else None,
                keep=order.report.keep,
                expires_in=order.report.expires_in,
                task_id=order.report.task_id,
            )
        return Accepted(render, report, name, download, template, version)

    with placement.unless_refused(database, storage, place):
        if within is None:
            with database.inserting() as connection:
                return write(connection)
        with database.writing() as session:
            accepted = write(session)
            within(session, accepted)
            return accepted


def place_data(
    database: Database, storage: Storage, settings: Settings, data: str, *, render_id: str, trace_id: str
) -> Place:
    """Store a render's data if it is too large for its row, and return where it is, as `placement.place` does."""
    return placement.place(
        database,
        storage,
        f"data/{render_id}.json",
        data.encode(),
        inline_bytes=settings.inline_data_bytes,
        metadata={"trace-id": trace_id, "render-id": render_id},
    )


def _submit(transaction: Session | Connection, place: Place, submission: renders.Submission) -> SubmittedRender:
    placement.keep(transaction, place)
    try:
        return renders.submit(transaction, submission)
    except IntegrityError as error:
        raise NotFoundError("The template was removed at this moment: there is nothing to render") from error


def _blob_stem(order: Order, render_id: str, blob_name: str) -> str:
    if order.report is not None:
        return reports.blob_stem(blob_name)
    return render_keys.transient_stem(render_id) if order.folder is None else f"{order.folder}/{render_id}"


def _found(database: Database, choice: TemplateChoice) -> tuple[ChosenTemplate, ChosenVersion] | tuple[None, None]:
    if choice.names_a_stored_one:
        with database.looking() as connection:
            return templates.choose(
                connection,
                template_id=choice.template_id,
                shortid=choice.shortid,
                name=choice.name,
                number=choice.version,
            )
    if choice.version is not None:
        raise InvalidRequestError(
            f"template.version is {choice.version}, of no stored template: it needs template._id, shortid or name",
            field="template.version",
        )
    if choice.content is None:
        raise InvalidRequestError(
            "template names nothing to render: expected content, or the _id, shortid or name of a stored template",
            field="template",
        )
    return None, None


def _checked_engine_and_recipe(
    choice: TemplateChoice,
    version: TemplateVersion | ChosenVersion | None,
    settings: Settings,
    states: Mapping[str, str],
) -> tuple[str, str]:
    engine = choice.engine or (version.engine if version else settings.default_engine)
    recipe = choice.recipe or (version.recipe if version else settings.default_recipe)
    check_engine(engine)
    check_recipe(recipe, states)
    return engine, recipe


def check_engine(engine: str) -> None:
    """Refuse an engine that is not installed.

    Raises:
        InvalidRequestError: The text names those that are.
    """
    if engine not in catalogue.names(catalogue.ENGINES):
        raise InvalidRequestError(
            f"template.engine is {engine!r}: expected one of {', '.join(catalogue.names(catalogue.ENGINES))}",
            field="template.engine",
        )


def check_recipe(recipe: str, states: Mapping[str, str]) -> None:
    """Refuse a recipe that is not installed, or that no living worker can make.

    Args:
        recipe: The recipe's name.
        states: What the living workers say of their recipes; empty when nobody is known to live.

    Raises:
        InvalidRequestError: The text names those that work.
    """
    known = catalogue.names(catalogue.RECIPES)
    if recipe not in known:
        raise InvalidRequestError(
            f"template.recipe is {recipe!r}: expected one of {', '.join(known)}", field="template.recipe"
        )
    reason = states.get(recipe, WORKING)
    if reason != WORKING:
        working = ", ".join(name for name, state in states.items() if state == WORKING)
        raise InvalidRequestError(
            f"template.recipe is {recipe!r}, which does not work on this farm: {reason}. These work: {working}",
            field="template.recipe",
        )


def stored_timeout(options: Mapping[str, Any] | None) -> float | None:
    """Return the time limit, seconds, of a template's ``options``; None when they have none."""
    timeout = (options or {}).get("timeout")
    return None if timeout is None else timeout / 1000


def checked_timeout(timeout: float | None, settings: Settings) -> float:
    """Return a time limit, seconds; the farm's default for None.

    Raises:
        InvalidRequestError: It is outside the farm's limits.
    """
    if timeout is None:
        return settings.render_timeout
    if not SHORTEST_SECONDS <= timeout <= settings.render_timeout_max:
        shortest, longest = round(SHORTEST_SECONDS * 1000), round(settings.render_timeout_max * 1000)
        raise InvalidRequestError(
            f"options.timeout is {timeout * 1000:.12g} ms: expected {shortest} to {longest}", field="options.timeout"
        )
    return timeout


def _data_of(order: Order, version: TemplateVersion | ChosenVersion | None) -> str:
    """Return the data as JSON text."""
    if order.data is None:
        return (version.sample_data if version else None) or "{}"
    # ASCII only: a lone surrogate stays an escape, which every database and store can keep.
    return json.dumps(order.data, separators=(",", ":"))
