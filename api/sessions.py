"""Browsers' sessions: a signed cookie that names a sign-in on the server, and the token of the forms in its pages.

Programs send no cookie, so nothing of this is looked at for them. A farm has one key for all of its gateways
(`shared.sign_ins`), read when the first browser comes; the cookie is named after it, since browsers share cookies
between all ports of a host.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from flask import current_app, request, session
from flask.sessions import NullSession, SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect, generate_csrf

from api import gateway
from shared import sign_ins
from shared.database import DATABASE_AWAY
from shared.exceptions import ForbiddenError, NotReadyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask, Request

    from shared.tokens import Token

COOKIE = "pressroom"
STUDIO = "/studio/"
_SIGN_IN = "sign_in"
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


class _Protection(CSRFProtect):  # type: ignore[misc]  # Flask-WTF has no types.
    """Flask-WTF's own, which takes a form's token from the header before it looks for a form."""

    def _get_csrf_token(self) -> str | None:
        """Find the token; of a body that is no form, nothing is read: how long it may be, its view says later."""
        for name in current_app.config["WTF_CSRF_HEADERS"]:
            if token := request.headers.get(name):
                return token
        if request.mimetype not in _FORMS:
            return None
        found: str | None = super()._get_csrf_token()
        return found


_protection = _Protection()


class BrowserSessions(SecureCookieSessionInterface):
    """Flask's own sessions, with the key of the farm, and only for those who have a cookie or ask for a page."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie; None where sessions are not to be had, since the database is away."""
        if not request.path.startswith(STUDIO) and not any(name.startswith(COOKIE) for name in request.cookies):
            return self.session_class()
        if app.secret_key is None:
            try:
                with app.extensions["pressroom"].database.writing() as transaction:
                    app.secret_key = sign_ins.signing_key(transaction)
            except DATABASE_AWAY:
                return None
        return super().open_session(app, request)

    def get_cookie_name(self, app: Flask) -> str:
        """Name the cookie after the farm."""
        return f"{COOKIE}_{hashlib.sha256(str(app.secret_key).encode()).hexdigest()[:8]}"

    def get_cookie_path(self, app: Flask) -> str:  # noqa: ARG002  # As Flask's.
        """Send it to the gateway alone, where that shares its host."""
        return request.script_root or "/"

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002  # As Flask's.
        """Never send it unencrypted once it came encrypted."""
        return request.is_secure or gateway.current().settings.public_url.startswith("https:")


def register(app: Flask) -> None:
    """Give the app's browsers sessions."""
    app.session_interface = BrowserSessions()
    app.config |= {
        # A link in an e-mail must find its reader signed in; forms have a token besides.
        "SESSION_COOKIE_SAMESITE": "Lax",
        # Each form is checked by `check_form`, and by nothing before it: programs send no tokens of forms.
        "WTF_CSRF_CHECK_DEFAULT": False,
        # As long as the session.
        "WTF_CSRF_TIME_LIMIT": None,
    }
    _protection.init_app(app)


def check_form() -> None:
    """Check that a request was sent by a page of ours: its form, or its header X-CSRFToken, has the session's token.

    Raises:
        ForbiddenError: It was not, or the session is over.
    """
    try:
        _protection.protect()
    except CSRFError as error:
        raise ForbiddenError(
            f"This request did not come from a page of this farm, or that page is older than the session "
            f"({error.description}) Load the page again, and send it once more"
        ) from error


def form_token() -> str:
    """Return the token that a page's forms must have; empty where sessions are not to be had."""
    return generate_csrf() if current_app.secret_key else ""


def signed_in(accepted: Iterable[Token]) -> Token | None:
    """Return the token that the request's browser is signed in with, if it is one of those that are accepted.

    Raises:
        NotReadyError: The database is away, so nobody can tell.
    """
    if isinstance(session._get_current_object(), NullSession):  # type: ignore[attr-defined]  # noqa: SLF001  # As Flask advises.
        raise NotReadyError(
            "The database does not answer, and it knows who is signed in. Try again shortly", retry_after=5
        )
    if _SIGN_IN not in session:
        return None
    database = gateway.current().database
    with database.reading() as transaction:
        found = sign_ins.find(transaction, session[_SIGN_IN], accepted)
    if found is None:
        return None
    token, is_old = found
    if is_old:
        with database.writing() as transaction:
            sign_ins.prolong(transaction, session[_SIGN_IN])
    return token


def sign_in(token: Token) -> None:
    """Sign the request's browser in."""
    with gateway.current().database.writing() as transaction:
        secret = sign_ins.begin(transaction, token)
    # Nothing of the session before is kept: somebody else may have given it to this browser.
    session.clear()
    session[_SIGN_IN] = secret


def sign_out() -> None:
    """Sign the request's browser out, here and on the server."""
    secret = session.pop(_SIGN_IN, None)
    session.clear()
    if secret is not None:
        with gateway.current().database.writing() as transaction:
            sign_ins.end(transaction, secret)
