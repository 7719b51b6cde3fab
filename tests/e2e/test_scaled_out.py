"""Two machines' workers share the work of one farm on PostgreSQL, Redis' protocol over TCP, and S3."""

from __future__ import annotations

import io
import json

import pypdf
import pytest
from farms import SAMPLES, Farm

INVOICE = {"content": (SAMPLES / "invoice.html").read_text(), "recipe": "plutoprint-pdf"}
INVOICE_DATA = json.loads((SAMPLES / "invoice.json").read_text())
COUNT = 60


@pytest.fixture
def machines(tmp_path, valkey, postgres, seaweedfs):
    database_url = postgres.new_database()
    environment = {
        "PRESSROOM_BROKER_URL": valkey.url.replace("/0", "/2"),
        "PRESSROOM_DATABASE_URL": database_url,
        **seaweedfs.settings(),
    }
    first, second = (Farm(tmp_path / name, **environment) for name in ("first", "second"))
    try:
        assert first.command("migrate").returncode == 0
        first.run_workers(children=1, name="first")
        second.run_workers(children=1, name="second")
        first.run_caretakers()
        first.run_gateway()
        first.until_ready()
        yield first, second
    finally:
        second.stop()
        first.stop()
    postgres.drop_database(database_url)


@pytest.mark.timeout(180)
def test_workers_on_two_machines_share_the_work(machines):
    first, _ = machines

    status_urls = [
        first.report(INVOICE, INVOICE_DATA | {"number": f"N-{number}"}, reports={"async": True}).headers["Location"]
        for number in range(COUNT)
    ]

    for number, status_url in enumerate(status_urls):
        done = first.until_done(status_url)
        assert done.status_code == 201
        [page] = pypdf.PdfReader(io.BytesIO(first.get(done.headers["Location"]).content)).pages
        assert f"N-{number}" in page.extract_text()
    done_by_first, done_by_second = (
        sum('"outcome": "succeeded"' in line for line in machine.logged().splitlines()) for machine in machines
    )
    assert done_by_first + done_by_second == COUNT
    assert done_by_first > 0
    assert done_by_second > 0


def test_a_large_document_and_large_data_pass_through_s3(machines):
    first, _ = machines

    answer = first.report({"content": "{{ t }}", "recipe": "text"}, {"t": "x" * 3_000_000}, reports={"save": True})

    assert answer.content == b"x" * 3_000_000
    part = first.get(answer.headers["Permanent-Link"], headers={"Range": "bytes=2999990-"})
    assert (part.status_code, part.content) == (206, b"x" * 10)
