"""Pictures of documents' first pages, made by pdftoppm through pdf2image, off the way that a render takes.

pdftoppm is a process of its own, bounded in memory and time, so a document that is broken on purpose costs no more than
that. The document lies in a file without a name, which the system removes when nobody has it open any more: a worker
that is killed leaves nothing.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import stamina

from shared import history, leases, thumbnails
from shared.database import DATABASE_AWAY
from shared.models import Render, Thumbnail
from shared.renders import LIGHT
from shared.storage import CorruptObjectError, StorageError
from shared.tracing import bind_trace, clear_trace, logger
from workers import patience
from workers.poppler import BOUNDED, NO_PAGES, SAID_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.ImageFile import ImageFile
    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.settings import Settings
    from shared.storage import Storage

# Pixels. A page that is more than three times as high as wide has a picture that is less wide.
WIDTH, MOST_HEIGHT = 400, 1200
# pdftoppm draws in red, green and blue.
BYTES_PER_PIXEL = 3
PAGE_SECONDS = 30
# With fetching the document, asking pdfinfo, and storing the picture.
LEASE_SECONDS = 180
# Within the lease, and with a thread of the worker that waits meanwhile.
END_SECONDS = 30
UNDRAWN = "pdftoppm ended before it had drawn the first page, which is broken or needs too much memory or time"
PROGRAMS = ("pdfinfo", "pdftoppm")

log = logger(__name__)


class UnpicturableError(Exception):
    """Raised when a document has no picture, for a reason that another try would not cure. The text says which."""


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt.

    Attributes:
        render_id: Whose picture is wanted.
        trace_id: The trace it belongs to.
        attempt: Which attempt it is.
        put_offs: How often it waited for the storage before.
        document_key: Where the PDF is; None: there is none.
        document_sha256: Its hash.
        document_size: Its bytes.
    """

    render_id: str
    trace_id: str
    attempt: int
    put_offs: int
    document_key: str | None
    document_sha256: str | None
    document_size: int | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG, and its width and height in pixels."""

    content: bytes
    width: int
    height: int


class ThumbnailMaker:
    """Makes thumbnails, several at once in the threads of one worker."""

    def __init__(self, *, settings: Settings, database: Database, storage: Storage, worker_id: str) -> None:
        """Take what it works with.

        Args:
            settings: The farm's settings.
            database: This process' database.
            storage: Where documents are read and pictures written.
            worker_id: Who makes them.
        """
        self._worker_id = worker_id
        self._settings = settings
        self._database = database
        self._storage = storage

    def make(self, render_id: str) -> None:
        """Make the thumbnail of a render, if it can be claimed.

        What a broken document brings is in the row. When the storage is away, it is put off; a database that is away is
        waited for, and if that takes too long, the attempt is left to its lease, and another one is made later.
        """
        try:
            work = self._claim(render_id)
        except DATABASE_AWAY as error:
            log.warning("thumbnail not claimed", render_id=render_id, error=str(error))
            return
        if work is None:
            log.debug("nothing to claim", render_id=render_id)
            return
        bind_trace(work.trace_id, render_id=render_id)
        try:
            self._attempt(work)
        finally:
            clear_trace()

    def _claim(self, render_id: str) -> Work | None:
        with self._database.writing() as session:
            claimed = leases.claim(session, Thumbnail, render_id, worker_id=self._worker_id, seconds=LEASE_SECONDS)
            if claimed is None:
                return None
            render = session.get_one(Render, render_id, options=LIGHT)
        key = render.blob_key if render.media_type == history.PDF else None
        return Work(render_id, claimed.trace_id, claimed.attempt, claimed.put_offs, key, render.sha256, render.size)

    def _attempt(self, work: Work) -> None:
        began = time.monotonic()
        try:
            facts = self._ended(work)
        except DATABASE_AWAY as error:
            log.warning("thumbnail left to its lease", attempt=work.attempt, error=str(error))
            return
        log.info("thumbnail", attempt=work.attempt, duration_ms=round((time.monotonic() - began) * 1000), **facts)

    def _ended(self, work: Work) -> dict[str, Any]:
        """Bring an attempt to its end, and return what there is to log."""
        try:
            return self._made(work)
        except UnpicturableError as error:
            return self._failed(work, str(error))
        except (StorageError, OSError) as error:
            # Its own disk may be full, too.
            return self._waiting(work, error)

    def _made(self, work: Work) -> dict[str, Any]:
        """Make and store the picture, and return what there is to log."""
        with tempfile.TemporaryFile(prefix="pressroom-thumbnail-") as document:
            self._fetch(work, document)
            picture = picture_of(Path(f"/proc/{os.getpid()}/fd/{document.fileno()}"))
        key = thumbnails.blob_key(work.render_id, attempt=work.attempt)
        self._storage.put(
            key,
            picture.content,
            media_type=thumbnails.MEDIA_TYPE,
            metadata={"trace-id": work.trace_id, "render-id": work.render_id, "attempt": str(work.attempt)},
        )
        won = self._write(
            lambda session: leases.succeed(
                session,
                Thumbnail,
                work.render_id,
                attempt=work.attempt,
                blob_key=key,
                size=len(picture.content),
                sha256=hashlib.sha256(picture.content).hexdigest(),
                width=picture.width,
                height=picture.height,
            )
        )
        if not won:
            self._remove(key)
            return {"outcome": "superseded"}
        for earlier in range(1, work.attempt):
            self._remove(thumbnails.blob_key(work.render_id, attempt=earlier))
        return {"outcome": "succeeded", "bytes": len(picture.content), "object": key}

    def _failed(self, work: Work, reason: str) -> dict[str, Any]:
        won = self._write(
            lambda session: leases.fail(session, Thumbnail, work.render_id, attempt=work.attempt, error=reason)
        )
        return {"outcome": "failed" if won else "superseded", "error": reason}

    def _waiting(self, work: Work, error: Exception) -> dict[str, Any]:
        """Let it wait for the storage, longer each time; or give it up, if the storage does answer."""
        if patience.is_in_vain(self._storage, work.put_offs):
            log.warning("storage refuses a thumbnail", error=str(error))
            return self._failed(work, "the storage answers, but not for this one")
        seconds = patience.delay(work.put_offs)
        self._write(
            lambda session: leases.put_off(session, Thumbnail, work.render_id, attempt=work.attempt, seconds=seconds)
        )
        return {"outcome": "put off", "seconds": seconds, "error": str(error)}

    def _write(self, write: Callable[[Session], bool]) -> bool:
        """Write an end, waiting for a database that is away: else nobody would look at it before its lease is over."""
        for again in stamina.retry_context(on=DATABASE_AWAY, attempts=None, timeout=END_SECONDS):
            with again, self._database.writing() as session:
                return write(session)
        raise AssertionError("unreachable")

    def _fetch(self, work: Work, document: Any) -> None:
        if work.document_key is None:
            raise UnpicturableError("the document is gone")
        try:
            self._storage.fetch(work.document_key, document, sha256=work.document_sha256, size=work.document_size)
        except FileNotFoundError as error:
            raise UnpicturableError("the document is no longer in storage") from error
        except CorruptObjectError as error:
            raise UnpicturableError("the stored document was damaged") from error
        document.flush()

    def _remove(self, key: str) -> None:
        try:
            self._storage.delete(key)
        except StorageError as error:
            log.warning("object of another attempt not removed", key=key, error=str(error))


def picture_of(document: Path) -> Picture:
    """Return a picture of a PDF's first page, as a reader would see it.

    Raises:
        UnpicturableError: There is none: the PDF is broken or encrypted, or takes too much, or poppler is missing.
    """
    # Most workers of the small queues never need them.
    from pdf2image import convert_from_path  # noqa: PLC0415
    from pdf2image.exceptions import PDFPageCountError, PDFPopplerTimeoutError  # noqa: PLC0415
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise UnpicturableError(f"{' and '.join(missing)}: not installed on this worker, install poppler-utils")
    try:
        # Both sides bounded, and the smaller picture made of that: so no proportions of a page need much memory.
        pages = convert_from_path(
            document,
            first_page=1,
            last_page=1,
            use_cropbox=True,
            size=MOST_HEIGHT,
            timeout=PAGE_SECONDS,
            poppler_path=BOUNDED,
        )
    except PDFPageCountError as error:
        raise UnpicturableError(_reason(str(error), document)) from error
    except PDFPopplerTimeoutError as error:
        raise UnpicturableError(f"pdftoppm took longer than {PAGE_SECONDS:g} s for the first page") from error
    except (ValueError, UnidentifiedImageError) as error:
        # What pdf2image finds in the beginning of a picture.
        raise UnpicturableError(UNDRAWN) from error
    if not pages or not _is_whole(cast("ImageFile", pages[0])):
        raise UnpicturableError(UNDRAWN)
    [page] = pages
    page.thumbnail((WIDTH, MOST_HEIGHT), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    page.save(content, "PNG")
    return Picture(content.getvalue(), page.width, page.height)


def _is_whole(page: ImageFile) -> bool:
    # Not left to Pillow: in a worker that renders too, WeasyPrint has told it to be content with half a picture.
    drawn = b"" if page.fp is None else page.fp.read()
    return len(drawn) >= page.width * page.height * BYTES_PER_PIXEL


def _reason(said: str, document: Path) -> str:
    """Say in plain words what pdfinfo said of a document: its last line, after pdf2image's own."""
    if "Incorrect password" in said:
        return "the document is encrypted and needs a password"
    if NO_PAGES in said:
        return "the document has no pages"
    lines = [line.strip() for line in said.replace(str(document), "the document").splitlines()[1:]]
    last = next((line for line in reversed(lines) if line), "")
    # It may quote the document, which may hold anything.
    last = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in last[:SAID_CHARACTERS])
    return f"the document is broken: {last}" if last else "pdfinfo does not say how many pages the document has"
