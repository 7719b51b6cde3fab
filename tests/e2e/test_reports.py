"""The main job over HTTP, as jsreport's clients do it."""

from __future__ import annotations

import io
import json
import re

import pypdf
import pytest
from farms import SAMPLES

INVOICE = {"content": (SAMPLES / "invoice.html").read_text(), "recipe": "weasyprint-pdf"}
INVOICE_DATA = json.loads((SAMPLES / "invoice.json").read_text())
HELLO = {"content": "<p>Hello {{ name }}", "recipe": "html"}


def pages(document: bytes) -> int:
    return len(pypdf.PdfReader(io.BytesIO(document)).pages)


@pytest.mark.parametrize("recipe", ["weasyprint-pdf", "plutoprint-pdf"])
def test_an_invoice_is_rendered_while_the_client_waits(farm, recipe):
    answer = farm.report(INVOICE | {"recipe": recipe}, INVOICE_DATA)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == "inline; filename=report.pdf"
    assert pages(answer.content) == 1
    assert "Permanent-Link" not in answer.headers


@pytest.mark.parametrize(
    ("recipe", "media_type", "expected"),
    [("html", "text/html; charset=utf-8", b"<p>A &amp; B"), ("text", "text/plain; charset=utf-8", b"<p>A & B")],
)
def test_values_are_escaped_where_the_document_is_markup(farm, recipe, media_type, expected):
    answer = farm.report({"content": "<p>{{ name }}", "recipe": recipe}, {"name": "A & B"})

    assert (answer.headers["Content-Type"], answer.content) == (media_type, expected)


def test_an_html_document_opens_as_a_stranger_to_the_gateway(farm):
    answer = farm.report({"content": "<script>1</script>", "recipe": "html"})

    assert answer.headers["Content-Security-Policy"].startswith("sandbox ")
    assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_engine_none_leaves_the_content_as_it_is(farm):
    assert farm.report({"content": "<p>{{ name }}", "recipe": "html", "engine": "none"}).content == b"<p>{{ name }}"


def test_a_saved_report_has_a_permanent_link(farm):
    answer = farm.report(HELLO, {"name": "you"}, reports={"save": True}, reportName="Greeting")

    assert answer.status_code == 200
    report_id = answer.headers["Report-Id"]
    assert answer.headers["Permanent-Link"] == f"{farm.base}/reports/{report_id}/content"
    assert answer.headers["Report-BlobName"] == f"{report_id}.html"
    again = farm.get(answer.headers["Permanent-Link"])
    assert (again.status_code, again.content) == (200, b"<p>Hello you")
    assert again.headers["Content-Disposition"] == "inline; filename=Greeting.html"
    saved = farm.get(f"/reports/{report_id}/attachment")
    assert saved.headers["Content-Disposition"] == "attachment; filename=Greeting.html"


@pytest.mark.parametrize("way", ["body", "header"])
def test_an_asynchronous_report_is_polled_to_201(farm, way):
    body = {"template": HELLO, "data": {"name": "you"}}
    headers = {}
    if way == "body":
        body["options"] = {"reports": {"async": True}}
    else:
        headers["jsreport-options-reports-async"] = "true"

    answer = farm.post("/api/report", body, headers=headers)

    assert answer.status_code == 200
    assert re.fullmatch(rf"{farm.base}/reports/[0-9a-f-]{{36}}/status", answer.headers["Location"])
    done = farm.until_done(answer.headers["Location"])
    assert (done.status_code, done.headers["Report-State"]) == (201, "success")
    assert farm.get(done.headers["Location"]).content == b"<p>Hello you"


def test_a_client_that_prefers_it_gets_202_and_a_body(farm):
    answer = farm.post("/api/report", {"template": HELLO}, headers={"Prefer": "respond-async, wait=10"})

    assert answer.status_code == 202
    said = answer.json()
    assert said["statusUrl"] == answer.headers["Location"]
    assert said["traceId"] == answer.headers["X-Trace-Id"]
    assert farm.until_done(said["statusUrl"]).status_code == 201


def test_a_waiting_report_is_planned_and_has_no_document_yet(farm):
    slow = {
        "content": "{% for a in range(3000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}done",
        "recipe": "html",
    }
    status_url = farm.report(slow, reports={"async": True}).headers["Location"]

    answer = farm.get(status_url)
    document = farm.get(status_url.replace("/status", "/content"))

    assert (answer.status_code, answer.headers["Report-State"]) == (200, "planned")
    assert int(answer.headers["Retry-After"]) > 0
    assert document.status_code == 404
    assert status_url in document.json()["message"]
    assert farm.until_done(status_url).status_code == 201


def test_a_failed_report_ends_polling_with_its_reason_and_no_stack(farm):
    template = {"content": "<p>\n{{ missing.field.deep }}", "recipe": "html"}
    status_url = farm.report(template, reports={"async": True}).headers["Location"]

    done = farm.until_done(status_url)

    assert (done.status_code, done.headers["Report-State"]) == (500, "error")
    said = done.json()
    assert (said["cause"], said["line"]) == ("template", 2)
    assert "Traceback" not in done.text
    assert farm.get(status_url.replace("/status", "/content")).status_code == 404


def test_a_blob_name_names_the_object_and_belongs_to_one_report(farm):
    first = farm.report(HELLO, {"name": "1"}, reports={"save": True, "blobName": "2026/invoice-1"})
    second = farm.report(HELLO, {"name": "2"}, reports={"save": True, "blobName": "2026/invoice-1"})

    assert first.headers["Report-BlobName"] == "2026/invoice-1.html"
    assert (farm.home / "blobs" / "reports" / "2026" / "invoice-1.html").read_bytes() == b"<p>Hello 1"
    assert second.status_code == 409
    assert first.headers["Report-Id"] in second.json()["message"]
    assert farm.get(first.headers["Permanent-Link"]).content == b"<p>Hello 1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Rechnung Müller", "inline; filename=\"Rechnung M_ller.html\"; filename*=UTF-8''Rechnung%20M%C3%BCller.html"),
        ('say "hi"', 'inline; filename="say \\"hi\\".html"'),
        ("a\r\nSet-Cookie: x=1", 'inline; filename="a__Set-Cookie: x=1.html"'),
        ("請求書", "inline; filename=___.html; filename*=UTF-8''%E8%AB%8B%E6%B1%82%E6%9B%B8.html"),
    ],
)
def test_no_report_name_breaks_a_header(farm, name, expected):
    answer = farm.report(HELLO, reportName=name)

    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == expected
    assert "Set-Cookie" not in answer.headers


def test_a_document_can_be_revalidated_and_asked_for_in_parts(farm):
    link = farm.report(HELLO, {"name": "you"}, reports={"save": True}).headers["Permanent-Link"]
    whole = farm.get(link)

    assert farm.get(link, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    part = farm.get(link, headers={"Range": "bytes=3-7"})
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"Hello", "bytes 3-7/12")
    last = farm.get(link, headers={"Range": "bytes=-3"})
    assert (last.status_code, last.content) == (206, b"you")
    assert farm.get(link, headers={"Range": "bytes=100-"}).status_code == 416
    tag = whole.headers["ETag"]
    assert farm.get(link, headers={"If-None-Match": f"W/{tag}"}).status_code == 304
    assert farm.get(link, headers={"Range": "bytes=-99"}).content == b"<p>Hello you"
    for condition, status in ((tag, 206), (f"W/{tag}", 200), ("Sat, 21 Nov 2026 00:00:00 GMT", 200), ('"other"', 200)):
        assert farm.get(link, headers={"Range": "bytes=3-7", "If-Range": condition}).status_code == status
    head = farm.request("HEAD", link)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "12", b"")


def test_data_of_any_size_reaches_the_document_and_large_data_leaves_the_row_alone(farm):
    data = {"name": "x" * 500_000}

    answer = farm.report(HELLO, data, reports={"save": True})

    assert answer.content == b"<p>Hello " + b"x" * 500_000
    stored = [path for path in (farm.home / "blobs" / "data").rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in stored) > 500_000


@pytest.mark.parametrize("text", ["é漢字😀", "</script>", "\u202eabc", "line\u2028break", "\x7f"])
def test_any_unicode_in_data_reaches_the_document(farm, text):
    assert farm.report({"content": "{{ t }}", "recipe": "text"}, {"t": text}).content.decode() == text


@pytest.mark.parametrize("text", ["\0", "\ud800"])
@pytest.mark.parametrize("recipe", ["text", "html", "weasyprint-pdf", "plutoprint-pdf"])
def test_what_no_document_can_hold_is_refused_with_a_reason(farm, text, recipe):
    answer = farm.report({"content": "<p>{{ t }}", "recipe": recipe}, {"t": text})

    if answer.status_code != 200:
        assert answer.status_code == 400
        assert "character" in answer.json()["message"] or "surrogate" in answer.json()["message"]


def test_a_render_beyond_its_time_limit_ends_with_its_cause(farm):
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"

    answer = farm.report({"content": endless, "recipe": "html"}, timeout=500)

    assert (answer.status_code, answer.json()["cause"]) == (500, "timeout")
    assert "0.5 s" in answer.json()["message"]
    assert farm.report(HELLO, {"name": "next"}).content == b"<p>Hello next"


def test_a_document_that_names_urls_gets_none_of_them_and_says_so(farm):
    template = {"content": "<img src='http://127.0.0.1:1/x.png'><p>text", "recipe": "weasyprint-pdf"}
    status_url = farm.report(template, reports={"async": True}).headers["Location"]

    done = farm.until_done(status_url)

    assert done.status_code == 201
    assert done.json()["warnings"] == [
        "http://127.0.0.1:1/x.png was not fetched: a document may only use data: and asset: URLs"
    ]


def test_the_small_questions_have_answers(farm):
    assert farm.get("/api/ping").text == "pong"
    assert re.fullmatch(r"\d+\.\d+\.\d+", farm.get("/api/version").text)
    assert farm.get("/api/engine").json() == ["jinja", "none"]
    assert farm.get("/api/recipe").json() == ["html", "pdf", "plutoprint-pdf", "text", "weasyprint-pdf"]
    assert farm.get("/healthz").json() == {"ok": True}
    ready = farm.get("/readyz").json()
    assert ready["ready"] is True
    assert set(ready["recipes"].values()) == {"ok"}
