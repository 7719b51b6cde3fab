"""A purge of thousands of records: constant memory, and killed half-way it leaves nothing for ever."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys
from pathlib import Path

import orders
import pytest
import records
from farms import eventually
from sqlalchemy import func, insert, select

from shared import sweeps, templates, verification
from shared.database import Database, migrate, now
from shared.identifiers import new_id
from shared.models import HistoryRecord, PrintTask, Render, RetiredObject, Thumbnail
from shared.storage.filesystem import FilesystemStorage
from shared.templates import TemplateFields

COUNT = 3000
MOMENT = dt.datetime.now(dt.UTC)
SHA256 = hashlib.sha256(b"x").hexdigest()
PAYLOAD = 20_000
# What is left after the kill weighs twice as much at least. Two batches of 4 MB can be there at once; the rest is what
# any program takes once, such as its statements, compiled.
PEAK_KIB = 15_000
# Beyond the first batches only Python's table of interned strings may happen to grow: pathlib interns each part of each
# path, and growing costs megabytes.
GROWTH_KIB = 4_000
PURGE = Path(__file__).with_name("purging.py")


@pytest.fixture
def stores(database_url, tmp_path):
    """A database, a storage, and how another process names them."""
    migrate(database_url)
    database = Database(database_url)
    yield database, FilesystemStorage(tmp_path / "blobs"), [database_url, str(tmp_path / "blobs")]
    database.close()


def populate(database, storage):
    """Make many records as they are when all is over, and one whose print task is not; return that one."""
    with database.writing() as session:
        fields = TemplateFields(name="t", content="", engine="none", recipe="html", sample_data=None)
        template = templates.create(session, fields)
    ids = [(new_id(), new_id()) for _ in range(COUNT)]
    with database.writing() as session:
        session.execute(
            insert(Render).values(finished_at=now(-60)),
            [
                {
                    "id": render_id, "trace_id": "t", "state": "succeeded", "queue": "render", "engine": "jinja",
                    "recipe": "html", "timeout": 1, "data": "{}", "attempt": 1, "losses": [], "kept": True,
                    "blob_stem": f"history/{render_id}", "blob_key": f"history/{render_id}.pdf", "sha256": SHA256,
                    "size": 1, "media_type": "application/pdf", "extension": "pdf", "finished_at": MOMENT,
                }
                for _, render_id in ids
            ],
        )  # fmt: skip
        session.execute(
            insert(HistoryRecord),
            [
                {
                    "id": record_id, "trace_id": "t", "render_id": render_id, "template_id": template.id,
                    "template_shortid": "s", "template_name": "t", "template_version": 1, "output_type": "none",
                    "payload": b"x" * PAYLOAD, "status": "Ok", "file_name": "x.pdf", "source": "api", "searched": "t",
                    "blob_key": f"history/{render_id}.pdf", "sha256": SHA256, "size": 1, "response": {},
                }
                for record_id, render_id in ids
            ],
        )  # fmt: skip
        session.execute(
            insert(Thumbnail),
            [
                {
                    "render_id": render_id, "trace_id": "t", "state": "succeeded", "attempt": 1,
                    "blob_key": f"thumbnails/{render_id}~1.png",
                }
                for _, render_id in ids
            ],
        )  # fmt: skip
        session.execute(
            insert(PrintTask),
            [
                {
                    "id": new_id(), "trace_id": "t", "history_record_id": record_id, "printer_name": "p",
                    "file_name": "x.pdf", "number_of_copies": 1, "status": "completed", "source": "api",
                    "finished_at": MOMENT,
                }
                for record_id, _ in ids
            ],
        )  # fmt: skip
    for _, render_id in ids:
        for key in (f"history/{render_id}.pdf", f"thumbnails/{render_id}~1.png"):
            storage.put(key, b"x", media_type="application/pdf", metadata={})
    stays = records.done(database, storage, template)
    records.print_task(database, stays)
    return stays


def count(database, model):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model))


@pytest.mark.timeout(600)
def test_thousands_of_old_records_go_even_when_the_purge_is_killed_half_way(stores):
    database, storage, named = stores
    stays = populate(database, storage)
    command = [sys.executable, str(PURGE), *named]

    killed = subprocess.Popen(command)
    eventually(lambda: count(database, HistoryRecord) < COUNT * 0.9, seconds=300, what="the purge to be under way")
    killed.kill()
    killed.wait()

    left = count(database, HistoryRecord)
    assert 1 < left < COUNT, "it was killed half-way"
    assert count(database, PrintTask) == count(database, Thumbnail) == left
    # What its last batch could not remove any more is noted, and nobody takes it for lost.
    assert amiss(database, storage) == []

    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    removed, tasks, taken, grown = map(int, again.stdout.split())
    assert removed == tasks == left - 1
    assert removed * PAYLOAD > 2 * PEAK_KIB * 1024
    assert taken < PEAK_KIB, "its memory is that of two batches"
    assert grown < GROWTH_KIB, "it grows no more"

    assert [count(database, model) for model in (HistoryRecord, PrintTask, Thumbnail)] == [1, 1, 1]
    sweeps.sweep_retired(database, storage, older_than=-5)
    assert sweeps.sweep_unkept(database, storage, older_than=-5) == COUNT
    assert count(database, Render) == 1
    assert count(database, RetiredObject) == 0
    assert list(storage.keys()) == [stays.blob_key]
    assert orders.row(database, stays.render_id).kept
    assert amiss(database, storage) == []


def amiss(database, storage):
    lines = []
    verification.verify(database, storage, grace=-5, contents=False, say=lines.append)
    return lines[:-1]
