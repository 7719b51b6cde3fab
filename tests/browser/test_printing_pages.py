"""Printers and print tasks in a browser: add a printer, send it a test page, follow the paper, print it again."""

from __future__ import annotations

import base64

import records
from farms import eventually
from playwright.sync_api import expect

PRINTERS, TASKS = "/api/v1/printer", "/api/v1/report-print-task"
FILE = base64.b64encode(records.PDF).decode()


def test_a_printer_is_added_sends_a_test_page_to_paper_and_is_removed(studio, print_queue):
    page = studio.open("/studio/printers")
    assert studio.violations() == []
    page.get_by_role("button", name="Add a printer").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name").fill("Dock 7")
    dialog.get_by_label("Its address").fill("http://printer.example/")
    dialog.get_by_role("button", name="Add", exact=True).click()

    expect(dialog.locator("#about-uri")).to_contain_text("expected an ipp or ipps URI")
    expect(dialog.get_by_role("textbox", name="Name")).to_have_value("Dock 7")
    assert studio.violations() == []

    dialog.get_by_label("Its address").fill(print_queue.uri)
    dialog.get_by_label("Location").fill("Hall 7")
    dialog.get_by_role("button", name="Add", exact=True).click()

    expect(page.get_by_role("heading", name="Dock 7", level=1)).to_be_visible()
    expect(page.locator("#now")).to_contain_text("idle")
    assert studio.violations() == []

    page.get_by_role("button", name="Print a test page").click()
    page.wait_for_url("**/studio/print-tasks/*")
    # It comes by itself, and is no page that was loaded again.
    expect(page.locator("#facts")).to_contain_text("The printer says that all of it was printed.")
    assert print_queue.device.until_printed()[0].startswith(b"%PDF")

    page.get_by_role("link", name="Dock 7").click()
    expect(page.locator("#now")).to_contain_text("pressroom-test-page.pdf")
    page.on("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/studio/printers")


def test_a_task_is_followed_live_cancelled_and_printed_again_elsewhere(studio, farm, print_queue):
    farm.post(PRINTERS, {"name": "Jammed", "uri": print_queue.uri}).raise_for_status()
    print_queue.stop()
    body = {"fileBase64": FILE, "fileName": "label.pdf", "printerName": "Jammed", "numberOfCopies": 3}
    task = farm.post(TASKS, body).json()["data"]
    page = studio.open("/studio/print-tasks?search=label.pdf")
    page.get_by_role("link", name="label.pdf").click()
    expect(page.locator("#facts")).to_contain_text("The printer, or its agent, has it and has not begun.")
    assert page.locator("iframe.viewer").get_attribute("src").startswith(f"{TASKS}/{task['id']}/file")
    assert studio.violations() == []

    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#facts")).to_contain_text("It was cancelled after the printer had it")
    print_queue.resume()

    page.get_by_role("button", name="Print again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Copies")).to_have_value("3")
    expect(dialog.get_by_label("Printer", exact=True)).to_have_value("Jammed")
    assert studio.violations() == []
    dialog.get_by_label("Copies").fill("1")
    dialog.get_by_role("button", name="Print").click()

    page.wait_for_url(lambda address: "/print-tasks/" in address and task["id"] not in address)
    assert print_queue.device.until_printed() == [records.PDF]
    expect(page.locator("#facts")).to_contain_text("completed")
    page.goto(f"/studio/print-tasks/{task['id']}")
    page.on("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/studio/print-tasks")
    assert farm.get(f"{TASKS}/{task['id']}").status_code == 404


def test_tasks_are_found_by_their_filters_and_a_printer_that_has_some_stays(studio, farm):
    farm.post(PRINTERS, {"name": "Branch", "agent": True, "location": "Vienna"}).raise_for_status()
    for name in ("one.pdf", "two.pdf"):
        farm.post(TASKS, {"fileBase64": FILE, "fileName": name, "printerName": "Branch"}).raise_for_status()
    [two] = farm.get(TASKS, params={"search": "two.pdf"}).json()["data"]
    farm.post(f"{TASKS}/{two['id']}/cancel").raise_for_status()

    page = studio.open("/studio/print-tasks")
    page.get_by_text("Filters").click()
    page.get_by_label("Printer", exact=True).select_option("Branch")
    expect(page.locator("#tasks tbody tr")).to_have_count(2)
    page.get_by_label("Status").select_option("pending")
    expect(page.locator("#tasks tbody tr")).to_have_count(1)
    assert studio.violations() == []
    page.reload()
    expect(page.locator(".badge-count")).to_have_text("2")

    page.get_by_role("link", name="Branch").click()
    page.wait_for_url("**/studio/printers/Branch")
    expect(page.locator("#now")).to_contain_text("one.pdf")
    expect(page.locator(".command")).to_have_text(f"scripts/print-agent --url {farm.base} --printer Branch")
    page.on("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#messages")).to_contain_text("1 print task that has not ended")
    [one] = farm.get(TASKS, params={"search": "one.pdf"}).json()["data"]
    farm.post(f"{TASKS}/{one['id']}/cancel").raise_for_status()
    # What is under way is seen to end.
    expect(page.locator("#now")).to_contain_text("Nothing waits for it.")


def test_a_printer_is_changed_and_asked_again(studio, farm, print_queue):
    farm.post(PRINTERS, {"name": "Press", "uri": print_queue.uri}).raise_for_status()
    farm.post(PRINTERS, {"name": "Taken", "agent": True}).raise_for_status()
    page = studio.open("/studio/printers/Press")
    print_queue.stop()
    page.get_by_role("button", name="Ask it again").click()
    expect(page.locator("#now")).to_contain_text("Out of paper")

    page.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name").fill("Taken")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator("#about-name")).to_contain_text("There is a printer named 'Taken' already")
    dialog.get_by_role("textbox", name="Name").fill("Press 2")
    dialog.get_by_label("An agent beside it").check()
    dialog.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name="Press 2", level=1)).to_be_visible()
    changed = eventually(lambda: farm.get(f"{PRINTERS}/Press 2").json().get("data"), what="the change")
    assert (changed["agent"], changed["uri"]) == (True, None)
