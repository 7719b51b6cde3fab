"""The whole life of a history record and its paper, from the request to the purge, as support and operators live it."""

from __future__ import annotations

import base64
import io
import json
import subprocess

import pypdf
import pytest
from farms import PRESSROOM, Farm, eventually
from PIL import Image
from services import Valkey

TEMPLATE = {
    "name": "delivery-note",
    "content": "<h1>Delivery {{ parameters.number }}</h1>{% for row in rows %}<p>{{ row.item }}{% endfor %}",
    "engine": "jinja",
    "recipe": "weasyprint-pdf",
    "parameters": [{"name": "number", "type": "string", "required": True}],
}
ORDER = {
    "outputType": "base64",
    "parameters": {"number": "N-4711"},
    "data": [{"item": "Bolts"}, {"item": "Nuts"}],
    "createHistoryRecord": True,
    "createPrintTask": True,
    "printerName": "Warehouse 1",
}
RECORDS = "/api/v1/report-history-record"
TASKS = "/api/v1/report-print-task"


@pytest.fixture
def farm(tmp_path):
    with Valkey() as broker:
        farm = Farm(
            tmp_path / "farm",
            PRESSROOM_BROKER_URL=broker.url,
            PRESSROOM_TOKENS="shop:secret",
            PRESSROOM_PRINT_INTERVAL="0.3",
        )
        farm.token = "secret"
        try:
            farm.run_all()
            yield farm
        finally:
            farm.stop()


def data_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def task_in(farm, task_id, *statuses):
    task = data_of(farm.get(f"{TASKS}/{task_id}"))
    return task if task["status"] in statuses else None


def until(farm, task_id, *statuses):
    return eventually(lambda: task_in(farm, task_id, *statuses), what=f"print task {task_id} in {statuses}")


def trace(farm, trace_id):
    said = farm.command("trace", trace_id, "--json")
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def objects(farm):
    blobs = farm.home / "blobs"
    names = {path.relative_to(blobs).as_posix() for path in blobs.rglob("*") if path.is_file()}
    return {name for name in names if not name.startswith("@locks/")}


def thumbnail(farm, record_id):
    """Return the answer with a record's thumbnail, once there is one."""

    def look():
        found = farm.get(f"{RECORDS}/{record_id}/thumbnail")
        if found.status_code == 404:
            assert found.headers["Retry-After"]
            return None
        return found

    return eventually(look, what="the thumbnail")


def check_record(farm, record_id, document):
    """Look whether a record has what was sent and what came back, to the byte."""
    record = data_of(farm.get(f"{RECORDS}/{record_id}?include=reportPdf"))
    assert (record["status"], record["source"], record["createdBy"]) == ("Ok", "api", "token:shop")
    assert record["apiPayload"] == ORDER
    assert base64.b64decode(record["reportPdf"]) == document
    assert farm.get(f"{RECORDS}/{record_id}/payload").content == json.dumps(ORDER).encode()
    assert farm.get(f"{RECORDS}/{record_id}/pdf").content == document
    picture = Image.open(io.BytesIO(thumbnail(farm, record_id).content))
    assert (picture.format, picture.width) == ("PNG", 400)
    return record


def check_traces(farm, original, derived):
    """Look whether a trace shows the request, the record, both papers, and what was logged of each."""
    entries = trace(farm, original)
    said = {(entry["source"], entry["event"]) for entry in entries}
    in_full = {
        ("gateway", "request"),
        ("database", "submitted"),
        ("worker", "render"),
        ("database", "record"),
        ("database", "thumbnail"),
        ("database", "print task"),
        ("database", "handed over"),
    }
    assert in_full <= said
    assert {entry["trace"] for entry in entries if entry["event"] == "print completed"} == {original, derived}
    # The reprint's own trace has what is its own.
    reprint = trace(farm, derived)
    assert {("database", "print task"), ("database", "print completed")} <= {
        (entry["source"], entry["event"]) for entry in reprint
    }
    assert any(entry["source"] == "worker" for entry in reprint)
    assert len(entries) > len(reprint)


def check_refusals(farm, record_id, config_id, *, tasks):
    """Look whether nothing can be removed that something else names."""
    refused = farm.request("DELETE", f"{RECORDS}/{record_id}")
    assert refused.status_code == 409
    assert str(tasks) in refused.json()["errors"][0]
    assert "delete-all-report-print-tasks" in refused.json()["errors"][0]
    assert farm.request("DELETE", f"/api/v1/report-config/{config_id}").status_code == 409
    assert farm.request("DELETE", f"/odata/templates('{config_id}')").status_code == 409


def purge(farm):
    environment = farm.environment | {"PURGE_HISTORY_DAYS": "0"}
    done = subprocess.run([PRESSROOM, "purge"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_document_goes_from_the_request_to_paper_is_printed_again_and_leaves_nothing_behind(farm, print_queue):
    device = print_queue.device
    config = data_of(farm.post("/api/v1/report-config", TEMPLATE), 201)
    data_of(farm.post("/api/v1/printer", {"name": "Warehouse 1", "uri": print_queue.uri}), 201)

    # The queue is out of paper: the job waits there while the worker dies between hand-off and follow-up.
    print_queue.stop()
    rendered = farm.post("/api/v1/report-config/delivery-note/render", ORDER)
    answer = data_of(rendered)
    document = base64.b64decode(answer["reportPdf"])
    assert "Delivery N-4711" in pypdf.PdfReader(io.BytesIO(document)).pages[0].extract_text()
    record_id, task_id, trace_id = answer["historyRecordId"], answer["printTaskId"], answer["traceId"]
    assert rendered.headers["X-Trace-Id"] == trace_id
    assert check_record(farm, record_id, document)["apiResponse"] == rendered.json()

    until(farm, task_id, "sent")
    farm.kill("small-worker")
    farm.run_small_worker()
    print_queue.resume()
    assert until(farm, task_id, "completed")["traceId"] == trace_id
    assert device.until_printed() == [document]
    assert len(print_queue.jobs()) == 1

    again = data_of(farm.post(f"{RECORDS}/{record_id}/print", {"printerName": "Warehouse 1"}), 201)
    assert again["traceId"].startswith(f"{trace_id}-")
    until(farm, again["id"], "completed")
    assert device.until_printed(2) == [document, document]
    check_traces(farm, trace_id, again["traceId"])

    check_refusals(farm, record_id, config["id"], tasks=2)
    farm.request("DELETE", f"{RECORDS}/{record_id}/delete-all-report-print-tasks").raise_for_status()
    farm.request("DELETE", f"{RECORDS}/{record_id}").raise_for_status()
    assert farm.get(f"{RECORDS}/{record_id}").status_code == 404

    last = data_of(farm.post("/api/v1/report-config/delivery-note/render", ORDER | {"outputType": "none"}))
    until(farm, last["printTaskId"], "completed")
    thumbnail(farm, last["historyRecordId"])
    purge(farm)
    assert farm.get(f"{RECORDS}/{last['historyRecordId']}").status_code == 404
    assert farm.get(f"{TASKS}/{last['printTaskId']}").status_code == 404
    assert objects(farm) == set()
    farm.request("DELETE", f"/api/v1/report-config/{config['id']}").raise_for_status()
