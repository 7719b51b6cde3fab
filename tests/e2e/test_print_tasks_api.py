"""Print tasks over HTTP: any PDF, reprints, agents that share the work, and everything that is refused."""

from __future__ import annotations

import base64
import json
import secrets

import pytest
import records
from farms import eventually
from sqlalchemy import update

from shared.database import Database, now
from shared.models import PrintTask

TASKS = "/api/v1/report-print-task"
RECORDS = "/api/v1/report-history-record"
FILE = base64.b64encode(records.PDF).decode()
NOBODY = "0199a2c4-0000-7000-8000-000000000000"


def data_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


@pytest.fixture
def printer(farm):
    """The name of a new printer that an agent serves."""
    name = f"Attic {secrets.token_hex(4)}"
    data_of(farm.post("/api/v1/printer", {"name": name, "agent": True}), 201)
    return name


@pytest.fixture
def task(farm, printer):
    return data_of(farm.post(TASKS, {"fileBase64": FILE, "fileName": "étiquette.pdf", "printerName": printer}), 201)


def recorded(farm, content):
    """Return the id of the record of a render."""
    name = f"note-{secrets.token_hex(4)}"
    data_of(farm.post("/api/v1/report-config", {"name": name, "content": content}), 201)
    farm.post(f"/api/v1/report-config/{name}/render", {"outputType": "none", "createHistoryRecord": True})
    [record] = data_of(farm.get(RECORDS, params={"search": name}))
    return record["id"]


def claim(farm, task, **body):
    return farm.post(f"{TASKS}/{task['id']}/claim", {"agent": "attic-pi", **body})


def test_any_pdf_becomes_a_print_task(farm, printer):
    body = {
        "fileBase64": FILE,
        "fileName": "étiquette.pdf",
        "printerName": printer,
        "numberOfCopies": 999,
        "options": {"duplex": "one-sided", "media": "iso_a4_210x297mm", "pageRanges": "1-3,5", "colour": False},
    }
    made = farm.post(TASKS, body, headers={"X-Trace-Id": f"my-{printer.replace(' ', '-')}"})
    task = data_of(made, 201)
    assert task["traceId"] == made.headers["X-Trace-Id"]
    assert (task["status"], task["numberOfCopies"], task["options"]) == ("pending", 999, body["options"])
    assert (task["reportConfig"], task["reportHistoryRecord"], task["source"]) == (None, None, "api")
    assert data_of(farm.get(made.headers["Location"])) == task
    with_file = data_of(farm.get(f"{TASKS}/{task['id']}", params={"include": "file"}))
    assert with_file == {**task, "fileBase64": FILE}
    for asked in ({"traceId": task["traceId"]}, {"printerName": printer, "status": "pending"}, {"search": printer}):
        assert data_of(farm.get(TASKS, params=asked)) == [task]
    tomorrow = {"printerName": printer, "createdFrom": "2999-01-01"}
    assert data_of(farm.get(TASKS, params=tomorrow)) == []
    assert f'"{task["id"]}"' in farm.logged()


def test_a_stored_report_is_printed_though_it_is_removed_before_the_paper_comes(farm, printer):
    template = {"content": "<p>{{ 6 * 7 }}", "engine": "jinja", "recipe": "plutoprint-pdf"}
    made = farm.report(template, reports={"save": True}, reportName="Köhler 4711")
    report = made.headers["Report-Id"]

    task = data_of(farm.post(TASKS, {"report": report, "printerName": printer, "numberOfCopies": 2}), 201)

    assert (task["fileName"], task["numberOfCopies"], task["status"]) == ("Köhler 4711.pdf", 2, "pending")
    assert task["traceId"].startswith(f"{made.headers['X-Trace-Id'][:20]}")
    assert task["traceId"] != made.headers["X-Trace-Id"]
    assert farm.request("DELETE", f"/odata/reports({report})").status_code == 204
    assert farm.get(f"{TASKS}/{task['id']}/file").content == made.content


def test_of_a_report_only_a_pdf_that_is_there_is_printed(farm, printer):
    page = farm.report({"content": "<p>page", "engine": "none", "recipe": "html"}, reports={"save": True})
    for report, status, words in (
        (page.headers["Report-Id"], 409, "it is text/html"),
        (NOBODY, 404, "There is no report"),
    ):
        refused = farm.post(TASKS, {"report": report, "printerName": printer})
        assert refused.status_code == status, refused.text
        assert words in refused.json()["errors"][0]
    both = farm.post(TASKS, {"report": NOBODY, "fileBase64": FILE})
    assert (both.status_code, both.json()["meta"]["fields"]) == (400, ["fileBase64"])
    assert "neither fileBase64 nor report" in farm.post(TASKS, {"printerName": printer}).json()["errors"][0]


def test_a_tasks_document_can_be_read_in_parts(farm, task):
    path = f"{TASKS}/{task['id']}/file"
    whole = farm.get(path)
    assert (whole.content, whole.headers["Content-Type"]) == (records.PDF, "application/pdf")
    assert "%C3%A9tiquette.pdf" in whole.headers["Content-Disposition"]
    part = farm.get(path, headers={"Range": "bytes=0-4"})
    assert (part.status_code, part.content) == (206, b"%PDF-")
    assert farm.get(path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"printerName": "Nowhere"}, 422, "Nowhere"),
        ({"printerName": None, "fileBase64": "R0lGODlh"}, 422, "not a PDF"),
        ({"numberOfCopies": 0}, 400, "numberOfCopies is 0"),
        ({"numberOfCopies": 1000}, 400, "numberOfCopies is 1000"),
        ({"numberOfCopies": "2"}, 400, "whole number"),
        ({"fileBase64": "no Base64!"}, 400, "fileBase64"),
        ({"fileBase64": "äöü"}, 400, "Base64"),
        ({"fileBase64": 7}, 400, "fileBase64"),
        ({"fileBase64": "JVBE\nRi0="}, 400, "in one line"),
        ({"options": {"media": "A 4"}}, 400, "a name as the printer has it"),
        ({"fileBase64": "R0lGODlh"}, 422, "not a PDF"),
        ({"fileBase64": ""}, 422, "not a PDF"),
        ({"options": {"duplex": "both"}}, 400, "options.duplex"),
        ({"options": {"staple": True}}, 400, "options.staple is not a known field"),
        ({"options": {"media": "a4 job-sheets=secret"}}, 400, "options.media"),
        ({"options": {"pageRanges": "5-3"}}, 400, "ascending"),
        ({"options": {"colour": "yes"}}, 400, "options.colour"),
        ({"fileName": ""}, 400, "fileName"),
    ],
)
def test_what_is_wrong_is_named(farm, printer, change, status, words):
    answer = farm.post(TASKS, {"fileBase64": FILE, "printerName": printer} | change)
    assert answer.status_code == status, answer.text
    assert words in "; ".join(answer.json()["errors"])


def test_everything_that_is_wrong_is_named_at_once(farm):
    answer = farm.post(TASKS, {"fileBase64": "?", "numberOfCopies": 0, "options": {"colour": 1}})
    assert (answer.status_code, len(answer.json()["errors"])) == (400, 3)
    answer = farm.post(TASKS, {"fileBase64": "R0lGODlh", "printerName": "Nowhere"})
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 2)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"status": "printed"}, "status is 'printed'"),
        ({"createdFrom": "yesterday"}, "createdFrom is 'yesterday'"),
        ({"createdTo": "0001-01-01T00:00:00+14:00"}, "createdTo"),
        ({"printer": "x"}, "did you mean printerName?"),
        ({"sort": "printerName"}, "creationDate"),
    ],
)
def test_a_list_is_not_asked_for_what_it_does_not_know(farm, query, words):
    answer = farm.get(TASKS, params=query)
    assert answer.status_code == 400
    assert words in answer.json()["errors"][0]


@pytest.mark.parametrize("task_id", [NOBODY, "no-id", "%00"])
def test_ids_of_nothing_are_not_found(farm, task_id):
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/file", None),
        ("DELETE", "", None),
        ("POST", "/print", {}),
        ("POST", "/cancel", None),
        ("POST", "/claim", {"agent": "attic-pi"}),
        ("POST", "/claim", {"agent": "attic-pi", "lease": f"{NOBODY}.1"}),
        ("POST", "/result", {"lease": f"{NOBODY}.1", "status": "completed"}),
    ):
        answer = farm.request(method, f"{TASKS}/{task_id}{path}", json=body)
        assert answer.status_code == 404, (method, path, answer.text)
    assert farm.post(f"{RECORDS}/{task_id}/print", {}).status_code == 404


def test_of_two_agents_one_has_the_task_until_it_says_what_became_of_it(farm, task):
    mine = data_of(claim(farm, task))
    assert (mine["status"], mine["attempts"]) == ("sent", 1)
    assert mine["leaseUntil"] > mine["modificationDate"]
    refused = claim(farm, task, agent="other-pi")
    assert refused.status_code == 409
    assert "attic-pi has claimed" in refused.json()["errors"][0]
    assert claim(farm, task, agent="other-pi", lease="guessed").status_code == 409

    kept = claim(farm, task, lease=mine["lease"], status="printing", jobId=7, jobState="processing")
    assert (data_of(kept)["status"], data_of(kept)["lease"], data_of(kept)["jobId"]) == ("printing", mine["lease"], 7)
    said = {"lease": mine["lease"], "status": "completed", "jobState": "completed", "jobStateReasons": ["ok"]}
    for _ in range(2):
        ended = data_of(farm.post(f"{TASKS}/{task['id']}/result", said))
        assert (ended["status"], ended["jobId"], ended["jobStateReasons"]) == ("completed", 7, ["ok"])
        assert ended["finishDate"] is not None
    assert claim(farm, task).status_code == 409
    assert farm.post(f"{TASKS}/{task['id']}/result", said | {"status": "failed"}).status_code == 409


def test_a_result_is_checked(farm, task):
    lease = data_of(claim(farm, task))["lease"]
    answer = farm.post(f"{TASKS}/{task['id']}/result", {"lease": lease, "status": "printed", "jobId": -1, "job": 1})
    assert (answer.status_code, len(answer.json()["errors"])) == (400, 3)


def test_a_task_whose_agent_fell_silent_is_found_by_the_next(farm, task):
    lease = data_of(claim(farm, task))["lease"]
    database = Database(f"sqlite:///{farm.home / 'pressroom.db'}")
    with database.writing() as session:
        session.execute(update(PrintTask).where(PrintTask.id == task["id"]).values(lease_until=now(-1)))
    database.close()
    waiting = {"printerName": task["printerName"], "status": "pending"}
    eventually(lambda: data_of(farm.get(TASKS, params=waiting)) or None, what="the task among those that wait")
    assert data_of(claim(farm, task, agent="other-pi"))["attempts"] == 2
    late = farm.post(f"{TASKS}/{task['id']}/result", {"lease": lease, "status": "completed"})
    assert late.status_code == 409
    assert "do not print it" in late.json()["errors"][0]


def test_a_task_is_cancelled_and_then_removed(farm, task):
    path = f"{TASKS}/{task['id']}"
    refused = farm.request("DELETE", path)
    assert refused.status_code == 409
    assert "pending" in refused.json()["errors"][0]
    assert data_of(farm.post(f"{path}/cancel"))["status"] == "cancelled"
    assert farm.post(f"{path}/cancel").status_code == 409
    assert data_of(farm.request("DELETE", path)) == {"id": task["id"]}
    assert farm.get(path).status_code == 404


def test_an_agent_hears_that_its_task_is_to_be_cancelled(farm, task):
    lease = data_of(claim(farm, task))["lease"]
    asked = data_of(farm.post(f"{TASKS}/{task['id']}/cancel"))
    assert (asked["status"], asked["cancelRequested"]) == ("sent", True)
    assert data_of(claim(farm, task, lease=lease))["cancelRequested"]
    said = {"lease": lease, "status": "cancelled"}
    assert data_of(farm.post(f"{TASKS}/{task['id']}/result", said))["status"] == "cancelled"


def test_a_record_is_printed_once_more_under_a_derived_trace_id(farm, printer):
    record_id = recorded(farm, "<p>once more")
    record = data_of(farm.get(f"{RECORDS}/{record_id}"))
    made = farm.post(f"{RECORDS}/{record_id}/print", {"printerName": printer, "numberOfCopies": 3})
    task = data_of(made, 201)
    assert task["traceId"] != made.headers["X-Trace-Id"]
    assert (task["traceId"][:-7], task["traceId"][-7]) == (record["traceId"], "-")
    assert (task["reportHistoryRecord"], task["numberOfCopies"]) == (record_id, 3)
    assert task["reportConfig"] == {name: record["reportConfig"][name] for name in ("id", "name")}
    assert farm.get(f"{TASKS}/{task['id']}/file").content == farm.get(f"{RECORDS}/{record_id}/pdf").content
    assert data_of(farm.get(TASKS, params={"reportHistoryRecord": record_id})) == [task]
    [line] = [line for line in farm.logged().splitlines() if "print task made" in line and task["id"] in line]
    said = json.loads(line)
    assert (said["trace_id"], said["request_trace_id"]) == (task["traceId"], made.headers["X-Trace-Id"])


def test_a_tasks_document_is_printed_once_more_also_when_the_first_task_is_gone(farm, printer, task):
    body = {"printerName": printer, "numberOfCopies": 2, "options": {"duplex": "one-sided"}}
    made = farm.post(f"{TASKS}/{task['id']}/print", body)
    again = data_of(made, 201)
    assert made.headers["Location"].endswith(again["id"])
    assert (again["fileName"], again["numberOfCopies"], again["options"]) == ("étiquette.pdf", 2, body["options"])
    assert (again["traceId"][:-7], again["traceId"][-7]) == (task["traceId"], "-")
    farm.post(f"{TASKS}/{task['id']}/cancel")
    assert farm.request("DELETE", f"{TASKS}/{task['id']}").status_code == 200
    assert farm.get(f"{TASKS}/{again['id']}/file").content == records.PDF


def test_a_task_of_a_record_is_printed_once_more_as_the_record_is(farm, printer):
    record_id = recorded(farm, "<p>once more")
    record = data_of(farm.get(f"{RECORDS}/{record_id}"))
    task = data_of(farm.post(f"{RECORDS}/{record_id}/print", {"printerName": printer}), 201)
    again = data_of(farm.post(f"{TASKS}/{task['id']}/print", {"printerName": printer}), 201)
    assert again["reportHistoryRecord"] == record_id
    assert (again["traceId"][:-7], again["traceId"][-7]) == (record["traceId"], "-")
    assert again["traceId"] != task["traceId"]


def test_a_task_is_not_printed_once_more_on_an_unknown_printer(farm, task):
    answer = farm.post(f"{TASKS}/{task['id']}/print", {"printerName": "Nowhere"})
    assert (answer.status_code, answer.json()["meta"]["fields"]) == (422, ["printerName"])


def test_a_task_whose_render_failed_cannot_be_printed_once_more(farm, printer):
    name = f"note-{secrets.token_hex(4)}"
    data_of(farm.post("/api/v1/report-config", {"name": name, "content": "{{ 1 // 0 }}"}), 201)
    farm.post(
        f"/api/v1/report-config/{name}/render",
        {"outputType": "none", "createHistoryRecord": True, "createPrintTask": True, "printerName": printer},
    )
    [task] = data_of(farm.get(TASKS, params={"printerName": printer}))
    answer = farm.post(f"{TASKS}/{task['id']}/print", {"printerName": printer})
    assert answer.status_code == 409
    assert "its render failed" in answer.json()["errors"][0]


def test_a_record_without_a_document_cannot_be_printed(farm, printer):
    answer = farm.post(f"{RECORDS}/{recorded(farm, '{{ 1 // 0 }}')}/print", {"printerName": printer})
    assert answer.status_code == 409
    assert "no PDF: its status is Error" in answer.json()["errors"][0]


def test_a_reprint_on_an_unknown_printer_is_refused(farm, printer):
    record_id = recorded(farm, "<p>once more")
    answer = farm.post(f"{RECORDS}/{record_id}/print", {"printerName": printer[:-1]})
    assert answer.status_code == 422
    assert f"did you mean '{printer}'?" in answer.json()["errors"][0]
    assert farm.post(f"{RECORDS}/{record_id}/print", {"printerName": printer, "numberOfCopies": 0}).status_code == 400
    assert data_of(farm.get(TASKS, params={"reportHistoryRecord": record_id})) == []


def test_the_farm_prints_any_pdf_itself(farm, print_queue):
    name = f"Hall {secrets.token_hex(4)}"
    data_of(farm.post("/api/v1/printer", {"name": name, "uri": print_queue.uri}), 201)
    task = data_of(farm.post(TASKS, {"fileBase64": FILE, "printerName": name}), 201)

    def is_printed():
        return data_of(farm.get(f"{TASKS}/{task['id']}"))["status"] == "completed"

    eventually(is_printed, what="the paper")
    assert print_queue.device.until_printed() == [records.PDF]
