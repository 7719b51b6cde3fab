"""``/openapi.json`` and ``/docs``. What is written once is kept as text, for as long as the process lives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from flask import Blueprint, Response, current_app
from markupsafe import escape

from api import links
from api.access import open_to_everybody
from api.openapi.descriptions import described
from api.openapi.operations import system as operations
from shared.memory import release_unused

if TYPE_CHECKING:
    from collections.abc import Callable

# What stands for the gateway's address, which is another one for another client. No description contains it.
BASE = "https://base.invalid"

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
@open_to_everybody
@described(operations.DOCUMENT)
def document() -> Response:
    """Describe every route, for programs."""
    return Response(_document().replace(BASE, json.dumps(_base())[1:-1]), mimetype="application/json")


@blueprint.get("/docs")
@open_to_everybody
@described(operations.PAGE)
def page() -> Response:
    """Describe every route, for people."""
    from api.openapi.page import policy  # noqa: PLC0415  # As below.

    answer = Response(_page().replace(BASE, escape(_base())), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = policy()
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _base() -> str:
    """Return the address under which this client reaches the gateway, without a slash at its end."""
    return links.absolute("openapi.document").removesuffix("/openapi.json")


def _document() -> str:
    return _kept("openapi document", lambda: json.dumps(_written(), ensure_ascii=False, separators=(",", ":")))


def _page() -> str:
    # What makes them is imported now: most gateways are never asked.
    from api.openapi.page import shown  # noqa: PLC0415

    return _kept("openapi page", lambda: shown(json.loads(_document())))


def _written() -> dict[str, object]:
    from api.openapi.document import document  # noqa: PLC0415  # As above.

    return document(current_app, base=BASE)


def _kept(name: str, write: Callable[[], str]) -> str:
    """Return a text that is written at the first request for it. Two at once write the same one twice."""
    kept = current_app.extensions
    if name not in kept:
        kept[name] = write()
        release_unused()
    return cast("str", kept[name])
