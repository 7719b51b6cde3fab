"""Renders of ReportConfigs over HTTP, as JasperWho?'s clients do it: the document, its record, and every refusal."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sqlite3
import uuid
from urllib.parse import quote

import pypdf
import pytest
from farms import Farm, eventually

BASE = "/api/v1/report-config"
LABEL = {
    "content": "<p>{{ code }} x{{ count }} {% for row in rows %}[{{ row.article }}]{% endfor %}",
    "recipe": "plutoprint-pdf",
    "sampleData": {"code": "sample"},
    "parameters": [
        {"name": "code", "type": "string", "required": True},
        {"name": "count", "type": "integer", "default": 7},
    ],
}
WISH = {"outputType": "base64", "parameters": {"code": "PR-4711"}, "createHistoryRecord": False}


@pytest.fixture(scope="module")
def label(farm):
    return template(farm)


def template(farm, **changes):
    name = f"labels/{uuid.uuid4()}"
    made = farm.post(BASE, LABEL | {"name": name} | changes)
    assert made.status_code == 201, made.text
    return made.json()["data"]


def render(farm, config, body=None, /, **changes):
    return farm.post(f"{BASE}/{config['id']}/render", WISH | (body or {}) | changes)


def row_of(farm, record_id):
    """Return a record's row as it is in the database."""
    with contextlib.closing(sqlite3.connect(farm.home / "pressroom.db")) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute("SELECT * FROM history_records WHERE id = ?", [record_id]).fetchone()


def count_of(farm, table):
    with contextlib.closing(sqlite3.connect(farm.home / "pressroom.db")) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def response_of(farm, record_id):
    return json.loads(row_of(farm, record_id)["response"])


def text_of(document):
    return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages)


def without_document(answer):
    said = answer.json()
    return {**said, "data": {**said["data"], "reportPdf": None}}


def ended(farm, url):
    """Poll as a client does, and return the answer of a render that has ended."""

    def look():
        answer = farm.get(url)
        under_way = answer.status_code == 200 and "state" in answer.json()["data"]
        return None if under_way else answer

    return eventually(look, what=f"the end of {url}")


@pytest.mark.parametrize("key", ["id", "shortid", "name"])
def test_a_document_comes_in_the_answer(farm, label, key):
    answer = farm.post(f"{BASE}/{quote(label[key], safe='')}/render", WISH)

    assert answer.status_code == 200
    said = answer.json()
    assert (said["success"], said["count"], said["status"]) == (True, 1, 200)
    assert said["meta"]["traceId"] == said["data"]["traceId"] == answer.headers["X-Trace-Id"]
    assert text_of(base64.b64decode(said["data"]["reportPdf"])).split() == ["PR-4711", "x7"]
    assert (said["data"]["pages"], said["data"]["historyRecordId"], said["data"]["printTaskId"]) == (1, None, None)
    assert uuid.UUID(said["data"]["reportPdfFileName"].removesuffix(".pdf"))


def test_rows_and_names_of_the_data_are_found_by_the_template(farm, label):
    rows = render(farm, label, data=[{"article": "bearing"}, {"article": "belt"}]).json()["data"]
    names = render(farm, label, data={"code": "of the data"}).json()["data"]

    assert text_of(base64.b64decode(rows["reportPdf"])).split() == ["PR-4711", "x7", "[bearing][belt]"]
    assert text_of(base64.b64decode(names["reportPdf"])).split() == ["of", "the", "data", "x7"]


def test_a_document_without_a_record_can_be_had_by_its_link_and_leaves_nothing(farm, label):
    before = count_of(farm, "history_records")

    said = render(farm, label, outputType="url").json()["data"]

    assert "reportPdf" not in said
    document = farm.get(said["reportUrl"])
    assert (document.headers["Content-Type"], document.content[:5]) == ("application/pdf", b"%PDF-")
    assert document.headers["Content-Disposition"] == f"inline; filename={said['reportPdfFileName']}"
    assert farm.get(said["reportUrl"], headers={"Range": "bytes=0-4"}).content == b"%PDF-"
    assert count_of(farm, "history_records") == before


@pytest.mark.parametrize("output_type", ["base64", "url", "none"])
def test_the_record_has_the_very_answer_and_the_very_request(farm, label, output_type):
    body = (
        f'{{"outputType" : "{output_type}",\n\t"createHistoryRecord": true, '
        '"parameters": {"count": 3, "code": "é\\u00e9\\u0000", "code": "last"}}'
    ).encode()

    answer = farm.request(
        "POST", f"{BASE}/{label['id']}/render", data=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )

    assert answer.status_code == 200, answer.text
    said = answer.json()
    row = row_of(farm, said["data"]["historyRecordId"])
    assert row["payload"] == body
    assert response_of(farm, row["id"]) == (without_document(answer) if output_type == "base64" else said)
    assert (row["status"], row["output_type"], row["source"], row["trace_id"]) == (
        "Ok", output_type, "api", answer.headers["X-Trace-Id"],
    )  # fmt: skip
    assert said["data"]["reportPdfFileName"] == row["file_name"] == f"{row['id']}.pdf"
    assert ("reportPdf" in said["data"], "reportUrl" in said["data"]) == (output_type == "base64", output_type == "url")
    stored = (farm.home / "blobs" / row["blob_key"]).read_bytes()
    assert row["blob_key"] == f"history/{row['render_id']}.pdf"
    if output_type == "base64":
        assert base64.b64decode(said["data"]["reportPdf"]) == stored
    if output_type == "url":
        assert said["data"]["reportUrl"] == f"{farm.base}/api/v1/report-history-record/{row['id']}/pdf"
        assert farm.get(said["data"]["reportUrl"]).content == stored


def test_a_large_request_is_recorded_to_the_byte(farm, label):
    rows = [{"article": "x" * 1000} for _ in range(300)]

    answer = render(farm, label, outputType="none", createHistoryRecord=True, data=rows)

    row = row_of(farm, answer.json()["data"]["historyRecordId"])
    assert (row["payload"], row["payload_key"]) == (None, f"payloads/{row['id']}.json")
    assert (farm.home / "blobs" / row["payload_key"]).read_bytes() == answer.request.body


def test_a_failed_render_is_recorded_with_the_very_answer(farm):
    config = template(farm, content="one\n{{ 1 // 0 }}", parameters=None)

    answer = render(farm, config, createHistoryRecord=True)

    assert answer.status_code == 400
    said = answer.json()
    assert (said["success"], said["status"], said["meta"]["cause"], said["meta"]["line"]) == (False, 400, "template", 2)
    assert "division" in said["errors"][0]
    with contextlib.closing(sqlite3.connect(farm.home / "pressroom.db")) as connection:
        [record_id] = connection.execute(
            "SELECT id FROM history_records WHERE trace_id = ?", [answer.headers["X-Trace-Id"]]
        ).fetchone()
    assert response_of(farm, record_id) == said
    assert (row_of(farm, record_id)["status"], row_of(farm, record_id)["blob_key"]) == ("Error", None)


@pytest.mark.parametrize("output_type", ["base64", "url", "none"])
@pytest.mark.parametrize("recorded", [True, False])
def test_an_asynchronous_render_is_polled_to_the_same_answer(farm, label, output_type, recorded):
    begun = render(farm, label, {"outputType": output_type, "createHistoryRecord": recorded, "async": True})

    assert begun.status_code == 202
    said = begun.json()["data"]
    assert begun.headers["Location"] == said["statusUrl"]
    assert said["statusUrl"].startswith(f"{farm.base}/api/v1/render/{said['renderId']}")
    assert (said["historyRecordId"] is not None, said["printTaskId"]) == (recorded, None)
    answer = ended(farm, begun.headers["Location"])
    done = answer.json()["data"]
    assert (answer.status_code, done["historyRecordId"]) == (200, said["historyRecordId"])
    assert done["traceId"] == begun.headers["X-Trace-Id"] != answer.headers["X-Trace-Id"]
    document = farm.get(f"/api/v1/render/{said['renderId']}/pdf").content
    if output_type == "base64":
        assert base64.b64decode(done["reportPdf"]) == document
    elif output_type == "url":
        assert farm.get(done["reportUrl"]).content == document
    else:
        assert not {"reportPdf", "reportUrl"} & set(done)
    if recorded:
        assert response_of(farm, said["historyRecordId"]) == (
            without_document(answer) if output_type == "base64" else answer.json()
        )


def test_an_asynchronous_render_that_fails_says_so_where_it_is_polled(farm):
    config = template(farm, content="{{ 1 // 0 }}", parameters=None)

    begun = render(farm, config, {"async": True, "createHistoryRecord": True}).json()["data"]
    answer = ended(farm, begun["statusUrl"])

    assert (answer.status_code, answer.json()["meta"]["cause"]) == (400, "template")
    assert response_of(farm, begun["historyRecordId"]) == answer.json()
    missing = farm.get(f"/api/v1/render/{begun['renderId']}/pdf")
    assert missing.status_code == 404
    assert begun["statusUrl"] in missing.json()["errors"][0]


@pytest.mark.parametrize("render_id", ["nope", "01a20957-10a2-7046-801f-df2977853ce3", "a%00b"])
def test_a_render_that_is_not_there_is_not_found(farm, render_id):
    for address in (f"/api/v1/render/{render_id}", f"/api/v1/render/{render_id}/pdf"):
        answer = farm.get(address)
        assert (answer.status_code, answer.json()["success"]) == (404, False)


def test_every_parameter_that_does_not_fit_is_listed_and_nothing_is_recorded(farm, label):
    before = count_of(farm, "history_records"), count_of(farm, "renders")

    answer = render(farm, label, parameters={"count": "3", "coed": 1}, createHistoryRecord=True)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        "parameters.code is missing: the template needs a text",
        'parameters.count is "3": expected a whole number',
        "parameters.coed is not a parameter of this template: did you mean code?",
    ]
    assert (count_of(farm, "history_records"), count_of(farm, "renders")) == before


def test_a_recipe_that_makes_no_pdf_is_refused_with_the_address_that_takes_it(farm):
    answer = render(farm, template(farm, recipe="html"))

    assert answer.status_code == 422
    assert "'html'" in answer.json()["errors"][0]
    assert "POST /api/report" in answer.json()["errors"][0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, ["outputType is missing", "createHistoryRecord is missing"]),
        (WISH | {"outputType": "pdf"}, ['outputType is "pdf"']),
        (WISH | {"outputTyp": "url"}, ["did you mean outputType?"]),
        (WISH | {"data": [1]}, ["data is [1]: expected a list of objects only, and [0] is none"]),
        (WISH | {"data": "{}"}, ["a list of objects, or an object"]),
        (WISH | {"parameters": []}, ["parameters is []: expected an object"]),
        (WISH | {"createPrintTask": True}, ["printerName is missing: expected a printer's name"]),
        (WISH | {"createPrintTask": 1}, ["createPrintTask is 1"]),
        *(
            (
                WISH | {"createPrintTask": True, "printerName": "W", "numberOfCopies": number},
                [f"numberOfCopies is {number}"],
            )
            for number in (0, 1000, 1.5)
        ),
        (WISH | {"options": {"duplx": "one-sided"}}, ["did you mean duplex?"]),
        (WISH | {"options": {"duplex": "both", "pageRanges": "3-1"}}, ["options.duplex", "options.pageRanges"]),
    ],
)
def test_a_request_that_is_not_understood_is_refused_with_all_that_is_wrong(farm, label, body, said):
    answer = farm.post(f"{BASE}/{label['id']}/render", body)

    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert len(errors) == len(said)
    assert [words for words, error in zip(said, errors, strict=True) if words not in error] == []


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"1" + b"0" * 5000])
@pytest.mark.parametrize("field", [b"parameters", b"data"])
def test_what_json_has_not_is_refused(farm, label, field, value):
    body = b'{"outputType": "none", "createHistoryRecord": true, "%s": {"code": %s}}' % (field, value)

    answer = farm.request(
        "POST", f"{BASE}/{label['id']}/render", data=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 400


def test_an_unknown_printer_is_refused_with_the_known_ones(farm, label):
    made = farm.post("/api/v1/printer", {"name": "Warehouse 7", "agent": True})
    assert made.status_code == 201, made.text

    answer = render(farm, label, createPrintTask=True, printerName="Warehouse 8", parameters={})

    assert answer.status_code == 422
    [first, second] = answer.json()["errors"]
    assert first.startswith("parameters.code")
    assert "Warehouse 7" in second


def test_a_print_task_waits_for_its_document_and_makes_a_record(farm, label):
    farm.post("/api/v1/printer", {"name": "Agent's", "agent": True})

    said = render(
        farm, label, createPrintTask=True, printerName="Agent's", numberOfCopies=999, options={"duplex": "one-sided"}
    ).json()["data"]

    assert None not in (said["historyRecordId"], said["printTaskId"])
    task = farm.get(f"/api/v1/report-print-task/{said['printTaskId']}").json()["data"]
    assert (task["status"], task["numberOfCopies"], task["options"]) == ("pending", 999, {"duplex": "one-sided"})
    assert (task["reportHistoryRecord"], task["traceId"]) == (said["historyRecordId"], said["traceId"])


def test_the_request_log_names_the_render(farm, label):
    answer = render(farm, label, {"async": True})

    def logged():
        lines = [line for line in farm.logged().splitlines() if answer.headers["X-Trace-Id"] in line]
        return any(
            f'"render_id":"{answer.json()["data"]["renderId"]}"' in line.replace('": "', '":"') for line in lines
        )

    assert eventually(logged, what="the request's line")


def test_a_template_whose_name_ends_like_the_address_is_rendered(farm, label):
    config = template(farm, name=f"{label['name']}/render")

    answer = farm.post(f"{BASE}/{config['name']}/render", WISH)

    assert answer.status_code == 200
    assert farm.post(f"{BASE}/{label['name']}/render", WISH).status_code == 200


def test_what_cannot_begin_in_time_is_recorded_as_it_was_answered(tmp_path, valkey):
    farm = Farm(
        tmp_path / "idle",
        PRESSROOM_BROKER_URL=valkey.url,
        PRESSROOM_SYNC_WAIT="0.5",
        PRESSROOM_TOKENS="erp:secret",
    )
    farm.token = "secret"
    try:
        assert farm.command("migrate").returncode == 0
        farm.run_gateway()
        answer = render(farm, template(farm), createHistoryRecord=True)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        with contextlib.closing(sqlite3.connect(farm.home / "pressroom.db")) as connection:
            [record_id] = connection.execute("SELECT id FROM history_records").fetchone()
        assert response_of(farm, record_id) == answer.json()
        row = row_of(farm, record_id)
        assert (row["status"], row["created_by"]) == ("Error", "token:erp")
        # What is asked for without waiting waits as long as it takes.
        begun = render(farm, template(farm), {"async": True, "createHistoryRecord": True})
        status = farm.get(begun.headers["Location"])
        assert (status.status_code, status.json()["data"]["state"]) == (200, "queued")
        assert int(status.headers["Retry-After"]) > 0
        assert status.json()["data"]["historyRecordId"] == begun.json()["data"]["historyRecordId"]
    finally:
        farm.stop()
