"""Templates: what there is, a new one, and the page on which one is written."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import jsonify, make_response, redirect, render_template, request, url_for

from api.studio import starters
from api.studio.asking import RefusedError, ask, path
from api.studio.forms import done, given, refused
from api.studio.lists import listed
from api.studio.pages import action, page

if TYPE_CHECKING:
    from flask import Blueprint, Response
    from flask.typing import ResponseReturnValue

CONFIGS = "/api/v1/report-config"
CONTEXTS = "/api/v1/report-config-context"
ASSETS = "/api/v1/asset"
FILTERS = ("context", "engine", "recipe", "certified")
# A row of cards is of two, three, four or six.
PAGE_SIZE = 24
MOST_ASSETS = 60
MOST_COPIED = 200
CERTIFIED_PDF = "pdf"
# Their values are texts as they are; those of the other types are JSON.
TEXTS = ("string", "date", "datetime")


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/templates", "templates", listing)
    studio.add_url_rule("/templates/new", "new_template", action(create), methods=["GET", "POST"])
    studio.add_url_rule("/templates/<path:key>", "template", template)
    studio.add_url_rule("/templates/<path:key>/state", "template_state", action(state))
    studio.add_url_rule("/templates/<path:key>/remove", "remove_template", action(remove), methods=["POST"])
    studio.add_url_rule("/templates/<path:key>/certify", "certify_template", action(certify), methods=["POST"])
    studio.add_url_rule("/assets/<path:key>/remove", "remove_asset", action(remove_asset), methods=["POST"])


@page("templates/list.html", parts=("cards",))
def listing() -> dict[str, Any]:
    """List templates."""
    return {
        **listed(CONFIGS, filters=FILTERS, size=PAGE_SIZE),
        "contexts": [(name, name) for name in _contexts()],
        "engines": [(name, name) for name in ask("GET", "/api/engine").body],
        "recipes": [(name, name) for name in ask("GET", "/api/recipe").body],
    }


def create() -> ResponseReturnValue:
    """Begin a template: with a page to start from, with nothing, or with what another one has."""
    if request.method == "GET":
        return render_template("templates/new.html", problems={}, others=[], **_offered())
    typed = given("name", "context", "start")
    body = {name: typed[name] for name in ("name", "context") if name in typed}
    try:
        made = ask("POST", CONFIGS, body={"name": "", **_beginning(typed.get("start", "")), **body}).data
    except RefusedError as error:
        fields = {"name": "name", "context": "context"}
        return refused("templates/new.html", error, fields=fields, **_offered())
    return redirect(url_for("studio.template", key=made["id"]), 303)


@page("templates/editor.html", parts=("certificate", "assets"))
def template(key: str) -> dict[str, Any]:
    """Show a template where it is written."""
    found = ask("GET", CONFIGS + path(key)).data
    searched = request.args.get("asset", "")
    assets = ask("GET", ASSETS, query={"search": searched, "pageSize": MOST_ASSETS})
    return {
        "template": found,
        "state": json.dumps(as_typed(found)),
        "certificate": certificate_of(found),
        "assets": assets.data,
        "asset_count": assets.meta["total"],
        "asset_search": searched,
        "contexts": _contexts(),
        "engines": ask("GET", "/api/engine").body,
        "recipes": ask("GET", "/api/recipe").body,
    }


def state(key: str) -> Response:
    """Return a template, or one of its versions, as its page holds it."""
    number = request.args.get("version", "")
    found = ask("GET", CONFIGS + (path(key, "version", number) if number else path(key))).data
    return jsonify(as_typed(found))


def remove(key: str) -> Response:
    """Remove a template, or lead to what keeps it."""
    try:
        ask("DELETE", CONFIGS + path(key))
    except RefusedError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        return make_response(render_template("templates/kept.html", key=key, problems=error.problems), error.status)
    return done(url_for("studio.templates"))


def certify(key: str) -> str:
    """Have a template's certificate made anew."""
    ask("POST", CONFIGS + path(key, "certificate"))
    found = ask("GET", CONFIGS + path(key)).data
    return render_template("templates/certificate.html", template=found, certificate=certificate_of(found))


def remove_asset(key: str) -> Response:
    """Remove an asset; the page's list of them is asked for again."""
    ask("DELETE", ASSETS + path(key))
    answer = make_response("", 204)
    answer.headers["HX-Trigger"] = "assets-changed"
    return answer


def certificate_of(found: dict[str, Any]) -> dict[str, Any] | None:
    """Return the certificate of a template whose recipe rests on one; None where there is none."""
    if found["recipe"] != CERTIFIED_PDF:
        return None
    try:
        shown: dict[str, Any] = ask("GET", CONFIGS + path(found["id"], "certificate")).data
    except RefusedError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None
    return shown


def as_typed(found: dict[str, Any]) -> dict[str, Any]:
    """Return a template as forms and editors hold it: values as texts, and JSON as people read it."""
    parameters = [
        {
            **one,
            "default": typed_value(one.get("default"), one["type"]),
            "example": typed_value(one.get("example"), one["type"]),
        }
        for one in found["parameters"] or ()
    ]
    sample = found["sampleData"]
    names = ("id", "name", "version", "content", "engine", "recipe", "context", "contextColour")
    return {
        **{name: found[name] for name in names},
        "sampleData": "" if sample is None else readable(sample),
        "options": found["options"] or {},
        "parameters": parameters,
        "fields": found["fields"] or [],
    }


def typed_value(value: Any, kind: str) -> str:
    """Return a parameter's value as it is typed into a field."""
    if value is None:
        return ""
    return str(value) if kind in TEXTS else json.dumps(value, ensure_ascii=False)


def readable(value: Any) -> str:
    """Return JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _offered() -> dict[str, Any]:
    """Return what a new template can begin with."""
    copied = request.values.get("from", "")
    # Over OData, since their texts are not wanted here.
    query = {"$select": "_id,name", "$orderby": "name", "$top": MOST_COPIED}
    templates = [
        (f"copy:{one['_id']}", one["name"]) for one in ask("GET", "/odata/templates", query=query).body["value"]
    ]
    original = ask("GET", CONFIGS + path(copied)).data if copied else None
    start = f"copy:{original['id']}" if original else "page"
    if original and start not in dict(templates):
        templates.insert(0, (start, original["name"]))
    return {
        "templates": templates,
        "original": original,
        "start": request.values.get("start", start),
        "contexts": _contexts(),
    }


def _contexts() -> list[str]:
    """Return the labels that templates have."""
    return [one["context"] for one in ask("GET", CONTEXTS).data]


def _beginning(start: str) -> dict[str, Any]:
    """Return what a new template has from the start."""
    kind, _, key = start.partition(":")
    if kind != "copy":
        return starters.PAGE if kind == "page" else {"content": ""}
    original = ask("GET", CONFIGS + path(key)).data
    names = ("content", "engine", "recipe", "sampleData", "options", "parameters", "fields", "context", "contextColour")
    return {name: original[name] for name in names if original[name] is not None}
