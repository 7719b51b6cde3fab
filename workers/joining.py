"""A program of its own: it makes one PDF of all documents of a batch, with a bookmark for each.

``python -m workers.joining BATCH_ID``. Its memory is that of some hundred documents, whatever the batch has: they are
joined in groups, and the groups then, from files.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pikepdf

from shared import batch_feeding, batches, placement, renders
from shared.database import Database
from shared.history import PDF
from shared.identifiers import new_shortid
from shared.settings import load_settings
from shared.storage import create_storage
from shared.tracing import bind_trace, configure_logging, logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.models import Batch
    from shared.storage import Storage

GROUP = 100

log = logger(__name__)


class NotJoinedError(Exception):
    """Raised when there can be no such PDF; the text says why."""


def main(batch_id: str) -> None:
    """Make the PDF of a batch, and note where it is, or why there is none."""
    settings = load_settings()
    configure_logging(settings, process="joining")
    database, storage = Database(settings.database), create_storage(settings)
    with database.reading() as session:
        batch = batches.find(session, batch_id)
    bind_trace(batch.trace_id, batch_id=batch.id)
    try:
        with tempfile.TemporaryDirectory(prefix="pressroom-join-") as folder:
            found = documents(database, storage, batch, Path(folder))
            joined = join(found, Path(folder), title=batch.name, most_bytes=settings.render_document_bytes)
            store(database, storage, batch, joined)
    except NotJoinedError as error:
        log.warning("batch not merged", error=str(error))
        with database.writing() as session:
            batches.note_not_merged(session, batch, error=str(error))


def documents(database: Database, storage: Storage, batch: Batch, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the names of a batch's documents in their order, and files of which the last `GROUP` are there.

    Raises:
        NotJoinedError: One of them is no PDF, or is gone.
        StorageError: The storage does not answer.
    """
    found = batch_feeding.walk(database, batch.id, states=(renders.State.SUCCEEDED,))
    for entry, place in zip(found, itertools.cycle(range(GROUP)), strict=False):
        if entry.media_type != PDF or entry.blob_key is None:
            raise NotJoinedError(f"Document {entry.index} is {entry.media_type}, and only PDFs can be merged")
        path = folder / f"document-{place}.pdf"
        try:
            with path.open("wb") as file:
                storage.fetch(entry.blob_key, file, sha256=entry.sha256, size=entry.size)
        except FileNotFoundError:
            raise NotJoinedError(f"Document {entry.index} is not in the storage any more") from None
        yield entry.name or str(entry.index), path


def join(found: Iterator[tuple[str, Path]], folder: Path, *, title: str, most_bytes: int) -> Path:
    """Join PDFs into one file, with a bookmark for each.

    Args:
        found: Names and files, as of `documents`.
        folder: Where files may be written.
        title: The title of the whole.
        most_bytes: The size of the whole at most.

    Raises:
        NotJoinedError: There is none, or the whole is too large.
    """
    marks: list[tuple[str, int]] = []
    groups: list[Path] = []
    pages = size = 0
    while some := list(itertools.islice(found, GROUP)):
        path = folder / f"group-{len(groups)}.pdf"
        lengths = _put_together([one for _, one in some], path)
        for (name, _), length in zip(some, lengths, strict=True):
            marks.append((name, pages))
            pages += length
        groups.append(path)
        size += path.stat().st_size
        if size > most_bytes:
            raise NotJoinedError(
                f"The merged PDF would have more than {most_bytes} bytes, the most that a document may have "
                "(PRESSROOM_RENDER_DOCUMENT_BYTES): take the ZIP"
            )
    if not marks:
        raise NotJoinedError("There is nothing to merge: no document succeeded")
    joined = folder / "joined.pdf"
    _put_together(groups, joined, marks=marks, title=title)
    return joined


def _put_together(
    paths: Sequence[Path], target: Path, *, marks: Sequence[tuple[str, int]] = (), title: str | None = None
) -> list[int]:
    """Write the pages of all into one file, and return how many each had."""
    with contextlib.ExitStack() as stack:
        # A page that was taken over is read from its own file when it is written.
        opened = [stack.enter_context(pikepdf.open(one)) for one in paths]
        joined = stack.enter_context(pikepdf.new())
        for one in opened:
            joined.pages.extend(one.pages)
        if marks:
            with joined.open_outline() as outline:
                outline.root.extend(pikepdf.OutlineItem(name, page) for name, page in marks)
            joined.Root.PageMode = pikepdf.Name.UseOutlines
        if title is not None:
            joined.docinfo["/Title"] = title
        joined.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return [len(one.pages) for one in opened]


def store(database: Database, storage: Storage, batch: Batch, path: Path) -> None:
    """Store the PDF of a batch, and note where it is.

    Raises:
        NotJoinedError: Nobody wants it any more.
        StorageError: The storage does not take it.
    """
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    key = f"{batches.FOLDER}{batch.id}~{new_shortid()}.pdf"
    metadata = {"trace-id": batch.trace_id, "batch-id": batch.id}
    place = placement.store(database, storage, key, content, media_type=PDF, metadata=metadata, sha256=digest)
    with placement.unless_refused(database, storage, place), database.writing() as session:
        placement.keep(session, place)
        if not batches.note_merged(session, batch, key=key, size=len(content), sha256=digest):
            raise NotJoinedError("nobody wants it any more")


if __name__ == "__main__":
    main(*sys.argv[1:])
