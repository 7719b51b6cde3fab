"""A large document is served piece by piece: the gateway needs no memory for it."""

from __future__ import annotations

import hashlib

import orders
import psutil
import pytest
import requests
from farms import Farm

from shared import renders, reports
from shared.database import Database
from shared.identifiers import new_id
from shared.settings import load_settings
from shared.storage import create_storage

SIZE = 200_000_000
GROWTH = 40_000_000


@pytest.fixture(params=["filesystem", "s3"])
def farm(request, tmp_path, valkey):
    """A gateway alone: nothing is rendered here."""
    environment = {"PRESSROOM_BROKER_URL": valkey.url}
    if request.param == "s3":
        server = request.getfixturevalue("seaweedfs")
        environment |= {
            "PRESSROOM_STORAGE": "s3",
            "PRESSROOM_S3_ENDPOINT": server.endpoint,
            "PRESSROOM_S3_ACCESS_KEY": server.access_key,
            "PRESSROOM_S3_SECRET_KEY": server.secret_key,
            "PRESSROOM_S3_BUCKET": server.new_bucket(),
            "PRESSROOM_S3_SECURE": "0",
        }
    farm = Farm(tmp_path / "farm", **environment)
    try:
        assert farm.command("migrate").returncode == 0
        farm.run_gateway()
        yield farm
    finally:
        farm.stop()


def stored(farm, content: bytes) -> str:
    """Store a report with a given document, and return its id."""
    settings = load_settings({name: value for name, value in farm.environment.items() if "PRESSROOM" in name})
    database = Database(settings.database)
    report_id = new_id()
    key = f"reports/{report_id}.pdf"
    create_storage(settings).put(key, content, media_type="application/pdf", metadata={})
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
    assert requests.get(link, headers={"Range": "bytes=0-99"}, timeout=60).content == content[:100]
    before = most = resident(farm)

    digest = hashlib.sha256()
    with requests.get(link, stream=True, timeout=60) as answer:
        assert answer.headers["Content-Length"] == str(len(content))
        for number, chunk in enumerate(answer.iter_content(1 << 20)):
            digest.update(chunk)
            if number % 10 == 0:
                most = max(most, resident(farm))

    assert digest.digest() == hashlib.sha256(content).digest()
    assert most - before < GROWTH
