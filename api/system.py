"""Whether the farm lives, what it is, and what it can do."""

from __future__ import annotations

from importlib.metadata import version

from flask import Blueprint, Response, jsonify

from api import gateway
from api.access import open_to_everybody
from api.openapi import described
from api.openapi.operations import system as operations
from shared import catalogue
from shared.liveness import WORKING

blueprint = Blueprint("system", __name__)


@blueprint.get("/healthz")
@open_to_everybody
@described(operations.HEALTHZ)
def healthz() -> Response:
    """Answer as long as the gateway itself works, whatever the rest does."""
    return jsonify(ok=True)


@blueprint.get("/readyz")
@open_to_everybody
@described(operations.READYZ)
def readyz() -> Response:
    """Ask every part, name those that are down, and say whether new work is accepted."""
    found = gateway.current().readiness.look()
    answer = jsonify(found)
    answer.status_code = 200 if found["ready"] else 503
    return answer


@blueprint.get("/api/ping")
@open_to_everybody
@described(operations.PING)
def ping() -> Response:
    """Answer."""
    return Response("pong", mimetype="text/plain")


@blueprint.get("/api/version")
@described(operations.VERSION)
def version_() -> Response:
    """Name the version that runs."""
    return Response(version("pressroom"), mimetype="text/plain")


@blueprint.get("/api/recipe")
@described(operations.RECIPES)
def recipes() -> Response:
    """List the recipes that work on every living worker, or, when none is known, all that are installed."""
    states = gateway.current().recipe_states()
    return jsonify([name for name, state in states.items() if state == WORKING] or catalogue.names(catalogue.RECIPES))


@blueprint.get("/api/engine")
@described(operations.ENGINES)
def engines() -> Response:
    """List the templating engines."""
    return jsonify(catalogue.names(catalogue.ENGINES))
