"""The farm's state over HTTP, for whoever operates it: what waits, who works at what, what failed, in one answer."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from flask import Blueprint

from api import gateway
from api.envelope import success
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import farm as operations
from shared.liveness import WORKING

if TYPE_CHECKING:
    from flask import Response

    from shared.farm import Doing, Failures, PrinterCounts, QueueState, WorkerState

blueprint = Blueprint("farm", __name__, url_prefix="/api/v1/farm")


@blueprint.get("")
@described(operations.READ)
def read() -> Response:
    """Say how the farm does."""
    current = gateway.current()
    state, readiness = current.farm_state()
    answer = success(
        {
            "now": moment(state.at),
            "version": version("pressroom"),
            "flower": current.settings.flower_url or None,
            "readiness": readiness,
            "queues": [_queue(name, one) for name, one in state.queues.items()],
            "workers": [_worker(one) for one in state.workers],
            "failures": [_failures(one) for one in state.failures],
            "printers": _printers(state.printers),
        }
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _queue(name: str, queue: QueueState) -> dict[str, Any]:
    return {
        "name": name,
        "waiting": queue.depth.waiting,
        "running": queue.depth.running,
        "oldestSeconds": None if queue.depth.oldest_seconds is None else round(queue.depth.oldest_seconds, 1),
        "perMinute": queue.per_minute,
        "workers": queue.workers,
        "samples": [{"at": moment(at), "waiting": waiting} for at, waiting in queue.samples],
    }


def _worker(state: WorkerState) -> dict[str, Any]:
    worker = state.worker
    return {
        "id": worker.id,
        "name": worker.name,
        "host": worker.name.rpartition("@")[2],
        "pid": worker.pid,
        "version": worker.version,
        "state": state.state,
        "since": moment(worker.started_at),
        "lastSignSeconds": round(state.seconds, 1),
        "queues": worker.queues,
        "children": worker.children,
        "recipes": {name: said for name, said in sorted(worker.recipes.items()) if said != WORKING},
        "doing": [_doing(one) for one in state.doing],
    }


def _doing(doing: Doing) -> dict[str, Any]:
    return {
        "renderId": doing.render_id,
        "traceId": doing.trace_id,
        "template": doing.template,
        "recipe": doing.recipe,
        "queue": doing.queue,
        "attempt": doing.attempt,
        "childPid": doing.child_pid,
        "batchId": doing.batch_id,
        "forSeconds": round(doing.seconds, 1),
    }


def _failures(failures: Failures) -> dict[str, Any]:
    last = {
        "at": moment(failures.at),
        "renderId": failures.render_id,
        "traceId": failures.trace_id,
        "template": failures.template,
        "error": failures.error,
    }
    return {"cause": failures.cause, "count": failures.count, "last": last}


def _printers(counts: PrinterCounts) -> dict[str, int]:
    return {
        "reachable": counts.reachable,
        "unreachable": counts.unreachable,
        "waiting": counts.waiting,
        "servedByAgents": counts.served_by_agents,
    }
