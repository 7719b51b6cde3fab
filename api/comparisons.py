"""What two history records differ in. A worker compares them; the request waits for it, and not for long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from api import documents, gateway, links, waiting
from api.documents import StoredFile
from api.envelope import success
from api.openapi import described
from api.openapi.operations import comparisons as operations
from shared import comparisons, leases, queues
from shared.errands import Errand, Kind
from shared.exceptions import ConflictError, NotFoundError, NotReadyError
from shared.models import Comparison

if TYPE_CHECKING:
    from api.gateway import Gateway
    from shared.comparisons import Picture

WAIT_SECONDS = 20.0
RETRY_SECONDS = 2

blueprint = Blueprint("comparisons", __name__, url_prefix="/api/v1/report-history-record")


@blueprint.get("/<record_id>/diff/<other_id>")
@described(operations.COMPARE)
def compare(record_id: str, other_id: str) -> Response:
    """Say what changed from one record to another."""
    farm = gateway.current()
    with farm.database.reading() as session:
        found = comparisons.find(session, record_id, other_id)
    if found is None or found.state != leases.State.SUCCEEDED or comparisons.lacks_pictures(found):
        found = _made(farm, record_id, other_id)
    if found.state == leases.State.FAILED:
        raise ConflictError(f"The records could not be compared: {found.error}")
    if found.state != leases.State.SUCCEEDED:
        answer = success({"before": record_id, "after": other_id, "state": found.state}, status=202)
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
        return answer
    return success(_shown(found))


@blueprint.get("/<record_id>/diff/<other_id>/page/<int:page>.png")
@described(operations.OVERLAY)
def overlay(record_id: str, other_id: str, page: int) -> Response:
    """Show one page of both records, one over the other."""
    with gateway.current().database.reading() as session:
        found = comparisons.overlay(session, record_id, other_id, page=page)
    return _sent(found, name=f"page-{page}.png")


@blueprint.get("/<record_id>/diff/<other_id>/page/<int:page>/before.png")
@described(operations.BEFORE)
def before(record_id: str, other_id: str, page: int) -> Response:
    """Show one page of the first record."""
    return _side(record_id, other_id, page, comparisons.BEFORE)


@blueprint.get("/<record_id>/diff/<other_id>/page/<int:page>/after.png")
@described(operations.AFTER)
def after(record_id: str, other_id: str, page: int) -> Response:
    """Show one page of the second record."""
    return _side(record_id, other_id, page, comparisons.AFTER)


def _side(record_id: str, other_id: str, page: int, side: str) -> Response:
    with gateway.current().database.reading() as session:
        found = comparisons.side(session, record_id, other_id, page=page, side=side)
    return _sent(found, name=f"page-{page}-{side}.png")


def _sent(picture: Picture, *, name: str) -> Response:
    stored = StoredFile(
        key=picture.key, media_type="image/png", size=picture.size, sha256=picture.sha256, filename=name
    )
    return documents.send(gateway.current().storage, stored, attachment=False)


def _made(farm: Gateway, record_id: str, other_id: str) -> Comparison:
    """Return the comparison when it has ended, or as far as it is when that takes too long."""
    with farm.database.writing() as session:
        asked = comparisons.ask(session, record_id, other_id, trace_id=g.trace_id)
    found = asked.comparison
    if not asked.due:
        return found if comparisons.has_ended(found) else _waited_for(farm, found)
    errand = Errand(Kind.COMPARISON, found.id, found.trace_id)
    return _waited_for(farm, found, errand)


def _waited_for(farm: Gateway, comparison: Comparison, errand: Errand | None = None) -> Comparison:
    try:
        with waiting.place(farm), farm.ended.watch(comparison.id) as ended:
            if errand is not None:
                queues.ring(farm.celery, errand)
                errand = None
            until = time.monotonic() + WAIT_SECONDS
            while not comparisons.has_ended(comparison) and (left := until - time.monotonic()) > 0:
                # The signal is waited for, and not relied upon.
                ended.wait(min(left, waiting.LOOK_SECONDS))
                ended.clear()
                comparison = _look(farm, comparison.id)
    except NotReadyError:
        # All places are taken: whoever asks again finds it made.
        if errand is not None:
            queues.ring(farm.celery, errand)
    return comparison


def _look(farm: Gateway, comparison_id: str) -> Comparison:
    with farm.database.reading() as session:
        found = session.get(Comparison, comparison_id)
    if found is None:
        raise NotFoundError("One of the records was removed while they were compared")
    return found


def _shown(comparison: Comparison) -> dict[str, Any]:
    result = comparison.result or {}
    pictures = []
    for one in result["pictures"]:
        place = {"record_id": comparison.first_id, "other_id": comparison.second_id, "page": one["page"]}
        shown = {
            # One of an earlier release says nothing of the sides.
            name: None if one.get(name) is None else links.absolute(f"comparisons.{name}", **place)
            for name in ("overlay", *comparisons.SIDES)
        }
        pictures.append({"page": one["page"], "changed": one["changed"], **shown})
    return {"before": comparison.first_id, "after": comparison.second_id, **result, "pictures": pictures}
