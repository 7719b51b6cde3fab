"""Replays: a recorded request rendered once more, as it was or with another version of its template.

The new record names the old one. Nothing is printed, whatever the request said: a replay is for looking at.
"""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any

from shared import history
from shared.config_renders import ConfigRender
from shared.exceptions import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.database import Database
    from shared.models import HistoryRecord
    from shared.storage import Storage

SOURCE = "replay"


class Version(enum.StrEnum):
    """Which version of the template to render, without naming its number."""

    SAME = "same"
    LATEST = "latest"


def replay_of(
    database: Database,
    storage: Storage,
    record_id: str,
    *,
    version: Version | int,
    output_type: str,
    trace_id: str,
    report_url: Callable[[str, str | None], str],
    created_by: str | None,
) -> ConfigRender:
    """Return the wish that asks for a recorded request once more; `config_renders.submit` takes it.

    Args:
        database: Where the record is.
        storage: Where a large request is.
        record_id: The record.
        version: The template's version: the record's, the newest, or one by its number.
        output_type: What the caller of the replay gets: ``base64``, ``url`` or ``none``.
        trace_id: The trace of the replay.
        report_url: As of `ConfigRender`.
        created_by: Who asks for the replay.

    Raises:
        NotFoundError: There is no such record.
        ConflictError: Its request is no longer there, or cannot be read.
        StorageError: The store does not answer.
    """
    with database.reading() as session:
        record = history.find(session, record_id, whole=True)
    try:
        payload = history.payload(storage, record)
    except NotFoundError as error:
        raise ConflictError(f"{error.message}: it cannot be replayed") from error
    request = _read(payload, record)
    numbers = {Version.SAME: record.template_version, Version.LATEST: None}
    return ConfigRender(
        trace_id=trace_id,
        key=record.template_id,
        output_type=output_type,
        payload=payload,
        report_url=report_url,
        version=numbers[version] if isinstance(version, Version) else version,
        parameters=request.get("parameters") or {},
        data=request.get("data"),
        create_history_record=True,
        source=SOURCE,
        created_by=created_by,
        replay_of=record.id,
    )


def _read(payload: bytes, record: HistoryRecord) -> dict[str, Any]:
    try:
        request = json.loads(payload)
    except ValueError as error:
        raise ConflictError(f"The request of history record {record.id} is not JSON ({error})") from error
    if not isinstance(request, dict):
        raise ConflictError(f"The request of history record {record.id} is no JSON object")
    return request
