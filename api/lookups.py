"""What is this? Whoever helps others is sent ids, names, file names and addresses, and asks here what they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import PathConverter

from api import bodies, gateway, keeping, references
from api.envelope import success
from api.openapi import described
from api.openapi.operations import lookups as operations
from api.paging import NoQuery, read_query
from shared import lookups
from shared.exceptions import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of what is pasted, and of an id or a name in it.
LONGEST_TEXT = 2000
LONGEST_WORD = bodies.NAME_LENGTH
# Blanks, quotes, brackets, full stops, and what nobody sees: e-mails have all of these around what is quoted in them.
_AROUND = re.compile(r"^[^\w/-]+|[^\w/-]+$")
_UUID = re.compile(r"(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])", re.IGNORECASE)
# As new ones are made, with what is behind it when it is derived or numbered.
_TRACE = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32}(?:-[0-9A-Za-z]+)?(?![0-9A-Za-z])")
_EXTENSION = re.compile(r"(?:~[0-9a-f~-]+)?\.[A-Za-z0-9]{1,5}$")


class _Anything(PathConverter):
    """A text with slashes, also where it begins, and with the ends of lines."""

    regex = r"[\s\S]*?"
    part_isolating = False


blueprint = Blueprint("lookups", __name__, url_prefix="/api/v1")
blueprint.record_once(lambda setup: setup.app.url_map.converters.update(anything=_Anything))


# Without merging: an address has two slashes in a row.
@blueprint.get("/find/<anything:pasted>", merge_slashes=False)
@described(operations.FIND, query=NoQuery)
def find(pasted: str) -> Response:
    """Say what an id or a name is."""
    read_query(NoQuery)
    farm = gateway.current()
    words = [word for word in _words(pasted) if len(word) <= LONGEST_WORD] if len(pasted) <= LONGEST_TEXT else []
    with farm.database.reading() as session:
        found = lookups.find(session, words)
    if not found:
        raise NotFoundError(
            f"Nothing here has the id or name {bodies.shortened(pasted)!r}. Expected the whole id, file name or "
            "address of a history record, a render, a report, a print task or a batch; a trace id; or the name of a "
            f"template, a schedule, a printer or an asset. {keeping.told(farm.settings)}. A trace that only the logs "
            "know is found at /api/v1/trace/{trace id}"
        )
    return success([references.shown(one) for one in found])


def _words(pasted: str) -> Iterator[str]:
    """Yield what a text may name, the likeliest first."""
    bare = _AROUND.sub("", pasted)
    texts = dict.fromkeys((pasted.strip(), bare))
    for text in texts:
        if "://" in text or text.startswith("/"):
            yield from _named_in(text)
    yield from texts
    # Of a stored object: what its report is called, without the number of the attempt that made it.
    yield _EXTENSION.sub("", bare).removeprefix("reports/")
    plain = unquote(bare)
    yield from (one.lower() for one in _UUID.findall(plain))
    yield from _TRACE.findall(plain)


def _named_in(address: str) -> Iterator[str]:
    """Yield what an address of this farm names, as the route says that it leads to."""
    try:
        path = unquote(urlsplit(address).path)
    except ValueError:
        return
    for prefix in (request.script_root, urlsplit(gateway.current().settings.public_url).path.rstrip("/")):
        if prefix and path.startswith(f"{prefix}/"):
            path = path.removeprefix(prefix)
    try:
        _, values = current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return
    yield from (value for name, value in values.items() if isinstance(value, str) and name != "set_name")
