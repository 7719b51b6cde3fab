"""The sample templates that a new farm installs."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pypdf import PdfReader

from workers.engines.jinja import JinjaEngine
from workers.fetching import FetchPolicy
from workers.recipes import RecipeUnavailableError
from workers.recipes.plutoprint_pdf import PlutoPrintRecipe
from workers.recipes.weasyprint_pdf import WeasyPrintRecipe

SAMPLES = Path(__file__).parents[2] / "deploy" / "samples"
PAGES = {"delivery-note": 1, "invoice": 1, "open-items": 10}


@pytest.fixture(scope="module", params=[WeasyPrintRecipe, PlutoPrintRecipe])
def recipe(request):
    try:
        return request.param()
    except RecipeUnavailableError as error:
        pytest.skip(str(error))


def expanded(name, **changed):
    data = json.loads((SAMPLES / f"{name}.json").read_text("utf-8")) | changed
    return JinjaEngine().expand((SAMPLES / f"{name}.html").read_text("utf-8"), data, markup=True, locale="en_IE")


def words(pages):
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_every_sample_has_a_template_and_data():
    assert sorted(path.stem for path in SAMPLES.glob("*.html")) == sorted(PAGES)
    assert sorted(path.stem for path in SAMPLES.glob("*.json")) == sorted(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_sample_has_its_number_of_pages_in_each_engine_and_names_no_url(recipe, name):
    policy = FetchPolicy()
    document = recipe.render(expanded(name), policy=policy)
    assert document.pages == PAGES[name]
    assert policy.refused == []
    for number, page in enumerate(PdfReader(io.BytesIO(document.content)).pages, start=1):
        assert f"Page {number} of {PAGES[name]}" in words([page])


def test_the_invoice_adds_up():
    data = json.loads((SAMPLES / "invoice.json").read_text("utf-8"))
    for item in data["items"]:
        assert item["total"] == pytest.approx(item["qty"] * item["price"] * (1 - item["discount"] / 100), abs=0.00501)
    assert data["net"] == pytest.approx(sum(item["total"] for item in data["items"]))
    assert data["gross"] == pytest.approx(data["net"] + data["vat"])


def test_the_open_items_add_up():
    data = json.loads((SAMPLES / "open-items.json").read_text("utf-8"))
    assert data["total"] == pytest.approx(sum(row["amount"] for row in data["rows"]))
    assert data["total"] == pytest.approx(sum(part["amount"] for part in data["summary"]))
    assert len(data["rows"]) == sum(part["count"] for part in data["summary"]) == 400


def test_the_footer_shows_data_as_it_is(recipe):
    markup = expanded("open-items", company='Smith & "Sons" </style>', rows=[])
    assert 'Smith & "Sons" </style>, Open items by document' in words(
        PdfReader(io.BytesIO(recipe.render(markup, policy=FetchPolicy()).content)).pages
    )


@pytest.mark.skipif(
    not (shutil.which("zbarimg") and shutil.which("pdftoppm")), reason="zbar-tools and poppler-utils are not installed"
)
def test_the_codes_of_the_delivery_note_can_be_scanned(recipe, tmp_path):
    (tmp_path / "note.pdf").write_bytes(recipe.render(expanded("delivery-note"), policy=FetchPolicy()).content)
    subprocess.run(["pdftoppm", "-r", "200", "-gray", "-png", tmp_path / "note.pdf", tmp_path / "note"], check=True)
    read = subprocess.run(["zbarimg", "-q", *tmp_path.glob("note*.png")], check=True, capture_output=True, text=True)
    assert sorted(re.split(r"\n", read.stdout.strip())) == [
        "CODE-128:00353908710000004174",
        "CODE-128:00353908710000004242",
        "CODE-128:DN-2026-008841",
        "QR-Code:https://northwind.example/pod/DN-2026-008841",
    ]
