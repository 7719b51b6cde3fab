"""Who may ask: a token on every route but the few that are open. And who asked, for what is recorded."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, TypeVar

from flask import Flask, Response, g, request

from api.errors import answer_error
from shared.tokens import read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.settings import Settings
    from shared.tokens import Token

View = TypeVar("View", bound="Callable[..., object]")
_OPEN = "open_to_everybody"


def open_to_everybody(view: View) -> View:
    """Mark a view that asks for no token."""
    setattr(view, _OPEN, True)
    return view


def is_open(view: object) -> bool:
    """Say whether a view asks for no token."""
    return bool(getattr(view, _OPEN, False))


def caller() -> str | None:
    """Return who sent this request, as records name them: ``token:<name>``; None where no token is asked for."""
    name = g.get("token_name")
    return None if name is None else f"token:{name}"


def register(app: Flask, settings: Settings) -> None:
    """Ask for a token before every route that is not open, if there are tokens."""
    tokens = settings.tokens
    # Revoked by its secret, or by its name.
    revoked = [read_token(entry) for entry in settings.revoked_tokens]
    revoked += [token for token in tokens if token.name in settings.revoked_tokens]

    @app.before_request
    def check() -> Response | None:
        view = app.view_functions.get(request.endpoint or "")
        if not tokens or is_open(view):
            return None
        secret = _given()
        if _matching(secret, revoked):
            return _refused("This API token has been revoked.")
        token = _matching(secret, tokens)
        if token is None:
            return _refused(
                "A token is needed: send it as 'Authorization: Bearer <token>', or as the password of Basic"
            )
        g.token_name = token.name
        return None


def _given() -> bytes:
    given = request.authorization
    if given is None:
        return b""
    # jsreport's clients speak Basic; whatever their user is called, the password is the token.
    secret = given.token if given.type == "bearer" else given.password if given.type == "basic" else None
    return (secret or "").encode()


def _matching(secret: bytes, tokens: Iterable[Token]) -> Token | None:
    # Every token is compared, each in constant time, so that the answer's time tells nothing.
    found = [token for token in tokens if hmac.compare_digest(secret, token.secret.encode())]
    return found[0] if secret and found else None


def _refused(message: str) -> Response:
    answer = answer_error(401, message)
    answer.headers.add("WWW-Authenticate", 'Bearer realm="Pressroom"')
    answer.headers.add("WWW-Authenticate", 'Basic realm="Pressroom", charset="UTF-8"')
    return answer
