"""What `api.replays` answers."""

from __future__ import annotations

from api.openapi.descriptions import Operation
from api.openapi.operations import config_renders
from api.openapi.operations.reports import FULL
from api.openapi.operations.tags import HISTORY

REPLAY = Operation(
    tag=HISTORY,
    summary="Replay a record",
    text="""\
The recorded request is rendered once more: its parameters and its data, with the same version of the template or with
another one. That makes a new record, whose `replayOf` is the old one and whose payload is the same to the byte; compare
the two with `GET /api/v1/report-history-record/{record_id}/diff/{other_id}`.

- Useful before a template change goes live (`"version": "latest"`), and after an engine was upgraded (`"same"`).
- Parameters are checked against what that version asks for.
- Templates and assets that the template includes are taken as they are now; the comparison says which have changed.
- Nothing is printed, whatever the request said.""",
    examples={"As it was": {}, "As it would be today, as a link": {"version": "latest", "outputType": "url"}},
    answers=config_renders.RENDER.answers,
    errors={
        404: "There is no such history record, or its template has no version of this number.",
        409: "The recorded request is no longer in storage.",
        422: "The parameters do not fit that version, or its recipe makes no PDF; everything that is wrong is named.",
        429: FULL,
    },
)
