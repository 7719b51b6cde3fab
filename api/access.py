"""Who may ask: a token on every route but the few that are open."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, TypeVar

from flask import Flask, Response, request

from api.errors import answer_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.settings import Settings

View = TypeVar("View", bound="Callable[..., object]")
_OPEN = "open_to_everybody"


def open_to_everybody(view: View) -> View:
    """Mark a view that asks for no token."""
    setattr(view, _OPEN, True)
    return view


def is_open(view: object) -> bool:
    """Say whether a view asks for no token."""
    return bool(getattr(view, _OPEN, False))


def register(app: Flask, settings: Settings) -> None:
    """Ask for a token before every route that is not open, if there are tokens."""
    tokens = tuple(token.encode() for token in settings.tokens)

    @app.before_request
    def check() -> Response | None:
        view = app.view_functions.get(request.endpoint or "")
        if not tokens or is_open(view) or _may_ask(tokens):
            return None
        answer = answer_error(
            401, "A token is needed: send it as 'Authorization: Bearer <token>', or as the password of Basic"
        )
        answer.headers.add("WWW-Authenticate", 'Bearer realm="Pressroom"')
        answer.headers.add("WWW-Authenticate", 'Basic realm="Pressroom", charset="UTF-8"')
        return answer


def _may_ask(tokens: tuple[bytes, ...]) -> bool:
    given = request.authorization
    if given is None:
        return False
    # jsreport's clients speak Basic; whatever their user is called, the password is the token.
    secret = given.token if given.type == "bearer" else given.password if given.type == "basic" else None
    if not secret:
        return False
    # Every token is compared, each in constant time, so that the answer's time tells nothing.
    return sum(hmac.compare_digest(secret.encode(), token) for token in tokens) > 0
