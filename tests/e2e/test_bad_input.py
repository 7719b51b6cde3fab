"""Every refusal names the field, the value and what was expected; none shows a stack, and the farm goes on."""

from __future__ import annotations

import gzip
import socket

import pytest
from farms import eventually

HTML = {"content": "<p>x", "recipe": "html"}


def refused(farm, body, *, status=400):
    answer = farm.post("/api/report", body)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert "Traceback" not in answer.text
    assert answer.json()["traceId"] == answer.headers["X-Trace-Id"]
    return answer.json()


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "template", ["missing"]),
        ({"template": {}}, "template", ["content", "shortid"]),
        ({"template": "invoice"}, "template", ['"invoice"', "an object"]),
        ({"template": HTML | {"contents": "x"}}, "template.contents", ["did you mean content?"]),
        ({"template": HTML, "option": {}}, "option", ["did you mean options?"]),
        ({"template": HTML | {"engine": "handlebars"}}, "template.engine", ["'handlebars'", "jinja, none"]),
        ({"template": HTML | {"recipe": "chrome-pdf"}}, "template.recipe", ["'chrome-pdf'", "weasyprint-pdf"]),
        ({"template": HTML | {"content": 5}}, "template.content", ["5", "a text"]),
        ({"template": HTML | {"content": "a\0b"}}, "template.content", ["NUL"]),
        ({"template": HTML, "data": [1]}, "data", ["[1]", "an object"]),
        ({"template": HTML, "data": "[1]"}, "data", ["the JSON of an object"]),
        ({"template": HTML, "data": "{oops"}, "data", ["{oops", "JSON"]),
        ({"template": HTML, "data": 7}, "data", ["7", "an object"]),
        (
            {"template": HTML, "options": {"reports": {"async": "yes"}}},
            "options.reports.async",
            ['"yes"', "true or false"],
        ),
        ({"template": HTML, "options": {"reports": {"asinc": True}}}, "options.reports.asinc", ["did you mean async?"]),
        ({"template": HTML, "options": {"timeout": -1}}, "options.timeout", ["-1", "greater than 0"]),
        ({"template": HTML, "options": {"timeout": 0.001}}, "options.timeout", ["0.001", "100 to 600000"]),
        ({"template": HTML, "data": "[" * 5000 + "]" * 5000}, "data", ["JSON"]),
        ({"template": HTML, "data": '{"a":' * 960 + "1" + "}" * 960}, "data", ["JSON"]),
        (
            {"template": HTML, "options": {"reports": {"blobName": "../x"}}},
            "options.reports.blobName",
            ["save or async"],
        ),
        ({"template": HTML, "options": {"reports": {"public": True}}}, "options.reports.public", ["save or async"]),
        ({"template": HTML, "options": {"timeout": 1e12}}, "options.timeout", ["600000"]),
        ({"template": HTML, "options": {"reportName": ""}}, "options.reportName", ["at least 1"]),
        ({"template": HTML, "options": {"reportName": "n" * 201}}, "options.reportName", ["at most 200"]),
    ],
)
def test_a_field_that_is_wrong_is_named_with_its_value_and_what_was_expected(farm, body, field, words):
    said = refused(farm, body)

    assert said["field"] == field
    assert [word for word in [field, *words] if word not in said["message"]] == []


@pytest.mark.parametrize(
    "name", ["../secret", "a/../b", "/etc/passwd", "a//b", "a.pdf/b", "", ".", "a\\b", "a b", "x~2", "ä", "x" * 201]
)
def test_a_blob_name_that_leaves_its_folder_or_its_alphabet_is_refused_and_stores_nothing(farm, name):
    before = sorted((farm.home / "blobs").rglob("*"))

    said = refused(farm, {"template": HTML, "options": {"reports": {"save": True, "blobName": name}}})

    assert said["field"] == "options.reports.blobName"
    assert "ASCII letters" in said["message"]
    assert sorted((farm.home / "blobs").rglob("*")) == before


def test_every_broken_field_is_listed(farm):
    said = refused(farm, {"template": {"content": 1, "recipe": 2}, "options": {"reports": {"save": "x"}}})

    assert {one["field"] for one in said["errors"]} == {"template.content", "template.recipe", "options.reports.save"}


@pytest.mark.parametrize("key", ["_id", "shortid", "name"])
def test_an_unknown_template_is_named(farm, key):
    said = refused(farm, {"template": {key: "nothing-like-it"}}, status=404)

    assert key in said["message"]
    assert "'nothing-like-it'" in said["message"]


@pytest.mark.parametrize(
    ("content", "line", "word"),
    [("<p>\n{% for %}", 2, "line 2"), ("a\n\n{{ x|nofilter }}", 3, "nofilter"), ("<p>\n\n{{ 1 / 0 }}", 3, "zero")],
)
def test_a_template_that_cannot_be_expanded_is_the_callers_error_with_its_line(farm, content, line, word):
    said = refused(farm, {"template": HTML | {"content": content}})

    assert (said["cause"], said["line"]) == ("template", line)
    assert word in said["message"]


@pytest.mark.parametrize(
    ("template", "data", "cause"),
    [
        ({"content": "", "recipe": "weasyprint-pdf"}, {}, "template"),
        ({"content": "<style>@page {size: 1px}</style>x", "recipe": "plutoprint-pdf"}, {}, "template"),
        ({"content": "{{ t }}", "recipe": "weasyprint-pdf"}, {"t": "\0"}, "data"),
        ({"content": "{{ t }}", "recipe": "plutoprint-pdf"}, {"t": "\0"}, "data"),
    ],
)
def test_what_no_document_can_be_made_of_is_the_callers_error(farm, template, data, cause):
    answer = farm.report(template, data)

    assert (answer.status_code, answer.json()["cause"]) == (400, cause)


def test_a_refused_save_leaves_its_blob_name_free_for_the_next_try(farm):
    broken = HTML | {"content": "{% for %}"}
    options = {"reports": {"save": True, "blobName": "second-try"}}
    refused(farm, {"template": broken, "options": options})

    assert farm.post("/api/report", {"template": HTML, "options": options}).status_code == 200


def test_thousands_of_unknown_fields_are_answered_in_short(farm):
    said = refused(farm, {"template": HTML, **{f"field{number}": 1 for number in range(5000)}, "x" * 100_000: 1})

    assert len(str(said)) < 20_000
    assert "more" in said["message"]


@pytest.mark.parametrize("path", ["/reports/%00/status", "/odata/templates('%00')"])
def test_a_nul_in_an_address_is_a_404(farm, path):
    assert farm.get(path).status_code == 404


def test_a_body_that_is_not_json_is_refused(farm):
    answer = farm.request("POST", "/api/report", data="{'template'", headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert "not JSON" in answer.json()["message"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_a_body_that_does_not_say_it_is_json_is_refused(farm, content_type):
    answer = farm.request("POST", "/api/report", data="{}", headers={"Content-Type": content_type})

    assert answer.status_code == 415
    assert content_type in answer.json()["message"]
    assert "application/json" in answer.json()["message"]


def raw(farm, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", farm.port), timeout=30) as client:
        client.sendall(text)
        return client.recv(65536)


def test_a_malformed_chunk_is_the_clients_error(farm):
    head = (
        b"POST /api/report HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    assert raw(farm, head + b"ZZ\r\nabc\r\n0\r\n\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("header", [b"X-Forwarded-Proto: https", b"X-Forwarded-Ssl: on", b"SCRIPT_NAME: /evil"])
def test_nobody_is_believed_about_the_address_a_client_used(farm, header):
    body = b'{"template": {"content": "x", "recipe": "text"}, "options": {"reports": {"async": true}}}'
    head = b"POST /api/report HTTP/1.1\r\nHost: farm.example\r\nContent-Type: application/json\r\n" + header

    answer = raw(farm, head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert b"Location: http://farm.example/reports/" in answer


@pytest.mark.parametrize("host", [b"", b"a b", b"user@evil"])
def test_a_host_that_is_none_is_refused(farm, host):
    assert raw(farm, b"GET /api/ping HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.timeout(90)
def test_clients_that_fall_silent_do_not_keep_the_others_out(farm):
    silent = [socket.create_connection(("127.0.0.1", farm.port)) for _ in range(40)]
    try:
        for client in silent:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: ")
        eventually(lambda: farm._answers("/healthz"), seconds=60)
    finally:
        for client in silent:
            client.close()


def test_a_body_over_the_limit_is_refused_with_the_limit(farm):
    answer = farm.post("/api/report", {"template": HTML, "data": {"x": "y" * 3_000_000}})

    assert answer.status_code == 413
    assert str(2 * 1024 * 1024) in answer.json()["message"]


def test_a_body_over_the_limit_is_refused_when_it_comes_in_chunks(farm):
    chunks = (b"x" * 65536 for _ in range(64))

    answer = farm.request("POST", "/api/report", data=chunks, headers={"Content-Type": "application/json"})

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x01\x02",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        gzip.compress(b"{}", mtime=0),
        b'{"template": NaN}',
    ],
)
def test_garbage_gets_a_400(farm, body):
    answer = farm.request("POST", "/api/report", data=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["message"]


def test_data_that_is_nested_very_deeply_is_refused_or_rendered(farm):
    deep = b'{"template": {"content": "x", "recipe": "html"}, "data": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}"

    answer = farm.request("POST", "/api/report", data=deep, headers={"Content-Type": "application/json"})

    assert answer.status_code in (200, 400)


@pytest.mark.parametrize(
    "path", ["/nothing", "/reports/nothing/status", "/reports/nothing/content", "/api/report/x/../y"]
)
def test_an_unknown_address_is_a_404_in_json(farm, path):
    answer = farm.get(path, headers={"Accept": "application/json"})

    assert answer.status_code in (404, 405)
    assert answer.json()["message"]


def test_a_wrong_method_names_the_right_ones(farm):
    answer = farm.request("DELETE", "/api/ping")

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_a_browser_gets_text(farm):
    answer = farm.get("/reports/nothing/content", headers={"Accept": "text/html,*/*;q=0.8"})

    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "nothing" in answer.text


def test_the_farm_goes_on(farm):
    assert farm.report(HTML).content == b"<p>x"
    assert farm.get("/readyz").status_code == 200
