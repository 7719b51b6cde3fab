"""History records over HTTP: read, listed, served and removed by those who look after them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import uuid

import pytest
from farms import eventually

BASE = "/api/v1/report-history-record"
PARAMETERS = [{"name": "number", "type": "string", "required": True}]


@pytest.fixture(scope="module")
def config(farm):
    body = {"name": f"h {uuid.uuid4()}", "content": "<p>{{ number }}{{ rows | length }}", "parameters": PARAMETERS}
    return data_of(farm.post("/api/v1/report-config", body), 201)


def data_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def rendered(farm, config, **changes):
    body = {"outputType": "none", "parameters": {"number": "7"}, "createHistoryRecord": True} | changes
    return farm.post(f"/api/v1/report-config/{config['id']}/render", body)


def recorded(farm, config, **changes):
    return data_of(rendered(farm, config, **changes))["historyRecordId"]


def found(farm, **query):
    answer = farm.get(BASE, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_record_says_exactly_what_was_asked_and_what_came_back(farm, config):
    # Not as any program would write it: what is kept is what came.
    body = (
        b'{ "outputType":"base64", "createHistoryRecord" : true,\n "parameters": {"number": "\\u00fc1"}, "data": [{}]}'
    )
    answer = farm.request(
        "POST",
        f"/api/v1/report-config/{config['shortid']}/render",
        data=body,
        headers={"Content-Type": "application/json", "X-Trace-Id": "order-1"},
    )
    sent = data_of(answer)
    document = base64.b64decode(sent["reportPdf"])

    record = data_of(farm.get(f"{BASE}/{sent['historyRecordId']}"))
    assert record["apiPayload"] == json.loads(body)
    assert record["reportPdf"] is None
    assert record["apiResponse"] == answer.json() | {"data": sent | {"reportPdf": None}}
    assert record["reportConfig"] == {
        "id": config["id"], "shortid": config["shortid"], "name": config["name"], "version": 1
    }  # fmt: skip
    assert (record["traceId"], record["status"], record["source"], record["printTasks"]) == ("order-1", "Ok", "api", 0)
    assert (record["outputType"], record["reportPdfFileName"]) == ("base64", sent["reportPdfFileName"])
    assert (record["size"], record["sha256"]) == (len(document), hashlib.sha256(document).hexdigest())
    assert record["pages"] == sent["pages"] == 1

    whole = data_of(farm.get(f"{BASE}/{record['id']}?include=reportPdf"))
    assert base64.b64decode(whole["reportPdf"]) == document
    assert whole["apiResponse"] == answer.json()
    payload = farm.get(f"{BASE}/{record['id']}/payload")
    assert (payload.content, payload.headers["Content-Type"]) == (body, "application/json")


def test_a_large_payload_is_kept_to_the_byte_too(farm, config):
    rows = [{"n": number, "text": "x" * 100} for number in range(5000)]
    answer = rendered(farm, config, data=rows)
    sent = answer.request.body
    record_id = data_of(answer)["historyRecordId"]

    payload = farm.get(f"{BASE}/{record_id}/payload")
    assert payload.content == sent
    assert int(payload.headers["Content-Length"]) == len(sent)
    head = farm.request("HEAD", f"{BASE}/{record_id}/payload")
    assert (head.status_code, int(head.headers["Content-Length"])) == (200, len(sent))
    assert data_of(farm.get(f"{BASE}/{record_id}"))["apiPayload"]["data"] == rows

    key = farm.home / "blobs" / "payloads" / f"{record_id}.json"
    assert key.exists()
    data_of(farm.request("DELETE", f"{BASE}/{record_id}"))
    assert not key.exists()


def test_the_pdf_is_served_whole_in_part_and_not_again(farm, config):
    record_id = recorded(farm, config)
    whole = farm.get(f"{BASE}/{record_id}/pdf")
    assert whole.status_code == 200
    assert whole.content.startswith(b"%PDF-")
    assert whole.headers["Content-Type"] == "application/pdf"
    assert f"{record_id}.pdf" in whole.headers["Content-Disposition"]

    part = farm.get(f"{BASE}/{record_id}/pdf", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"%PDF")
    assert farm.get(f"{BASE}/{record_id}/pdf", headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_a_failed_render_is_recorded_with_its_error_and_has_no_pdf(farm):
    body = {"name": f"h {uuid.uuid4()}", "content": "{{ 1 / 0 }}"}
    config = data_of(farm.post("/api/v1/report-config", body), 201)
    refused = rendered(farm, config, parameters={}, outputType="base64")
    assert refused.status_code == 400

    [record] = found(farm, reportConfig=config["id"])["data"]
    assert (record["status"], record["pages"], record["thumbnail"]) == ("Error", None, None)
    whole = data_of(farm.get(f"{BASE}/{record['id']}?include=reportPdf"))
    assert whole["apiResponse"]["errors"] == refused.json()["errors"]
    assert whole["reportPdf"] is None
    missing = farm.get(f"{BASE}/{record['id']}/pdf")
    assert missing.status_code == 404
    assert "its status is Error" in missing.json()["errors"][0]


def test_a_list_is_filtered_searched_ordered_and_paged(farm):
    body = {"name": f"h {uuid.uuid4()}", "content": "<p>{{ x }}"}
    config = data_of(farm.post("/api/v1/report-config", body), 201)
    traces = [f"list-{uuid.uuid4()}" for _ in range(3)]
    before = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    for trace in traces:
        rendered_as = {"outputType": "none", "createHistoryRecord": True}
        url = f"/api/v1/report-config/{config['id']}/render"
        data_of(farm.post(url, rendered_as, headers={"X-Trace-Id": trace}))

    page = found(farm, reportConfig=config["name"], sort="creationDate", pageSize=2)
    assert [one["traceId"] for one in page["data"]] == traces[:2]
    assert {"page": 1, "pageSize": 2, "total": 3}.items() <= page["meta"].items()
    assert not {"apiPayload", "apiResponse", "reportPdf"} & set(page["data"][0])
    last = found(farm, reportConfig=config["shortid"], status="Ok", source="api", page=2, pageSize=2)
    assert [one["traceId"] for one in last["data"]] == traces[:1]

    assert [one["traceId"] for one in found(farm, traceId=traces[1])["data"]] == [traces[1]]
    assert [one["traceId"] for one in found(farm, search=traces[2].upper())["data"]] == [traces[2]]
    assert found(farm, reportConfig=config["id"], createdFrom=before.isoformat())["meta"]["total"] == 3
    assert found(farm, reportConfig=config["id"], createdTo=before.isoformat())["meta"]["total"] == 0
    assert found(farm, reportConfig="no such template")["data"] == []


def test_a_record_is_pinned_and_unpinned(farm, config):
    record_id = recorded(farm, config)
    before = data_of(farm.get(f"{BASE}/{record_id}"))
    assert before["keep"] is False

    def pin(*, keep):
        return data_of(farm.request("PATCH", f"{BASE}/{record_id}", json={"keep": keep}))

    pinned = pin(keep=True)
    assert pinned["keep"] is True
    assert pinned["modificationDate"] > before["modificationDate"]
    assert pinned.items() <= data_of(farm.get(f"{BASE}/{record_id}")).items()
    assert [one["id"] for one in found(farm, keep="true")["data"]] == [record_id]
    assert record_id not in [one["id"] for one in found(farm, keep="false", reportConfig=config["id"])["data"]]
    assert farm.command("purge", "--older-than", "0.001s").returncode == 0
    assert data_of(farm.get(f"{BASE}/{record_id}"))["keep"] is True

    assert pin(keep=False)["keep"] is False
    assert pin(keep=True)["keep"] is True
    # As with a report: a pin is against the purge, not against whoever means this one.
    data_of(farm.request("DELETE", f"{BASE}/{record_id}"))


@pytest.mark.parametrize(
    ("body", "said"),
    [({}, "keep is missing"), ({"keep": "yes"}, "expected true or false"), ({"kept": True}, "did you mean keep?")],
)
def test_what_is_no_pin_is_refused(farm, config, body, said):
    refused = farm.request("PATCH", f"{BASE}/{recorded(farm, config)}", json=body)
    assert refused.status_code == 400
    assert any(said in one for one in refused.json()["errors"])
    assert farm.request("PATCH", f"{BASE}/nothing%00", json={"keep": True}).status_code == 404


def test_a_thumbnail_is_linked_when_it_is_there(farm, config):
    record_id = recorded(farm, config)

    def shown():
        record = data_of(farm.get(f"{BASE}/{record_id}"))
        assert (record["reportThumbnail"] is None) == (record["thumbnail"]["state"] != "succeeded")
        return record["reportThumbnail"]

    assert farm.get(eventually(shown, what="the thumbnail")).headers["Content-Type"] == "image/png"


def test_a_removed_record_takes_everything_along(farm, config):
    record_id = recorded(farm, config)
    render_id = data_of(farm.get(f"{BASE}/{record_id}"))["renderId"]
    document = farm.home / "blobs" / "history" / f"{render_id}.pdf"
    assert document.exists()

    assert data_of(farm.request("DELETE", f"{BASE}/{record_id}")) == {"id": record_id}

    assert not document.exists()
    for path in ("", "/pdf", "/payload"):
        assert farm.get(f"{BASE}/{record_id}{path}").status_code == 404
    for path in ("", "/delete-all-report-print-tasks"):
        assert farm.request("DELETE", f"{BASE}/{record_id}{path}").status_code == 404


def test_records_print_tasks_and_templates_go_in_this_order(farm):
    body = {"name": f"h {uuid.uuid4()}", "content": "<p>{{ x }}"}
    config = data_of(farm.post("/api/v1/report-config", body), 201)
    # Nobody serves it, so that its tasks wait.
    printer = f"p {uuid.uuid4()}"
    data_of(farm.post("/api/v1/printer", {"name": printer, "agent": True}), 201)
    record_id = recorded(farm, config, createPrintTask=True, printerName=printer, parameters={})
    data_of(farm.post(f"{BASE}/{record_id}/print", {"printerName": printer}), 201)
    assert data_of(farm.get(f"{BASE}/{record_id}"))["printTasks"] == 2

    refused = farm.request("DELETE", f"{BASE}/{record_id}")
    assert refused.status_code == 409
    assert "2 print tasks" in refused.json()["errors"][0]
    assert f"DELETE {BASE}/{record_id}/delete-all-report-print-tasks" in refused.json()["errors"][0]
    for there in (f"/api/v1/report-config/{config['id']}", f"/odata/templates('{config['id']}')"):
        in_use = farm.request("DELETE", there)
        assert in_use.status_code == 409
        assert "1 history record" in in_use.text

    removed = farm.request("DELETE", f"{BASE}/{record_id}/delete-all-report-print-tasks")
    assert data_of(removed) == {"id": record_id, "removedPrintTasks": 2}
    data_of(farm.request("DELETE", f"{BASE}/{record_id}"))
    data_of(farm.request("DELETE", f"/api/v1/report-config/{config['id']}"))


@pytest.mark.parametrize("record_id", ["nothing", "%00", "a%00b", "%F0%9F%96%A8", "x" * 3000, "..", "'"])
@pytest.mark.parametrize("path", ["", "/pdf", "/payload"])
def test_an_id_of_the_wrong_kind_is_not_found(farm, record_id, path):
    assert farm.get(f"{BASE}/{record_id}{path}").status_code == 404


@pytest.mark.parametrize("record_id", ["nothing", "%00", "a%00b"])
@pytest.mark.parametrize("path", ["", "/delete-all-report-print-tasks"])
def test_an_id_of_the_wrong_kind_cannot_be_removed(farm, record_id, path):
    assert farm.request("DELETE", f"{BASE}/{record_id}{path}").status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"status": "ok"}, "status is 'ok': expected"),
        ({"source": "fax"}, "source is 'fax': expected"),
        ({"createdFrom": "yesterday"}, "createdFrom is 'yesterday': expected a date or a time"),
        ({"createdTo": "9999-12-31T23:59:59-14:00"}, "createdTo is"),
        ({"sort": "size"}, "sort is 'size': expected"),
        ({"traceId": "\0"}, "traceId is"),
        ({"pageSize": "201"}, "pageSize is '201'"),
        ({"keep": "yes"}, "keep is 'yes': expected true or false"),
        ({"stauts": "Ok"}, "did you mean status?"),
    ],
)
def test_a_query_that_the_list_does_not_understand_is_refused(farm, query, said):
    refused = farm.get(BASE, params=query)
    assert refused.status_code == 400
    assert said in refused.json()["errors"][0]


def test_what_else_to_include_must_be_known(farm, config):
    refused = farm.get(f"{BASE}/{recorded(farm, config)}?include=everything")
    assert refused.status_code == 400
    assert "include is 'everything': expected 'reportPdf'" in refused.json()["errors"][0]
