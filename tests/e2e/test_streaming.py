"""A large document is fetched once and served piece by piece: the gateway needs no memory for it."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import orders
import psutil
import pytest
import requests
from farms import Farm, eventually

from shared import renders, reports
from shared.database import Database
from shared.identifiers import new_id
from shared.settings import load_settings
from shared.storage import create_storage

SIZE = 200_000_000
GROWTH = 40_000_000


@pytest.fixture(params=["filesystem", "s3", "filesystem-uncached"])
def farm(request, tmp_path, valkey):
    """A gateway alone: nothing is rendered here."""
    environment = {"PRESSROOM_BROKER_URL": valkey.url}
    if request.param == "filesystem-uncached":
        environment["PRESSROOM_DOCUMENT_CACHE_BYTES"] = "0"
    if request.param == "s3":
        environment |= request.getfixturevalue("seaweedfs").settings()
    farm = Farm(tmp_path / "farm", **environment)
    try:
        assert farm.command("migrate").returncode == 0
        farm.run_gateway()
        yield farm
    finally:
        farm.stop()


def settings_of(farm):
    return load_settings({name: value for name, value in farm.environment.items() if "PRESSROOM" in name})


def storage_of(farm):
    return create_storage(settings_of(farm))


def stored(farm, content: bytes) -> str:
    """Store a report with a given document, and return its id."""
    database = Database(settings_of(farm).database)
    report_id = new_id()
    key = f"reports/{report_id}.pdf"
    storage_of(farm).put(key, content, media_type="application/pdf", metadata={})
    with database.writing() as session:
        render = renders.submit(
            session, orders.submission(render_id=report_id, blob_stem=f"reports/{report_id}", kept=True)
        )
        reports.create(session, render, report_id=report_id, name="large", blob_name=report_id)
    orders.claimed(database, report_id)
    facts = {"media_type": "application/pdf", "extension": "pdf", "sha256": hashlib.sha256(content).hexdigest()}
    with database.writing() as session:
        result = orders.result(blob_key=key, size=len(content), **facts)
        assert renders.succeed(session, report_id, attempt=1, result=result)
    database.close()
    return report_id


def resident(farm) -> int:
    gateway = psutil.Process(farm.processes["gateway"].pid)
    return sum(one.memory_info().rss for one in (gateway, *gateway.children()))


def test_a_document_of_200_megabytes_needs_no_memory(farm):
    piece = bytes(range(256)) * 1000
    content = piece * (SIZE // len(piece) + 1)
    link = f"{farm.base}/reports/{stored(farm, content)}/content"
    before = most = resident(farm)
    for start in (0, SIZE // 2):
        part = requests.get(link, headers={"Range": f"bytes={start}-{start + 99}"}, timeout=60)
        assert part.content == content[start : start + 100]
        most = max(most, resident(farm))

    digest = hashlib.sha256()
    with requests.get(link, stream=True, timeout=60) as answer:
        assert answer.headers["Content-Length"] == str(len(content))
        for number, chunk in enumerate(answer.iter_content(1 << 20)):
            digest.update(chunk)
            if number % 10 == 0:
                most = max(most, resident(farm))

    assert digest.digest() == hashlib.sha256(content).digest()
    assert most - before < GROWTH


def test_parts_of_a_kept_document_are_not_fetched_one_by_one(farm):
    content = bytes(range(256)) * 10_000
    report_id = stored(farm, content)
    link = f"{farm.base}/reports/{report_id}/content"
    assert requests.get(link, headers={"Range": "bytes=0-99"}, timeout=60).content == content[:100]
    storage_of(farm).delete(f"reports/{report_id}.pdf")

    again = requests.get(link, headers={"Range": "bytes=2000000-2000099"}, timeout=60)

    if farm.environment.get("PRESSROOM_DOCUMENT_CACHE_BYTES") == "0":
        assert again.status_code == 404
    else:
        assert again.content == content[2_000_000:2_000_100]


def held_open(farm) -> list[str]:
    """Return the files that a gateway has open and that are kept, or have no name any more."""
    gateway = psutil.Process(farm.processes["gateway"].pid)
    found = []
    for process in (gateway, *gateway.children()):
        for one in Path(f"/proc/{process.pid}/fd").iterdir():
            # Closed since the look.
            with contextlib.suppress(FileNotFoundError):
                found.append(str(one.readlink()))
    return sorted(one for one in found if one.endswith(" (deleted)") or "/cache/documents/" in one)


def test_nothing_is_left_open_when_a_client_goes_away(farm):
    content = bytes(range(256)) * 100_000
    link = f"{farm.base}/reports/{stored(farm, content)}/content"
    before = held_open(farm)

    with requests.get(link, stream=True, timeout=60) as answer:
        next(answer.iter_content(1000))
        # More than fits between the two is still to come.
        assert held_open(farm) != before

    eventually(lambda: held_open(farm) == before, what="the file of the answer to be closed")
    cache = farm.home / "cache" / "documents"
    kept = [hashlib.sha256(content).hexdigest()] if "PRESSROOM_DOCUMENT_CACHE_BYTES" not in farm.environment else []
    assert [one.name for one in cache.glob("*") if one.suffix != ".lock"] == kept
