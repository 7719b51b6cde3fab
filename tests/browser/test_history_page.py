"""The history in a browser: find what a customer got, look at it, print it again."""

from __future__ import annotations

import json
import uuid

import pytest
from farms import SAMPLES
from playwright.sync_api import expect


@pytest.fixture
def record(farm):
    """Return a new record's id."""
    data = json.loads((SAMPLES / "invoice.json").read_text())
    asked = {"outputType": "url", "createHistoryRecord": True, "data": data}
    return farm.post("/api/v1/report-config/invoice/render", asked).json()["data"]["historyRecordId"]


@pytest.fixture
def printer(farm, print_queue):
    """Return the name of a new printer, which is the print server's queue."""
    # The folder's tests have one farm, and "Counter" is what somebody calls his first printer.
    name = f"Counter {uuid.uuid4()}"
    farm.post("/api/v1/printer", {"name": name, "uri": print_queue.uri}).raise_for_status()
    return name


def test_a_record_is_found_by_its_trace_and_shows_request_answer_and_document(studio, farm, record):
    trace = farm.get(f"/api/v1/report-history-record/{record}").json()["data"]["traceId"]
    farm.post(f"/api/v1/report-history-record/{record}/replay", {})
    page = studio.open("/studio/history")
    expect(page.get_by_role("link", name="invoice").nth(1)).to_be_visible()

    page.get_by_role("searchbox", name="Search templates").fill(trace)
    row = page.locator("#records tbody tr")
    expect(row).to_have_count(1)
    row.get_by_role("link", name="invoice").click()

    expect(page.get_by_role("heading", name="invoice", level=1)).to_be_visible()
    expect(page.locator("json-view").first).to_contain_text("createHistoryRecord")
    expect(page.locator("json-view").nth(1)).to_contain_text(trace)
    assert page.locator("iframe.viewer").get_attribute("src").startswith(f"/api/v1/report-history-record/{record}/pdf")
    assert studio.violations() == []


def test_a_new_record_appears_in_the_list_by_itself(studio, farm):
    page = studio.open("/studio/history")
    expect(page.locator("#records")).to_be_visible()

    made = farm.post(
        "/api/v1/report-config/invoice/render",
        {"outputType": "none", "createHistoryRecord": True},
        headers={"X-Trace-Id": "it-comes-by-itself"},
    )

    assert made.status_code == 400
    expect(page.locator("#records")).to_contain_text("it-comes-by-itself")


def test_a_record_is_printed_from_its_page_to_the_bytes_at_the_printer(studio, record, printer, print_queue):
    page = studio.open(f"/studio/history/{record}")

    page.get_by_role("button", name="Print", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Printer", exact=True).select_option(printer)
    dialog.get_by_label("Copies").fill("2")
    dialog.get_by_role("button", name="Print").click()

    page.wait_for_url("**/studio/print-tasks/*")
    assert print_queue.device.until_printed()[0].startswith(b"%PDF")


def test_what_the_printer_cannot_do_is_said_beside_the_field(studio, record, printer):
    page = studio.open(f"/studio/history/{record}")

    page.get_by_role("button", name="Print", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Printer", exact=True).select_option(printer)
    dialog.get_by_label("Pages").fill("3-1")
    dialog.get_by_role("button", name="Print").click()

    expect(dialog.locator("#about-pageRanges")).to_contain_text("ascending order")
    expect(dialog.get_by_label("Pages")).to_have_value("3-1")


def test_a_request_of_fifty_megabytes_is_shown_by_its_beginning(studio, farm):
    asked = {"outputType": "none", "createHistoryRecord": True, "data": {"much": "0123456789" * 5_000_000}}
    failed = farm.post("/api/v1/report-config/invoice/render", asked)
    [found] = farm.get(f"/api/v1/report-history-record?traceId={failed.json()['meta']['traceId']}").json()["data"]

    page = studio.open(f"/studio/history/{found['id']}")

    shown = page.locator("json-view").first
    expect(shown).to_contain_text("47.7 MiB")
    expect(shown.get_by_role("link", name="Open the whole request")).to_be_visible()
    # Only a beginning of it is in the page, which answers as before.
    assert len(shown.inner_text()) < 20_000
    expect(page.get_by_role("heading", name="There is no PDF")).to_be_visible()


def test_a_record_is_rendered_again_and_compared_page_by_page(studio, farm):
    # Of a template of its own: the invoice is every test's, as it came.
    template = farm.post("/api/v1/report-config", {"name": f"t-{uuid.uuid4()}", "content": "<h1>Invoice"}).json()[
        "data"
    ]
    address = f"/api/v1/report-config/{template['id']}"
    asked = {"outputType": "url", "createHistoryRecord": True, "data": {}}
    record = farm.post(f"{address}/render", asked).json()["data"]["historyRecordId"]
    assert farm.request("PATCH", address, json={"content": "<h1>Rechnung"}).status_code == 200
    page = studio.open(f"/studio/history/{record}")

    page.get_by_role("button", name="Replay").click()
    page.get_by_role("dialog").get_by_label("The newest").check()
    page.get_by_role("button", name="Render and compare").click()

    page.wait_for_url(f"**/studio/history/{record}/compare/*")
    expect(page.get_by_text("The documents differ.")).to_be_visible()
    pictures = page.locator(".compared-pages").first
    expect(pictures.locator("img.compared-before")).to_be_visible()
    page.get_by_label("One over the other").first.check()
    slider = page.get_by_role("slider", name="Where before ends and after begins").first
    slider.fill("80")
    assert pictures.evaluate("(one) => getComputedStyle(one.querySelector('.compared-after')).clipPath").endswith(
        "80%)"
    )
    page.get_by_label("Only what differs").first.check()
    expect(pictures.locator("img.compared-overlay")).to_be_visible()
    assert studio.violations() == []


def test_a_record_is_pinned_and_removed(studio, record):
    page = studio.open(f"/studio/history/{record}")
    page.get_by_role("button", name="Pin").click()
    expect(page.get_by_text("no purge removes it")).to_be_visible()
    page.get_by_role("button", name="Unpin").click()
    expect(page.get_by_role("button", name="Pin", exact=True)).to_be_visible()

    page.on("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Remove").click()

    page.wait_for_url("**/studio/history")
    assert page.goto(f"/studio/history/{record}").status == 404
    expect(page.get_by_role("heading", name="Not here")).to_be_visible()
    assert studio.violations() == []
