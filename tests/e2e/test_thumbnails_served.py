"""Pictures of first pages, as clients get them: of history records, and of templates by their sample data."""

from __future__ import annotations

import io

import pypdf
import pytest
from farms import eventually
from PIL import Image

NOTE = "<body style='margin: 0'><div style='background: black; width: 50vw; height: 100vh'>{{ number }}</div>"
PAGE = "<style>@page { size: 100mm 200mm; margin: 0 }</style>"


@pytest.fixture
def made(farm, request):
    """Store templates of names of this test's own."""

    def made(content=PAGE + NOTE, name="note", **changes):
        body = {"name": f"{request.node.name}/{name}", "content": content, "sampleData": {"number": 1}, **changes}
        return data_of(farm.post("/api/v1/report-config", body), 201)

    return made


def data_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def until_there(farm, path):
    """Ask as often as the farm says that it makes sense, and return the answer that is no 'not yet'."""

    def look():
        answer = farm.get(path)
        return None if answer.status_code == 404 and "Retry-After" in answer.headers else answer

    return eventually(look, what=f"an end of {path}")


def picture_in(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


def recorded(farm, config):
    body = {"outputType": "none", "createHistoryRecord": True, "data": {"number": 2}, "async": True}
    return data_of(farm.post(f"/api/v1/report-config/{config['id']}/render", body), 202)["historyRecordId"]


def test_a_record_gets_its_thumbnail_by_itself_and_again_on_request(farm, made):
    record_id = recorded(farm, made())
    path = f"/api/v1/report-history-record/{record_id}/thumbnail"

    first = until_there(farm, path)
    assert picture_in(first).size == (400, 800)
    assert [picture_in(first).getpixel((x, 700)) for x in (100, 300)] == [(0, 0, 0), (255, 255, 255)]
    assert farm.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    assert farm.request("HEAD", path).headers["Content-Length"] == str(len(first.content))

    again = farm.post(path)
    assert data_of(again, 202) == {"id": record_id, "reportThumbnail": farm.base + path}
    assert again.headers["Location"] == farm.base + path
    assert until_there(farm, path).content == first.content


def test_a_record_without_a_pdf_says_why_it_has_no_thumbnail(farm, made):
    record_id = recorded(farm, made(content="{{ 1 / 0 }}", sampleData={}))
    path = f"/api/v1/report-history-record/{record_id}/thumbnail"

    refused = until_there(farm, path)
    assert refused.status_code == 404
    assert "division by zero" in refused.json()["errors"][0]
    assert farm.post(path).status_code == 409


def test_a_record_that_there_is_not_has_no_thumbnail(farm):
    for record_id in ("nobody", "%00"):
        path = f"/api/v1/report-history-record/{record_id}/thumbnail"
        assert farm.get(path).status_code == 404
        assert farm.post(path).status_code == 404


def stored(farm, content=PAGE + NOTE, recipe="weasyprint-pdf", **reports):
    """Return the address of a stored report, without what is wanted of it."""
    template = {"content": content, "recipe": recipe}
    answer = farm.report(template, {"number": 3}, reports={"async": True, **reports})
    assert answer.status_code == 200, answer.text
    base = answer.headers["Location"].removeprefix(farm.base).removesuffix("/status")
    farm.until_done(f"{base}/status")
    return base


def test_a_reports_thumbnail_is_made_when_it_is_first_asked_for(farm):
    report = stored(farm)

    first = farm.get(f"{report}/thumbnail")
    assert first.status_code == 404
    assert "being made" in first.json()["message"]
    assert int(first.headers["Retry-After"]) > 0
    made = until_there(farm, f"{report}/thumbnail")
    assert picture_in(made).size == (400, 800)
    assert [picture_in(made).getpixel((x, 700)) for x in (100, 300)] == [(0, 0, 0), (255, 255, 255)]
    tag = {"If-None-Match": made.headers["ETag"]}
    assert farm.get(f"{report}/thumbnail", headers=tag).status_code == 304

    again = farm.post(f"{report}/thumbnail")
    assert again.status_code == 202, again.text
    assert again.headers["Location"] == again.json()["thumbnailUrl"] == f"{farm.base}{report}/thumbnail"
    assert until_there(farm, f"{report}/thumbnail").content == made.content


def test_a_public_reports_thumbnail_is_for_everybody_and_no_others(farm):
    public, private = stored(farm, public=True), stored(farm)
    assert public.startswith("/reports/public/")
    assert picture_in(until_there(farm, f"{public}/thumbnail")).size == (400, 800)
    hidden = farm.get(f"/reports/public/{private.removeprefix('/reports/')}/thumbnail")
    assert (hidden.status_code, "Retry-After" in hidden.headers) == (404, False)
    # As with its document: whoever may read all may ask at either address.
    assert farm.get(f"{public.replace('/public', '')}/thumbnail").status_code == 200


@pytest.mark.parametrize(
    ("content", "recipe", "why"),
    [("{{ 1 / 0 }}", "plutoprint-pdf", "division by zero"), ("hello", "html", "the document is text/html")],
)
def test_a_report_without_a_pdf_says_why_it_has_no_thumbnail(farm, content, recipe, why):
    report = stored(farm, content, recipe)
    refused = farm.get(f"{report}/thumbnail")
    assert (refused.status_code, "Retry-After" in refused.headers) == (404, False)
    assert why in refused.json()["message"]
    assert farm.post(f"{report}/thumbnail").status_code == 409


@pytest.mark.parametrize("report", ["/reports/nobody", "/reports/%00", "/reports/public/nobody"])
def test_a_report_that_there_is_not_has_no_thumbnail(farm, report):
    assert farm.get(f"{report}/thumbnail").status_code == 404


def test_a_thumbnail_goes_with_its_report(farm):
    folder = farm.home / "blobs" / "thumbnails"
    report, before = stored(farm), set(folder.glob("*"))
    until_there(farm, f"{report}/thumbnail")
    [picture] = set(folder.glob("*")) - before
    report_id = report.rpartition("/")[2]

    assert farm.request("DELETE", f"/odata/reports('{report_id}')").status_code == 204

    assert not picture.exists()
    assert farm.get(f"{report}/thumbnail").status_code == 404


def test_a_template_is_previewed_by_its_sample_data_and_anew_with_each_version(farm, made):
    config = made()
    preview, thumbnail = (f"/api/v1/report-config/{config['name']}/{what}" for what in ("preview", "thumbnail"))

    asked = farm.get(thumbnail)
    assert (asked.status_code, asked.headers["Retry-After"]) == (404, "2")
    first = until_there(farm, thumbnail)
    assert picture_in(first).size == (400, 800)
    document = until_there(farm, preview)
    assert document.headers["Content-Type"] == "application/pdf"
    [page] = pypdf.PdfReader(io.BytesIO(document.content)).pages
    assert page.extract_text().strip() == "1"

    farm.request("PATCH", f"/api/v1/report-config/{config['id']}", json={"content": "second"})

    assert farm.get(preview).status_code == 404
    assert picture_in(until_there(farm, thumbnail)).size != (400, 800)


def test_a_preview_is_made_anew_when_something_it_includes_has_changed(farm, made):
    logo = made(name="logo", content="old")
    config = made(content=f"{{% include '{logo['name']}' %}}")
    preview, thumbnail = (f"/api/v1/report-config/{config['id']}/{what}" for what in ("preview", "thumbnail"))
    assert until_there(farm, preview).status_code == 200
    farm.request("PATCH", f"/api/v1/report-config/{logo['id']}", json={"content": "new"})

    ordered = farm.post(thumbnail)

    assert data_of(ordered, 202) == {
        "id": config["id"],
        "version": 1,
        "reportPreview": farm.base + preview,
        "reportThumbnail": farm.base + thumbnail,
    }
    document = until_there(farm, preview)
    assert pypdf.PdfReader(io.BytesIO(document.content)).pages[0].extract_text().strip() == "new"
    assert picture_in(until_there(farm, thumbnail))


@pytest.mark.parametrize("what", ["preview", "thumbnail"])
def test_a_template_that_cannot_be_previewed_says_why(farm, made, what):
    broken, plain = made(name="broken", content="{{ 1 / 0 }}"), made(name="plain", recipe="html")

    for config, reason in ((broken, "division by zero"), (plain, "makes no PDF")):
        refused = until_there(farm, f"/api/v1/report-config/{config['id']}/{what}")
        assert refused.status_code == 404
        assert reason in refused.json()["errors"][0]
    assert farm.post(f"/api/v1/report-config/{plain['id']}/thumbnail").status_code == 422
    assert farm.post("/api/v1/report-config/nobody/thumbnail").status_code == 404


def test_a_template_whose_name_ends_like_an_address_can_still_be_read(farm, made):
    config = made(name="odd/preview")

    assert data_of(farm.get(f"/api/v1/report-config/{config['name']}"))["id"] == config["id"]
