"""Files of items as they come over HTTP: what they say that they are, and their bytes."""

from __future__ import annotations

from typing import IO

from flask import request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from shared import batch_sources, batch_tables
from shared.batch_sources import CSV
from shared.exceptions import TooLargeError
from shared.storage import CHUNK_BYTES

UNKNOWN = "application/octet-stream"


def is_unknown() -> bool:
    """Say whether the body is bytes of which nobody says what they are."""
    return request.mimetype == UNKNOWN


def kind_of(*others: str) -> tuple[str, str]:
    """Return the media type that the body has, as `shared.batch_sources` calls it, and its charset.

    Args:
        others: Further media types that would do, for who is refused.

    Raises:
        UnsupportedMediaType: It has another one, or none.
        UnsupportedTypeError: There is no such charset.
    """
    media_type = batch_sources.MEDIA_TYPES.get(request.mimetype)
    if media_type is None:
        given = request.content_type or "missing"
        expected = sorted({*batch_sources.MEDIA_TYPES.values(), *others})
        raise UnsupportedMediaType(f"Content-Type is {given}: expected one of {', '.join(expected)}")
    charset = request.mimetype_params.get("charset")
    return media_type, batch_tables.checked_charset(charset, is_table=media_type == CSV)


def spool(file: IO[bytes], *, limit: int, advice: str) -> None:
    """Write the body into a file, as it comes.

    Args:
        file: Where it goes.
        limit: Bytes of it at most.
        advice: What to do with a larger one, and whose limit that is.

    Raises:
        BadRequest: It broke off.
        TooLargeError: It is over the limit.
    """
    request.max_content_length = limit + 1
    too_large = TooLargeError(f"The items are more than {limit} bytes{advice}")
    read = 0
    try:
        while chunk := request.stream.read(CHUNK_BYTES):
            read += len(chunk)
            if read > limit:
                raise too_large
            file.write(chunk)
    except RequestEntityTooLarge as error:
        # Its length is said, and nothing of it is read.
        raise too_large from error
    except (OSError, ParseException) as error:
        raise BadRequest("The body could not be read to its end") from error
    if request.content_length is not None and read < request.content_length:
        raise BadRequest("The body could not be read to its end")
