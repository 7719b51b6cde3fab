"""The inventory: objects without a row, rows without an object."""

from __future__ import annotations

import orders
import pytest
import records
from sqlalchemy import update

from shared import inventory, renders, reports, sweeps, verification
from shared.database import now
from shared.identifiers import new_id
from shared.models import Asset, Comparison, PrintTask, Render, Report, RetiredObject, Thumbnail

TRACE = "t" * 32


@pytest.fixture
def storage(filesystem_storage):
    return filesystem_storage


def put(storage, *keys):
    for key in keys:
        storage.put(key, b"x", media_type="text/html", metadata={})


def check(database, storage, *, grace=-5, repair=False):
    lines = []
    found = verification.verify(database, storage, grace=grace, repair=repair, contents=False, say=lines.append)
    return found, lines


@pytest.fixture
def populated(database, storage):
    """One of everything that a row names, with its object."""
    waiting = orders.submitted(database, data=None, data_key="data/w.json")
    with database.writing() as session:
        session.execute(update(Render).where(Render.id == waiting).values(data_key=f"data/{waiting}.json"))
        render_id = new_id()
        render = renders.submit(session, orders.submission(render_id=render_id, blob_stem="reports/a.b/c", kept=True))
        reports.create(session, render, report_id=new_id(), name="r", blob_name="a.b/c")
        session.add(Asset(id="asset-1", shortid="s", name="logo.png", media_type="image/png", size=1, sha256="0",
                          blob_key="assets/asset-1/v2.png"))  # fmt: skip
        session.add(RetiredObject(key="assets/asset-1/v1.png"))
    first = orders.claimed(database, render_id)
    with database.writing() as session:
        renders.lose(session, first, reason="killed", max_losses=3)
    orders.claimed(database, render_id)
    with database.writing() as session:
        renders.succeed(session, render_id, attempt=2, result=orders.result(blob_key="reports/a.b/c~2.html"))
    running = orders.submitted(database)
    orders.claimed(database, running)
    put(
        storage,
        f"data/{waiting}.json",
        "reports/a.b/c~2.html",
        f"transient/{running}.html",
        "assets/asset-1/v2.png",
        "assets/asset-1/v1.png",
        "somebody-elses/thing.txt",
    )
    return render_id


def test_what_rows_name_and_what_is_not_the_farms_is_left_alone(database, storage, populated):
    before = sorted(storage.keys())

    found, lines = check(database, storage, repair=True)

    assert (found.orphans, found.missing, found.unrepaired) == (0, 0, False)
    assert lines == [
        "3 objects looked for, not read: 0 missing; 0 objects without a row, 0 removed; 0 rows wrong",
    ]
    assert sorted(storage.keys()) == before


def test_an_asset_whose_object_lies_under_another_id_is_left_alone(database, storage):
    # Of two who store a new name at once, the second's object goes to the first one's row.
    with database.writing() as session:
        session.add(Asset(id="first", shortid="s", name="a.css", media_type="text/css", size=1, sha256="0",
                          blob_key="assets/second/v2.css"))  # fmt: skip
    put(storage, "assets/second/v2.css")

    assert check(database, storage, repair=True)[0].orphans == 0
    assert list(storage.keys()) == ["assets/second/v2.css"]


def test_objects_that_no_row_names_are_found_and_removed(database, storage, populated):
    before = sorted(storage.keys())
    lost = ["assets/asset-1/v0.png", "assets/gone/v1.png", f"data/{new_id()}.json", "reports/a.b/c~3.html",
            "reports/x.pdf", f"transient/{new_id()}~3.html"]  # fmt: skip
    put(storage, *lost)

    found, lines = check(database, storage)

    assert sorted(line.split()[1] for line in lines[:-1]) == lost
    assert found.unrepaired
    assert "--repair removes them" in lines[-1]
    found, lines = check(database, storage, repair=True)
    assert (found.orphans, found.removed, found.unrepaired) == (6, 6, False)
    assert sorted(storage.keys()) == before


def test_what_a_lost_attempt_may_have_stored_is_left_to_the_sweep(database, storage, populated):
    put(storage, "reports/a.b/c.html")

    assert check(database, storage, repair=True)[0].orphans == 0
    assert sweeps.sweep_retired(database, storage, older_than=-1) == 2

    assert "reports/a.b/c.html" not in list(storage.keys())
    assert "reports/a.b/c~2.html" in list(storage.keys())


def test_a_young_object_may_be_on_its_way_to_its_row(database, storage):
    put(storage, "reports/x.pdf")

    assert check(database, storage, grace=3600, repair=True)[0].orphans == 0
    assert list(storage.keys()) == ["reports/x.pdf"]


def test_rows_without_their_object_are_named_and_never_removed(database, storage, populated):
    for key in list(storage.keys()):
        storage.delete(key)

    found, lines = check(database, storage, repair=True)

    assert found.missing == 3
    assert found.unrepaired
    assert f"missing  reports/a.b/c~2.html  (document of render {populated}, trace {TRACE})" in lines
    assert "missing  assets/asset-1/v2.png  (asset of asset asset-1)" in lines
    assert orders.row(database, populated)


def test_what_is_being_removed_is_missed_by_nobody(database, storage, populated):
    storage.delete("reports/a.b/c~2.html")
    with database.writing() as session:
        session.execute(update(Report).values(removed_at=now()))

    assert check(database, storage)[0].missing == 0


@pytest.fixture
def recorded(database, storage, template):
    """A history record with everything that it can have in storage, and a print task with a PDF of its own."""
    first, second = (records.done(database, storage, template, large=True) for _ in range(2))
    task = records.print_task(database, blob_key="prints/x.pdf")
    with database.writing() as session:
        session.execute(update(PrintTask).values(blob_key=f"prints/{task.id}.pdf"))
        session.get_one(Thumbnail, first.render_id).blob_key = f"thumbnails/{first.render_id}~2.png"
        making = session.get_one(Thumbnail, second.render_id)
        making.state, making.attempt, making.lease_until = "running", 2, now(60)
        session.add(
            Comparison(
                id="c",
                trace_id="t",
                first_id=first.id,
                second_id=second.id,
                overlays={name: f"comparisons/c~1-{name}.png" for name in ("1", "1-before")},
            )
        )
        session.add(
            Comparison(
                id="d",
                trace_id="t",
                first_id=second.id,
                second_id=first.id,
                state="running",
                attempt=3,
                lease_until=now(60),
            )
        )
    put(
        storage,
        f"prints/{task.id}.pdf",
        f"thumbnails/{first.render_id}~2.png",
        "comparisons/c~1-1.png",
        "comparisons/c~1-1-before.png",
        # What is being made has no row yet that names it.
        f"thumbnails/{second.render_id}~2.png",
        "comparisons/d~3-1.png",
        "comparisons/d~3-12-after.png",
    )
    return first, task


def test_what_history_records_and_print_tasks_name_is_left_alone(database, storage, recorded):
    before = sorted(storage.keys())

    found, lines = check(database, storage, repair=True)

    assert (found.orphans, found.missing) == (0, 0), lines
    assert sorted(storage.keys()) == before


def test_what_no_history_record_and_no_print_task_names_is_found(database, storage, recorded):
    record, _ = recorded
    lost = [
        "comparisons/c~1-1-after.png",
        "comparisons/d~2-1.png",
        "comparisons/gone~1-1.png",
        f"history/{record.render_id}~2.pdf",
        f"payloads/{new_id()}.json",
        f"previews/{new_id()}.pdf",
        f"prints/{new_id()}.pdf",
        f"thumbnails/{record.render_id}~1.png",
        f"thumbnails/{new_id()}~1.png",
    ]
    put(storage, *lost)

    _, lines = check(database, storage, repair=True)

    assert sorted(line.split()[1] for line in lines[:-1]) == sorted(lost)
    assert check(database, storage)[0].orphans == 0


def test_what_history_records_and_print_tasks_miss_is_named(database, storage, recorded):
    record, task = recorded
    for key in list(storage.keys()):
        if record.id in key or record.render_id in key or key.startswith(("prints/", "comparisons/c")):
            storage.delete(key)

    _, lines = check(database, storage)

    assert sorted(lines[:-1]) == sorted(
        [
            f"missing  history/{record.render_id}.pdf  (document of render {record.render_id}, trace {TRACE})",
            f"missing  payloads/{record.id}.json  (payload of history record {record.id}, trace {TRACE})",
            f"missing  thumbnails/{record.render_id}~2.png  (thumbnail of render {record.render_id}, trace {TRACE})",
            "missing  comparisons/c~1-1.png  (picture of comparison c, trace t)",
            "missing  comparisons/c~1-1-before.png  (picture of comparison c, trace t)",
            f"missing  prints/{task.id}.pdf  (PDF of print task {task.id}, trace {TRACE})",
        ]
    )


def test_more_than_a_batch_is_looked_at(database, storage, populated, monkeypatch):
    monkeypatch.setattr(inventory, "BATCH", 2)
    put(storage, *(f"transient/{new_id()}.html" for _ in range(7)))
    for key in ("assets/asset-1/v2.png", "reports/a.b/c~2.html"):
        storage.delete(key)

    found, _ = check(database, storage)

    assert (found.orphans, found.missing) == (7, 2)
