"""Renders of ReportConfigs, as JasperWho? has them: checked against what the template asks for, recorded, printed.

`submit` is the one way in, for requests and replays alike. Record and print task are written in the transaction that
accepts the render, or not at all; what follows its end is `shared.aftermath`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from shared import (
    catalogue,
    history,
    parameter_values,
    placement,
    print_tasks,
    printers,
    render_answers,
    templates,
)
from shared.exceptions import NotFoundError, UnprocessableError
from shared.identifiers import new_id
from shared.models import HistoryRecord
from shared.placement import Place
from shared.queues import DEFAULT_QUEUE
from shared.submissions import Order, TemplateChoice, accept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.history import Promise
    from shared.models import Printer, PrintTask, Template, TemplateVersion
    from shared.render_values import SubmittedRender
    from shared.settings import Settings
    from shared.storage import Storage
    from shared.submissions import Accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintWish:
    """Where a document is to be printed.

    Attributes:
        printer_name: The printer's name.
        number_of_copies: How many the printer makes of it.
        options: As in ``options`` of the wire; None: as the printer likes.
    """

    printer_name: str
    number_of_copies: int = 1
    options: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRender:
    """What a caller asks for.

    Attributes:
        trace_id: The trace it belongs to.
        key: The template's id, shortid or name.
        output_type: ``base64``, ``url`` or ``none``.
        payload: The request's body as it came, to the byte.
        report_url: Returns where the document will be, of the render's id and the record's, if there is one.
        version: One of the template's versions; None: the newest.
        parameters: What the template asked for.
        data: The document's data: names, or rows; None: none, and not the template's sample data either.
        create_history_record: Whether request and answer are recorded. What is printed is, in any case.
        printing: Where it is to be printed; None: nowhere.
        queue: Where to wait.
        source: Where it came from, as of `Order`.
        created_by: Who sent it.
        replay_of: The record whose request this is once more.
    """

    trace_id: str
    key: str
    output_type: str
    payload: bytes
    report_url: Callable[[str, str | None], str]
    version: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    data: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None
    create_history_record: bool = False
    printing: PrintWish | None = None
    queue: str = DEFAULT_QUEUE
    source: str = "api"
    created_by: str | None = None
    replay_of: str | None = None

    @property
    def recorded(self) -> bool:
        """Whether there will be a history record."""
        return self.create_history_record or self.printing is not None


@dataclass(frozen=True, slots=True)
class ConfigAccepted:
    """What was committed.

    Attributes:
        render: The queued render.
        promise: What its caller is promised.
        record: The history record, if there is one.
        print_task: The print task, which is held until the render ends; if there is one.
    """

    render: SubmittedRender
    promise: Promise
    record: HistoryRecord | None
    print_task: PrintTask | None


def submit(
    database: Database,
    storage: Storage,
    settings: Settings,
    wish: ConfigRender,
    *,
    recipe_states: Mapping[str, str],
) -> ConfigAccepted:
    """Commit a wish: the render, its record and its print task, or nothing. The caller announces the render.

    Args:
        database: Where the rows go.
        storage: Where large data and payloads go; while it is away, they stay in their rows.
        settings: The limits.
        wish: What is asked.
        recipe_states: What the living workers say of their recipes; empty when nobody is known to live.

    Raises:
        NotFoundError: The template, or the version of it, does not exist.
        UnprocessableError: Parameters, recipe or printer do not allow it; everything that is wrong is listed.
        InvalidRequestError: The template cannot be served by this farm as it is.
        ConflictError: The printer is removed at this moment.
    """
    with database.reading() as session:
        template, version = _found(session, wish)
        problems = list(_problems(session, wish, version))
    if problems:
        raise UnprocessableError(problems)
    record_id = new_id() if wish.recorded else None
    payload = Place() if record_id is None else _place_payload(database, storage, settings, wish, record_id)
    made: list[ConfigAccepted] = []

    def write(session: Session, accepted: Accepted) -> None:
        placement.keep(session, payload)
        made.append(_write(session, wish, accepted, record_id, payload.key))

    with placement.unless_refused(database, storage, payload):
        accept(
            database,
            storage,
            settings,
            Order(
                trace_id=wish.trace_id,
                template=TemplateChoice(),
                data=parameter_values.merged(wish.parameters, wish.data, version.parameters),
                folder=history.FOLDER.rstrip("/") if wish.recorded else None,
                followed=wish.recorded,
                queue=wish.queue,
                source=wish.source,
                created_by=wish.created_by,
            ),
            recipe_states=recipe_states,
            # The version that was checked, whatever is saved meanwhile.
            stored=(template, version),
            within=write,
        )
    return made[0]


def create_record(
    session: Session, accepted: Accepted, wish: ConfigRender, *, record_id: str, payload_key: str | None
) -> HistoryRecord:
    """Write the record of a render that is being accepted.

    Args:
        session: The transaction that accepts it.
        accepted: The render of a stored template.
        wish: What was asked.
        record_id: A new UUIDv7.
        payload_key: Where the payload is in storage; None: it goes into the row.

    Raises:
        NotFoundError: The template was removed at this moment.
    """
    render, template, version = accepted.render, accepted.template, accepted.version
    if template is None or version is None:
        raise ValueError("a history record is of a stored template")
    record = HistoryRecord(
        id=record_id,
        trace_id=wish.trace_id,
        render_id=render.id,
        template_id=template.id,
        template_shortid=template.shortid,
        template_name=template.name,
        template_version=version.number,
        output_type=wish.output_type,
        payload=wish.payload if payload_key is None else None,
        payload_key=payload_key,
        file_name=f"{record_id}.pdf",
        report_url=wish.report_url(render.id, record_id) if wish.output_type == "url" else None,
        source=wish.source,
        created_by=wish.created_by,
        replay_of=wish.replay_of,
        # Not the moment of this statement: what was asked for first comes first, in whichever list.
        created_at=render.submitted_at,
        modified_at=render.submitted_at,
    )
    session.add(record)
    try:
        session.flush()
    except IntegrityError as error:
        raise NotFoundError(
            f"Template {template.name!r} was removed at this moment: there is nothing to render"
        ) from error
    return record


def _found(session: Session, wish: ConfigRender) -> tuple[Template, TemplateVersion]:
    template = templates.find_by_any(session, wish.key)
    if wish.version is None:
        return template, template.version
    return template, templates.find_version(session, template, wish.version)


def _problems(session: Session, wish: ConfigRender, version: TemplateVersion) -> Iterator[tuple[str, str]]:
    if not catalogue.makes_pdf(version.recipe):
        able = ", ".join(name for name in catalogue.names(catalogue.RECIPES) if catalogue.makes_pdf(name))
        text = f"The template's recipe is {version.recipe!r}, which makes no PDF: expected one of {able}"
        yield "recipe", f"{text}. To have what it makes, use POST /api/report"
    yield from parameter_values.problems(wish.parameters, version.parameters)
    if wish.printing is not None:
        try:
            _printer(session, wish.printing)
        except UnprocessableError as error:
            yield from error.problems


def _write(
    session: Session,
    wish: ConfigRender,
    accepted: Accepted,
    record_id: str | None,
    payload_key: str | None,
) -> ConfigAccepted:
    """Write what is to be kept of a render, with the render."""
    render = accepted.render
    if record_id is None:
        promise = render_answers.unrecorded(render.id, output_type=wish.output_type, report_url=wish.report_url)
        return ConfigAccepted(render, promise, None, None)
    record = create_record(session, accepted, wish, record_id=record_id, payload_key=payload_key)
    task = None
    if wish.printing is not None:
        task = print_tasks.create(
            session,
            task_id=new_id(),
            # Asked again: from here on nobody removes it.
            printer=_printer(session, wish.printing),
            file_name=record.file_name,
            number_of_copies=wish.printing.number_of_copies,
            options=wish.printing.options,
            trace_id=wish.trace_id,
            record=record,
            held=True,
            source=wish.source,
            created_by=wish.created_by,
        )
    return ConfigAccepted(render, history.promise_of(record, print_task_id=task.id if task else None), record, task)


def _printer(session: Session, printing: PrintWish) -> Printer:
    return printers.wished(
        session,
        printer_name=printing.printer_name,
        number_of_copies=printing.number_of_copies,
        options=printing.options,
    )


def _place_payload(
    database: Database, storage: Storage, settings: Settings, wish: ConfigRender, record_id: str
) -> Place:
    return placement.place(
        database,
        storage,
        f"{history.PAYLOADS}{record_id}.json",
        wish.payload,
        inline_bytes=settings.inline_data_bytes,
        metadata={"trace-id": wish.trace_id, "record-id": record_id},
    )
