"""Traces over HTTP: everything that the farm knows of one, in the order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from api import bodies, gateway, keeping, references
from api.envelope import success
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import traces as operations
from api.paging import NoQuery, read_query
from shared import timeline
from shared.exceptions import NotFoundError
from shared.references import Kind
from shared.timeline import Bounds

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.traced_rows import Entry

# The supervisor lets no file grow so large; one that did takes a thread a quarter of a second.
BOUNDS = Bounds(rows=500, entries=2000, bytes_per_file=128 * 1024 * 1024)
# Other machines write their logs where the gateway does not see them.
LOGS = "this machine"
LISTS = {
    "records": Kind.RECORD,
    "renders": Kind.RENDER,
    "reports": Kind.REPORT,
    "printTasks": Kind.PRINT_TASK,
    "batches": Kind.BATCH,
    "tasks": Kind.TASK,
    "thumbnails": Kind.THUMBNAIL,
}

blueprint = Blueprint("traces", __name__, url_prefix="/api/v1/trace")


@blueprint.get("/<trace_id>")
@described(operations.READ, query=NoQuery)
def read(trace_id: str) -> Response:
    """Tell what is known of a trace."""
    read_query(NoQuery)
    farm = gateway.current()
    found = timeline.collect(farm.database, farm.settings.logs, trace_id, bounds=BOUNDS)
    if not found.entries:
        raise NotFoundError(_unknown(trace_id, farm.settings))
    things: dict[str, Any] = {
        name: [references.shown(one) for one in found.things if one.kind == kind] for name, kind in LISTS.items()
    }
    answer = success([_shown(one) for one in found.entries], logs=LOGS, truncated=found.truncated, **things)
    # What is under way has more to tell a moment later.
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _shown(entry: Entry) -> dict[str, Any]:
    details = {name: value for name, value in entry.details.items() if value not in (None, "", [])}
    shown = {"at": moment(entry.at), "source": entry.source, "event": entry.event, "details": details}
    return shown if entry.level is None else shown | {"level": entry.level}


def _unknown(trace_id: str, settings: Settings) -> str:
    return (
        f"Nothing is known of trace {bodies.shortened(trace_id)!r}. {keeping.told(settings)}; log lines are kept until "
        "newer ones need their room. The database and this machine's logs were searched; those of another machine are "
        "searched there, with 'pressroom trace'"
    )
