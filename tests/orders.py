"""Rows for tests, made the way the product makes them."""

from __future__ import annotations

from sqlalchemy import bindparam

from shared import liveness, renders
from shared.identifiers import new_id
from shared.liveness import WorkerIdentity
from shared.models import Render


def submission(**changes) -> renders.Submission:
    render_id = changes.pop("render_id", None) or new_id()
    values = {
        "render_id": render_id,
        "trace_id": "t" * 32,
        "queue": "render",
        "template_version_id": None,
        "content": "<p>hello",
        "engine": "jinja",
        "recipe": "html",
        "data": "{}",
        "data_key": None,
        "timeout": 10.0,
        "blob_stem": f"transient/{render_id}",
    }
    return renders.Submission(**(values | changes))


def submitted(database, **changes) -> str:
    with database.writing() as session:
        return renders.submit(session, submission(**changes)).id


def claimed(database, render_id, *, worker_id="worker-1", child_pid=1) -> Render | None:
    with database.writing() as session:
        return claim(session, render_id, worker_id=worker_id, child_pid=child_pid)


def claim(session, render_id, *, worker_id="worker-1", child_pid=1) -> Render | None:
    """Claim this one: workers claim what waits longest, by the same statement."""
    claimant = renders.Claimant(worker_id, child_pid, 5)
    statement = renders.claiming(Render.__table__.c.id == bindparam("render"))
    found = renders.claimed(session, statement, claimant, most=1, render=render_id)
    return session.get(Render, render_id, populate_existing=True) if found else None


def result(**changes) -> renders.Result:
    values = {
        "blob_key": "transient/x.html",
        "media_type": "text/html",
        "extension": "html",
        "size": 5,
        "sha256": "0" * 64,
        "pages": None,
        "timings": {"queue": 1},
        "warnings": [],
    }
    return renders.Result(**(values | changes))


def row(database, render_id) -> Render | None:
    with database.reading() as session:
        return session.get(Render, render_id)


def sign(database, worker_id="worker-1", **changes) -> None:
    values = {"id": worker_id, "name": "w@h", "pid": 1, "queues": ["render"], "children": 1, "recipes": {"html": "ok"}}
    with database.writing() as session:
        liveness.sign(session, WorkerIdentity(**(values | changes)))
