"""Printers over HTTP, and paper that a running farm prints by itself."""

from __future__ import annotations

import base64
import secrets

import pytest
import records
from farms import eventually, free_port

PRINTERS = "/api/v1/printer"
TASKS = "/api/v1/report-print-task"
FILE = base64.b64encode(records.PDF).decode()


def data_of(answer, status=200):
    assert answer.status_code == status, answer.text
    assert answer.json()["success"] is True
    return answer.json()["data"]


def errors_of(answer, status):
    body = answer.json()
    assert (answer.status_code, body["success"], body["status"]) == (status, False, status)
    return body["errors"]


@pytest.fixture
def name():
    return f"Hall/{secrets.token_hex(4)} Ost"


@pytest.fixture
def printer(farm, print_queue, name):
    return data_of(farm.post(PRINTERS, {"name": name, "uri": print_queue.uri, "location": "Halle 2"}), 201)


def test_a_printer_is_added_and_says_what_it_can_do(farm, print_queue, name):
    answer = farm.post(PRINTERS, {"name": name, "uri": print_queue.uri, "location": "Halle 2"})
    printer = data_of(answer, 201)
    capabilities = printer.pop("capabilities")
    assert "application/pdf" in capabilities["formats"]
    assert capabilities["pageRanges"] is True
    dates = [printer.pop(date) for date in ("readDate", "creationDate", "modificationDate")]
    assert all(dates)
    assert printer == {
        "id": printer["id"],
        "name": name,
        "uri": print_queue.uri,
        "agent": False,
        "location": "Halle 2",
        "isDefault": False,
        "certificateCheck": True,
        "state": "idle",
        "stateReasons": [],
        "stateMessage": None,
        "error": None,
        "openPrintTasks": 0,
        "createdBy": None,
    }
    read = data_of(farm.get(answer.headers["Location"]))
    assert (read["id"], read["capabilities"]) == (printer["id"], capabilities)
    assert data_of(farm.get(f"{PRINTERS}/{name}")) == read


def test_a_printer_that_is_away_is_added_with_the_reason(farm, name):
    printer = data_of(farm.post(PRINTERS, {"name": name, "uri": f"ipp://127.0.0.1:{free_port()}/"}), 201)
    assert (printer["error"], printer["capabilities"], printer["state"]) == ("Connection refused", None, None)


def test_a_printer_is_asked_again_when_that_is_wanted(farm, print_queue, printer):
    print_queue.stop()
    assert data_of(farm.get(f"{PRINTERS}/{printer['id']}"))["state"] == "idle"
    asked = data_of(farm.post(f"{PRINTERS}/{printer['name']}/refresh"))
    assert (asked["state"], asked["stateMessage"]) == ("stopped", "Out of paper")


def test_a_test_page_is_printed_like_any_other_document(farm, print_queue, printer):
    answer = farm.post(f"{PRINTERS}/{printer['name']}/test-page")
    task = data_of(answer, 201)
    assert answer.headers["Location"] == f"{farm.base}{TASKS}/{task['id']}"
    assert (task["fileName"], task["printerName"]) == ("pressroom-test-page.pdf", printer["name"])
    assert (task["numberOfCopies"], task["options"]) == (1, {})
    page = farm.get(f"{TASKS}/{task['id']}/file").content

    eventually(lambda: data_of(farm.get(f"{TASKS}/{task['id']}"))["status"] == "completed", what="the paper")
    assert print_queue.device.until_printed() == [page]


@pytest.fixture
def branch(farm, name):
    """A printer that an agent serves."""
    return data_of(farm.post(PRINTERS, {"name": name, "agent": True}), 201)


def test_a_test_page_takes_copies_and_options(farm, branch):
    wish = {"numberOfCopies": 2, "options": {"duplex": "one-sided", "media": "iso_a4_210x297mm"}}
    task = data_of(farm.post(f"{PRINTERS}/{branch['id']}/test-page", wish), 201)
    assert {name: task[name] for name in wish} == wish
    assert task["status"] == "pending"


def test_what_is_wrong_with_a_test_page_is_named(farm, branch):
    path = f"{PRINTERS}/{branch['id']}/test-page"
    assert "numberOfCopies is 0" in errors_of(farm.post(path, {"numberOfCopies": 0}), 400)[0]
    assert "did you mean options?" in errors_of(farm.post(path, {"option": {}}), 400)[0]
    assert "expected application/json" in errors_of(farm.request("POST", path, data="numberOfCopies=2"), 415)[0]
    assert errors_of(farm.post(f"{PRINTERS}/nobody/test-page"), 404)
    # A browser sends what has no body across origins unasked, and paper is paper.
    foreign = farm.post(path, headers={"Origin": "https://evil.example"})
    assert "https://evil.example must not print here" in errors_of(foreign, 403)[0]
    assert data_of(farm.get(TASKS, params={"printerName": branch["name"]})) == []


def test_a_printer_is_changed_and_what_is_not_named_stays(farm, printer):
    changed = data_of(farm.request("PATCH", f"{PRINTERS}/{printer['id']}", json={"location": None, "isDefault": True}))
    assert (changed["location"], changed["isDefault"], changed["uri"]) == (None, True, printer["uri"])
    assert changed["capabilities"] == printer["capabilities"]
    again = data_of(farm.request("PATCH", f"{PRINTERS}/{printer['id']}", json={"isDefault": False}))
    assert again["isDefault"] is False


def test_a_printer_with_another_uri_is_asked_at_once(farm, printer):
    address = f"{PRINTERS}/{printer['id']}"
    moved = data_of(farm.request("PATCH", address, json={"uri": f"ipp://127.0.0.1:{free_port()}/"}))
    assert (moved["error"], moved["capabilities"]) == ("Connection refused", None)
    handed = data_of(farm.request("PATCH", address, json={"agent": True}))
    assert (handed["agent"], handed["uri"], handed["error"]) == (True, None, None)
    back = data_of(farm.request("PATCH", address, json={"uri": printer["uri"]}))
    assert (back["agent"], back["uri"], back["state"]) == (False, printer["uri"], "idle")


def test_printers_are_listed_page_by_page(farm, printer, name):
    answer = farm.get(PRINTERS, params={"search": name.upper(), "sort": "-creationDate", "pageSize": 1})
    assert [one["id"] for one in data_of(answer)] == [printer["id"]]
    assert answer.json()["meta"]["total"] == 1
    assert errors_of(farm.get(PRINTERS, params={"sort": "uri"}), 400)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ["name is missing"]),
        ({"name": "", "agent": "yes"}, ["name is", "agent is"]),
        ({"name": "x", "url": "ipp://printer.example"}, ["url is not a known field: did you mean uri?"]),
        ({"name": "x"}, ["expected either uri"]),
        ({"name": "x", "uri": "ipp://printer.example", "agent": True}, ["expected either uri"]),
        ({"name": "x", "uri": "http://printer.example"}, ["expected an ipp or ipps URI, such as ipp://"]),
    ],
)
def test_a_printer_that_makes_no_sense_is_refused(farm, body, expected):
    errors = errors_of(farm.post(PRINTERS, body), 400)
    assert len(errors) == len(expected)
    for error, part in zip(errors, expected, strict=True):
        assert part in error


def test_names_are_taken_once(farm, printer):
    answer = farm.post(PRINTERS, {"name": printer["name"], "agent": True})
    assert errors_of(answer, 409) == [f"There is a printer named {printer['name']!r} already"]
    assert answer.json()["meta"]["fields"] == ["name"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/refresh")])
def test_a_printer_that_there_is_not_is_answered_with_those_that_there_are(farm, printer, method, path):
    body = {"json": {}} if method == "PATCH" else {}
    [error] = errors_of(farm.request(method, f"{PRINTERS}/nobody{path}", **body), 404)
    assert "expected one of" in error


def test_an_agents_printer_cannot_be_asked(farm, name):
    data_of(farm.post(PRINTERS, {"name": name, "agent": True}), 201)
    assert "served by an agent" in errors_of(farm.post(f"{PRINTERS}/{name}/refresh"), 409)[0]


def test_the_farm_prints_what_it_is_given_once(farm, print_queue, printer):
    body = {"fileBase64": FILE, "fileName": "label.pdf", "printerName": printer["name"]}
    task = data_of(farm.post(TASKS, body), 201)

    def look():
        found = data_of(farm.get(f"{TASKS}/{task['id']}"))
        return found if found["status"] not in {"pending", "sent", "printing"} else None

    ended = eventually(look, what="the end of the print task")
    assert (ended["status"], ended["error"], ended["jobState"]) == ("completed", None, "completed")
    assert print_queue.device.documents == [records.PDF]


def test_a_printer_with_something_to_print_cannot_be_removed(farm, print_queue, printer):
    print_queue.stop()
    address = f"{PRINTERS}/{printer['name']}"
    task = data_of(farm.post(TASKS, {"fileBase64": FILE, "printerName": printer["name"]}), 201)
    assert data_of(farm.get(address))["openPrintTasks"] == 1
    [listed] = data_of(farm.get(PRINTERS, params={"search": printer["name"]}))
    assert listed["openPrintTasks"] == 1
    assert "1 print task that has not ended" in errors_of(farm.request("DELETE", address), 409)[0]
    handed_over = farm.request("PATCH", address, json={"agent": True, "uri": None})
    assert "before you change" in errors_of(handed_over, 409)[0]
    assert handed_over.json()["meta"]["fields"] == ["agent"]
    data_of(farm.post(f"{TASKS}/{task['id']}/cancel"))
    eventually(lambda: data_of(farm.get(f"{TASKS}/{task['id']}"))["status"] == "cancelled", what="the cancellation")
    assert data_of(farm.request("DELETE", address)) == {"id": printer["id"], "name": printer["name"]}
    assert farm.get(f"{PRINTERS}/{printer['id']}").status_code == 404


@pytest.mark.usefixtures("printer")
def test_a_task_for_a_printer_that_there_is_not_is_refused_with_those_that_there_are(farm):
    [error] = errors_of(farm.post(TASKS, {"fileBase64": FILE, "printerName": "nobody"}), 422)
    assert error.startswith("There is no printer 'nobody': expected one of ")
