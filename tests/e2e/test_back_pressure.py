"""A farm in which too much waits says so, and when to come back; nobody's work in it is lost by that."""

from __future__ import annotations

import pytest
from farms import Farm, eventually

HTML = {"content": "<p>x", "recipe": "html"}
LATER = {"template": HTML, "options": {"reports": {"async": True}}}


@pytest.fixture(scope="module")
def farm(tmp_path_factory, valkey):
    """A farm without workers that render, so that what is sent waits."""
    farm = Farm(
        tmp_path_factory.mktemp("pressed"),
        PRESSROOM_BROKER_URL=valkey.url.replace("/0", "/5"),
        PRESSROOM_TOKENS="shop:one,desk:two",
        PRESSROOM_MAX_QUEUED="5",
        PRESSROOM_MAX_QUEUED_PER_CLIENT="3",
        PRESSROOM_SYNC_WAIT="1",
    )
    farm.token = "one"
    try:
        assert farm.command("migrate").returncode == 0
        farm.run_gateway()
        yield farm
    finally:
        farm.stop()


@pytest.fixture(scope="module")
def template(farm):
    fields = {
        "name": "Label",
        "content": "<p>{{ code }}",
        "engine": "jinja",
        "recipe": "weasyprint-pdf",
    }
    answer = farm.post("/odata/templates", fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(answer, setting):
    assert answer.status_code == 429, answer.text
    assert 1 <= int(answer.headers["Retry-After"]) <= 300
    assert setting in answer.text
    assert "Traceback" not in answer.text
    return answer


def test_every_door_is_closed_to_a_client_with_too_much_waiting_and_open_to_others(farm, template):
    statuses = [farm.post("/api/report", LATER).headers["Location"] for _ in range(3)]

    said = refused(farm.post("/api/report", LATER), "PRESSROOM_MAX_QUEUED_PER_CLIENT").json()
    assert "3 renders of token:shop wait" in said["message"]
    refused(farm.post("/api/report", {"template": HTML}), "PRESSROOM_MAX_QUEUED_PER_CLIENT")
    wish = {"outputType": "url", "createHistoryRecord": True}
    for path, body in (
        ("/api/v1/report-config/Label/render", wish | {"async": True}),
        ("/api/v1/report-config/Label/render", wish),
        ("/api/v1/report-config/Label/thumbnail", None),
    ):
        answer = refused(farm.post(path, body), "PRESSROOM_MAX_QUEUED_PER_CLIENT")
        assert answer.json()["errors"]
    refused(farm.get("/api/v1/report-config/Label/preview"), "PRESSROOM_MAX_QUEUED_PER_CLIENT")

    # Whoever asks how it stands is answered, and so are others' orders.
    assert farm.get(statuses[0]).json()["positionInQueue"] == 1
    others = {"headers": {"Authorization": "Bearer two"}}
    wish = farm.post("/api/v1/report-config/Label/render", wish | {"async": True}, **others)
    assert wish.status_code == 202, wish.text
    assert farm.post("/api/report", LATER, **others).status_code == 200

    # That makes five.
    refused(farm.post("/api/report", LATER, **others), "PRESSROOM_MAX_QUEUED")
    record = wish.json()["data"]["historyRecordId"]
    refused(farm.post(f"/api/v1/report-history-record/{record}/replay", {}, **others), "PRESSROOM_MAX_QUEUED")
    ready = eventually(lambda: _intake(farm, 5), what="the count")
    assert ready["accepting"] is False
    assert "PRESSROOM_MAX_QUEUED" in ready["reason"]

    farm.run_workers(children=1)
    assert [farm.until_done(status).status_code for status in statuses] == [201, 201, 201]
    assert eventually(lambda: farm.post("/api/report", LATER).status_code == 200, what="room")
    assert eventually(lambda: _intake(farm, 0), what="an empty queue")["accepting"] is True


def _intake(farm, queued):
    said = farm.get("/readyz").json()["intake"]
    return said if said["queued"].get("render", 0) == queued else None


def test_a_schedule_that_is_run_by_hand_waits_its_turn_as_well(farm, template, valkey):
    fields = {"name": "s", "cron": "0 0 1 1 *", "templateShortid": template["shortid"]}
    schedule = farm.post("/odata/schedules", fields).json()
    full = Farm(farm.home, **farm.environment | {"PRESSROOM_MAX_QUEUED": "1"})
    full.environment["PRESSROOM_PORT"] = str(full.port)
    full.token = "one"
    farm.kill("render-worker")
    try:
        full.run_gateway()
        assert full.post("/api/report", LATER).status_code == 200
        refused(full.post("/api/scheduling/runNow", {"scheduleId": schedule["_id"]}), "PRESSROOM_MAX_QUEUED")
    finally:
        full.stop()
        farm.run_workers(children=1)


def test_a_full_disk_is_said_before_anything_is_written(farm, template):
    full = Farm(farm.home, **farm.environment | {"PRESSROOM_MIN_FREE_BYTES": str(2**60)})
    full.environment["PRESSROOM_PORT"] = str(full.port)
    full.token = "one"
    try:
        full.run_gateway()
        reports = full.get("/odata/reports/$count").text
        for body in (LATER, {"template": HTML}):
            answer = full.post("/api/report", body)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
            assert "PRESSROOM_MIN_FREE_BYTES" in answer.json()["message"]
        ready = full.get("/readyz")
        assert ready.status_code == 503
        assert "disk" in ready.json()["down"]
        assert "nearly full" in ready.json()["parts"]["disk"]["error"]
        assert ready.json()["intake"]["accepting"] is False
        assert full.get("/healthz").status_code == 200
        # What is there can be had.
        assert full.get("/odata/reports/$count").text == reports
    finally:
        full.stop()
