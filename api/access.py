"""Who may ask: a token on every route but the few that are open, or a browser's sign-in. And who asked, for the record.

`current_user` is the seam for logins with users and roles: whatever they will be, they end as a `User` here.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from werkzeug.exceptions import Forbidden

from api import gateway, sessions
from api.errors import answer_error
from shared.tokens import read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.settings import Settings
    from shared.tokens import Token

View = TypeVar("View", bound="Callable[..., object]")
_OPEN = "open_to_everybody"
# Keys of a request that this process makes to itself; HTTP's own headers begin with HTTP_, so none comes from outside.
USER, SOURCE = "pressroom.user", "pressroom.source"
STUDIO, API = "studio", "api"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may use the farm.

    Attributes:
        name: What they are called; None where the farm asks nobody who they are.
        signed_in: Whether it is a browser in which somebody signed in.
    """

    name: str | None
    signed_in: bool = False


ANYBODY = User(None)


def open_to_everybody(view: View) -> View:
    """Mark a view that asks for no token."""
    setattr(view, _OPEN, True)
    return view


def is_open(view: object) -> bool:
    """Say whether a view asks for no token."""
    return bool(getattr(view, _OPEN, False))


def current_user() -> User | None:
    """Return who sent this request; None where nobody knows, which only a route that is open to everybody meets."""
    return cast("User | None", g.get("user"))


def caller() -> str | None:
    """Return who sent this request, as records name them: ``token:<name>``; None where no token is asked for."""
    user = current_user()
    return None if user is None or user.name is None else f"token:{user.name}"


def source() -> str:
    """Return where this request came from, as records name it: the farm's own pages, or anybody else."""
    return STUDIO if request.environ.get(SOURCE) == STUDIO else API


def refuse_foreign_page(doing: str) -> None:
    """Refuse a request without JSON that a page of another origin sends, which a browser lets it do without asking.

    Args:
        doing: What it must not do, and who may.

    Raises:
        Forbidden: The browser says that it comes from elsewhere.
    """
    origin = request.headers.get("Origin")
    own = {urlsplit(url).netloc for url in (request.host_url, gateway.current().settings.public_url)}
    foreign = origin is not None and (urlsplit(origin).netloc or origin) not in own
    if foreign or request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise Forbidden(f"A page of {origin or 'another site'} must not {doing}")


def register(app: Flask, settings: Settings) -> None:
    """Ask for a token before every route that is not open, if there are tokens."""
    tokens = settings.tokens
    # Revoked by its secret, or by its name.
    revoked = [read_token(entry) for entry in settings.revoked_tokens]
    revoked += [token for token in tokens if token.name in settings.revoked_tokens]
    accepted = [token for token in tokens if not _matching(token.secret.encode(), revoked)]

    @app.before_request
    def check() -> Response | None:
        view = app.view_functions.get(request.endpoint or "")
        g.user = request.environ.get(USER) or (_signed_in(accepted) if tokens else ANYBODY)
        if is_open(view):
            return None
        if g.user is None or request.authorization is not None:
            return _by_token(tokens, revoked)
        # What a page asks for in this process has had its form checked.
        if g.user.signed_in and USER not in request.environ and request.method not in _SAFE:
            sessions.check_form()
        return None


def find_token(secret: str, settings: Settings) -> Token | None:
    """Return the accepted token that has a secret; None if there is none, or it was revoked."""
    revoked = [read_token(entry) for entry in settings.revoked_tokens]
    found = _matching(secret.encode(), settings.tokens)
    if found is None or found.name in settings.revoked_tokens or _matching(secret.encode(), revoked):
        return None
    return found


def _by_token(tokens: Iterable[Token], revoked: Iterable[Token]) -> Response | None:
    if not tokens:
        return None
    secret = _given()
    if _matching(secret, revoked):
        return _refused("This API token has been revoked.")
    token = _matching(secret, tokens)
    if token is None:
        return _refused("A token is needed: send it as 'Authorization: Bearer <token>', or as the password of Basic")
    g.user = User(token.name)
    return None


def _signed_in(accepted: Iterable[Token]) -> User | None:
    token = sessions.signed_in(accepted)
    return None if token is None else User(token.name, signed_in=True)


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
    # What a page of ours asks for when its sign-in is over must not bring up the browser's own box for passwords.
    if "X-CSRFToken" not in request.headers and request.headers.get("Sec-Fetch-Dest", "document") == "document":
        answer.headers.add("WWW-Authenticate", 'Basic realm="Pressroom", charset="UTF-8"')
    return answer
