"""Forms: what was typed becomes a request, and what is refused stands beside its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import make_response, redirect, render_template, request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response

    from api.studio.asking import RefusedError


def given(*names: str) -> dict[str, str]:
    """Return what a form says of some fields; those that are left empty are not said."""
    return {name: text for name in names if (text := request.values.get(name, "").strip())}


def whole(text: str | None) -> int | str | None:
    """Return a whole number, or what was typed instead: the API says what is wrong with that."""
    try:
        return int(text) if text else None
    except ValueError:
        return text


def refused(template: str, error: RefusedError, /, *, fields: Mapping[str, str], **shown: Any) -> Response:
    """Show a form once more, with what was typed and what is wrong with it.

    Args:
        template: The form's template; it gets ``problems``, by field, and ``others``, which belong to none.
        error: What the API says.
        fields: The form's fields by the paths that the API has for them.
        shown: What else the template shows.
    """
    problems = {fields[field]: message for field, message in error.problems if field is not None and field in fields}
    others = [message for field, message in error.problems if field is None or field not in fields]
    return make_response(render_template(template, problems=problems, others=others, **shown), error.status)


def done(address: str) -> Response:
    """Lead on, after something was done."""
    if "HX-Request" not in request.headers:
        # A form of a browser without scripts.
        return make_response(redirect(address, 303))
    answer = make_response("", 204)
    answer.headers["HX-Redirect"] = address
    return answer
