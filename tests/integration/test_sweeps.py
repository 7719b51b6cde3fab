"""What nobody keeps goes; what somebody keeps, waits or runs stays."""

from __future__ import annotations

import orders
import pytest
from sqlalchemy import event, update

from shared import renders, reports, sweeps, unattended
from shared.database import now
from shared.identifiers import new_id
from shared.models import Render
from shared.storage import StorageError


def finished(database, storage, *, report=False, **changes):
    render_id = orders.submitted(database, data=None, data_key=f"data/{new_id()}.json", kept=report, **changes)
    row = orders.claimed(database, render_id)
    key = f"transient/{render_id}.html"
    for one in (key, row.data_key):
        storage.put(one, b"x", media_type="text/html", metadata={})
    with database.writing() as session:
        renders.succeed(session, render_id, attempt=1, result=orders.result(blob_key=key))
        session.execute(update(Render).where(Render.id == render_id).values(finished_at=now(-1000)))
        if report:
            reports.create(
                session,
                session.get_one(Render, render_id),
                report_id=render_id,
                name="r",
                blob_name=render_id,
                public=False,
                template_shortid=None,
            )
    return render_id


@pytest.fixture
def storage(filesystem_storage):
    return filesystem_storage


def sweep(database, storage):
    return sweeps.sweep_unkept(database, storage, older_than=600)


def test_an_old_result_that_nobody_kept_goes_with_its_objects(database, storage):
    render_id = finished(database, storage)

    assert sweep(database, storage) == 1

    assert orders.row(database, render_id) is None
    assert list(storage.keys()) == []


def test_a_kept_a_young_a_waiting_and_a_running_one_stay(database, storage):
    kept = finished(database, storage, report=True)
    young = finished(database, storage)
    with database.writing() as session:
        session.execute(update(Render).where(Render.id == young).values(finished_at=now()))
    waiting, running = orders.submitted(database), orders.submitted(database)
    orders.claimed(database, running)

    assert sweep(database, storage) == 0

    assert all(orders.row(database, one) for one in (kept, young, waiting, running))
    assert len(list(storage.keys())) == 4


def test_one_object_that_cannot_be_removed_does_not_keep_the_others(database, storage):
    stuck, free = finished(database, storage), finished(database, storage)

    class Reluctant:
        keys = storage.keys

        def delete(self, key):
            if stuck in key:
                raise StorageError("locked")
            storage.delete(key)

    assert sweep(database, Reluctant()) == 1
    assert orders.row(database, stuck)
    assert orders.row(database, free) is None

    assert sweep(database, storage) == 1
    assert list(storage.keys()) == []


def test_what_a_lost_attempt_stored_goes_too(database, storage):
    render_id = orders.submitted(database)
    lost = orders.claimed(database, render_id)
    with database.writing() as session:
        renders.lose(session, lost, reason="killed", max_losses=1)
        session.execute(update(Render).values(finished_at=now(-1000)))
    storage.put(f"transient/{render_id}.html", b"x", media_type="text/html", metadata={})
    storage.put("transient/another.html", b"x", media_type="text/html", metadata={})

    assert sweep(database, storage) == 1
    assert list(storage.keys()) == ["transient/another.html"]


def test_more_than_one_batch_goes_in_one_sweep(database, storage, monkeypatch):
    monkeypatch.setattr(sweeps, "BATCH", 2)
    for _ in range(5):
        finished(database, storage)

    assert sweep(database, storage) == 5


@pytest.mark.parametrize(
    ("duty", "indices"),
    [
        (lambda session: unattended.unkept(session, older_than=600, limit=9), ["renders_unkept"]),
        (
            lambda session: reports.mark_expired(session, older_than=600, limit=9),
            ["reports_by_expiry", "reports_by_creation"],
        ),
        (lambda session: unattended.unsettled(session, limit=9), ["history_by_status"]),
    ],
)
def test_a_sweep_that_finds_nothing_searches_an_index_and_not_all_that_has_ended(database, duty, indices):
    if database.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by what is in the tables")
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    with database.writing() as session:
        duty(session)
        statements = [one for one in asked if not one[0].startswith("BEGIN")]
        plans = [
            session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all()
            for one, values in statements
        ]

    for plan, index in zip(plans, indices, strict=True):
        assert any(index in step[-1] for step in plan), plan
