"""Renders of ReportConfigs under ``/api/v1``, as JasperWho? has them: the document at once, as a link, or printed.

A render's answer is made by `shared.history.answer_of`, for whoever waits for it, whoever asks later, and the record.
"""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from flask import Blueprint, Response, g, jsonify, request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api import documents, gateway, links, waiting
from api.access import caller, source
from api.bodies import Name, Strict, read_body, writable
from api.envelope import success
from api.openapi import described
from api.openapi.operations import config_renders as operations
from api.paging import read_query
from api.print_bodies import MOST_COPIES, PrintOptionsBody
from shared import config_renders, history, print_tasks, render_answers
from shared.config_renders import ConfigRender, PrintWish
from shared.exceptions import InvalidRequestError, NotFoundError
from shared.renders import ENDED, State

if TYPE_CHECKING:
    from api.gateway import Gateway
    from shared.config_renders import ConfigAccepted
    from shared.history import Promise
    from shared.models import HistoryRecord, Render
    from shared.render_values import RenderStatus

OutputType = Literal["base64", "url", "none"]

blueprint = Blueprint("config_renders", __name__, url_prefix="/api/v1")


def _names_or_rows(value: object) -> object:
    if value is None or isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise ValueError("a list of objects, or an object")  # noqa: TRY004  # Pydantic takes ValueErrors.
    other = next((place for place, row in enumerate(value) if not isinstance(row, dict)), None)
    if other is not None:
        raise ValueError(f"a list of objects only, and [{other}] is none")
    return value


class ConfigRenderBody(Strict):
    """The body of ``POST /api/v1/report-config/{key}/render``."""

    output_type: OutputType = Field(alias="outputType")
    parameters: Annotated[dict[str, Any], AfterValidator(writable)] = Field(default={})
    data: Annotated[
        Any,
        BeforeValidator(_names_or_rows, json_schema_input_type=list[dict[str, Any]] | dict[str, Any] | None),
        AfterValidator(writable),
    ] = None
    create_history_record: bool = Field(alias="createHistoryRecord")
    create_print_task: bool = Field(default=False, alias="createPrintTask")
    printer_name: Name | None = Field(default=None, alias="printerName")
    number_of_copies: Annotated[int, Field(ge=1, le=MOST_COPIES)] = Field(default=1, alias="numberOfCopies")
    options: PrintOptionsBody = PrintOptionsBody()
    run_async: bool = Field(default=False, alias="async")


class RenderQuery(BaseModel):
    """The query of a render's status."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output_type: OutputType = Field(default="url", alias="outputType")


@blueprint.post("/report-config/<path:key>/render")
@described(operations.RENDER, body=ConfigRenderBody)
def render(key: str) -> Response:
    """Render a ReportConfig, and record and print it as the request says."""
    body = read_body(ConfigRenderBody)
    wish = ConfigRender(
        trace_id=g.trace_id,
        key=key,
        output_type=body.output_type,
        payload=request.get_data(),
        report_url=report_url,
        parameters=body.parameters,
        data=body.data,
        create_history_record=body.create_history_record,
        printing=_printing(body),
        source=source(),
        created_by=caller(),
    )
    return perform(wish, run_async=body.run_async)


@blueprint.get("/render/<render_id>")
@described(operations.STATUS, query=RenderQuery)
def status(render_id: str) -> Response:
    """Tell how far a render is; when it has ended, answer as if it had been waited for."""
    query = read_query(RenderQuery)
    with gateway.current().database.reading() as session:
        found, record = render_answers.find(session, render_id)
        task_id = print_tasks.made_with(session, record.id) if record is not None else None
    g.render_id = found.id
    if found.state not in ENDED:
        answer = _under_way(found, record, task_id)
    elif record is not None:
        promise = history.promise_of(record, print_task_id=task_id)
        # One that a worker of an earlier release ended has its answer in a moment (`shared.tending`), and it is this.
        answer = _sent(record.response or history.answer_of(found, promise), found)
    else:
        promise = render_answers.unrecorded(found.id, output_type=query.output_type, report_url=report_url)
        answer = _sent(history.answer_of(found, promise), found)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/render/<render_id>/pdf")
@described(operations.PDF)
def pdf(render_id: str) -> Response:
    """Serve a render's document."""
    farm = gateway.current()
    with farm.database.reading() as session:
        found, record = render_answers.find(session, render_id)
    g.render_id = found.id
    if not _has_pdf(found):
        raise NotFoundError(
            f"Render {found.id} has no PDF (its state is {found.state}); see "
            + links.absolute("config_renders.status", render_id=found.id)
        )
    name = found.id if record is None else record.file_name.removesuffix(".pdf")
    return documents.serve(farm.storage, found, name=name, attachment=False)


def perform(wish: ConfigRender, *, run_async: bool) -> Response:
    """Render what is asked for: now, or later.

    Args:
        wish: What is asked.
        run_async: Whether the caller does not wait.

    Raises:
        NotReadyError: The farm cannot do it now.
        OverloadedError: Too many wait already.
        PressroomError: As `config_renders.submit` refuses it.
    """
    farm = gateway.current()
    if run_async:
        accepted = _submit(farm, wish, waits=False)
        farm.publish(accepted.render)
        return _begun(accepted)
    with waiting.place(farm):
        accepted = _submit(farm, wish, waits=True)
        address = links.absolute("config_renders.status", render_id=accepted.render.id)
        with waiting.accepted(accepted.render, address=address):
            done = waiting.for_end(farm, accepted.render)
            answer = _sent(_answer_of(farm, done, accepted.promise), done)
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(waiting.RETRY_SECONDS)
    return answer


def report_url(render_id: str, record_id: str | None) -> str:
    """Return the address of a document: its record's, or, where there is none, its render's."""
    if record_id is None:
        return links.absolute("config_renders.pdf", render_id=render_id)
    return links.absolute("history.pdf", record_id=record_id)


def _printing(body: ConfigRenderBody) -> PrintWish | None:
    if not body.create_print_task:
        return None
    if body.printer_name is None:
        raise InvalidRequestError(
            "printerName is missing: expected a printer's name, since createPrintTask is true", field="printerName"
        )
    return PrintWish(printer_name=body.printer_name, number_of_copies=body.number_of_copies, options=body.options.given)


def _submit(farm: Gateway, wish: ConfigRender, *, waits: bool) -> ConfigAccepted:
    with farm.intake.admitting(queue=wish.queue, client=wish.created_by, waits=waits):
        accepted = config_renders.submit(
            farm.database, farm.storage, farm.settings, wish, recipe_states=farm.recipe_states()
        )
    g.render_id = accepted.render.id
    return accepted


def _begun(accepted: ConfigAccepted) -> Response:
    render_id, promise = accepted.render.id, accepted.promise
    # A record knows what was asked for; without one, only the address can.
    query = {} if accepted.record is not None else {"outputType": promise.output_type}
    status_url = links.absolute("config_renders.status", render_id=render_id, **query)
    answer = success(
        {
            "traceId": accepted.render.trace_id,
            "renderId": render_id,
            "statusUrl": status_url,
            "historyRecordId": promise.history_record_id,
            "printTaskId": promise.print_task_id,
        },
        status=202,
    )
    answer.headers["Location"] = status_url
    return answer


def _under_way(render: Render, record: HistoryRecord | None, task_id: str | None) -> Response:
    said = {
        "traceId": render.trace_id,
        "renderId": render.id,
        "state": render.state,
        "attempts": render.attempt,
        "historyRecordId": record.id if record else None,
        "printTaskId": task_id,
    }
    answer = success(said | waiting.outlook(gateway.current(), render))
    answer.headers["Retry-After"] = str(waiting.POLL_SECONDS)
    return answer


def _answer_of(farm: Gateway, done: Render | RenderStatus, promise: Promise) -> dict[str, Any]:
    """Return the answer that is recorded, or else the same one, made anew."""
    if promise.history_record_id is not None:
        with farm.database.reading() as session:
            recorded = render_answers.response_of(session, promise.history_record_id)
        if recorded is not None:
            return recorded
    return history.answer_of(done, promise)


def _sent(said: dict[str, Any], done: Render | RenderStatus) -> Response:
    """Send an answer as it is recorded, with the document where it belongs."""
    if "reportPdf" in said.get("data", {}) and _has_pdf(done):
        said = {**said, "data": {**said["data"], "reportPdf": _document(done)}}
    answer = jsonify(said)
    answer.status_code = said["status"]
    return answer


def _has_pdf(render: Render | RenderStatus) -> bool:
    return render.state == State.SUCCEEDED and render.media_type == history.PDF and render.blob_key is not None


def _document(render: Render | RenderStatus) -> str:
    try:
        content = gateway.current().storage.get(render.blob_key or "", sha256=render.sha256, size=render.size)
    except FileNotFoundError as error:
        raise NotFoundError(f"The document of render {render.id} is no longer in storage") from error
    return base64.b64encode(content).decode()
