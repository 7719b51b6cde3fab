"""What a print task is made of besides a render: a document that is there already, or any PDF that somebody brings."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import defer

from shared import placement, print_tasks, printers, reports
from shared.exceptions import ConflictError, NotFoundError, UnprocessableError
from shared.identifiers import derived_trace_id, new_id
from shared.models import HistoryRecord
from shared.renders import State
from shared.templates import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.models import Printer, PrintTask
    from shared.placement import Place
    from shared.storage import Storage

FOLDER = "prints/"
PDF = "application/pdf"
TEST_PAGE = "pressroom-test-page.pdf"
# Where readers look for it: some writers put something before it.
SIGNATURE, SIGNATURE_WITHIN = b"%PDF-", 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of a printer.

    Attributes:
        printer_name: The printer's name; None: the default printer.
        number_of_copies: How many the printer makes.
        options: The print task's options.
        created_by: Who asks.
        source: Where it comes from, as a render's.
    """

    printer_name: str | None
    number_of_copies: int
    options: Mapping[str, Any]
    created_by: str | None
    source: str = "api"


@dataclass(frozen=True, slots=True)
class Document:
    """Where a print task's document is.

    Attributes:
        key: Its storage key.
        size: Its bytes.
        tag: Changes when, and only when, the document does.
    """

    key: str
    size: int
    tag: str


def reprint(session: Session, record_id: str, wish: Wish) -> PrintTask:
    """Print a record's document once more, as it is stored. The task gets a trace id derived from the record's.

    Raises:
        NotFoundError: There is no such record.
        ConflictError: It has no document, or is being removed at this moment.
        UnprocessableError: There is no such printer, or it cannot do what is asked.
    """
    record = None
    if storable(record_id):
        record = session.get(HistoryRecord, record_id, options=(defer(HistoryRecord.payload),))
    if record is None:
        raise NotFoundError(f"There is no history record whose id is {record_id!r}")
    if record.blob_key is None:
        raise ConflictError(
            "The history record has no PDF yet: its render has not ended; try again when it has"
            if record.response is None
            else f"The history record has no PDF: its status is {record.status}, so there is nothing to print"
        )
    trace_id = derived_trace_id(record.trace_id)
    return _create(session, wish, task_id=new_id(), file_name=record.file_name, trace_id=trace_id, record=record)


def print_again(database: Database, storage: Storage, task_id: str, wish: Wish) -> PrintTask:
    """Print a task's document once more, as it is stored. The new task gets a trace id derived from the document's.

    Args:
        database: Where the tasks' rows are.
        storage: Where the document is; it is copied there, unless it belongs to a record.
        task_id: Whose document.
        wish: What is asked of which printer.

    Raises:
        NotFoundError: There is no such task, or it was removed meanwhile.
        ConflictError: It has no document, or not yet.
        UnprocessableError: There is no such printer, or it cannot do what is asked.
        StorageError: The document could not be copied; nothing was made.
    """
    with database.writing() as session:
        task = print_tasks.find(session, task_id)
        document = document_of(session, task)
        if document is None:
            raise without_document(task)
        if task.blob_key is None and task.history_record_id is not None:
            return reprint(session, task.history_record_id, wish)
        # Before anything is stored.
        _printer(session, wish)
    new_task_id = new_id()
    try:
        place = placement.copy(database, storage, document.key, f"{FOLDER}{new_task_id}.pdf")
    except FileNotFoundError as error:
        raise NotFoundError(f"{task.file_name} is no longer in storage") from error
    return _print_placed(
        database,
        storage,
        place,
        wish,
        task_id=new_task_id,
        file_name=task.file_name,
        trace_id=derived_trace_id(task.trace_id),
        size=document.size,
    )


def print_file(
    database: Database,
    storage: Storage,
    *,
    content: bytes,
    file_name: str,
    trace_id: str,
    wish: Wish,
) -> PrintTask:
    """Print a PDF that somebody brings.

    Args:
        database: Where the task's row goes.
        storage: Where the PDF goes.
        content: The PDF.
        file_name: Its name, with extension.
        trace_id: The trace that the task belongs to.
        wish: What is asked of which printer.

    Raises:
        UnprocessableError: It is not a PDF, there is no such printer, or it cannot do what is asked; all is listed.
        StorageError: The PDF could not be stored; nothing was made.
    """
    # Before anything is stored, and all at once.
    problems: list[tuple[str, str]] = []
    if SIGNATURE not in content[:SIGNATURE_WITHIN]:
        problems.append(("fileBase64", f"fileBase64 is not a PDF: it has {len(content)} bytes and no '%PDF-' in front"))
    try:
        with database.reading() as session:
            _printer(session, wish)
    except UnprocessableError as error:
        problems += error.problems
    if problems:
        raise UnprocessableError(problems)
    return print_content(database, storage, content=content, file_name=file_name, trace_id=trace_id, wish=wish)


def print_test_page(database: Database, storage: Storage, *, trace_id: str, wish: Wish) -> PrintTask:
    """Print the page that shows what a printer makes of a document.

    It comes with the farm: whoever wants to know whether a printer works must not have to wait for a render.

    Args:
        database: Where the task's row goes.
        storage: Where the page goes.
        trace_id: The trace that the task belongs to.
        wish: What is asked of which printer.

    Raises:
        UnprocessableError: There is no such printer, or it cannot do what is asked; all is listed.
        StorageError: The page could not be stored; nothing was made.
    """
    content = importlib.resources.files("shared").joinpath("test_page", "page.pdf").read_bytes()
    return print_file(database, storage, content=content, file_name=TEST_PAGE, trace_id=trace_id, wish=wish)


def print_report(
    database: Database, storage: Storage, report_id: str, wish: Wish, *, file_name: str | None = None
) -> PrintTask:
    """Print a stored report's PDF, of which the task gets a copy: the report may go.

    The task gets a trace id derived from the report's.

    Args:
        database: Where the task's row goes.
        storage: Where the PDF is; it is copied there, and comes through no memory of ours.
        report_id: The report.
        wish: What is asked of which printer.
        file_name: The PDF's name, with extension; None: the report's.

    Raises:
        NotFoundError: There is no such report, or its PDF is no longer in storage.
        ConflictError: It has no document yet, or none that is a PDF.
        UnprocessableError: There is no such printer, or it cannot do what is asked.
        StorageError: The PDF could not be copied; nothing was made.
    """
    with database.reading() as session:
        report = reports.find(session, report_id)
        render = report.render
        if render.state != State.SUCCEEDED or render.media_type != PDF or render.blob_key is None:
            is_made = render.state == State.SUCCEEDED
            said = f"it is {render.media_type}" if is_made else f"its state is {reports.PRESENTED[State(render.state)]}"
            raise ConflictError(f"Report {report.id} has no PDF ({said}), so there is nothing to print")
        _printer(session, wish)
    task_id = new_id()
    try:
        place = placement.copy(database, storage, render.blob_key, f"{FOLDER}{task_id}.pdf")
    except FileNotFoundError as error:
        raise NotFoundError(f"The PDF of report {report.id} is no longer in storage") from error
    trace_id = derived_trace_id(render.trace_id)
    return _print_placed(
        database,
        storage,
        place,
        wish,
        task_id=task_id,
        file_name=file_name or f"{report.name}.{render.extension}",
        trace_id=trace_id,
        size=render.size,
    )


def print_content(
    database: Database,
    storage: Storage,
    *,
    content: bytes,
    file_name: str,
    trace_id: str,
    wish: Wish,
    sha256: str | None = None,
    of_batch: tuple[str, int] | None = None,
    within: Callable[[Session], None] | None = None,
) -> PrintTask:
    """Print a PDF of which the task gets a copy of its own.

    Args:
        database: Where the task's row goes.
        storage: Where the PDF goes.
        content: The PDF.
        file_name: Its name, with extension.
        trace_id: The trace that the task belongs to.
        wish: What is asked of which printer.
        sha256: The PDF's hash, where it is known.
        of_batch: The batch whose document it is, and its place in that.
        within: Called first in the same transaction; what it raises takes everything back.

    Raises:
        UnprocessableError: There is no such printer, or it cannot do what is asked.
        StorageError: The PDF could not be stored; nothing was made.
    """
    task_id = new_id()
    key = f"{FOLDER}{task_id}.pdf"
    metadata = {"trace-id": trace_id, "print-task-id": task_id}
    place = placement.store(database, storage, key, content, media_type=PDF, metadata=metadata, sha256=sha256)
    return _print_placed(
        database,
        storage,
        place,
        wish,
        within=within,
        task_id=task_id,
        file_name=file_name,
        trace_id=trace_id,
        size=len(content),
        of_batch=of_batch,
    )


def document_of(session: Session, task: PrintTask) -> Document | None:
    """Return where a task's document is; None when its render has not ended, or failed."""
    if task.blob_key is not None:
        return Document(task.blob_key, task.size or 0, task.id)
    if task.history_record_id is None:
        return None
    light = (defer(HistoryRecord.payload), defer(HistoryRecord.response))
    record = session.get(HistoryRecord, task.history_record_id, options=light)
    if record is None or record.blob_key is None:
        return None
    return Document(record.blob_key, record.size or 0, record.sha256 or "")


def without_document(task: PrintTask) -> ConflictError:
    """Return what is said of a task that `document_of` has nothing for."""
    return ConflictError(
        "The print task has no document: " + ("it is being rendered" if task.held else "its render failed")
    )


def _print_placed(
    database: Database,
    storage: Storage,
    place: Place,
    wish: Wish,
    *,
    within: Callable[[Session], None] | None = None,
    **document: Any,
) -> PrintTask:
    """Make the task of a PDF that lies in storage for it alone."""
    with placement.unless_refused(database, storage, place), database.writing() as session:
        if within is not None:
            within(session)
        placement.keep(session, place)
        return _create(session, wish, record=None, blob_key=place.key, **document)


def _create(session: Session, wish: Wish, **document: Any) -> PrintTask:
    """Make the task of a document that is there; ``document`` says which, as `print_tasks.create` takes it."""
    return print_tasks.create(
        session,
        printer=_printer(session, wish),
        number_of_copies=wish.number_of_copies,
        options=wish.options,
        held=False,
        source=wish.source,
        created_by=wish.created_by,
        **document,
    )


def _printer(session: Session, wish: Wish) -> Printer:
    return printers.wished(
        session, printer_name=wish.printer_name, number_of_copies=wish.number_of_copies, options=wish.options
    )
