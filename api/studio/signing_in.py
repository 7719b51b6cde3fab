"""Signing in with a token, and out; and the language of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from api import access, gateway, sessions
from api.studio import texts
from api.studio.pages import action
from api.studio.texts import _
from shared.tracing import logger

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from werkzeug.wrappers import Response as AnyResponse

_YEAR_SECONDS = 365 * 24 * 3600

log = logger(__name__)


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/sign-in", "sign_in", action(sign_in), methods=["GET", "POST"])
    studio.add_url_rule("/sign-out", "sign_out", action(sign_out), methods=["POST"])
    studio.add_url_rule("/language", "language", action(choose_language), methods=["POST"])


def ask() -> AnyResponse:
    """Lead to the sign-in, and from there back to what was asked for."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else ""
    if "HX-Request" in request.headers:
        wanted = urlsplit(request.headers.get("HX-Current-URL", "")).path
        answer = Response(status=401)
        answer.headers["HX-Redirect"] = url_for("studio.sign_in", next=wanted)
        return answer
    return redirect(url_for("studio.sign_in", next=wanted))


def sign_in() -> ResponseReturnValue:
    """Take a token, and keep its holder signed in."""
    wanted = _here(request.values.get("next", ""))
    if request.method == "GET":
        if access.current_user() is not None:
            return redirect(wanted)
        return render_template("studio/sign_in.html", wanted=wanted, problem=None)
    token = access.find_token(request.form.get("token", "").strip(), gateway.current().settings)
    if token is None:
        log.warning("sign-in refused", address=request.remote_addr)
        problem = _("This farm knows no such token, or it has been revoked.")
        return render_template("studio/sign_in.html", wanted=wanted, problem=problem), 403
    sessions.sign_in(token)
    log.info("signed in", by=f"token:{token.name}", address=request.remote_addr)
    return redirect(wanted, 303)


def sign_out() -> ResponseReturnValue:
    """End the session, here and on the server."""
    sessions.sign_out()
    return redirect(url_for("studio.sign_in"), 303)


def choose_language() -> ResponseReturnValue:
    """Keep the language that the reader chose, in their browser."""
    answer = make_response(redirect(_here(request.form.get("next", "")), 303))
    chosen = request.form.get("language", "")
    if chosen in texts.names():
        answer.set_cookie(texts.COOKIE, chosen, max_age=_YEAR_SECONDS, samesite="Lax", httponly=True)
    return answer


def _here(address: str) -> str:
    """Return an address of the studio; what leads elsewhere, or nowhere, becomes its first page."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path.startswith(url_for("studio.home")) or "\\" in address:
        return url_for("studio.home")
    return address
