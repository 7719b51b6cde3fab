"""Generating a document by hand: a template's parameters as a form, its data as rows or JSON, and what became of it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import make_response, render_template, request, url_for

from api.studio import printing
from api.studio.asking import RefusedError, ask, path
from api.studio.forms import done, refused
from api.studio.pages import action, page
from api.studio.templates import CONFIGS, readable, typed_value
from api.studio.texts import _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Blueprint
    from flask.typing import ResponseReturnValue

RENDERS = "/api/v1/render"
# What a form's field is called for one of the parameters.
PREFIX = "parameter-"
INPUTS = {"date": "date", "datetime": "datetime-local"}


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/templates/<path:key>/generate", "generate", form)
    studio.add_url_rule("/templates/<path:key>/generate", "order", action(order), methods=["POST"])
    studio.add_url_rule("/templates/<path:key>/generate/<render_id>", "generated", action(became))


@page("generating/generate.html")
def form(key: str) -> dict[str, Any]:
    """Show what a template asks for."""
    return {"problems": {}, "others": [], **_shown(key)}


def order(key: str) -> ResponseReturnValue:
    """Have a document made of what was typed; the page then asks how far it is."""
    template = ask("GET", CONFIGS + path(key)).data
    declared = template["parameters"] or []
    fields = {
        **{f"parameters.{one['name']}": PREFIX + one["name"] for one in declared},
        "data": "data",
        "outputType": "outputType",
        **printing.FIELDS,
    }
    try:
        begun = ask("POST", CONFIGS + path(template["id"], "render"), body=_body(declared, request.form)).data
    except json.JSONDecodeError as error:
        problem = _("This is not JSON: %(why)s, in line %(line)s", why=error.msg, line=error.lineno)
        shown = {"problems": {"data": problem}, "others": [], **_shown(key)}
        return make_response(render_template("generating/order.html", **shown), HTTPStatus.BAD_REQUEST)
    except RefusedError as error:
        return refused("generating/order.html", error, fields=fields, **_shown(key))
    answer = make_response(
        render_template("generating/progress.html", template=template, render_id=begun["renderId"], begun=begun)
    )
    # What was typed stays, for the next one.
    answer.headers["HX-Retarget"], answer.headers["HX-Reswap"] = "#progress", "outerHTML"
    return answer


def became(key: str, render_id: str) -> ResponseReturnValue:
    """Tell how far a document is, and lead to its record when it is there."""
    template = ask("GET", CONFIGS + path(key)).data
    shown: dict[str, Any] = {"template": template, "render_id": render_id}
    try:
        found = ask("GET", RENDERS + path(render_id)).data
    except RefusedError as error:
        meta = error.details.get("meta", {})
        if error.status == HTTPStatus.SERVICE_UNAVAILABLE and "cause" not in meta:
            # The farm's own: a part of it is away for a moment.
            return render_template("generating/progress.html", begun={}, **shown)
        record_id = request.args.get("record")
        return render_template(
            "generating/progress.html", error=error, line=meta.get("line"), record=record_id, **shown
        )
    if "state" in found:
        return render_template("generating/progress.html", begun=found, **shown)
    if found["historyRecordId"]:
        return done(url_for("studio.record", record_id=found["historyRecordId"]))
    return render_template("generating/progress.html", made=found, **shown)


def _shown(key: str) -> dict[str, Any]:
    """Return what the form shows: what was typed, or else what the template has to begin with."""
    template = ask("GET", CONFIGS + path(key)).data
    typed = request.form
    sample = template["sampleData"]
    return {
        "template": template,
        "parameters": [_field(one, typed) for one in template["parameters"] or ()],
        "data": typed.get("data", "" if sample is None else readable(sample)),
        "typed": typed,
        **printing.printing(url_for("studio.generate", key=template["id"])),
    }


def _field(one: dict[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """Return one of the parameters as the form shows it."""
    name, kind = PREFIX + one["name"], one["type"]
    default, example = (typed_value(one.get(value), kind) for value in ("default", "example"))
    # What must be sent cannot be left to the default.
    begun = default if one.get("required") else ""
    return {
        **one,
        "field": name,
        "input": INPUTS.get(kind, "text"),
        "typed": typed.get(name, begun),
        "default": default,
        "example": example,
    }


def _body(declared: list[dict[str, Any]], typed: Mapping[str, str]) -> dict[str, Any]:
    """Return the request that a filled form stands for.

    Args:
        declared: The template's parameters.
        typed: What the form has.

    Raises:
        JSONDecodeError: The data is not JSON.
    """
    values = {one["name"]: value_of(typed.get(PREFIX + one["name"], ""), one["type"]) for one in declared}
    data = typed.get("data", "").strip()
    body: dict[str, Any] = {
        "outputType": typed.get("outputType", "url"),
        "parameters": {name: value for name, value in values.items() if value is not None},
        "createHistoryRecord": "createHistoryRecord" in typed,
        "async": True,
    }
    if data:
        body["data"] = json.loads(data)
    if "createPrintTask" in typed:
        body |= {"createPrintTask": True, **printing.wish()}
    return body


def value_of(text: str, kind: str) -> Any:
    """Return a parameter's value from what was typed; None for nothing. What is of another type stays a text.

    Args:
        text: What was typed.
        kind: The parameter's type.
    """
    if not text.strip():
        return None
    if kind in ("string", "date", "datetime"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        # The API says what was expected.
        return text
