"""Schedules in a browser: say when, see what that means, run it, and find what it made."""

from __future__ import annotations

import re

import pytest
from farms import eventually
from playwright.sync_api import expect


@pytest.fixture
def shortid(farm):
    return farm.get("/api/v1/report-config/delivery-note").json()["data"]["shortid"]


def stored(farm, name):
    [found] = farm.get("/odata/schedules", params={"$filter": f"name eq '{name}'"}).json()["value"]
    return found


def test_a_schedule_is_made_with_its_times_in_view_and_run_by_hand(studio, farm):
    page = studio.open("/studio/schedules")
    assert studio.violations() == []
    page.get_by_role("link", name="New schedule").first.click()
    page.get_by_role("textbox", name="Name").fill("weekly note")
    page.get_by_label("Template").select_option("delivery-note")
    page.get_by_role("combobox", name="Time zone").fill("Europe/Vienna")
    page.get_by_label("Rhythm").select_option("Every Monday")
    page.get_by_label("At", exact=True).fill("06:05")

    expect(page.get_by_role("textbox", name="Cron line")).to_have_value("5 6 * * MON")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("At 06:05, only on Monday")
    expect(preview.get_by_role("listitem")).to_have_text([re.compile(r"^Mon, .*, 06:05 ")] * 5)
    assert studio.violations() == []

    page.get_by_role("textbox", name="Cron line").fill("5 25 * * MON")
    expect(preview).to_contain_text("the hour is '25'")
    page.get_by_role("button", name="Make the schedule").click()
    expect(page.locator("#about-cron")).to_contain_text("the hour is '25': expected 0-23")
    expect(page.get_by_role("textbox", name="Name")).to_have_value("weekly note")
    assert studio.violations() == []

    # The rhythms are there in the form that came back, too.
    page.get_by_label("Rhythm").select_option("From Monday to Friday")
    page.get_by_role("button", name="Make the schedule").click()
    expect(page.get_by_role("heading", name="weekly note", level=1)).to_be_visible()
    made = stored(farm, "weekly note")
    assert (made["cron"], made["timezone"], made["data"]) == ("30 7 * * MON-FRI", "Europe/Vienna", None)
    expect(page.locator("#next").get_by_role("listitem")).to_have_count(5)

    page.get_by_role("button", name="Run it now").click()
    run = page.locator("#runs tbody tr")
    expect(run).to_have_count(1)
    expect(run).to_contain_text("success")
    assert studio.violations() == []
    address = run.get_by_role("link", name="Report").get_attribute("href")
    report = farm.get(f"/odata/reports('{address.rpartition('/')[2]}')").json()
    assert (report["name"], report["state"]) == ("weekly note", "success")


def test_a_schedule_is_found_paused_changed_and_removed(studio, farm, shortid):
    for name, cron in (("it's monthly", "0 6 1 * *"), ("hourly", "15 * * * *")):
        body = {"name": name, "cron": cron, "templateShortid": shortid, "data": {"half": "a thing"}}
        assert farm.post("/odata/schedules", body).status_code == 201
    farm.post("/api/scheduling/runNow", {"scheduleId": stored(farm, "hourly")["_id"]}).raise_for_status()
    page = studio.open("/studio/schedules")
    rows = page.locator("#schedules tbody tr")
    page.get_by_role("searchbox", name="Search names").fill("IT'S")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("At 06:00, on day 1 of the month")
    expect(rows).to_contain_text("never ran")
    page.get_by_role("searchbox", name="Search names").fill("hourly")
    # The template does not make anything of that data; the list hears how the run ended.
    expect(rows).to_contain_text("error")
    page.get_by_role("link", name="hourly").click()
    expect(page.locator("#runs tbody tr")).to_contain_text("is undefined")

    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#next")).to_contain_text("were it not paused")
    eventually(lambda: stored(farm, "hourly")["enabled"] is False or None, what="the pause")
    page.get_by_role("link", name="Change").click()
    page.get_by_role("textbox", name="Name").fill("it's monthly")
    page.get_by_label("Data").fill("{")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#about-data")).to_contain_text("expected an object")
    page.get_by_label("Data").fill('{"half": "a word"}')
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#about-name")).to_contain_text("There is a schedule named")
    page.get_by_role("textbox", name="Name").fill("daily")
    page.get_by_label("Rhythm").select_option("Every day")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name="daily", level=1)).to_be_visible()
    changed = stored(farm, "daily")
    assert (changed["cron"], changed["enabled"], changed["data"]) == ("30 7 * * *", False, {"half": "a word"})
    page.on("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/studio/schedules")
    assert farm.get(f"/odata/schedules('{changed['_id']}')").status_code == 404
