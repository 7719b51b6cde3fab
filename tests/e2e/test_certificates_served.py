"""Certificates as clients see them: made by saving, shown with reasons and pictures, and made anew on request."""

from __future__ import annotations

import io

import pypdf
import pytest
from farms import eventually
from PIL import Image

GOOD = "<style>body { font: 10pt/1.4 'Liberation Sans' } p { margin: 0 }</style><p>Order {{ number }}"
SHADOW = "<div style='width: 5cm; height: 2cm; background: #eee; box-shadow: 2mm 2mm 0 #888'></div>"


@pytest.fixture
def made(farm, request):
    """Store templates of names of this test's own."""

    def made(content=GOOD, name="order", **changes):
        body = {
            "name": f"{request.node.name}/{name}",
            "content": content,
            "recipe": "pdf",
            "sampleData": {"number": 1},
            **changes,
        }
        return data_of(farm.post("/api/v1/report-config", body), 201)

    return made


def data_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def address(config):
    return f"/api/v1/report-config/{config['id']}/certificate"


def producer(answer):
    return pypdf.PdfReader(io.BytesIO(answer.content)).metadata.producer


def until_made(farm, config):
    def look():
        found = data_of(farm.get(address(config)))
        return found if found["verdict"] != "pending" else None

    return eventually(look, what="a verdict")


def test_a_saved_template_is_certified_and_rendered_by_the_fast_engine(farm, made):
    config = made()

    found = until_made(farm, config)

    assert (found["verdict"], found["version"], found["reasons"], found["pictures"]) == ("certified", 1, [], [])
    assert "WeasyPrint" in found["environment"]
    rendered = farm.post("/api/report", {"template": {"_id": config["_id"]}, "data": {"number": 2}})
    assert rendered.headers["Content-Type"] == "application/pdf"
    assert producer(rendered).startswith("cairo")

    # A new version has nothing to do with the one before.
    farm.request("PATCH", f"/api/v1/report-config/{config['id']}", json={"content": "<p style='display: grid'>x"})
    found = until_made(farm, config)
    assert (found["verdict"], found["version"], found["reasons"][0]["kind"]) == ("refused", 2, "demand")
    rendered = farm.post("/api/report", {"template": {"_id": config["_id"]}})
    assert producer(rendered).startswith("WeasyPrint")


def test_a_refusal_has_a_reason_and_a_picture(farm, made):
    found = until_made(farm, made(SHADOW))

    assert (found["verdict"], found["reasons"][0]["kind"], found["reasons"][0]["page"]) == ("refused", "painting", 1)
    [shown] = found["pictures"]
    picture = farm.get(shown["overlay"].removeprefix(farm.base))
    assert Image.open(io.BytesIO(picture.content)).format == "PNG"
    assert farm.get(shown["overlay"].removeprefix(farm.base).replace("/1.png", "/2.png")).status_code == 404


def test_a_certificate_is_made_anew_on_request_also_for_another_recipe(farm, made):
    config = made(recipe="weasyprint-pdf")
    missing = farm.get(address(config))
    assert (missing.status_code, "POST to the same address" in missing.text) == (404, True)

    asked = farm.post(address(config))

    assert (data_of(asked, 202)["verdict"], asked.headers["Location"]) == ("pending", farm.base + address(config))
    assert until_made(farm, config)["verdict"] == "certified"
    assert data_of(farm.post(address(config)), 202)["verdict"] == "pending"
    assert until_made(farm, config)["verdict"] == "certified"


def test_what_makes_no_pdf_or_is_not_there_has_no_certificate(farm, made):
    assert farm.post(address(made(recipe="html"))).status_code == 422
    for key in ("nobody", "%00"):
        for path in (f"/api/v1/report-config/{key}/certificate", f"/api/v1/report-config/{key}/certificate/page/1.png"):
            assert farm.get(path).status_code == 404
        assert farm.post(f"/api/v1/report-config/{key}/certificate").status_code == 404


def test_without_sample_data_the_first_render_is_the_sample(farm, made):
    config = made(sampleData=None)
    waiting = data_of(farm.get(address(config)))
    assert (waiting["verdict"], waiting["reasons"][0]["kind"]) == ("failed", "sample")

    assert farm.post("/api/report", {"template": {"_id": config["_id"]}, "data": {"number": 2}}).status_code == 200

    eventually(lambda: data_of(farm.get(address(config)))["verdict"] == "certified", what="a certificate")


def test_a_template_whose_name_ends_like_a_certificates_address_is_found(farm, made):
    name = made(name="certificate")["name"]
    assert data_of(farm.get(f"/api/v1/report-config/{name}"))["name"] == name
