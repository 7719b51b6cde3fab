"""Batches in a browser: a file whose columns are called otherwise becomes documents, and a broken one is refused."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import expect

LABEL = "<b>{{ name }}</b> {{ customer.city }} {{ code | barcode }}{% if code == 'PR-07' %}{{ 1 / 0 }}{% endif %}"
ROWS = "".join(f'PR-{number:02};"Kugellager; Größe {number}";Cork;{number}\n' for number in range(1, 11))


@pytest.fixture
def label(farm):
    """A template that says what it wants."""
    body = {
        "name": f"label {secrets.token_hex(4)}",
        "content": LABEL,
        "recipe": "plutoprint-pdf",
        "parameters": [{"name": "code", "type": "string", "required": True, "description": "What the barcode says"}],
        "sampleData": {"code": "PR-00", "name": "Ball bearing", "customer": {"city": "Cork"}, "parts": [1]},
    }
    return farm.post("/api/v1/report-config", body).json()["data"]


def choose(page, name, content):
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "", "buffer": content})


def test_a_table_with_other_columns_is_matched_sent_made_and_its_failed_one_retried(studio, farm, label):
    page = studio.open(f"/studio/batches/new?template={label['id']}")
    # As a spreadsheet of some years ago saves it.
    choose(page, "Artikel.csv", f"Artikel-Code;Bezeichnung;Customer City;Menge\n{ROWS}".encode("windows-1252"))

    expect(page.locator("#preview")).to_contain_text("Kugellager; Größe 1")
    expect(page.locator("#about-file")).to_contain_text("windows-1252")
    expect(page.get_by_label("code")).to_have_value("Artikel-Code")
    expect(page.get_by_label("customer.city")).to_have_value("Customer City")
    expect(page.get_by_label("parts")).to_be_disabled()
    page.get_by_label("name", exact=True).select_option("Bezeichnung")
    expect(page.locator("#keeps")).to_contain_text("keep their names: Menge")
    page.get_by_label("Names of the documents").fill("label-{{ number }}")
    expect(page.locator("#called")).to_contain_text("has no “number”")
    page.get_by_label("Names of the documents").fill("label-{{ code }}")
    expect(page.locator("#called")).to_contain_text("“label-PR-01”")
    assert studio.violations() == []
    page.get_by_label("Also one PDF of all").check()
    page.get_by_role("button", name="Start").click()

    page.wait_for_url("**/studio/batches/0*")
    batch = page.url.rpartition("/")[2]
    # By itself.
    expect(page.locator(".batch-progress")).to_contain_text("completed")
    expect(page.locator(".batch-counts")).to_contain_text("9 made")
    expect(page.get_by_role("region", name="Why documents failed")).to_contain_text("line 1: division by zero")
    assert studio.violations() == []
    page.get_by_role("link", name="Failed", exact=True).click()
    expect(page.locator("#batch tbody tr")).to_have_count(1)
    expect(page.get_by_role("link", name="label-PR-07")).to_be_visible()

    mended = LABEL.replace("{{ 1 / 0 }}", "mended")
    farm.request("PATCH", f"/api/v1/report-config/{label['id']}", json={"content": mended})
    page.get_by_role("button", name="Retry the failed one").click()
    expect(page.locator(".batch-counts")).to_contain_text("10 made")
    expect(page.locator("#batch")).to_contain_text("No document of this batch is like that.")
    expect(page.get_by_role("link", name="One PDF")).to_be_visible()
    made = farm.get(f"/api/v1/batch/{batch}/documents").json()["data"]
    data = farm.get(f"/api/v1/report/{made[6]['reportId']}/data").json()
    assert data == {"code": "PR-07", "name": "Kugellager; Größe 7", "customer": {"city": "Cork"}, "Menge": "7"}

    page.get_by_role("link", name="Batches").first.click()
    expect(page.get_by_role("link", name=label["name"])).to_be_visible()
    assert studio.violations() == []


def test_what_is_wrong_with_a_file_or_a_field_is_said_beside_it(studio, farm, label):
    page = studio.open(f"/studio/batches/new?template={label['id']}")
    start = page.get_by_role("button", name="Start")
    start.click()
    expect(page.locator("#about-file")).to_contain_text("Choose a file first.")

    choose(page, "broken.csv", b"code;name\nPR-1;a\nPR-2\nPR-3;c\n")
    page.get_by_label("Names of the documents").fill("label-{{ code }}")
    expect(page.locator("#about-file")).to_contain_text("Line 3 of the table has 1 value: expected 2")
    start.click()
    expect(page.locator("#about-file")).to_contain_text("expected 2, as the header has: PR-2")
    expect(page.get_by_label("Names of the documents")).to_have_value("label-{{ code }}")
    assert studio.violations() == []

    choose(page, "broken.ndjson", b'{"Code": "PR-1"}\n\n{"Code": "PR-2"\n')
    expect(page.locator("#about-file")).to_contain_text("Line 3 is not JSON")
    expect(page.locator("#about-file")).to_contain_text(': {"Code": "PR-2"')
    # Behind what is looked at before it is sent.
    choose(page, "long.csv", b"code;name\n" + b"PR-1;a\n" * 300_000 + b"PR-2\n")
    expect(page.locator("#preview")).to_contain_text("PR-1")
    start.click()
    expect(page.locator("#about-file")).to_contain_text("Line 300002 of the table has 1 value: expected 2")

    choose(page, "fine.csv", b"name\na\n")
    start.click()
    expect(page.locator("#about-form")).to_contain_text("code: The template needs this")
    choose(page, "fine.csv", b"code\na\n")
    page.get_by_label("Names of the documents").fill("{% if %}")
    start.click()
    expect(page.locator("#about-name")).to_contain_text("there are no filters")
    assert farm.get("/api/v1/batch", params={"search": label["name"]}).json()["meta"]["total"] == 0


def test_a_batch_is_paused_gone_on_with_cancelled_and_forgotten(studio, farm):
    name = f"slow {secrets.token_hex(4)}"
    slow = "{% for a in range(20000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}<p>{{ number }}"
    farm.post("/api/v1/report-config", {"name": name, "content": slow, "recipe": "html"}).raise_for_status()
    items = [{"number": number} for number in range(400)]
    batch = farm.post("/api/v1/batch", {"template": {"name": name}, "items": items}).json()["data"]["id"]
    page = studio.open(f"/studio/batches/{batch}")
    page.on("dialog", lambda asked: asked.accept())

    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".batch-progress")).to_contain_text("paused")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".batch-progress")).to_contain_text("running")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".batch-counts")).to_contain_text("cancelled")
    page.get_by_role("button", name="Forget").click()
    page.wait_for_url("**/studio/batches")
    assert farm.get(f"/api/v1/batch/{batch}").status_code == 404
