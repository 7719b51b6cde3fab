"""The verification of rows and objects: what it says, and what it must not say."""

from __future__ import annotations

import hashlib

import orders
import pytest
import records
from behind import put_behind_its_back
from sqlalchemy import delete, null, text, update

from shared import leases, renders, reports, verification
from shared.database import now
from shared.identifiers import new_id
from shared.models import (
    Asset,
    Comparison,
    HistoryRecord,
    PrintTask,
    Render,
    Thumbnail,
)
from shared.storage import StorageError

TRACE = "t" * 32
PICTURE = b"a picture"
DATA = b'{"customer": "4711"}'
LONG_AGO = -7200
HOUR = 3600


def digest(content):
    return hashlib.sha256(content).hexdigest()


def put(storage, key, content=PICTURE):
    storage.put(key, content, media_type="image/png", metadata={})


@pytest.fixture
def farm(database, storage, template):
    """One of everything that is kept in storage: its kind, and its key."""
    record, other = (records.done(database, storage, template, large=True) for _ in range(2))
    task_id = new_id()
    task = records.print_task(database, id=task_id, blob_key=f"prints/{task_id}.pdf", size=len(PICTURE))
    report_id = new_id()
    keys = {
        "document": record.blob_key,
        "payload": record.payload_key,
        "PDF": task.blob_key,
        "asset": "assets/a/1.png",
        "thumbnail": f"thumbnails/{record.render_id}~1.png",
        "picture": "comparisons/c~1-2.png",
        "side": "comparisons/c~1-1-before.png",
        "data": f"data/{report_id}.json",
        "report": f"reports/{report_id}.html",
    }
    for kind in ("PDF", "asset", "thumbnail", "picture", "side"):
        put(storage, keys[kind])
    put(storage, keys["data"], DATA)
    put(storage, keys["report"])
    known = {"size": len(PICTURE), "sha256": digest(PICTURE)}
    with database.writing() as session:
        render = renders.submit(
            session,
            orders.submission(
                render_id=report_id, blob_stem=f"reports/{report_id}", kept=True, data=None, data_key=keys["data"]
            ),
        )
        reports.create(session, render, report_id=report_id, name="r", blob_name=report_id)
        session.add(
            Asset(id="a", shortid="a", name="logo.png", media_type="image/png", blob_key=keys["asset"], **known)
        )
        session.add(
            Comparison(
                id="c",
                trace_id=TRACE,
                first_id=record.id,
                second_id=other.id,
                state="succeeded",
                result={
                    "pictures": [
                        {"page": 1, "overlay": None, "before": known, "after": known},
                        # As an earlier release wrote it.
                        {"page": 2, "overlay": known},
                    ]
                },
                overlays={"1-before": keys["side"], "2": keys["picture"]},
            )
        )
    orders.claimed(database, report_id)
    with database.writing() as session:
        renders.succeed(session, report_id, attempt=1, result=orders.result(blob_key=keys["report"], **known))
        leases.claim(session, Thumbnail, record.render_id, worker_id="worker-1", seconds=60)
        leases.succeed(session, Thumbnail, record.render_id, attempt=1, blob_key=keys["thumbnail"], **known)
    return keys


def verify(database, storage, *, grace=HOUR, **options):
    lines = []
    found = verification.verify(database, storage, grace=grace, say=lines.append, **options)
    return found, lines


def said(database, storage, **options):
    """What is said to be wrong, by kind and key or row."""
    _, lines = verify(database, storage, **options)
    return sorted(lines[:-1])


def test_nothing_is_said_of_a_farm_that_is_as_it_should_be(database, storage, farm):
    found, lines = verify(database, storage, grace=-5)

    assert lines == [
        "11 objects read: 0 changed, 0 unreadable, 0 missing; 0 objects without a row, 0 removed; 0 rows wrong"
    ]
    assert not found.unrepaired


def test_each_object_that_was_changed_is_named_with_its_row(database, storage, farm):
    others = {kind: f"someone else's {kind}".encode() for kind in farm}
    for kind, key in farm.items():
        stored = storage.stat(key)
        length = stored.size
        # Of the same size, and beside the hash of what was stored: only reading it tells.
        content = (others[kind] * (length // len(others[kind]) + 1))[:length]
        put_behind_its_back(storage, key, content, {"sha256": stored.sha256})

    found, lines = verify(database, storage, repair=True)

    assert found.unrepaired
    assert found.changed == len(farm)
    assert sorted(line.split()[1] for line in lines[:-1]) == sorted(farm.values())
    assert all(line.startswith("changed  ") and "SHA-256" in line for line in lines[:-1])
    [asset] = [line for line in lines if farm["asset"] in line]
    assert asset.endswith(f", expected {digest(PICTURE)}")
    assert "(asset of asset a): " in asset
    [payload] = [line for line in lines if farm["payload"] in line]
    assert f", trace {TRACE}): " in payload
    # Nothing that rows name is ever removed.
    assert set(farm.values()) <= set(storage.keys())
    # To see it, objects must be read.
    assert said(database, storage, contents=False) == []


def test_an_object_that_was_replaced_with_its_hash_is_not_what_its_row_says(database, storage, farm):
    put(storage, farm["thumbnail"], b"A picture")
    put(storage, farm["report"], b"another picture")

    thumbnail, report = sorted(said(database, storage), key=lambda line: "report" in line)

    assert f"SHA-256 {digest(b'A picture')}, expected {digest(PICTURE)}" in thumbnail
    assert report.endswith(": 15 bytes, expected 9")


def test_what_is_gone_is_said_with_its_trace(database, storage, farm):
    storage.delete(farm["PDF"])

    [line] = said(database, storage)

    assert line.startswith(f"missing  {farm['PDF']}  (PDF of print task ")
    assert line.endswith(f", trace {TRACE})")


def test_an_object_that_cannot_be_read_is_named_and_the_others_are_read(database, storage, farm, monkeypatch):
    original = storage.stream

    def stream(key):
        if key == farm["asset"]:
            raise StorageError("Input/output error")
        return original(key)

    monkeypatch.setattr(storage, "stream", stream)

    found, lines = verify(database, storage)

    assert (found.objects, found.unread) == (11, 1)
    assert lines[0] == f"unread   {farm['asset']}  (asset of asset a): Input/output error"


def test_a_store_that_is_away_is_no_reason_to_call_its_objects_bad(database, storage, farm, monkeypatch):
    def away(*_, **__):
        raise StorageError("away")

    for name in ("stream", "stat", "ping"):
        monkeypatch.setattr(storage, name, away)
    lines = []

    with pytest.raises(StorageError, match="away"):
        verification.verify(database, storage, grace=HOUR, say=lines.append)
    assert lines == []


def test_what_is_removed_meanwhile_is_missed_by_nobody(database, storage, farm, monkeypatch):
    original = storage.stream

    def stream(key):
        if key == farm["asset"]:
            with database.writing() as session:
                session.execute(delete(Asset))
            storage.delete(key)
        return original(key)

    monkeypatch.setattr(storage, "stream", stream)

    assert said(database, storage) == []


def test_what_is_made_anew_meanwhile_is_not_called_changed(database, storage, farm, monkeypatch):
    original = storage.stream

    def stream(key):
        if key == farm["thumbnail"]:
            # Another attempt's picture, in the same place.
            put(storage, key, b"A picture")
            with database.writing() as session:
                session.execute(update(Thumbnail).where(Thumbnail.blob_key == key).values(sha256=digest(b"A picture")))
        return original(key)

    monkeypatch.setattr(storage, "stream", stream)

    assert said(database, storage) == []


def test_only_repair_removes_what_no_row_names(database, storage, farm):
    put(storage, "transient/lost.html")

    found, lines = verify(database, storage, grace=-5)
    assert (found.orphans, found.removed, found.unrepaired) == (1, 0, True)
    assert lines[0] == "orphan   transient/lost.html"
    found, lines = verify(database, storage, grace=-5, repair=True)
    assert (found.orphans, found.removed, found.unrepaired) == (1, 1, False)
    assert "transient/lost.html" not in set(storage.keys())


def changed(database, model, **values):
    with database.writing() as session:
        session.execute(update(model).values(**values))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"state": "lost"}, "its state is none that there is"),
        ({"state": "queued"}, "it is queued, and has a worker, an end or a document"),
        ({"state": "running"}, "it is running, and has no worker, no deadline, or an end"),
        (
            {"state": "running", "finished_at": None, "deadline_at": now(LONG_AGO)},
            "it is running long past its deadline",
        ),
        ({"finished_at": None}, "it has ended, and nothing says when"),
        ({"blob_key": None}, "it succeeded and is kept, and has no document"),
        ({"sha256": None}, "hash, size or type of its document are not known"),
        ({"state": "failed"}, "it failed, and nothing says why"),
    ],
)
def test_a_render_that_contradicts_itself_is_said(database, filesystem_storage, values, problem):
    report_id = new_id()
    put(filesystem_storage, f"reports/{report_id}.html")
    with database.writing() as session:
        render = renders.submit(session, orders.submission(render_id=report_id, kept=True))
        reports.create(session, render, report_id=report_id, name="r", blob_name=report_id)
    orders.claimed(database, report_id)
    result = orders.result(blob_key=f"reports/{report_id}.html", size=len(PICTURE), sha256=digest(PICTURE))
    with database.writing() as session:
        renders.succeed(session, report_id, attempt=1, result=result)
    assert said(database, filesystem_storage) == []

    changed(database, Render, **values)

    [line] = said(database, filesystem_storage)
    assert line.startswith(f"wrong    render {report_id}, trace {TRACE}")
    assert problem in line


def test_a_cancelled_render_whose_worker_died_is_nothing_wrong(database, filesystem_storage):
    # Nobody heard the end of its attempt: the row says so until the sweep takes it, which asks the storage for such.
    render_id = orders.submitted(database, kept=False)
    orders.claimed(database, render_id)
    with database.writing() as session:
        assert renders.cancel(session, render_id)
    changed(database, Render, deadline_at=now(LONG_AGO))

    assert said(database, filesystem_storage) == []


def test_a_render_that_nothing_keeps_and_no_sweep_takes_is_said(database, filesystem_storage):
    render_id = orders.submitted(database, kept=True)

    [line] = said(database, filesystem_storage)
    assert line.startswith(f"wrong    render {render_id}, trace {TRACE}: it is kept, and no report, history record or")


@pytest.mark.parametrize(
    ("model", "values", "noun", "problem"),
    [
        (HistoryRecord, {"response": null()}, "history record", "its render ended long ago, and it has no answer"),
        (HistoryRecord, {"sha256": "0" * 64}, "history record", "it names another document than its render"),
        (PrintTask, {"history_record_id": None}, "print task", "it is to be printed, and has no document"),
        (PrintTask, {"held": True}, "print task", "it waits for a render that ended long ago"),
        (PrintTask, {"status": "eaten"}, "print task", "its status is none that there is"),
        (PrintTask, {"status": "completed"}, "print task", "it has ended, and nothing says when"),
        (Thumbnail, {"state": "succeeded"}, "thumbnail of render", "it was made, and there is nothing"),
        (Thumbnail, {"state": "running"}, "thumbnail of render", "it is being made, and nobody says for how long"),
        (
            Thumbnail,
            {"state": "running", "lease_until": now(LONG_AGO)},
            "thumbnail of render",
            "its making was given up long ago",
        ),
    ],
)
def test_what_is_kept_of_a_render_and_contradicts_itself_is_said(
    database, filesystem_storage, template, model, values, noun, problem
):
    record = records.done(database, filesystem_storage, template)
    records.print_task(database, record)
    changed(database, Render, finished_at=now(LONG_AGO))
    assert said(database, filesystem_storage) == []

    changed(database, model, **values)

    [line] = said(database, filesystem_storage)
    assert line.startswith(f"wrong    {noun} ")
    assert f"trace {TRACE}" in line
    assert problem in line


def test_what_the_farm_is_about_to_do_is_not_wrong_yet(database, filesystem_storage, template):
    record = records.done(database, filesystem_storage, template)
    records.print_task(database, record, held=True, due_at=None)
    changed(database, HistoryRecord, response=null())
    changed(database, Thumbnail, state="running", lease_until=now(-60))

    assert said(database, filesystem_storage) == []
    assert len(said(database, filesystem_storage, grace=0)) == 3


def test_rows_whose_render_is_gone_are_said(database, filesystem_storage, template):
    # As a backup does that was put back in parts; the database itself would not let them go.
    record = records.done(database, filesystem_storage, template)
    task = records.print_task(database, record)
    report_id = new_id()
    with database.writing() as session:
        render = renders.submit(session, orders.submission(render_id=report_id, kept=True))
        reports.create(session, render, report_id=report_id, name="r", blob_name=report_id)
    with database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Not within a transaction, in which it does nothing.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        connection.execute(delete(Render))
        connection.commit()
        assert [line for line in said(database, filesystem_storage) if "render is gone" in line] == [
            f"wrong    history record {record.id}, trace {TRACE}, {record.blob_key}: its render is gone",
            f"wrong    report {report_id}: its render is gone",
        ]
        connection.execute(delete(HistoryRecord))
        connection.commit()
        connection.invalidate()

    lines = said(database, filesystem_storage)
    assert f"wrong    print task {task.id}, trace {TRACE}: its history record is gone" in lines
    assert f"wrong    thumbnail of render {record.render_id}, trace {TRACE}: what it was made of is gone" in lines


def test_more_than_a_batch_is_held_against_each_other(database, filesystem_storage, monkeypatch):
    for module in ("inventory", "contradictions"):
        monkeypatch.setattr(f"shared.{module}.BATCH", 2)
    for number in range(5):
        put(filesystem_storage, f"assets/{number}/1.png", b"another")
        with database.writing() as session:
            session.add(
                Asset(
                    id=str(number),
                    shortid=str(number),
                    name=f"{number}.png",
                    media_type="image/png",
                    size=7,
                    sha256=digest(PICTURE),
                    blob_key=f"assets/{number}/1.png",
                )
            )
        orders.submitted(database, kept=True)

    found, _ = verify(database, filesystem_storage)

    assert (found.objects, found.changed, found.contradictions) == (5, 5, 5)
