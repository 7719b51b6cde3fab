"""Batches of a real farm: sent in every way, watched, paused, retried, taken home as one PDF and as one ZIP."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile

import pypdf
import pytest
import requests
from farms import eventually

INVOICE = "<h1>Invoice {{ number }}</h1>{% if number == 13 %}{{ undefined.x }}{% endif %}"


@pytest.fixture(scope="module")
def template(farm):
    body = {"name": "batch-invoice", "content": INVOICE, "recipe": "plutoprint-pdf", "engine": "jinja"}
    answer = farm.post("/odata/templates", body)
    assert answer.status_code == 201, answer.text
    yield answer.json()
    farm.request("DELETE", f"/odata/templates('{answer.json()['_id']}')")


def send(farm, **body):
    answer = farm.post("/api/v1/batch", body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"].endswith(answer.json()["data"]["id"])
    return answer.json()["data"]


def until(farm, batch, *states, seconds=120):
    def look():
        found = farm.get(f"/api/v1/batch/{batch['id']}").json()["data"]
        return found if found["state"] in states else None

    return eventually(look, seconds=seconds, what=f"the batch to be {states}")


def documents(farm, batch, **query):
    answer = farm.get(f"/api/v1/batch/{batch['id']}/documents", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def text_of(content):
    return " ".join(word for page in pypdf.PdfReader(io.BytesIO(content)).pages for word in page.extract_text().split())


def numbered(count, first=1):
    return [{"number": number} for number in range(first, first + count)]


def test_a_template_and_many_sets_of_data(farm, template):
    batch = send(farm, template={"name": "batch-invoice"}, name="invoice-{{ number }}.pdf", items=numbered(300, 100))
    done = until(farm, batch, "completed")
    assert (done["total"], done["done"], done["succeeded"], done["failed"], done["secondsLeft"]) == (
        300,
        300,
        300,
        0,
        0,
    )
    first = documents(farm, batch, limit=250)
    rest = documents(farm, batch, after=first["meta"]["nextAfter"])
    found = first["data"] + rest["data"]
    assert rest["meta"]["nextAfter"] is None
    assert [one["index"] for one in found] == list(range(1, 301))
    assert {one["state"] for one in found} == {"success"}
    for one in (found[0], found[150], found[299]):
        answer = farm.get(one["link"])
        assert text_of(answer.content) == f"Invoice {one['index'] + 99}"
        assert f"filename=invoice-{one['index'] + 99}.pdf" in answer.headers["Content-Disposition"].replace('"', "")
    # Each is a report like any other.
    listed = farm.get("/odata/reports", params={"$filter": "name eq 'invoice-399'"}).json()["value"]
    assert [one["_id"] for one in listed] == [found[299]["reportId"]]


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/x-ndjson", b'{"number": 1}\n{"number": 2}\n'),
        ("text/csv; charset=utf-8", b"number;customer.name\n1;a\n2;b\n"),
        ("application/json", b'[{"number": 1}, {"number": 2}]'),
    ],
)
def test_a_file_of_items(farm, template, media_type, content):
    answer = farm.request(
        "POST",
        "/api/v1/batch/upload",
        params={"template": "batch-invoice", "name": "n{{ number }}", "expiresIn": "1h"},
        data=content,
        headers={"Content-Type": media_type},
    )
    assert answer.status_code == 202, answer.text
    batch = answer.json()["data"]
    assert until(farm, batch, "completed")["succeeded"] == 2
    found = documents(farm, batch)["data"]
    assert [one["name"] for one in found] == ["n1", "n2"]
    assert [text_of(farm.get(one["link"]).content) for one in found] == ["Invoice 1", "Invoice 2"]


def test_a_table_with_other_columns_in_another_encoding(farm, template):
    content = "Rechnungs-Nr;;Größe\n1;a;42\n2;b;43\n".encode("windows-1252")
    query = {"template": "batch-invoice", "name": "n{{ number }}", "version": 1}
    looked = farm.request(
        "POST",
        "/api/v1/batch/preview",
        params=query,
        data=content + b"3;c",
        headers={"Content-Type": "application/octet-stream"},
    )
    assert looked.status_code == 200, looked.text
    found = looked.json()["data"]
    assert (found["mediaType"], found["charset"]) == ("text/csv", "windows-1252")
    assert found["columns"] == ["Rechnungs-Nr", "column_2", "Größe"]
    assert found["rows"] == [["1", "a", "42"], ["2", "b", "43"]]
    assert (found["name"], found["missing"], found["left"]) == (None, "number", found["columns"])

    query["columns"] = json.dumps({"number": "Rechnungs-Nr", "customer.size": "Größe"})
    headers = {"Content-Type": f"{found['mediaType']}; charset={found['charset']}"}
    looked = farm.request("POST", "/api/v1/batch/preview", params=query, data=content, headers=headers)
    found = looked.json()["data"]
    item = {"number": "1", "customer": {"size": "42"}, "column_2": "a"}
    assert (found["item"], found["name"], found["missing"]) == (item, "n1", None)
    answer = farm.request("POST", "/api/v1/batch/upload", params=query, data=content, headers=headers)
    assert answer.status_code == 202, answer.text
    batch = answer.json()["data"]
    assert until(farm, batch, "completed")["succeeded"] == 2
    made = documents(farm, batch)["data"]
    assert [one["name"] for one in made] == ["n1", "n2"]
    assert farm.get(f"/api/v1/report/{made[0]['reportId']}/data").json() == item


def test_what_a_template_wants_is_asked_without_a_file(farm):
    body = {
        "name": "batch-wanting",
        "content": "{{ code }}",
        "recipe": "text",
        "parameters": [{"name": "code", "type": "string", "required": True, "description": "What the barcode says"}],
        "sampleData": {"code": "PR-00", "customer": {"city": "Cork"}},
    }
    made = farm.post("/api/v1/report-config", body).json()["data"]
    headers = {"Content-Type": "application/octet-stream"}
    answer = farm.request("POST", "/api/v1/batch/preview", params={"template": made["id"]}, headers=headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()["data"]
    about = "What the barcode says"
    assert found["wanted"] == [
        {"path": "code", "type": "string", "required": True, "about": about, "example": "PR-00"},
        {"path": "customer.city", "type": "string", "required": False, "about": None, "example": "Cork"},
    ]
    assert (found["mediaType"], found["columns"], found["item"]) == (None, [], None)
    farm.request("DELETE", f"/api/v1/report-config/{made['id']}")


@pytest.mark.parametrize(
    ("query", "media_type", "content", "status", "field", "says"),
    [
        ({"template": ""}, "text/csv", b"a\n1\n", 400, "template", "at least 1 character"),
        ({"template": "nobody"}, "text/csv", b"a\n1\n", 404, None, "nobody"),
        ({"version": 99}, "text/csv", b"a\n1\n", 404, None, "has no version 99"),
        ({}, "text/plain", b"a\n1\n", 415, None, "application/octet-stream"),
        ({}, "text/csv; charset=klingon", b"a\n1\n", 415, None, "charset is klingon"),
        ({}, "text/csv", b"a\n\xff\n", 400, "items", "not in UTF-8"),
        ({}, "text/csv", b"a,b\n1\n", 400, "items", "as the header has: 1"),
        ({"columns": "{"}, "text/csv", b"a\n1\n", 400, "columns", "expected the JSON of an object of texts"),
        ({"columns": '{"a": 1}'}, "text/csv", b"a\n1\n", 400, "columns", "expected the JSON of an object of texts"),
        ({"columns": '{"a": "\\ud800"}'}, "text/csv", b"a\n1\n", 400, "columns", "expected"),
        ({"columns": '{"a": "x", "a.b": "y"}'}, "text/csv", b"a\n1\n", 400, "columns", "a part of it"),
        ({"columns": '{"a": "Amont"}'}, "text/csv", b"Amount\n1\n", 400, "columns", "did you mean 'Amount'?"),
        ({"columns": '{"a": "x"}'}, "application/json", b'[{"b": 1}]', 400, "columns", "It has 'b'"),
        ({"name": "{% if %}"}, "text/csv", b"a\n1\n", 400, "name", "there are no filters"),
        ({}, "text/csv", b"a\n" + b"1\n" * 1_500_000, 413, None, "expected only the beginning"),
    ],
)
def test_a_preview_that_cannot_be_is_refused(farm, template, query, media_type, content, status, field, says):
    headers = {"Content-Type": media_type}
    answer = farm.request(
        "POST", "/api/v1/batch/preview", params={"template": "batch-invoice", **query}, data=content, headers=headers
    )
    assert answer.status_code == status, answer.text
    assert says in " ".join(answer.json()["errors"])
    assert answer.json()["meta"].get("fields", [None]) == [field]


def test_a_list_of_requests(farm, template):
    batch = send(
        farm,
        requests=[
            {"template": {"name": "batch-invoice"}, "data": {"number": 1}, "name": "one"},
            {"template": {"content": "{{ word }}", "recipe": "text", "engine": "jinja"}, "data": {"word": "two"}},
        ],
    )
    until(farm, batch, "completed")
    one, two = documents(farm, batch)["data"]
    assert text_of(farm.get(one["link"]).content) == "Invoice 1"
    assert farm.get(two["link"]).text == "two"


def test_the_failed_ones_say_why_and_are_made_once_more(farm, template):
    batch = send(farm, template={"shortid": template["shortid"]}, items=numbered(20), merge=True)
    done = until(farm, batch, "completed")
    assert (done["succeeded"], done["failed"]) == (19, 1)
    [failed] = documents(farm, batch, state="error")["data"]
    assert (failed["index"], failed["cause"], failed["line"], failed["link"]) == (13, "template", 1, None)
    assert "undefined" in failed["error"]
    why = farm.get(f"/api/v1/batch/{batch['id']}/failures").json()
    reason = {"cause": "template", "error": failed["error"], "line": 1, "count": 1, "first": 13}
    assert (why["data"], why["meta"]["lookedAt"], why["meta"]["failed"]) == ([reason], 1, 1)

    mended = INVOICE.replace("{{ undefined.x }}", "mended")
    farm.request("PATCH", f"/odata/templates('{template['_id']}')", json={"content": mended})
    again = farm.post(f"/api/v1/batch/{batch['id']}/retry").json()["data"]
    assert again["state"] == "running"
    done = until(farm, batch, "completed")
    assert (done["succeeded"], done["failed"]) == (20, 0)
    now = documents(farm, batch)["data"][12]
    assert now["reportId"] == failed["reportId"]
    assert text_of(farm.get(now["link"]).content) == "Invoice 13 mended"
    refused = farm.post(f"/api/v1/batch/{batch['id']}/retry")
    assert refused.status_code == 409
    farm.request("PATCH", f"/odata/templates('{template['_id']}')", json={"content": INVOICE})

    merged = eventually(lambda: _merged(farm, batch), seconds=60, what="the merged PDF")
    read = pypdf.PdfReader(io.BytesIO(merged.content))
    assert [page.extract_text().split()[1] for page in read.pages] == [str(n) for n in range(1, 21)]
    assert [one.title for one in read.outline] == [f"batch-invoice-{n}" for n in range(1, 21)]


def _merged(farm, batch):
    answer = farm.get(f"/api/v1/batch/{batch['id']}/pdf")
    if answer.status_code == 404:
        assert answer.headers["Retry-After"]
        return None
    assert answer.status_code == 200, answer.text
    return answer


def test_one_zip_with_a_manifest(farm, template):
    batch = send(farm, template={"name": "batch-invoice"}, name="same", items=numbered(15))
    until(farm, batch, "completed")
    answer = farm.get(f"/api/v1/batch/{batch['id']}/zip")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        said = manifest["documents"]
        assert (manifest["batch"], manifest["first"], manifest["last"]) == (batch["id"], 1, 15)
        assert [one["index"] for one in said] == list(range(1, 16))
        assert [one["file"] for one in said[:3]] == ["same.pdf", "same (2).pdf", "same (3).pdf"]
        assert (said[12]["file"], said[12]["state"]) == (None, "error")
        assert "undefined" in said[12]["error"]
        for one in said:
            if one["file"]:
                assert text_of(archive.read(one["file"])) == f"Invoice {one['index']}"
        assert len(archive.namelist()) == 15
    part = farm.get(f"/api/v1/batch/{batch['id']}/zip", params={"first": 3, "last": 4})
    with zipfile.ZipFile(io.BytesIO(part.content)) as archive:
        assert archive.namelist() == ["same.pdf", "same (4).pdf", "manifest.json"]


def test_pause_go_on_and_cancel(farm, template):
    batch = send(farm, template={"name": "batch-invoice"}, items=numbered(3000, 100))
    address = f"/api/v1/batch/{batch['id']}"
    assert farm.post(f"{address}/pause").json()["data"]["state"] == "paused"
    paused = eventually(
        lambda: (found := farm.get(address).json()["data"])["waiting"] == 0 and found, seconds=60, what="the pause"
    )
    time.sleep(1.5)
    assert farm.get(address).json()["data"]["done"] == paused["done"] < 3000
    assert farm.post(f"{address}/pause").status_code == 409
    assert farm.post(f"{address}/resume").json()["data"]["state"] == "running"
    seen = eventually(
        lambda: (
            (found := farm.get(address).json()["data"])["done"] > paused["done"] and found["rate"] is not None and found
        ),
        seconds=60,
        what="progress",
    )
    assert seen["rate"] > 0
    assert seen["secondsLeft"] > 0
    assert farm.request("DELETE", address).status_code == 409
    farm.post(f"{address}/cancel")
    cancelled = eventually(
        lambda: (found := farm.get(address).json()["data"])["cancelled"] > 0 and found, seconds=60, what="the cancel"
    )
    assert cancelled["state"] == "cancelled"
    assert cancelled["done"] + cancelled["cancelled"] == 3000
    assert farm.request("DELETE", address).status_code == 200
    assert farm.get(address).status_code == 404
    # What was made stays.
    assert len(farm.get("/odata/reports", params={"$filter": "name eq 'batch-invoice-1'"}).json()["value"]) >= 1


def test_the_list_has_the_newest_first(farm, template):
    batch = send(farm, template={"name": "batch-invoice"}, items=[{"number": 1}])
    until(farm, batch, "completed")
    listed = farm.get("/api/v1/batch", params={"state": "completed", "pageSize": 2}).json()
    assert listed["data"][0]["id"] == batch["id"]
    assert listed["meta"]["total"] >= 1


def test_who_waits_for_a_document_is_not_held_up_by_a_big_batch(farm, template):
    order = {"content": "<p>{{ n }}", "recipe": "plutoprint-pdf", "engine": "jinja"}

    def sync(count):
        for number in range(count):
            answer = farm.report(order, {"n": number})
            assert (answer.status_code, text_of(answer.content)) == (200, str(number))

    sync(5)
    batch = send(farm, template={"name": "batch-invoice"}, items=numbered(3000, 100))
    address = f"/api/v1/batch/{batch['id']}"
    eventually(lambda: farm.get(address).json()["data"]["done"] > 0, seconds=60, what="the batch to be under way")
    sync(40)
    found = farm.get(address).json()["data"]
    # Each of the forty came between: thousands wait, and whoever waits for a document passes them all.
    assert found["done"] < 3000
    farm.post(f"{address}/cancel")


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 400, "expected one of the two"),
        ({"template": {"name": "batch-invoice"}}, 400, "expected one of the two"),
        ({"items": [{}]}, 400, "expected one of the two"),
        ({"template": {"name": "batch-invoice"}, "items": [{}], "requests": []}, 400, "expected one of the two"),
        ({"template": {"name": "batch-invoice"}, "items": []}, 400, "no items"),
        ({"requests": []}, 400, "no items"),
        ({"template": {"name": "batch-invoice"}, "items": [1]}, 400, "items[0] is 1: expected an object"),
        ({"template": {"name": "nobody"}, "items": [{}]}, 404, "nobody"),
        ({"template": {"content": "x"}, "items": [{}]}, 400, "store it first"),
        (
            {"template": {"name": "batch-invoice"}, "items": [{}], "name": "{{ number }}"},
            400,
            "items[0] cannot be named",
        ),
        ({"template": {"name": "batch-invoice"}, "items": [{}], "print": {"printerName": "nobody"}}, 422, "nobody"),
        ({"template": {"name": "batch-invoice"}, "item": [{}]}, 400, "did you mean items?"),
        ({"requests": [{"template": {"content": "x"}}, {"template": {"recipe": "x"}}]}, 400, "requests[1]"),
    ],
)
def test_what_cannot_be_made_is_refused(farm, template, body, status, says):
    answer = farm.post("/api/v1/batch", body)
    assert answer.status_code == status, answer.text
    assert says in " ".join(answer.json()["errors"])


@pytest.mark.parametrize(
    ("query", "media_type", "content", "status", "says"),
    [
        ({}, "text/csv", b"a\n1\n", 400, "template"),
        ({"template": "nobody"}, "text/csv", b"a\n1\n", 404, "nobody"),
        ({"template": "batch-invoice"}, "text/plain", b"a\n1\n", 415, "expected one of application/json"),
        ({"template": "batch-invoice"}, "text/csv", b"a,b\n1\n", 400, "line 2 of the table has 1 value: expected 2"),
        ({"template": "batch-invoice"}, "application/x-ndjson", b'{"a": 1}\n[]\n', 400, "line 2 is no object"),
        ({"template": "batch-invoice"}, "text/csv; charset=klingon", b"a\n1\n", 415, "charset is klingon"),
        ({"template": "batch-invoice"}, "application/json; charset=utf-16", b"[{}]", 415, "JSON always is in"),
        ({"template": "batch-invoice", "columns": '{"a": "b"}'}, "text/csv", b"B\n1\n", 400, "did you mean 'B'?"),
        ({"template": "batch-invoice", "columns": '{"a": "b"}'}, "application/json", b'[{"c": 1}]', 400, "It has 'c'"),
        ({"template": "batch-invoice", "columns": "[]"}, "text/csv", b"B\n1\n", 400, "an object of texts"),
        ({"template": "batch-invoice"}, "application/json", b'[{"a": ' + b"9" * 5000 + b"}]", 400, "4300 digits"),
        ({"template": "batch-invoice"}, "application/x-ndjson", b'{"a": 1}\n{"a\n', 400, "line 2 is not JSON"),
        ({"template": "batch-invoice"}, "application/x-ndjson", b"", 400, "no items"),
        ({"template": "batch-invoice", "pubic": "true"}, "text/csv", b"a\n1\n", 400, "did you mean public?"),
        ({"template": "batch-invoice", "public": "yes"}, "text/csv", b"a\n1\n", 400, "expected true or false"),
        ({"template": "batch-invoice"}, "application/x-ndjson", b'{"a": "' + b"x" * 3_000_000 + b'"}', 400, "line 1"),
    ],
)
def test_a_file_that_cannot_be_made_is_refused(farm, template, query, media_type, content, status, says):
    headers = {"Content-Type": media_type}
    answer = farm.request("POST", "/api/v1/batch/upload", params=query, data=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert says in " ".join(answer.json()["errors"])


def test_a_file_larger_than_a_request_may_be_is_taken_as_it_comes(farm, template):
    # The farm takes requests of 2 MiB; in chunks, as what is made while it is sent.
    def lines():
        for number in range(200):
            yield json.dumps({"number": number, "text": "x" * 20_000}).encode() + b"\n"

    answer = farm.request(
        "POST",
        "/api/v1/batch/upload",
        params={"template": "batch-invoice"},
        data=lines(),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.status_code == 202, answer.text
    assert answer.json()["data"]["total"] == 200
    farm.post(f"/api/v1/batch/{answer.json()['data']['id']}/cancel")


def test_a_file_that_breaks_off_leaves_nothing(farm, template):
    before = farm.get("/api/v1/batch").json()["meta"]["total"]

    def broken():
        yield b'{"number": 1}\n'
        raise ConnectionError("the cable")

    with pytest.raises(requests.ConnectionError):
        farm.request(
            "POST",
            "/api/v1/batch/upload",
            params={"template": "batch-invoice"},
            data=broken(),
            headers={"Content-Type": "application/x-ndjson"},
        )
    assert farm.get("/api/v1/batch").json()["meta"]["total"] == before


def test_two_batches_go_on_side_by_side(farm, template):
    sent = []

    def one(name):
        sent.append(send(farm, template={"name": "batch-invoice"}, name=name, items=numbered(150, 100)))

    threads = [threading.Thread(target=one, args=(f"{name}-{{{{ _index }}}}",)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for batch in sent:
        assert until(farm, batch, "completed")["succeeded"] == 150
