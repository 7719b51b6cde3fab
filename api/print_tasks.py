"""Print tasks and reprints over HTTP, and what agents, which print for the farm, ask and say."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from api import documents, gateway, links
from api.access import caller, source
from api.bodies import read_body
from api.documents import StoredFile
from api.envelope import success
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import print_tasks as operations
from api.paging import read_query
from api.print_bodies import (
    ClaimBody,
    NewPrintTaskBody,
    OnePrintTaskQuery,
    PrintBody,
    PrintTaskQuery,
    ResultBody,
)
from shared import print_agents, print_orders, print_task_lists, print_tasks
from shared.errands import Errand, Kind
from shared.exceptions import InvalidRequestError, NotFoundError
from shared.print_orders import Wish
from shared.print_tasks import Status
from shared.storage import is_digest
from shared.tracing import logger

if TYPE_CHECKING:
    import datetime as dt

    from shared.models import PrintTask

TASKS = "/api/v1/report-print-task"
NAMELESS = "document.pdf"

log = logger(__name__)
blueprint = Blueprint("print_tasks", __name__)


@blueprint.get(TASKS)
@described(operations.LISTING, query=PrintTaskQuery)
def listing() -> Response:
    """List print tasks."""
    query = read_query(PrintTaskQuery)
    with gateway.current().database.reading() as session:
        found, total = print_task_lists.listed(
            session,
            offset=query.offset,
            limit=query.page_size,
            search=query.search,
            status=query.status,
            printer_name=query.printer_name,
            record_id=query.record_id,
            trace_id=query.trace_id,
            created_from=query.created_from,
            created_to=query.created_to,
            descending=query.sort.startswith("-"),
        )
    return success([shown(one) for one in found], page=query.page, pageSize=query.page_size, total=total)


@blueprint.post(TASKS)
@described(operations.CREATE, body=NewPrintTaskBody)
def create() -> Response:
    """Print a PDF that the request brings, or that of a stored report."""
    body = read_body(NewPrintTaskBody)
    farm = gateway.current()
    if body.file is not None and body.report is None:
        task = print_orders.print_file(
            farm.database,
            farm.storage,
            content=body.file,
            file_name=body.file_name or NAMELESS,
            trace_id=g.trace_id,
            wish=_wish(body),
        )
    elif body.report is not None and body.file is None:
        task = print_orders.print_report(
            farm.database, farm.storage, body.report, _wish(body), file_name=body.file_name
        )
    else:
        said = "neither fileBase64 nor report" if body.file is None else "both fileBase64 and report"
        raise InvalidRequestError(f"The body has {said}: expected one of the two", field="fileBase64")
    return made(task)


@blueprint.post("/api/v1/report-history-record/<record_id>/print")
@described(operations.REPRINT, body=PrintBody)
def reprint(record_id: str) -> Response:
    """Print a record's document once more."""
    body = read_body(PrintBody)
    farm = gateway.current()
    with farm.database.writing() as session:
        task = print_orders.reprint(session, record_id, _wish(body))
    return made(task)


@blueprint.get(f"{TASKS}/<print_task_id>")
@described(operations.READ, query=OnePrintTaskQuery)
def read(print_task_id: str) -> Response:
    """Return one print task, with its document if that is asked for."""
    query = read_query(OnePrintTaskQuery)
    task, document = _find(print_task_id)
    answer = shown(task)
    if query.include == "file":
        answer["fileBase64"] = None
        if document is not None:
            try:
                sha256 = document.tag if is_digest(document.tag) else None
                content = gateway.current().storage.get(document.key, sha256=sha256, size=document.size)
            except FileNotFoundError as error:
                raise NotFoundError(f"{task.file_name} is no longer in storage") from error
            answer["fileBase64"] = base64.b64encode(content).decode()
    return success(answer)


@blueprint.get(f"{TASKS}/<print_task_id>/file")
@described(operations.FILE)
def file(print_task_id: str) -> Response:
    """Return a print task's document, or a part of it."""
    task, document = _find(print_task_id)
    if document is None:
        raise print_orders.without_document(task)
    stored = StoredFile(
        key=document.key,
        media_type=print_orders.PDF,
        size=document.size,
        sha256=document.tag,
        filename=task.file_name,
    )
    return documents.send(gateway.current().storage, stored, attachment=False)


@blueprint.post(f"{TASKS}/<print_task_id>/print")
@described(operations.PRINT_AGAIN, body=PrintBody)
def print_again(print_task_id: str) -> Response:
    """Print a print task's document once more."""
    body = read_body(PrintBody)
    farm = gateway.current()
    return made(print_orders.print_again(farm.database, farm.storage, print_task_id, _wish(body)))


@blueprint.post(f"{TASKS}/<print_task_id>/cancel")
@described(operations.CANCEL)
def cancel(print_task_id: str) -> Response:
    """Cancel a print task, at once or as soon as whoever prints it can."""
    with gateway.current().database.writing() as session:
        task = print_tasks.cancel(session, print_task_id)
    _say("print task cancelled" if task.status == Status.CANCELLED else "print task to be cancelled", task)
    _ring(task)
    return success(shown(task))


@blueprint.delete(f"{TASKS}/<print_task_id>")
@described(operations.REMOVE)
def remove(print_task_id: str) -> Response:
    """Remove a print task that has ended."""
    with gateway.current().database.writing() as session:
        task = print_tasks.remove(session, print_task_id)
    _say("print task removed", task)
    return success({"id": task.id})


@blueprint.post(f"{TASKS}/<print_task_id>/claim")
@described(operations.CLAIM, body=ClaimBody)
def claim(print_task_id: str) -> Response:
    """Give a print task to an agent, or let it keep the one that it has."""
    body = read_body(ClaimBody)
    farm = gateway.current()
    seconds = farm.settings.print_lease
    with farm.database.writing() as session:
        if body.lease is None:
            task = print_agents.claim(session, print_task_id, agent=body.agent, seconds=seconds)
        else:
            task = print_agents.renew(
                session,
                print_task_id,
                agent=body.agent,
                lease=body.lease,
                seconds=seconds,
                job=body.job,
                printing=body.status is not None,
            )
    if body.lease is None:
        _say("print task claimed", task, agent=body.agent)
    return success({**shown(task), "lease": print_agents.lease_of(task), "leaseUntil": _moment(task.lease_until)})


@blueprint.post(f"{TASKS}/<print_task_id>/result")
@described(operations.RESULT, body=ResultBody)
def result(print_task_id: str) -> Response:
    """End a print task as its agent says."""
    body = read_body(ResultBody)
    with gateway.current().database.writing() as session:
        task = print_agents.report(
            session,
            print_task_id,
            lease=body.lease,
            status=Status(body.status),
            error=body.error,
            job=body.job,
        )
    _say("print task ended", task, agent=task.claimed_by, error=task.error)
    return success(shown(task))


def shown(task: PrintTask) -> dict[str, Any]:
    """Return a print task as the API shows it."""
    template = None if task.template_id is None else {"id": task.template_id, "name": task.template_name}
    return {
        "id": task.id,
        "traceId": task.trace_id,
        "reportConfig": template,
        "reportHistoryRecord": task.history_record_id,
        "fileName": task.file_name,
        "printerName": task.printer_name,
        "numberOfCopies": task.number_of_copies,
        "options": task.options or {},
        "status": task.status,
        "held": task.held,
        "cancelRequested": task.cancel_requested,
        "jobId": task.job_id,
        "jobState": task.job_state,
        "jobStateReasons": task.job_state_reasons,
        "error": task.error,
        "attempts": task.attempt,
        "source": task.source,
        "createdBy": task.created_by,
        "creationDate": moment(task.created_at),
        "modificationDate": moment(task.modified_at),
        "sentDate": _moment(task.sent_at),
        "finishDate": _moment(task.finished_at),
    }


def made(task: PrintTask) -> Response:
    """Begin with a print task that was just made, and answer with it."""
    _say("print task made", task, printer=task.printer_name, copies=task.number_of_copies)
    _ring(task)
    answer = success(shown(task), status=201)
    answer.headers["Location"] = links.absolute("print_tasks.read", print_task_id=task.id)
    return answer


def _find(print_task_id: str) -> tuple[PrintTask, print_orders.Document | None]:
    with gateway.current().database.reading() as session:
        task = print_tasks.find(session, print_task_id)
        return task, print_orders.document_of(session, task)


def _wish(body: PrintBody) -> Wish:
    return Wish(
        printer_name=body.printer_name,
        number_of_copies=body.number_of_copies,
        options=body.options.given,
        created_by=caller(),
        source=source(),
    )


def _ring(task: PrintTask) -> None:
    # Of an agent's task nothing is ever due.
    if task.due_at is not None:
        gateway.current().ring(Errand(Kind.PRINT, task.id, task.trace_id))


def _say(event: str, task: PrintTask, **details: object) -> None:
    # By the task's own trace: that of a reprint is not its request's.
    log.info(
        event,
        trace_id=task.trace_id,
        print_task_id=task.id,
        record_id=task.history_record_id,
        request_trace_id=g.trace_id,
        status=task.status,
        **details,
    )


def _moment(value: dt.datetime | None) -> str | None:
    return None if value is None else moment(value)
