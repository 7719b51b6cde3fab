"""Clients that others wrote, unmodified, against a farm: jsreport's own, and two for any OData 4 service."""

from __future__ import annotations

import json
import subprocess
import uuid

import pytest
from farms import Farm
from node import CLIENTS, install

PASSWORD = "sesame"


@pytest.fixture(scope="session")
def node():
    """Run a script of `tests/clients` and return what it said."""
    install()

    def run(script: str, *arguments: str) -> dict:
        done = subprocess.run(
            ["node", script, *arguments], cwd=CLIENTS, capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def guarded(farm):
    """A second gateway of the farm, which asks for a password."""
    kept = ("PRESSROOM_BROKER_URL",)
    gateway = Farm(farm.home, **{name: farm.environment[name] for name in kept}, PRESSROOM_TOKENS=PASSWORD)
    try:
        gateway.run_gateway()
        gateway.token = PASSWORD
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture(params=["open", "guarded"])
def gateway(request, farm):
    return farm if request.param == "open" else request.getfixturevalue("guarded")


def credentials(gateway) -> list[str]:
    return ["anybody", PASSWORD] if gateway.token else []


def test_jsreports_own_client_renders_saves_and_renders_later(gateway, node):
    said = node("jsreport.js", gateway.base, *credentials(gateway))

    assert {said[one]["status"] for one in ("sync", "pdf", "saved", "async", "header")} == {200}
    assert said["sync"]["body"] == "<h1>Hello Ada</h1>"
    assert said["sync"]["headers"]["content-type"].startswith("text/html")
    assert said["pdf"]["body"].startswith("%PDF-")
    saved = said["saved"]["headers"]
    assert saved["permanent-link"].startswith(gateway.base)
    assert gateway.get(saved["permanent-link"]).content == b"<h1>Hello Ada</h1>"
    for one in ("async", "header"):
        done = gateway.until_done(said[one]["headers"]["location"])
        assert (done.status_code, done.headers["Report-State"]) == (201, "success")
        assert gateway.get(done.headers["Location"]).content == b"<h1>Hello Ada</h1>"
    # The client shows its user what the farm said.
    assert said["failed"] == "line 2: 'str object' has no attribute 'first'"
    assert "Unknown error" not in said["failed"]


def test_an_odata_client_writes_templates_and_reads_reports(gateway, node):
    prefix = f"clients-{uuid.uuid4()}"
    for name in ("a", "b", "c"):
        answer = gateway.report(
            {"content": "<p>x", "recipe": "html"}, reportName=f"{prefix}-{name}", reports={"save": True}
        )
        assert answer.status_code == 200

    said = node("odata.js", gateway.base, prefix, *credentials(gateway))

    assert (said["created"]["name"], said["created"]["sampleData"]) == (prefix, {"word": "x"})
    assert said["retrieved"]["_id"] == said["created"]["_id"]
    assert (said["updated"]["content"], said["updated"]["version"]) == ("<b>{{ word }}", 2)
    assert [one["_id"] for one in said["found"]] == [said["created"]["_id"]]
    assert said["left"] == 0
    assert [(one["name"], one["state"]) for one in said["reports"]] == [
        (f"{prefix}-b", "success"),
        (f"{prefix}-a", "success"),
    ]
    assert [one["name"] for one in said["second"]] == [f"{prefix}-a"]
    assert said["count"] == 2
    assert [one["name"] for one in said["since"]] == [f"{prefix}-a"]
    assert said["pages"] == [[f"{prefix}-a", f"{prefix}-b"], [f"{prefix}-c"]]
    assert "did you mean name?" in said["refused"]


def test_a_client_that_learns_from_the_description_reads_what_it_describes(farm):
    # It brings its own idea of a terminal with it, which only this test needs.
    from odata import ODataService  # noqa: PLC0415

    name = f"clients-{uuid.uuid4()}"
    farm.report({"content": "<p>x", "recipe": "html"}, reportName=name, reports={"save": True})

    service = ODataService(f"{farm.base}/odata/", reflect_entities=True, quiet_progress=True)

    assert list(service.entities) == ["reports", "templates", "assets", "schedules", "tasks"]
    reports = service.entities["reports"]
    asked = service.query(reports).filter((reports.name == name) & (reports.size > 1) & (reports.public == False))  # noqa: E712  # The library makes a filter of it.
    [report] = asked.order_by(reports.creationDate.desc()).limit(5)
    assert (report.state, report.contentType, report.size, report.attempts) == (
        "success",
        "text/html; charset=utf-8",
        4,
        1,
    )
    assert report.creationDate.tzinfo is not None
    assert list(service.query(reports).filter(reports.name.contains("no such name"))) == []
