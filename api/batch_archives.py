"""A batch's documents in one ZIP, packed while it is sent: nothing of it is ever there as a whole.

The documents are PDFs, which are packed already: they are stored as they are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Response
from zipstream import ZipStream

from api import documents
from shared import batch_feeding, outcomes, reports
from shared.exceptions import TooLargeError
from shared.render_values import State
from shared.storage import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.batch_feeding import Entry
    from shared.database import Database
    from shared.models import Batch
    from shared.storage import Storage

# Of each entry, the end of the file says something: so many of these are held in memory.
MOST_DOCUMENTS = 50_000
MANIFEST = "manifest.json"
# More than that is sent in pieces.
AT_ONCE_BYTES = 8 * 1024 * 1024


def send(database: Database, storage: Storage, batch: Batch, *, first: int, last: int | None) -> Response:
    """Answer with a ZIP of the documents that are there.

    Args:
        database: Where they are named.
        storage: Where they are.
        batch: The batch.
        first: The place of the first one, counted from 1.
        last: The place of the last one; None: the batch's last.

    Raises:
        TooLargeError: They are more than one ZIP may have.
    """
    last = batch.total if last is None else min(last, batch.total)
    if last - first >= MOST_DOCUMENTS:
        raise TooLargeError(
            f"Of documents {first} to {last}, one ZIP may have {MOST_DOCUMENTS}: "
            f"ask for parts, such as ?first={first}&last={first + MOST_DOCUMENTS - 1}"
        )
    answer = Response(_packed(database, storage, batch, first, last), mimetype="application/zip")
    name = f"{batch.template_name or 'batch'}.zip"
    answer.headers["Content-Disposition"] = documents.disposition(name, attachment=True)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _packed(database: Database, storage: Storage, batch: Batch, first: int, last: int) -> Iterator[bytes]:
    archive = ZipStream()
    taken: set[str] = {MANIFEST}
    lines: list[str] = []
    for entry in batch_feeding.walk(database, batch.id, after=first - 1, last=last):
        name = error = None
        if entry.state == State.SUCCEEDED and entry.blob_key is not None:
            try:
                content = _content(storage, entry)
            except FileNotFoundError:
                error = "it is no longer in storage"
            else:
                name = _name(entry, taken)
                archive.add(content, name)
                yield from archive.file()
        lines.append(json.dumps(_said(entry, name, error)))
    said = {"batch": batch.id, "traceId": batch.trace_id, "first": first, "last": last}
    head = json.dumps(said, indent=1).removesuffix("\n}")
    archive.add(f'{head},\n "documents": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n", MANIFEST)
    yield from archive.finalize()


def _content(storage: Storage, entry: Entry) -> bytes | Iterator[bytes]:
    key, size = entry.blob_key or "", entry.size or 0
    if size <= AT_ONCE_BYTES:
        return storage.get(key, sha256=entry.sha256, size=size)
    return _pieces(storage, entry)


def _pieces(storage: Storage, entry: Entry) -> Iterator[bytes]:
    with documents.opened(storage, entry.blob_key or "", sha256=entry.sha256, size=entry.size) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _name(entry: Entry, taken: set[str]) -> str:
    """Return a name that no other document of the ZIP has."""
    stem = entry.name or str(entry.index)
    name = f"{stem}.{entry.extension}"
    if name.casefold() in taken:
        # Its place is its own.
        name = f"{stem} ({entry.index}).{entry.extension}"
    taken.add(name.casefold())
    return name


def _said(entry: Entry, name: str | None, error: str | None) -> dict[str, Any]:
    is_over = entry.state in (State.FAILED, State.CANCELLED)
    return {
        "index": entry.index,
        "file": name,
        "state": reports.PRESENTED[State(entry.state)],
        "reportId": entry.report_id,
        "size": entry.size,
        "sha256": entry.sha256,
        "pages": entry.pages,
        "error": error or (outcomes.problem(entry) if is_over else None),
        "traceId": entry.trace_id,
    }
