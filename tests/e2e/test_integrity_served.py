"""What was changed in storage is never served, not even its first byte; what was served once needs no storage."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil

import asset_files
import pytest
from behind import put_behind_its_back
from farms import Farm, eventually

from shared.identifiers import new_id
from shared.settings import load_settings
from shared.storage import create_storage

PDF_TEMPLATE = {"content": "<p>Invoice {{ number }}</p>", "engine": "jinja", "recipe": "weasyprint-pdf"}


@pytest.fixture(scope="module", params=["filesystem", "s3"])
def farm(request, tmp_path_factory, valkey):
    environment = {"PRESSROOM_BROKER_URL": valkey.url.replace("/0", "/7"), "PRESSROOM_INLINE_DATA_BYTES": "100"}
    if request.param == "s3":
        environment |= request.getfixturevalue("seaweedfs").settings()
    farm = Farm(tmp_path_factory.mktemp("farm"), **environment)
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()


@pytest.fixture
def storage(farm):
    return create_storage(
        load_settings({name: value for name, value in farm.environment.items() if "PRESSROOM" in name})
    )


def alter(storage, key):
    """Change one byte of an object where it lies, and return what it was."""
    content, stored = storage.get(key), storage.stat(key)
    middle = len(content) // 2
    altered = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    put_behind_its_back(storage, key, altered, {**stored.metadata, "sha256": stored.sha256})
    return content


def refused(answer, key):
    """Hold an answer against what a damaged object's must be."""
    assert answer.status_code == 500, answer.text
    assert "was damaged" in answer.text
    assert "pressroom verify" in answer.text
    # It would only be asked again.
    assert "Retry-After" not in answer.headers
    # How it got there is nobody's business.
    assert key not in answer.text
    assert "Content-Disposition" not in answer.headers
    return answer


def data_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


@pytest.fixture
def record(farm):
    """A history record with a large request, a document and a thumbnail."""
    config = data_of(farm.post("/api/v1/report-config", {"name": new_id(), "content": "<p>Invoice"}), 201)
    body = {"outputType": "none", "createHistoryRecord": True, "data": [{"padding": "x" * 500}]}
    record_id = data_of(farm.post(f"/api/v1/report-config/{config['id']}/render", body))["historyRecordId"]
    address = f"/api/v1/report-history-record/{record_id}"
    eventually(lambda: data_of(farm.get(address))["reportThumbnail"], what="its thumbnail")
    return data_of(farm.get(address))


def test_a_damaged_report_is_refused_by_its_address_and_by_its_link(farm, storage):
    made = farm.report(PDF_TEMPLATE, {"number": 1}, reports={"save": True, "public": True})
    link = made.headers["Permanent-Link"]
    key = f"reports/{made.headers['Report-BlobName']}"
    alter(storage, key)
    shutil.rmtree(farm.home / "cache", ignore_errors=True)

    for headers in ({}, {"Range": "bytes=0-9"}):
        said = refused(farm.get(link, headers=headers), key).json()
        assert set(said) == {"message", "traceId"}
    # Neither reads it.
    tag = made.headers.get("ETag") or farm.request("HEAD", link).headers["ETag"]
    assert farm.get(link, headers={"If-None-Match": tag}).status_code == 304
    assert farm.request("HEAD", link).status_code == 200
    lines = [json.loads(one) for one in farm.logged().splitlines() if "stored object damaged" in one and key in one]
    assert {one["level"] for one in lines} == {"error"}
    assert all(one["expected"] != one["found"] and one["trace_id"] for one in lines)


def test_what_is_damaged_of_a_history_record_is_refused(farm, storage, record):
    render_id, address = record["renderId"], f"/api/v1/report-history-record/{record['id']}"
    for key, paths in (
        (f"thumbnails/{render_id}~1.png", [f"{address}/thumbnail"]),
        (f"history/{render_id}.pdf", [f"{address}/pdf", f"{address}?include=reportPdf"]),
        (f"payloads/{record['id']}.json", [f"{address}/payload", address]),
    ):
        alter(storage, key)
        shutil.rmtree(farm.home / "cache", ignore_errors=True)
        for path in paths:
            said = refused(farm.get(path), key).json()
            assert (said["success"], said["status"]) == (False, 500)


def test_a_damaged_asset_is_refused_and_fails_what_uses_it(farm, storage):
    content = asset_files.picture(colour="red")
    put = farm.request("PUT", "/api/v1/asset/damaged/logo.png", data=content, headers={"Content-Type": "image/png"})
    [key] = storage.keys(f"assets/{data_of(put, 201)['id']}/")
    alter(storage, key)

    refused(farm.get("/api/v1/asset/damaged/logo.png/content"), key)
    failed = farm.report({**PDF_TEMPLATE, "content": '<img src="asset:damaged/logo.png">'})
    assert failed.status_code >= 500
    assert "is not what was uploaded" in failed.text


def test_a_damaged_document_is_not_printed_by_an_agent_either(farm, storage):
    farm.post("/api/v1/printer", {"name": "Damaged", "agent": True})
    body = {"fileBase64": base64.b64encode(b"%PDF-1.4 whole").decode(), "fileName": "a.pdf", "printerName": "Damaged"}
    task = data_of(farm.post("/api/v1/report-print-task", body), 201)
    key = f"prints/{task['id']}.pdf"
    alter(storage, key)

    refused(farm.get(f"/api/v1/report-print-task/{task['id']}/file"), key)


def test_what_was_served_is_served_while_the_storage_is_away_until_it_is_removed(farm, storage):
    made = farm.report(PDF_TEMPLATE, {"number": 1}, reports={"save": True, "public": True})
    link, key = made.headers["Permanent-Link"], f"reports/{made.headers['Report-BlobName']}"
    document = farm.get(link).content
    storage.delete(key)

    assert farm.get(link).content == document
    part = farm.get(link, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, document[5:10])
    # The row decides.
    report_id = made.headers["Report-Id"]
    assert farm.request("DELETE", f"/odata/reports('{report_id}')").status_code == 204
    assert farm.get(link).status_code == 404


def test_a_kept_file_that_was_changed_is_fetched_again(farm, storage):
    made = farm.report(PDF_TEMPLATE, {"number": 2}, reports={"save": True, "public": True})
    link = made.headers["Permanent-Link"]
    document = farm.get(link).content
    kept = farm.home / "cache" / "documents" / hashlib.sha256(document).hexdigest()
    assert kept.read_bytes() == document
    kept.write_bytes(document[:-1] + b"x")

    assert farm.get(link).content == document
