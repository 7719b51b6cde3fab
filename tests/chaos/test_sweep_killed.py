"""A sweep of thousands of expired reports: constant memory, and killed half-way it leaves nothing for ever."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orders
import pytest
from farms import eventually
from sqlalchemy import func, insert, select

from shared import verification
from shared.database import Database, migrate, now
from shared.identifiers import new_id
from shared.models import Render, Report

# Ten thousand need minutes of the S3 server, and show no more there.
COUNTS = {"sqlite-filesystem": 10_000, "postgresql-s3": 2_000}
GROWTH_KIB = 15_000
SWEEP = Path(__file__).with_name("sweeping.py")


@pytest.fixture(params=COUNTS)
def stores(request, tmp_path):
    """A database, a storage, and how another process names them."""
    if request.param == "sqlite-filesystem":
        url = f"sqlite:///{tmp_path / 'pressroom.db'}"
        storage = request.getfixturevalue("filesystem_storage")
        where = [str(tmp_path / "blobs")]
    else:
        server = request.getfixturevalue("seaweedfs")
        url = request.getfixturevalue("postgres").new_database()
        storage = request.getfixturevalue("s3_storage")
        where = [server.endpoint, storage._bucket, server.access_key, server.secret_key]
    migrate(url)
    database = Database(url)
    yield database, storage, [url, *where], COUNTS[request.param]
    database.close()
    if request.param != "sqlite-filesystem":
        request.getfixturevalue("postgres").drop_database(url)


def populate(database, storage, count):
    """Make expired reports with their objects, and one of each kind that must stay."""
    ids = [new_id() for _ in range(count)]
    result = orders.result()
    facts = {
        "trace_id": "t", "state": "succeeded", "queue": "render", "engine": "jinja", "recipe": "html", "timeout": 1,
        "content": "x", "data": "{}", "attempt": 1, "losses": [], "media_type": result.media_type,
        "extension": "html", "size": 1, "sha256": result.sha256, "kept": True,
    }  # fmt: skip
    with database.writing() as session:
        session.execute(
            insert(Render),
            [{**facts, "id": one, "blob_stem": f"reports/{one}", "blob_key": f"reports/{one}.html"} for one in ids],
        )
        session.execute(
            insert(Report).values(expires_at=now(-60)),
            [{"id": one, "shortid": one, "render_id": one, "name": "r", "blob_name": one} for one in ids],
        )

    def put(key):
        storage.put(key, b"x", media_type="text/html", metadata={})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, [f"reports/{one}.html" for one in ids]))
    with database.writing() as session:
        keep = session.get_one(Report, ids[0])
        keep.keep = True
        session.get_one(Report, ids[1]).expires_at = None
        waiting = session.get_one(Render, ids[2])
        waiting.state, waiting.blob_key = "queued", None
    storage.delete(f"reports/{ids[2]}.html")
    return ids[:3]


def reports_left(database):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(Report))


@pytest.mark.timeout(600)
def test_thousands_of_expired_reports_go_even_when_the_sweep_is_killed_half_way(stores):
    database, storage, named, count = stores
    stay = populate(database, storage, count)
    command = [sys.executable, str(SWEEP), *named]

    killed = subprocess.Popen(command)
    eventually(lambda: reports_left(database) < count * 0.6, seconds=300, what="the sweep to be half-way")
    killed.kill()
    killed.wait()

    assert 3 < reports_left(database) < count, "it was killed half-way"
    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    removed, grown = map(int, again.stdout.split())
    assert removed > count * 0.1
    assert grown < GROWTH_KIB, "its memory is that of one batch"

    with database.reading() as session:
        assert set(session.scalars(select(Report.id))) == set(stay)
        assert set(session.scalars(select(Render.id))) == set(stay)
    lines = []
    found = verification.verify(database, storage, grace=-5, contents=False, say=lines.append)
    assert (found.orphans, found.missing) == (0, 0), lines[:5]
    assert sorted(storage.keys()) == sorted(f"reports/{one}.html" for one in stay[:2])
