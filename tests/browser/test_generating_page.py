"""Generating a document by hand: typed parameters, rows from a spreadsheet, and the record that it ends in."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import expect

CONTENT = (
    "<p>{{ customer }} {{ due }} {{ urgent }} {{ copies }}\n"
    "{% for row in rows %}<p>{{ row.article }}: {{ row.quantity + 1 }}{% endfor %}"
)
PARAMETERS = [
    {"name": "customer", "type": "string", "required": True, "example": "Northwind"},
    {"name": "due", "type": "date"},
    {"name": "urgent", "type": "boolean"},
    {"name": "copies", "type": "integer", "default": 7},
    {"name": "tags", "type": "array"},
]
FIELDS = [{"name": "article", "type": "string"}, {"name": "quantity", "type": "integer"}]
# As a spreadsheet copies two rows with their heads, in an order of its own, and a column that nobody asked for.
PASTED = 'Quantity\tArticle\n1.200,0\tBelt\n3\t"Bearing ""6204"""\n'


@pytest.fixture
def config(farm):
    body = {
        "name": f"g-{uuid.uuid4()}",
        "content": CONTENT,
        "recipe": "plutoprint-pdf",
        "parameters": PARAMETERS,
        "fields": FIELDS,
        "sampleData": {"rows": [{"article": "Sample", "quantity": 92.0}], "order": 12345678901234567890},
    }
    return farm.post("/api/v1/report-config", body).json()["data"]


def write(page, text):
    """Type over what the data has."""
    page.get_by_role("textbox", name="Data, as JSON").click()
    page.keyboard.press("Control+a")
    # The browser's own way of replacing text would try to style it.
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)


def test_a_document_is_generated_from_a_form_and_pasted_rows_and_ends_in_a_record(studio, farm, config):
    printer = farm.post("/api/v1/printer", {"name": f"p-{uuid.uuid4()}", "agent": True}).json()["data"]["name"]
    studio.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = studio.open(f"/studio/templates/{config['id']}/generate")
    generate = page.get_by_role("button", name="Generate", exact=True)
    customer = page.get_by_label("customer")

    generate.click()
    assert customer.evaluate("input => input.validity.valueMissing")
    customer.fill("Müller & Söhne")
    page.get_by_label("due").fill("2026-03-14")
    page.get_by_label("urgent").select_option("Yes")
    page.get_by_label("tags").fill("{}")
    generate.click()
    expect(page.locator("#about-parameter-tags")).to_contain_text("expected a list")
    expect(customer).to_have_value("Müller & Söhne")
    assert studio.violations() == []

    page.get_by_label("tags").fill("")
    first = page.get_by_label("article, row 1")
    expect(first).to_have_value("Sample")
    page.get_by_label("quantity, row 1").fill("a few")
    assert not page.get_by_label("quantity, row 1").evaluate("input => input.validity.valid")
    page.evaluate("text => navigator.clipboard.writeText(text)", PASTED)
    first.click()
    page.keyboard.press("Control+v")
    expect(page.get_by_label("article, row 2")).to_have_value('Bearing "6204"')
    page.get_by_role("button", name="Add a row").click()
    page.get_by_role("button", name="Remove row 3").click()
    page.get_by_label("Print it, too").check()
    page.get_by_label("Printer", exact=True).select_option(printer)
    page.get_by_label("Copies", exact=True).fill("2")
    generate.click()

    page.wait_for_url("**/studio/history/*")
    record_id = page.url.rpartition("/")[2]
    record = farm.get(f"/api/v1/report-history-record/{record_id}").json()["data"]
    assert (record["status"], record["source"], record["printTasks"]) == ("Ok", "studio", 1)
    asked = record["apiPayload"]
    assert (asked["printerName"], asked["numberOfCopies"]) == (printer, 2)
    assert asked["parameters"] == {"customer": "Müller & Söhne", "due": "2026-03-14", "urgent": True}
    assert asked["data"]["rows"] == [
        {"article": "Belt", "quantity": 1200.0},
        {"article": 'Bearing "6204"', "quantity": 3},
    ]
    # What nobody touched is as it was written, to the digit.
    assert asked["data"]["order"] == 12345678901234567890


def test_numbers_of_spreadsheets_are_read_where_there_is_no_doubt(studio, config):
    page = studio.open(f"/studio/templates/{config['id']}/generate")
    read = """async (texts) => {
        const { plainNumber } = await import("/studio/static/templates/lists.js");
        return texts.map(plainNumber);
    }"""
    texts = ["1,234.50", "1.234,50", "12,5", "1 234", "-1.000,00", "1,234", "1.234", "twelve"]
    assert page.evaluate(read, texts) == ["1234.50", "1234.50", "12.5", "1234", "-1000.00", "1,234", "1.234", "twelve"]


def test_what_breaks_a_document_is_said_where_it_was_asked_for(studio, config):
    page = studio.open(f"/studio/templates/{config['id']}/generate")
    page.get_by_label("customer").fill("Northwind")
    page.get_by_role("button", name="As JSON").click()
    write(page, '{"rows": [{"article": "Belt"}]')
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.locator("#about-data")).to_contain_text("not JSON")
    expect(page.get_by_role("textbox", name="Data, as JSON")).to_contain_text("Belt")

    write(page, '{"rows": [{"article": "Belt"}]}')
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="There is no document")).to_contain_text("Line 2")
    page.get_by_role("link", name="Its record in the history").click()
    page.wait_for_url("**/studio/history/*")
