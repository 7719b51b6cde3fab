"""What a page shows when the API, or the farm, refuses what it asks for."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

from flask import Blueprint, Response, g, make_response, render_template, request
from werkzeug.exceptions import HTTPException, NotFound

from api.access import open_to_everybody
from api.studio.asking import RefusedError
from api.studio.texts import _
from shared.exceptions import ForbiddenError
from shared.tracing import logger

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

log = logger(__name__)


def register(studio: Blueprint) -> None:
    """Let every error that can leave a page's view become a page, or the part of one."""
    # Of what has no route, no blueprint hears.
    studio.add_url_rule("/<path:address>", "missing", open_to_everybody(_missing))
    studio.register_error_handler(RefusedError, _refused)
    studio.register_error_handler(ForbiddenError, lambda error: _shown(403, [error.message]))
    studio.register_error_handler(HTTPException, _http)
    studio.register_error_handler(Exception, _unexpected)


def _missing(address: str) -> NoReturn:
    raise NotFound(_("There is no page at /studio/%(address)s.", address=address))


def _refused(error: RefusedError) -> ResponseReturnValue:
    return _shown(error.status, [message for _field, message in error.problems])


def _http(error: HTTPException) -> ResponseReturnValue:
    return _shown(error.code or 500, [error.description or error.name])


def _unexpected(error: Exception) -> ResponseReturnValue:
    log.error("page broke", exc_info=error)
    return _shown(500, [_("Pressroom broke on this page. The log says more by the trace id.")])


def _shown(status: int, messages: list[str]) -> Response:
    # Into a page that is there already, only the message is put: what was typed stays.
    template = "studio/refusal.html" if "HX-Request" in request.headers else "studio/error.html"
    answer = make_response(
        render_template(template, status=status, title=_title(status), messages=messages, trace_id=g.get("trace_id")),
        status,
    )
    if template.endswith("refusal.html"):
        answer.headers["HX-Retarget"] = "#messages"
        answer.headers["HX-Reswap"] = "innerHTML"
    return answer


def _title(status: int) -> str:
    match status:
        case HTTPStatus.NOT_FOUND:
            return _("Not here")
        case HTTPStatus.FORBIDDEN:
            return _("Not from here")
        case HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.TOO_MANY_REQUESTS:
            return _("Not at the moment")
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _("Something broke")
        case _:
            return _("That was refused")
