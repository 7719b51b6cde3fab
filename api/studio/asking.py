"""The studio's client of the API: what a page shows and does, it asks for as any other client would, in this process.

So the studio has no rules of its own, and whatever it can do can be done without it. A request to itself has no socket
and no thread of its own: it runs where the page's does, and sees nothing of the page's context.
"""

from __future__ import annotations

import contextvars
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Flask, current_app, g, request
from werkzeug.datastructures import Headers
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Response

from api.access import SOURCE, USER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from api.access import User

# What is the same for a page and for what it asks: who asks, from where, and under which address the farm is known.
_SAME = ("REMOTE_ADDR", "HTTP_USER_AGENT")
_FIRST_ERROR = 400


class RefusedError(Exception):
    """Raised when the API refuses what a page asks.

    Args:
        status: The HTTP status.
        problems: For each broken field its path in the request, or None, and what is wrong with it.
        details: What else the answer says: ``line``, ``cause``.
    """

    def __init__(self, status: int, problems: list[tuple[str | None, str]], details: Mapping[str, Any]) -> None:
        super().__init__("; ".join(message for _, message in problems))
        self.status = status
        self.problems = problems
        self.details = details


@dataclass(frozen=True, slots=True)
class Said:
    """What the API answered.

    Attributes:
        status: The HTTP status, below 400.
        body: The answer's JSON, or its bytes where it is none.
        headers: Its headers.
    """

    status: int
    body: Any
    headers: Headers

    @property
    def data(self) -> Any:
        """The records of an envelope."""
        return self.body["data"]

    @property
    def meta(self) -> dict[str, Any]:
        """What an envelope says beside its records."""
        return dict(self.body["meta"])


def path(*parts: str) -> str:
    """Write a path whose parts may hold anything."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


class Asker:
    """Asks the API on behalf of one request to the studio."""

    def __init__(self) -> None:
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # As Flask advises.
        self._base_url = request.host_url.rstrip("/") + request.script_root
        self._user: User | None = g.user
        self._trace_id: str = g.trace_id
        self._environ = {name: request.environ[name] for name in _SAME if name in request.environ}

    def ask(
        self,
        method: str,
        address: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: object = None,
        content: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Said:
        """Send a request to the API.

        Args:
            method: The HTTP method.
            address: The path; its parts are quoted already (`path`).
            query: What the query has; what is None or empty is left out.
            body: What is sent as JSON.
            content: What is sent as it is; ``headers`` say what it is.
            headers: Further headers.

        Raises:
            RefusedError: The answer's status is 400 or above.
        """
        if body is not None:
            content = json.dumps(body).encode()
        builder = EnvironBuilder(
            path=address,
            base_url=self._base_url,
            method=method,
            query_string={name: str(value) for name, value in (query or {}).items() if value not in (None, "")},
            headers=Headers({"Accept": "application/json", "X-Trace-Id": self._trace_id, **(headers or {})}),
            content_type=None if body is None else "application/json",
            **(
                {}
                if content is None
                else {"data": content}
                if isinstance(content, bytes)
                else {"input_stream": content}
            ),
            environ_overrides={**self._environ, USER: self._user, SOURCE: "studio"},
        )
        try:
            # A context of its own: what is bound and cleared there is not the page's.
            answer = contextvars.Context().run(self._open, builder)
        finally:
            builder.close()
        return _read(answer)

    def _open(self, builder: EnvironBuilder) -> Response:
        # Not `wsgi_app`, which counts threads and looks at proxies: same thread, known addresses.
        client = Client(lambda environ, start: Flask.wsgi_app(self._app, environ, start), Response, use_cookies=False)
        return client.open(builder, buffered=True)


def ask(method: str, address: str, **options: Any) -> Said:
    """Send a request to the API on behalf of this one, as `Asker.ask` does."""
    if "asker" not in g:
        g.asker = Asker()
    found: Asker = g.asker
    return found.ask(method, address, **options)


def _read(answer: Response) -> Said:
    is_json = answer.mimetype == "application/json"
    body = json.loads(answer.get_data()) if is_json and answer.get_data() else answer.get_data()
    if answer.status_code < _FIRST_ERROR:
        return Said(answer.status_code, body, answer.headers)
    raise RefusedError(answer.status_code, _problems(body), body if isinstance(body, dict) else {})


def _problems(body: Any) -> list[tuple[str | None, str]]:
    """Return what is wrong field by field, whichever family of the API says so."""
    if not isinstance(body, dict):
        return [(None, bytes(body).decode(errors="replace").strip())]
    if "error" in body:
        told = body["error"]
        return [(one["target"], one["message"]) for one in told.get("details", ())] or [
            (told.get("target"), told["message"])
        ]
    if "success" in body:
        fields = body["meta"].get("fields") or [None] * len(body["errors"])
        return list(zip(fields, body["errors"], strict=True))
    return [(one["field"], one["message"]) for one in body.get("errors", ())] or [(body.get("field"), body["message"])]
