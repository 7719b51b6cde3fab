"""Stored reports in a browser: find one, keep it, rename it, print it, let it go; and see one being made."""

from __future__ import annotations

import secrets

from farms import eventually
from playwright.sync_api import expect

SLOW = "{% for a in range(rounds) %}{% for b in range(1000) %}{% endfor %}{% endfor %}<p>at last"


def saved(farm, name, **wish) -> str:
    answer = farm.report({"name": "invoice"}, reportName=name, reports={"save": True, **wish})
    assert answer.status_code == 200, answer.text
    return answer.headers["Report-Id"]


def known(farm, report_id):
    answer = farm.get(f"/api/v1/report/{report_id}")
    return answer.json()["data"] if answer.status_code == 200 else None


def test_a_report_is_found_opened_pinned_renamed_opened_to_everybody_printed_and_removed(studio, farm):
    name = f"Köhler & Söhne {secrets.token_hex(4)}"
    report_id = saved(farm, name)
    farm.post("/api/v1/printer", {"name": "Reports' attic", "agent": True}).raise_for_status()
    page = studio.open("/studio/reports")
    page.on("dialog", lambda asked: asked.accept())

    # In whatever case, and with what OData has quotes for.
    page.get_by_role("searchbox", name="Search names").fill(f"KÖHLER & SÖHNE {name[-8:]}".replace("Ö", "ö"))
    row = page.locator("#reports tbody tr")
    expect(row).to_have_count(1)
    expect(row.locator("img.thumbnail:not(.thumbnail-waits)")).to_be_visible()
    page.get_by_text("Filters").click()
    page.get_by_label("State").select_option("error")
    expect(page.locator("#reports")).to_contain_text("No report fits")
    page.get_by_label("State").select_option("success")
    page.get_by_label("Template", exact=True).fill("invoice")
    page.get_by_label("Template", exact=True).blur()
    expect(page.locator(".badge-count")).to_have_text("2")
    assert studio.violations() == []
    page.keyboard.press("Escape")
    row.get_by_role("link", name=name).click()

    assert page.locator("iframe.viewer").get_attribute("src").startswith(f"/reports/{report_id}/content")
    facts = page.locator("#facts")
    expect(facts).to_contain_text("invoice, version 1")
    expect(page.locator("json-view")).to_contain_text("Northwind")
    facts.get_by_role("button", name="Pin", exact=True).click()
    expect(facts.get_by_role("button", name="Unpin")).to_be_visible()
    assert known(farm, report_id)["keep"] is True
    facts.get_by_role("button", name="Make public").click()
    expect(facts).to_contain_text(f"/reports/public/{report_id}/content")
    assert studio.violations() == []

    page.get_by_role("button", name="Rename").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("  ")
    dialog.get_by_role("button", name="Rename").click()
    expect(dialog.locator("#about-reportName")).to_contain_text("at least 1 character")
    assert studio.violations() == []
    dialog.get_by_label("Name").fill("It's O'Brien's")
    dialog.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="It's O'Brien's", level=1)).to_be_visible()

    page.get_by_role("button", name="Print", exact=True).click()
    dialog.get_by_label("Printer", exact=True).select_option("Reports' attic")
    dialog.get_by_role("button", name="Print").click()
    page.wait_for_url("**/studio/print-tasks/*")

    studio.open(f"/studio/reports/{report_id}")
    page.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/studio/reports")
    assert known(farm, report_id) is None
    studio.open("/studio/reports?search=O'Brien")
    expect(page.locator("#reports")).to_contain_text("No report fits")


def test_a_report_that_waits_becomes_a_document_by_itself_and_one_that_failed_says_why(studio, farm):
    template = {"content": SLOW, "recipe": "html", "engine": "jinja"}
    answer = farm.report(template, {"rounds": 60_000}, reportName="Slow", reports={"async": True})
    page = studio.open(f"/studio/reports/{answer.headers['Report-Id']}")

    expect(page.locator("#report")).to_contain_text("The document appears here when it is there.")
    expect(page.locator("json-view")).to_contain_text("60000")
    expect(page.frame_locator("iframe.viewer").get_by_text("at last")).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("success")

    failed = farm.report(
        {"content": "<p>\n{{ 1 / 0 }}", "recipe": "html"}, reports={"async": True}, reportName="Broken"
    )
    farm.until_done(failed.headers["Location"])
    studio.open("/studio/reports?state=error&search=Broken")
    page.get_by_role("link", name="Broken").first.click()
    expect(page.locator(".beside-document")).to_contain_text("The template is to blame")
    expect(page.locator(".beside-document")).to_contain_text("line 2: division by zero")
    assert studio.violations() == []


def test_reports_are_listed_in_pages_that_nobody_counts(studio, farm):
    items = [{"number": number} for number in range(30)]
    template = farm.post("/odata/templates", {"name": "paged", "content": "<p>{{ number }}", "recipe": "html"}).json()
    asked = {"template": {"name": "paged"}, "name": "paged-{{ number }}", "items": items}
    batch = farm.post("/api/v1/batch", asked).json()["data"]["id"]
    address = f"/api/v1/batch/{batch}"
    eventually(lambda: farm.get(address).json()["data"]["state"] == "completed", seconds=90, what="the batch's end")
    page = studio.open(f"/studio/reports?template={template['shortid']}&search=paged-")

    expect(page.locator("#reports tbody tr")).to_have_count(25)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#reports .pager")).to_contain_text("26 to 30")
    expect(page.locator("#reports tbody tr")).to_have_count(5)
    expect(page.get_by_role("link", name="Next")).to_have_count(0)
    studio.open("/studio/reports?createdFrom=2026-13-01")
    expect(page.locator("main")).to_contain_text("expected a date such as")
