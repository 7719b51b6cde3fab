"""One of the two records of a comparison: its document in a file, its request, and what it was made of."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared import history, renders
from shared.exceptions import NotFoundError
from shared.models import Render
from shared.storage import CorruptObjectError
from workers import poppler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.database import Database
    from shared.models import HistoryRecord
    from shared.storage import Storage


class IncomparableError(Exception):
    """Raised when two records cannot be compared; the text says why, for whoever asked."""


@dataclass(frozen=True, slots=True)
class Side:
    """A record, its render, and a copy of its PDF.

    What is read of the PDF raises `IncomparableError` when it cannot be, and names the record.
    """

    record: HistoryRecord
    render: Render
    path: Path

    def sizes(self, *, most: int, seconds: float) -> tuple[int, Sequence[tuple[float, float]]]:
        """Return how many pages it has and how large they are, as `poppler.page_sizes` does."""
        try:
            return poppler.page_sizes(self.path, most=most, seconds=seconds)
        except poppler.UnreadablePdfError as error:
            raise self._because(error) from error

    def texts(self, *, seconds: float) -> tuple[Sequence[str], bool]:
        """Return the text of each page, as `poppler.page_texts` does."""
        try:
            return poppler.page_texts(self.path, seconds=seconds)
        except poppler.UnreadablePdfError as error:
            raise self._because(error) from error

    def picture(self, page: int, *, dpi: float, seconds: float) -> bytes:
        """Return the picture of a page, as `poppler.page_picture` does.

        Raises:
            TooSlowError: It took too long, which need not be the document's fault.
        """
        try:
            return poppler.page_picture(self.path, page, dpi=dpi, seconds=seconds)
        except poppler.TooSlowError:
            raise
        except poppler.UnreadablePdfError as error:
            raise self._because(error) from error

    def _because(self, error: Exception) -> IncomparableError:
        return IncomparableError(f"The PDF of history record {self.record.id!r} cannot be read: {error}")


@contextlib.contextmanager
def fetched(database: Database, storage: Storage, record_id: str) -> Iterator[Side]:
    """Return a record with a copy of its PDF, which lies in a file without a name: nothing is left of a killed worker.

    Args:
        database: Where the record is.
        storage: Where its PDF is.
        record_id: The record.

    Raises:
        IncomparableError: The record or its PDF is gone, or the PDF is damaged.
        StorageError: The store does not answer.
    """
    try:
        with database.reading() as session:
            record = history.find(session, record_id, whole=True)
            render = session.get(Render, record.render_id, options=renders.LIGHT)
    except NotFoundError as error:
        raise IncomparableError(error.message) from error
    if render is None or record.blob_key is None:
        raise IncomparableError(f"History record {record_id!r} has no PDF to compare")
    with tempfile.TemporaryFile(prefix="pressroom-comparison-") as file:
        try:
            storage.fetch(record.blob_key, file, sha256=record.sha256, size=record.size)
        except FileNotFoundError as error:
            raise IncomparableError(f"The PDF of history record {record_id!r} is no longer in storage") from error
        except CorruptObjectError as error:
            raise IncomparableError(f"The stored PDF of history record {record_id!r} was damaged") from error
        file.flush()
        yield Side(record, render, Path(f"/proc/{os.getpid()}/fd/{file.fileno()}"))


def read_request(payload: bytes) -> Any:
    """Read a recorded request; what Python's reader takes and no database does becomes text."""
    return json.loads(payload, parse_constant=str, parse_float=_finite)


def _finite(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text
