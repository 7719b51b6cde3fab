"""Schedules over OData: create, change, delete, jsreport's two questions, and what a cron line would do.

Reading schedules is in `api.odata`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, g, jsonify, request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api import gateway, odata
from api.bodies import JsonObject, Name, Strict, Text, read_body, writable
from api.envelope import success
from api.odata import answers, sets
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import schedules as operations
from api.paging import read_query
from shared import cron, cron_words, firing, queues, schedules
from shared.cron import UTC_NAME
from shared.exceptions import InvalidRequestError
from shared.schedules import LONGEST_RETRY_DELAY_SECONDS, MOST_RETRIES, RETRY_DELAY_SECONDS, ScheduleFields
from shared.tasks import Submitter

MOST_RUNS = 50
Retries = Annotated[int, Field(ge=0, le=MOST_RETRIES)]
RetryDelay = Annotated[float, Field(ge=0, le=LONGEST_RETRY_DELAY_SECONDS, allow_inf_nan=False)]

blueprint = Blueprint("schedules", __name__)


class NewScheduleBody(Strict):
    """The body of ``POST /odata/schedules``. ``retryDelay`` is in seconds."""

    name: Name
    cron: Text
    template_shortid: Text = Field(alias="templateShortid")
    shortid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None
    timezone: Text = UTC_NAME
    data: Annotated[JsonObject, AfterValidator(writable)] = None
    enabled: bool = True
    allow_overlap: bool = Field(default=False, alias="allowOverlap")
    max_retries: Retries = Field(default=0, alias="maxRetries")
    retry_delay: RetryDelay = Field(default=RETRY_DELAY_SECONDS, alias="retryDelay")


class ChangedScheduleBody(Strict):
    """The body of ``PATCH /odata/schedules('id')``; what is not named stays. ``retryDelay`` is in seconds."""

    # Every field may be left out but, save ``data``, none may be null: the defaults below are never read.
    name: Name = Field(default_factory=str)
    cron: Text = Field(default_factory=str)
    template_shortid: Text = Field(default_factory=str, alias="templateShortid")
    timezone: Text = Field(default_factory=str)
    data: Annotated[JsonObject, AfterValidator(writable)] = None
    enabled: bool = Field(default_factory=bool)
    allow_overlap: bool = Field(default_factory=bool, alias="allowOverlap")
    max_retries: Retries = Field(default_factory=int, alias="maxRetries")
    retry_delay: RetryDelay = Field(default_factory=float, alias="retryDelay")


class RunNowBody(Strict):
    """The body of ``POST /api/scheduling/runNow``. ``scheduleId`` is the schedule's ``_id`` or ``shortid``."""

    schedule_id: Text = Field(alias="scheduleId")


class PreviewQuery(BaseModel):
    """The query of what a cron line would do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cron: Annotated[Text, Field(examples=["30 7 * * MON-FRI"])]
    timezone: Annotated[Text, Field(examples=["Europe/Vienna"])] = UTC_NAME
    count: Annotated[int, Field(ge=1, le=MOST_RUNS)] = 5
    locale: Literal["en", "de"] = "en"


@blueprint.post("/odata/schedules")
@described(operations.CREATE, body=NewScheduleBody)
def create() -> Response:
    """Store a new schedule."""
    body = read_body(NewScheduleBody)
    fields = ScheduleFields(**_values(body, body.model_dump(exclude={"shortid"})))
    with gateway.current().database.writing() as session:
        schedule = schedules.create(session, fields, shortid=body.shortid)
    return odata.created("schedules", schedule.id)


@blueprint.patch("/odata/schedules('<schedule_id>')")
@blueprint.patch("/odata/schedules(<schedule_id>)")
@described(operations.CHANGE, body=ChangedScheduleBody)
def change(schedule_id: str) -> Response:
    """Change a schedule, or switch it off and on."""
    body = read_body(ChangedScheduleBody)
    changes = _values(body, body.model_dump(include=body.model_fields_set))
    with gateway.current().database.writing() as session:
        schedules.change(session, schedule_id, changes)
    return odata.no_content()


@blueprint.delete("/odata/schedules('<schedule_id>')")
@blueprint.delete("/odata/schedules(<schedule_id>)")
@described(operations.REMOVE)
def remove(schedule_id: str) -> Response:
    """Remove a schedule; its tasks and reports stay."""
    with gateway.current().database.writing() as session:
        schedules.remove(session, schedule_id)
    return odata.no_content()


@blueprint.post("/api/scheduling/runNow")
@described(operations.RUN_NOW, body=RunNowBody)
def run_now() -> Response:
    """Begin a run of a schedule now, and answer with its task."""
    body = read_body(RunNowBody)
    farm = gateway.current()
    submitter = Submitter(
        database=farm.database,
        storage=farm.storage,
        settings=farm.settings,
        publish=farm.publish_wake,
    )
    # A schedule's renders are the farm's own, whoever begins them.
    with farm.intake.admitting(queue=queues.DEFAULT_QUEUE, client=None):
        task = firing.run_now(submitter, body.schedule_id, trace_id=g.trace_id)
    g.render_id = task.render_id
    return answers.entity(sets.TASKS, task.id)


# Without merging: a cron line has slashes of its own, and two in a row are a mistake in it, not in the address.
@blueprint.get("/api/scheduling/nextRun/<path:cron_line>", merge_slashes=False)
@described(operations.NEXT_RUN)
def next_run(cron_line: str) -> Response:
    """Tell when a cron line would run next, as JSON text; ``timezone`` says by whose clocks."""
    for name in request.args:
        if name != "timezone":
            raise InvalidRequestError(f"Query option {name!r} is not known here: expected timezone", field=name)
    timezone = request.args.get("timezone", UTC_NAME)
    with gateway.current().database.reading() as session:
        present = schedules.present(session)
    return jsonify(moment(cron.next_run(cron_line, timezone, after=present)))


@blueprint.get("/api/v1/schedule/preview")
@described(operations.PREVIEW, query=PreviewQuery)
def preview() -> Response:
    """Say in words what a cron line means, and when it would run."""
    query = read_query(PreviewQuery)
    with gateway.current().database.reading() as session:
        present = schedules.present(session)
    found = cron.next_runs(query.cron, query.timezone, after=present, count=query.count)
    return success(
        {
            "cron": query.cron,
            "timezone": query.timezone,
            "next": [moment(one) for one in found],
            "inWords": cron_words.in_words(query.cron, locale=query.locale),
        }
    )


def _values(body: NewScheduleBody | ChangedScheduleBody, values: dict[str, Any]) -> dict[str, Any]:
    if body.data is not None:
        values["data"] = json.dumps(body.data, separators=(",", ":"))
    return values
