"""Recorded requests rendered once more."""

from __future__ import annotations

from typing import Annotated, Literal

from flask import Blueprint, Response, g
from pydantic import BeforeValidator, Field

from api import config_renders, gateway
from api.access import caller
from api.bodies import LARGEST_INTEGER, Strict, read_body
from api.openapi import described
from api.openapi.operations import replays as operations
from shared import replays
from shared.replays import Version

blueprint = Blueprint("replays", __name__, url_prefix="/api/v1/report-history-record")


def _version(value: object) -> Version | int:
    if isinstance(value, str) and value in list(Version):
        return Version(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_INTEGER:
        return value
    raise ValueError('"same", "latest", or the number of a version')


class ReplayBody(Strict):
    """The body of ``POST /api/v1/report-history-record/{record_id}/replay``."""

    version: Annotated[
        Version | int,
        BeforeValidator(
            _version,
            json_schema_input_type=Literal["same", "latest"] | Annotated[int, Field(ge=1, le=LARGEST_INTEGER)],
        ),
    ] = Version.SAME
    output_type: config_renders.OutputType = Field(default="none", alias="outputType")
    run_async: bool = Field(default=False, alias="async")


@blueprint.post("/<record_id>/replay")
@described(operations.REPLAY, body=ReplayBody)
def replay(record_id: str) -> Response:
    """Render a recorded request once more."""
    body = read_body(ReplayBody)
    farm = gateway.current()
    wish = replays.replay_of(
        farm.database,
        farm.storage,
        record_id,
        version=body.version,
        output_type=body.output_type,
        trace_id=g.trace_id,
        report_url=config_renders.report_url,
        created_by=caller(),
    )
    return config_renders.perform(wish, run_async=body.run_async)
