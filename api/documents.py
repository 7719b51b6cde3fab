"""Serving what is stored, documents and assets: names, ranges, revalidation.

An object comes from storage as a whole, into a file, and is checked before its first byte is sent: what was changed
there is never served. The file is kept for a while (`shared.content_cache`), so that the parts of a large document are
not fetched one by one, and what is often asked for is there while the storage is away.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Response, request
from werkzeug.http import dump_options_header

from api import gateway
from shared.exceptions import NotFoundError
from shared.storage import CHUNK_BYTES, StorageError, is_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from shared.models import Render
    from shared.render_values import RenderStatus
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
        sha256: Its hash, hexadecimal; where no row knows it, a text that tells it from all others. The ``ETag``.
        filename: Its name with extension, any Unicode.
    """

    key: str
    media_type: str
    size: int
    sha256: str
    filename: str


def serve(storage: Storage, render: Render | RenderStatus, *, name: str, attachment: bool) -> Response:
    """Answer with the document of a succeeded render, or the part of it that was asked for.

    Args:
        storage: Where it is.
        render: A succeeded render.
        name: The document's name without extension, any Unicode.
        attachment: Whether a browser should save it rather than show it.

    Raises:
        NotFoundError: The object is gone.
        CorruptObjectError: It is not what was stored.
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
        CorruptObjectError: It is not what was stored.
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
            file = opened(storage, stored.key, sha256=stored.sha256, size=stored.size)
        except FileNotFoundError as error:
            raise NotFoundError(f"{stored.filename} is no longer in storage") from error
        _fill(answer, file, offset, length)
    return answer


def send_whole(answer: Response, file: IO[bytes]) -> None:
    """Let an answer be all that is in a file, which is closed afterwards."""
    answer.content_length = file.seek(0, os.SEEK_END)
    _fill(answer, file, 0, answer.content_length)


def opened(storage: Storage, key: str, *, sha256: str | None = None, size: int | None = None) -> IO[bytes]:
    """Return a file with a whole object, checked.

    Args:
        storage: Where it is.
        key: Its key.
        sha256: Its hash, if a row knows it; else the one that is kept with the object is what it must have.
        size: Its bytes, if a row knows them.

    Raises:
        FileNotFoundError: The object is gone.
        CorruptObjectError: It is not what was stored.
        StorageError: The store does not answer, or there is no room for what it answers.
    """
    digest = sha256 if sha256 is not None and is_digest(sha256) else None

    def fetch(file: IO[bytes]) -> None:
        storage.fetch(key, file, sha256=digest, size=size)

    cache = gateway.current().documents
    try:
        return cache.spooled(fetch) if digest is None or size is None else cache.opened(digest, size, fetch)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"{key} cannot be served, for want of a place to check it: {error}") from error


def _fill(answer: Response, file: IO[bytes], offset: int, length: int) -> None:
    answer.response = _part(file, offset, length)
    answer.call_on_close(file.close)


def _part(file: IO[bytes], offset: int, length: int) -> Iterator[bytes]:
    file.seek(offset)
    while length:
        chunk = file.read(min(length, CHUNK_BYTES))
        if not chunk:
            raise StorageError("A file became shorter while it was served")
        length -= len(chunk)
        yield chunk


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
