"""What `api.system` and the description itself answer."""

from __future__ import annotations

from api.openapi.answers import Alive, Readiness
from api.openapi.descriptions import JSON, TEXT, Answer, Operation
from api.openapi.operations.tags import FARM

READINESS_EXAMPLE = {
    "ready": True,
    "down": [],
    "parts": {
        "database": {"ok": True},
        "broker": {"ok": True},
        "storage": {"ok": True},
        "disk": {"ok": True, "freeBytes": 48318382080},
        "workers": {"ok": True, "alive": 2, "rendering": 1},
    },
    "intake": {"accepting": True, "queued": {"render": 3}},
    "recipes": {"html": "ok", "plutoprint-pdf": "ok", "text": "ok", "weasyprint-pdf": "ok"},
}

HEALTHZ = Operation(
    tag=FARM,
    summary="Does the gateway live?",
    text="For whoever restarts what is dead. It asks no other part: see `/readyz` for those.",
    answers={200: Answer("The gateway works.", {JSON: Alive}, example={"ok": True})},
)
READYZ = Operation(
    tag=FARM,
    summary="Can the farm work?",
    text="Asks the database (whether it can be written, too), the broker (whether it takes messages), the storage, the "
    "disk and the workers, all at once, and gives up after three seconds. `intake` says whether new work is accepted; "
    "a farm in which too much waits is ready all the same.",
    answers={
        200: Answer("Every part works.", {JSON: Readiness}, example=READINESS_EXAMPLE),
        503: Answer("A part is down; which one, and why, is said.", {JSON: Readiness}),
    },
)
PING = Operation(
    tag=FARM,
    summary="Answer pong",
    text="For jsreport's clients, which ask so whether a server is there.",
    answers={200: Answer("`pong`", {TEXT: str}, example="pong")},
)
VERSION = Operation(
    tag=FARM,
    summary="Name the version that runs",
    answers={200: Answer("The version.", {TEXT: str}, example="1.0.0")},
)
RECIPES = Operation(
    tag=FARM,
    summary="List the recipes",
    text="A recipe turns markup into a document. Listed are those that work on every living worker or, when no worker "
    "is known, all that are installed; `/readyz` says why one is missing.",
    answers={
        200: Answer("The names.", {JSON: list[str]}, example=["html", "plutoprint-pdf", "text", "weasyprint-pdf"])
    },
    errors={503: "The database does not answer."},
)
ENGINES = Operation(
    tag=FARM,
    summary="List the templating engines",
    text="An engine turns a template and data into markup.",
    answers={200: Answer("The names.", {JSON: list[str]}, example=["jinja", "none"])},
)
DOCUMENT = Operation(
    tag=FARM,
    summary="This description, for programs",
    text="An [OpenAPI 3.1](https://spec.openapis.org/oas/v3.1.1.html) document of every route, for generating clients "
    "and for tools that explore or test an API.",
    answers={200: Answer("The document.", {JSON: dict})},
)
PAGE = Operation(
    tag=FARM,
    summary="This description, for people",
    text="One page of HTML without scripts; it loads nothing, from nowhere.",
    answers={200: Answer("The page.", {"text/html": str})},
)
