"""Templates in a browser: made, written beside their document, saved, compared, brought back, and lost to nobody."""

from __future__ import annotations

import re
import uuid

import pytest
from farms import eventually
from playwright.sync_api import expect

BLOB = re.compile("^blob:")
CONTENT = "Content: HTML with places for data"
DROP = """([where, name]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(["p { color: blue }"], name));
    const element = document.querySelector(where);
    const { x, y } = element.getBoundingClientRect();
    const said = { dataTransfer, clientX: x + 5, clientY: y + 5, bubbles: true, cancelable: true };
    element.dispatchEvent(new DragEvent("drop", said));
}"""
KEPT = "() => Object.keys(localStorage).some((key) => key.startsWith('pressroom.draft.'))"
BROKEN = "\n\n{{ nothing.at.all }}"


@pytest.fixture
def config(farm):
    """A template of a name of its own."""
    return made(farm, "<p>{{ greeting }}")


def made(farm, content, **others):
    body = {"name": f"t-{uuid.uuid4()}", "content": content, "sampleData": {"greeting": "Good day"}, **others}
    answer = farm.post("/api/v1/report-config", body)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def stored(farm, config):
    return farm.get(f"/api/v1/report-config/{config['id']}").json()["data"]


def write(page, text):
    """Type at the end of the content."""
    editor = page.get_by_role("textbox", name=CONTENT)
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(text)


def shown_document(page):
    return page.locator(".preview iframe:not(.behind)")


def shows(page, *, other_than=None):
    """Wait for a document beside the text, and return its address."""
    expect(shown_document(page)).to_have_attribute("src", BLOB)
    if other_than is not None:
        expect(shown_document(page)).not_to_have_attribute("src", other_than)
    return shown_document(page).get_attribute("src")


def test_a_template_is_made_and_written_beside_its_document(studio, farm):
    name = f"letter {uuid.uuid4()}"
    page = studio.open("/studio/templates")
    page.get_by_role("link", name="New template").click()
    page.locator("main").get_by_label("Name").fill("invoice")
    page.get_by_role("button", name="Create and open").click()
    expect(page.locator("#about-name")).to_contain_text("already")
    page.locator("main").get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create and open").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    first = shows(page)

    write(page, "<p>One more line")
    second = shows(page, other_than=first)
    write(page, BROKEN)
    expect(page.get_by_role("alert").filter(has_text=re.compile(r"Line \d+: 'nothing' is undefined"))).to_be_visible()
    expect(page.locator(".cm-lintRange-error")).to_have_text("{{ nothing.at.all }}")
    assert shown_document(page).get_attribute("src") == second
    assert studio.violations() == []

    page.keyboard.press("Control+z")
    third = shows(page, other_than=second)
    page.get_by_role("tab", name="CSS").click()
    page.get_by_role("textbox", name="CSS").click()
    page.keyboard.insert_text("/* mine */")
    shows(page, other_than=third)
    expect(page.get_by_role("status").filter(has_text="Not saved yet")).to_be_visible()
    page.keyboard.press("Control+s")
    expect(page.get_by_role("status").filter(has_text="Version 2")).to_be_visible()
    found = farm.get("/api/v1/report-config", params={"search": name}).json()["data"][0]
    assert found["version"] == 2
    assert "/* mine */" in found["content"]
    assert "nothing.at.all" not in found["content"]


def test_what_is_refused_of_a_template_stands_beside_its_field(studio, farm, config):
    page = studio.open(f"/studio/templates/{config['id']}")
    page.get_by_role("tab", name="Parameters").click()
    page.get_by_role("button", name="Add a parameter").click()
    row = page.locator("[data-list=parameters] > li")
    row.get_by_label("Name").fill("due")
    row.get_by_label("Type").select_option("date")
    row.get_by_label("Example").fill("soon")
    page.get_by_role("button", name="Save").click()
    expect(row.locator(".problem")).to_contain_text("a date such as 2026-03-14")
    assert studio.violations() == []

    row.get_by_label("Example").fill("2026-03-14")
    row.get_by_label("Required").check()
    page.get_by_role("tab", name="Settings").click()
    page.get_by_label("Context", exact=True).fill("Dispatch")
    page.get_by_label("Recipe").select_option("pdf")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Version 2")).to_be_visible()
    found = stored(farm, config)
    assert found["parameters"] == [{"name": "due", "type": "date", "required": True, "example": "2026-03-14"}]
    assert (found["context"], found["recipe"]) == ("Dispatch", "pdf")
    page.get_by_role("tab", name="Certificate").click()
    expect(page.get_by_role("tabpanel", name="Certificate")).to_contain_text("certified")
    assert studio.violations() == []


def test_somebody_who_saved_first_is_noticed_and_nothing_is_lost(studio, farm, config):
    path = f"/api/v1/report-config/{config['id']}"
    page = studio.open(f"/studio/templates/{config['id']}")
    write(page, "<p>mine")
    farm.request("PATCH", path, json={"content": "<p>{{ greeting }}, theirs"})
    page.keyboard.press("Control+s")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Version 2 was saved")
    dialog.get_by_role("button", name="Show the difference").click()
    expect(dialog.locator(".cm-merge-a")).to_contain_text("theirs")
    expect(dialog.locator(".cm-merge-b")).to_contain_text("mine")
    assert studio.violations() == []
    dialog.get_by_role("button", name="Save mine").click()
    expect(page.get_by_role("status").filter(has_text="Version 3")).to_be_visible()
    assert stored(farm, config)["content"] == "<p>{{ greeting }}<p>mine"

    write(page, "<p>more")
    farm.request("PATCH", path, json={"content": "<p>theirs again"})
    page.get_by_role("button", name="Save").click()
    dialog.get_by_role("button", name="Take theirs").click()
    expect(page.get_by_role("status").filter(has_text="Version 4")).to_be_visible()
    expect(page.get_by_role("textbox", name=CONTENT)).to_have_text("<p>theirs again")


def test_unsaved_work_survives_a_reload(studio, config):
    asked = []
    page = studio.open(f"/studio/templates/{config['id']}")
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    write(page, "<p>not saved")
    eventually(lambda: page.evaluate(KEPT))

    page.reload()
    assert asked == ["beforeunload"]
    expect(page.get_by_role("textbox", name=CONTENT)).to_have_text("<p>{{ greeting }}")
    page.get_by_role("button", name="Restore it").click()
    expect(page.get_by_role("textbox", name=CONTENT)).to_have_text("<p>{{ greeting }}<p>not saved")
    eventually(lambda: page.evaluate(KEPT))

    page.reload()
    page.get_by_role("button", name="Discard it").click()
    page.reload()
    expect(page.get_by_role("textbox", name=CONTENT)).to_have_text("<p>{{ greeting }}")
    expect(page.get_by_role("button", name="Restore it")).to_be_hidden()


def test_an_older_version_is_compared_and_brought_back(studio, farm, config):
    changed = {"content": "<p>{{ greeting }}, and goodbye", "sampleData": {"greeting": "Hello"}}
    farm.request("PATCH", f"/api/v1/report-config/{config['id']}", json=changed)
    page = studio.open(f"/studio/templates/{config['id']}")
    page.get_by_role("link", name="Versions").click()

    older = page.get_by_role("textbox", name="Content of version 1")
    expect(older).to_have_text("<p>{{ greeting }}")
    expect(page.get_by_role("textbox", name="Content of version 2")).to_contain_text("and goodbye")
    expect(page.get_by_role("textbox", name="Sample data of version 1")).to_contain_text("Good day")
    assert studio.violations() == []

    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Restore version 1").click()
    page.wait_for_url(f"**/studio/templates/{config['id']}")
    expect(page.get_by_role("textbox", name=CONTENT)).to_have_text("<p>{{ greeting }}")
    found = stored(farm, config)
    assert (found["version"], found["sampleData"]) == (3, {"greeting": "Good day"})


def test_assets_are_dropped_named_in_the_text_and_removed(studio, farm, config):
    name = f"{uuid.uuid4()}.css"
    page = studio.open(f"/studio/templates/{config['id']}")
    page.get_by_role("tab", name="Assets").click()
    page.get_by_label("Into folder").fill("brand")
    page.locator("#upload-files").set_input_files(
        [
            {"name": name, "mimeType": "text/css", "buffer": b"p { color: red }"},
            {"name": "page.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"},
        ]
    )
    expect(page.locator(".upload-list .problem")).to_contain_text("page.exe")
    page.evaluate(DROP, ["#panel-assets", f"dropped-{name}"])
    expect(page.locator("#assets li").filter(has_text=f"brand/dropped-{name}")).to_be_visible()
    listed = page.locator("#assets li").filter(has_text=f"brand/{name}")
    expect(listed).to_be_visible()
    assert studio.violations() == []

    listed.get_by_role("button", name="Insert").click()
    expect(page.get_by_role("textbox", name=CONTENT)).to_contain_text(f"asset:brand/{name}")
    page.evaluate(DROP, ["#panel-content .cm-content", f"fallen-{name}"])
    expect(page.get_by_role("textbox", name=CONTENT)).to_contain_text(f"asset:brand/fallen-{name}")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("tab", name="Assets").click()
    listed.get_by_role("button", name="Delete").click()
    expect(listed).to_have_count(0)
    assert farm.get(f"/api/v1/asset/brand/{name}").status_code == 404


def test_templates_are_found_by_name_and_kind_and_one_that_is_needed_stays(studio, farm):
    context = f"c-{uuid.uuid4()}"
    config = made(farm, "x", context=context, contextColour="#ffee00", recipe="plutoprint-pdf")
    made(farm, "y", context=context, recipe="html")
    farm.post(f"/api/v1/report-config/{config['id']}/render", {"outputType": "none", "createHistoryRecord": True})
    page = studio.open("/studio/templates")
    page.get_by_role("searchbox", name="Search names").fill(context)
    cards = page.locator(".template-card")
    expect(cards).to_have_count(2)
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Context", exact=True).select_option(context)
    page.get_by_label("Recipe").select_option("plutoprint-pdf")
    page.get_by_label("Certificate").select_option("None")
    expect(cards).to_have_count(1)
    assert studio.violations() == []

    page.on("dialog", lambda dialog: dialog.accept())
    cards.get_by_role("link", name="Open").click()
    page.get_by_label("More").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#messages")).to_contain_text("1 history record")
    page.get_by_role("link", name="Duplicate").click()
    expect(page.locator("main").get_by_label("Name")).to_have_value(f"{config['name']}, copy")
    assert studio.violations() == []
