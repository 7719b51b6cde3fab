"""Whether the farm lives, what it is, and what it can do."""

from __future__ import annotations

import queue
import threading
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify

from api import gateway
from api.access import open_to_everybody
from api.openapi import described
from api.openapi.operations import system as operations
from shared import catalogue, liveness
from shared.liveness import WORKING
from shared.queues import RENDER_QUEUES
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.gateway import Gateway

DEADLINE_SECONDS = 3

log = logger(__name__)
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
    """Ask every part, and name those that do not answer."""
    parts = _ask(gateway.current())
    ready = all(part["ok"] for part in parts.values())
    answer = jsonify(ready=ready, parts=parts, recipes=parts["workers"].pop("recipes", {}))
    answer.status_code = 200 if ready else 503
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


def _ask(farm: Gateway) -> dict[str, dict[str, Any]]:
    """Ask all parts at once. One that hangs must not keep the answer: its thread is left behind."""
    asked: dict[str, Callable[[], Any]] = {
        "database": farm.database.ping,
        "broker": farm.redis.ping,
        "storage": farm.storage.ping,
        "workers": lambda: _workers(farm),
    }
    answers: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
    for name, ask in asked.items():
        threading.Thread(target=_ask_one, args=(name, ask, answers), daemon=True).start()
    parts: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(parts) < len(asked):
        try:
            name, part = answers.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            break
        parts[name] = part
    return {name: parts.get(name, _down(f"no answer within {DEADLINE_SECONDS} s")) for name in asked}


def _ask_one(name: str, ask: Callable[[], Any], answers: queue.SimpleQueue[tuple[str, dict[str, Any]]]) -> None:
    try:
        said = ask()
        part = {"ok": True} | (said if isinstance(said, dict) else {})
    except Exception as error:  # noqa: BLE001  # Whatever a client library raises: the part is down.
        log.warning("part is down", part=name, error=str(error))
        # The log has the text; here it could tell a stranger about hosts and accounts.
        part = _down(type(error).__name__)
    answers.put((name, part))


def _workers(farm: Gateway) -> dict[str, Any]:
    with farm.database.reading() as session:
        workers = liveness.alive(session, dead_after=farm.settings.worker_dead_after)
    rendering = [worker for worker in workers if set(worker.queues) & set(RENDER_QUEUES)]
    part: dict[str, Any] = {"alive": len(workers), "rendering": len(rendering), "recipes": liveness.recipes(workers)}
    return part if rendering else part | _down("no living worker serves a render queue")


def _down(reason: str) -> dict[str, Any]:
    return {"ok": False, "error": reason}
