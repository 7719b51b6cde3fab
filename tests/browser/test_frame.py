"""What all pages of the studio have: who may see them, finding by id, a connection that is lost, both themes."""

from __future__ import annotations

import json
import re

import pytest
from browsing import Studio
from farms import SAMPLES, Farm
from playwright.sync_api import expect

TOKEN = "the-counter-s-secret"
PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.fixture
def second(farm):
    """A second gateway of the farm, which asks for a token."""
    gateway = Farm(
        farm.home,
        PRESSROOM_BROKER_URL=farm.environment["PRESSROOM_BROKER_URL"],
        PRESSROOM_TOKENS=f"counter:{TOKEN}",
    )
    gateway.token = TOKEN
    try:
        gateway.run_gateway()
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture
def guarded(browser, second):
    studio = Studio(browser, second)
    yield studio
    studio.close()


def render(farm) -> dict:
    data = json.loads((SAMPLES / "delivery-note.json").read_text())
    asked = {"outputType": "url", "createHistoryRecord": True, "data": data}
    return farm.post("/api/v1/report-config/delivery-note/render", asked).json()["data"]


def test_from_the_sign_in_to_the_paper(guarded, second, print_queue):
    second.post("/api/v1/printer", {"name": "Till", "uri": print_queue.uri, "isDefault": True}).raise_for_status()
    made = render(second)
    page = guarded.open(f"/studio/history/{made['historyRecordId']}")
    assert guarded.violations() == []

    page.get_by_label("Your token").fill("something else")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("no such token")).to_be_visible()
    page.get_by_label("Your token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()

    # What was asked for, and all that it shows: the PDF and the request are the API's.
    page.wait_for_url(f"**/studio/history/{made['historyRecordId']}")
    expect(page.locator("json-view").first).to_contain_text("createHistoryRecord")
    page.get_by_role("button", name="Print", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Print").click()
    page.wait_for_url("**/studio/print-tasks/*")
    assert print_queue.device.until_printed()[0].startswith(b"%PDF")

    page.get_by_label("Settings of this browser").click()
    expect(page.get_by_text("Signed in as counter")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    # A live part that asks at this very moment leads there as well, and names its page.
    page.wait_for_url(re.compile(r"/studio/sign-in(\?next=.*)?$"))
    expect(page.get_by_label("Your token")).to_be_visible()


def test_a_lost_connection_shows_and_recovers(browser, second):
    studio = Studio(browser, second)
    page = studio.open("/studio/history")
    page.get_by_label("Your token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#records")).to_be_visible()
    # A page whose scripts did not arrive any more cannot say what became of its gateway.
    page.wait_for_load_state()

    second.processes["gateway"].terminate()
    second.processes["gateway"].wait()
    expect(page.get_by_role("alert")).to_contain_text("connection to the farm is lost")
    second.run_gateway()

    expect(page.locator("#connection")).to_be_hidden()
    made = render(second)
    expect(page.locator("#records")).to_contain_text(made["traceId"])
    studio.context.close()


def hold_back(page, script):
    """Let a script of the pages not come; return the list in which it waits."""
    held = []

    def hold(route):
        held.append(route)

    page.route(f"**/{script}*", hold)
    return held


def test_a_click_that_comes_before_the_scripts_counts_once(studio):
    held = hold_back(studio.page, "htmx.min.js")
    asked = []
    studio.page.on("request", lambda request: asked.append(request.url.removeprefix(studio.farm.base)))
    studio.page.goto("/studio/printers", wait_until="commit")
    button = studio.page.get_by_role("button", name="Add a printer").first
    button.click()
    button.click()
    held[0].continue_()

    expect(studio.page.get_by_role("dialog").get_by_role("textbox", name="Name")).to_be_visible()
    assert asked.count("/studio/printers/new") == 1


def test_a_live_part_lives_where_its_script_comes_late(studio, farm):
    held = hold_back(studio.page, "hx-sse.min.js")
    studio.page.goto("/studio/history", wait_until="commit")
    studio.page.wait_for_function("() => window.htmx")
    # What htmx would have done by now without it is done.
    studio.page.wait_for_timeout(200)
    held[0].continue_()

    with studio.page.expect_request(lambda request: "text/event-stream" in request.headers.get("accept", "")):
        pass
    expect(studio.page.locator("#records")).to_contain_text(render(farm)["traceId"])


def test_whatever_is_pasted_leads_to_its_timeline(studio, farm):
    made = render(farm)
    page = studio.open("/studio/history")
    search = page.get_by_role("searchbox", name="Find by any id")

    for pasted in (
        f'  "{made["traceId"]}" ',
        made["historyRecordId"],
        f"{farm.base}/studio/history/{made['historyRecordId']}",
    ):
        search.fill(pasted)
        search.press("Enter")
        page.wait_for_url(f"**/studio/traces/{made['traceId']}")
        expect(page.locator(".timeline")).to_contain_text("succeeded")
    assert studio.violations() == []

    search.fill("nothing is called so")
    search.press("Enter")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    assert studio.violations() == []


def test_the_farm_shows_its_queues_and_workers_and_each_setting_its_source(studio):
    page = studio.open("/studio/farm")
    expect(page.get_by_role("row", name="render.bulk")).to_be_visible()
    expect(page.get_by_text("Every part answers")).to_be_visible()
    expect(page.locator(".worker").first).to_contain_text("alive")
    assert studio.violations() == []

    studio.open("/studio/settings")
    page.get_by_role("searchbox", name="Search names").fill("heartbeat")
    expect(page.get_by_role("row", name="PRESSROOM_HEARTBEAT_INTERVAL")).to_contain_text("environment")
    assert studio.violations() == []


def test_an_empty_farm_greets_with_the_first_steps(studio):
    page = studio.open("/studio/welcome")
    expect(page.get_by_role("heading", name="Welcome to Pressroom")).to_be_visible()
    expect(page.get_by_role("link", name="invoice")).to_be_visible()
    assert studio.violations() == []


def test_the_reader_chooses_colours_and_language(browser, farm):
    studio = Studio(browser, farm, color_scheme="dark", **PHONE)
    page = studio.open("/studio/history")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    assert studio.violations() == []

    page.get_by_label("Settings of this browser").click()
    page.get_by_label("Light").check()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Verlauf")
    page.get_by_role("button", name="Menü").click()
    page.get_by_role("link", name="Farm").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    studio.close()
