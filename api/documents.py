"""Serving what is stored, documents and assets: names, ranges, revalidation, streamed from storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Response, request
from werkzeug.http import dump_options_header

from shared.exceptions import NotFoundError

if TYPE_CHECKING:
    from shared.models import Render
    from shared.storage import Storage

# Line breaks would end the header; the rest is invisible.
CONTROL_CHARACTERS = dict.fromkeys((*range(32), 127), "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """What is known of an object that is to be served.

    Attributes:
        key: Where it is in storage.
        media_type: Its ``Content-Type``.
        size: Bytes.
        sha256: Its hash, hexadecimal; the ``ETag``.
        filename: Its name with extension, any Unicode.
    """

    key: str
    media_type: str
    size: int
    sha256: str
    filename: str


def serve(storage: Storage, render: Render, *, name: str, attachment: bool) -> Response:
    """Answer with the document of a succeeded render, or the part of it that was asked for.

    Args:
        storage: Where it is.
        render: A succeeded render.
        name: The document's name without extension, any Unicode.
        attachment: Whether a browser should save it rather than show it.

    Raises:
        NotFoundError: The object is gone.
        StorageError: The store does not answer.
    """
    stored = StoredFile(
        key=render.blob_key or "",
        media_type=render.media_type or "",
        size=render.size or 0,
        sha256=render.sha256 or "",
        filename=f"{name}.{render.extension}",
    )
    answer = send(storage, stored, attachment=attachment)
    answer.headers["File-Extension"] = render.extension or ""
    if stored.media_type.startswith("text/html"):
        # A page that a document's sender wrote must not act as a page of the farm, with the reader's credentials.
        answer.headers["Content-Security-Policy"] = "sandbox allow-scripts allow-popups allow-downloads"
    return answer


def send(storage: Storage, stored: StoredFile, *, attachment: bool) -> Response:
    """Answer with an object, or the part of it that was asked for.

    Args:
        storage: Where it is.
        stored: What is known of it.
        attachment: Whether a browser should save it rather than show it.

    Raises:
        NotFoundError: The object is gone.
        StorageError: The store does not answer.
    """
    answer = Response(mimetype=None, content_type=stored.media_type)
    answer.headers["Content-Disposition"] = disposition(stored.filename, attachment=attachment)
    answer.headers["Accept-Ranges"] = "bytes"
    # Files are what senders make of them; a browser must not take one for something else.
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.set_etag(stored.sha256)
    # Weak comparison, as RFC 9110 wants it here.
    if request.if_none_match.contains_weak(stored.sha256):
        answer.status_code = 304
        return answer
    offset, length = _wanted_part(answer, stored.size)
    if length is None:
        return answer
    answer.content_length = length
    if request.method != "HEAD":
        try:
            chunks = storage.stream(stored.key, offset=offset, length=length)
        except FileNotFoundError as error:
            raise NotFoundError(f"{stored.filename} is no longer in storage") from error
        answer.response = chunks
    return answer


def disposition(filename: str, *, attachment: bool) -> str:
    """Return a ``Content-Disposition`` that no name can break (RFC 6266)."""
    filename = filename.translate(CONTROL_CHARACTERS)
    ascii_name = filename.encode("ascii", "replace").decode("ascii").replace("?", "_")
    names = {"filename": ascii_name}
    if ascii_name != filename:
        # A name of its own in the standard, which older clients pass over.
        names["filename*"] = f"UTF-8''{quote(filename, safe='')}"
    return dump_options_header("attachment" if attachment else "inline", names)


def _wanted_part(answer: Response, size: int) -> tuple[int, int | None]:
    """Return offset and length of what to send, and set status and headers; a length of None is 416."""
    asked = request.range
    if asked is None or not _if_range_holds(answer):
        return 0, size
    if asked.units != "bytes" or len(asked.ranges) != 1:
        return 0, size
    [(first, _)] = asked.ranges
    # The last so many bytes of a shorter document are all of it.
    found = (0, size) if first is not None and -first > size > 0 else asked.range_for_length(size)
    if found is None:
        answer.status_code = 416
        answer.headers["Content-Range"] = f"bytes */{size}"
        return 0, None
    start, stop = found
    answer.status_code = 206
    answer.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return start, stop - start


def _if_range_holds(answer: Response) -> bool:
    condition = request.headers.get("If-Range")
    # Strong comparison: neither a weak tag nor a date (there is no Last-Modified) can promise the same bytes.
    return condition is None or condition.strip() == answer.headers["ETag"]
