"""A stored report's life: pinned, expiring, renamed, opened, removed, and never touched by another's failure."""

from __future__ import annotations

import datetime as dt

import pytest
from farms import eventually

HELLO = {"content": "<p>Hello {{ name }}", "recipe": "html"}
BROKEN = {"content": "{{ 1 / 0 }}", "recipe": "html"}
ENDLESS = {
    "content": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "recipe": "html",
}


def saved(farm, **wish) -> str:
    answer = farm.report(HELLO, {"name": "you"}, reports={"save": True, **wish})
    assert answer.status_code == 200, answer.text
    return answer.headers["Report-Id"]


def entity(farm, report_id):
    answer = farm.get(f"/odata/reports('{report_id}')")
    return answer.json() if answer.status_code == 200 else None


def test_one_failing_save_leaves_every_other_report_untouched(farm):
    others = [saved(farm) for _ in range(3)]
    others.append(farm.report(HELLO, {}, reports={"async": True}).headers["Report-Id"])
    farm.until_done(f"/reports/{others[-1]}/status")
    before = [entity(farm, one) for one in others]

    failed = farm.report(BROKEN, reports={"save": True})
    timed_out = farm.report(ENDLESS, reports={"save": True}, timeout=200)
    later = farm.report(BROKEN, reports={"async": True}).headers["Report-Id"]
    farm.until_done(f"/reports/{later}/status")

    assert (failed.status_code, timed_out.status_code) == (400, 500)
    assert entity(farm, later)["state"] == "error"
    assert [entity(farm, one) for one in others] == before
    assert {one["state"] for one in before} == {"success"}


def test_a_report_past_its_expiry_is_cleaned_up_and_one_without_stays(farm):
    gone, stays = saved(farm, expiresIn="200ms"), saved(farm)
    pinned = saved(farm, expiresIn=200, keep=True)

    eventually(lambda: farm.get(f"/reports/{gone}/status").status_code == 404, what="the clean-up")

    assert entity(farm, gone) is None
    assert not list((farm.home / "blobs" / "reports").glob(f"{gone}*"))
    assert farm.get(f"/reports/{stays}/content").content == b"<p>Hello you"
    assert entity(farm, pinned)["keep"] is True
    # It was made a moment after the one that is gone.
    eventually(
        lambda: entity(farm, pinned)["expirationDate"] < dt.datetime.now(dt.UTC).isoformat(),
        what="the pinned one's expiry",
    )
    assert farm.request("PATCH", f"/odata/reports('{pinned}')", json={"keep": False}).status_code == 204
    eventually(lambda: entity(farm, pinned) is None, what="the clean-up of what was unpinned")


@pytest.mark.parametrize("value", ["soon", "0s", -1, True, {}, "1000y", "5m; drop"])
def test_an_expiry_that_is_no_duration_is_refused(farm, value):
    answer = farm.report(HELLO, reports={"save": True, "expiresIn": value})

    assert answer.status_code == 400
    assert "options.reports.expiresIn" in answer.json()["message"]


@pytest.mark.parametrize("wish", [{"keep": True}, {"expiresIn": "5m"}, {"public": True}, {"blobName": "x"}])
def test_wishes_for_a_stored_report_need_one(farm, wish):
    answer = farm.report(HELLO, reports=wish)

    assert (answer.status_code, answer.json()["field"]) == (400, f"options.reports.{next(iter(wish))}")


def test_a_report_can_be_renamed_opened_and_closed(farm):
    report_id = saved(farm)
    address = f"/odata/reports('{report_id}')"
    created = entity(farm, report_id)["creationDate"]

    changed = farm.request("PATCH", address, json={"reportName": "Rückstände 漢字", "public": True})

    assert (changed.status_code, changed.content) == (204, b"")
    link = f"/reports/public/{report_id}/content"
    assert (
        "filename*=UTF-8''R%C3%BCckst%C3%A4nde%20%E6%BC%A2%E5%AD%97.html"
        in farm.get(link).headers["Content-Disposition"]
    )
    now = entity(farm, report_id)
    assert (now["reportName"], now["name"], now["public"]) == ("Rückstände 漢字", "Rückstände 漢字", True)
    assert now["creationDate"] == created
    assert farm.request("PATCH", address, json={"public": False}).status_code == 204
    assert farm.get(link).status_code == 404


@pytest.mark.parametrize("body", [{"state": "success"}, {"blobName": "x"}, {"keep": "yes"}, {"reportName": ""}, []])
def test_nothing_else_of_a_report_can_be_changed(farm, body):
    report_id = saved(farm)

    answer = farm.request("PATCH", f"/odata/reports('{report_id}')", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_a_removed_report_is_gone_and_its_blob_name_is_free(farm):
    report_id = saved(farm, blobName="life/removed")
    assert farm.report(HELLO, reports={"save": True, "blobName": "life/removed"}).status_code == 409

    assert farm.request("DELETE", f"/odata/reports('{report_id}')").status_code == 204

    assert not (farm.home / "blobs" / "reports" / "life" / "removed.html").exists()
    for path in (f"/reports/{report_id}/status", f"/reports/{report_id}/content", f"/odata/reports('{report_id}')"):
        assert farm.get(path).status_code == 404
    assert farm.request("DELETE", f"/odata/reports('{report_id}')").status_code == 404
    saved(farm, blobName="life/removed")


def test_removing_a_running_report_leaves_nothing_behind(farm):
    report_id = farm.report(ENDLESS, reports={"async": True, "blobName": "life/running"}, timeout=3000).headers[
        "Report-Id"
    ]
    eventually(lambda: farm.get(f"/reports/{report_id}/status").json()["attempts"] == 1, what="the start")

    assert farm.request("DELETE", f"/odata/reports({report_id})").status_code == 204

    assert farm.get(f"/reports/{report_id}/status").status_code == 404
    # The attempt ends by its time limit, finds that it does not count, and lets go of the name.
    answer = eventually(
        lambda: (
            (again := farm.report(HELLO, reports={"save": True, "blobName": "life/running"})).status_code == 200
            and again
        ),
        every=0.5,
        what="the name to be free",
    )
    assert farm.get(answer.headers["Permanent-Link"]).content == b"<p>Hello "


def test_a_failed_save_frees_its_blob_name_for_the_corrected_one(farm):
    assert farm.report(BROKEN, reports={"save": True, "blobName": "life/retried"}).status_code == 400

    saved(farm, blobName="life/retried")


def details(farm, report_id):
    answer = farm.get(f"/api/v1/report/{report_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_one_question_tells_all_that_is_known_of_a_report(farm):
    farm.post("/odata/templates", {"name": "known", "content": "<p>{{ name }}", "recipe": "pdf"})
    made = farm.report({"name": "known"}, {"name": "you"}, reports={"save": True, "public": True, "expiresIn": "1d"})
    report_id = made.headers["Report-Id"]

    known = details(farm, report_id)

    entity_now = entity(farm, report_id)
    for name in ("name", "state", "size", "sha256", "pages", "contentType", "public", "keep", "traceId", "recipe"):
        assert known[name] == entity_now[name], name
    assert (known["template"]["name"], known["template"]["version"]) == ("known", 1)
    # It is being certified while this is rendered.
    assert known["madeWith"]["recipe"] == "weasyprint-pdf"
    assert known["madeWith"]["reason"]
    assert known["removalDate"] == known["expirationDate"] == entity_now["expirationDate"]
    assert farm.get(known["link"]).content == farm.get(known["publicLink"]).content == made.content
    assert (known["error"], known["cause"], known["positionInQueue"]) == (None, None, None)
    farm.request("PATCH", f"/odata/reports({report_id})", json={"keep": True})
    assert details(farm, report_id)["removalDate"] is None


def test_a_failed_report_says_why_and_what_it_was_made_from(farm):
    large = {"name": "x" * 300_000}
    report_id = farm.report(BROKEN, large, reports={"async": True}).headers["Report-Id"]
    farm.until_done(f"/reports/{report_id}/status")

    known = details(farm, report_id)

    assert (known["state"], known["cause"], known["line"]) == ("error", "template", 1)
    assert "zero" in known["error"]
    assert known["template"] is None
    assert farm.get(f"/api/v1/report/{report_id}/data").json() == large
    assert farm.get(f"/api/v1/report/{saved(farm)}/data").json() == {"name": "you"}
    for path in ("", "/data"):
        assert farm.get(f"/api/v1/report/none{path}").status_code == 404


@pytest.mark.parametrize("report_id", ["none", "x' or '1'='1", "%00", "a" * 3000])
def test_an_unknown_report_is_not_found(farm, report_id):
    for method, options in (("PATCH", {"json": {"keep": True}}), ("DELETE", {})):
        assert farm.request(method, f"/odata/reports('{report_id}')", **options).status_code == 404


def await_start(farm, busy):
    eventually(lambda: all(farm.get(one).json()["attempts"] for one in busy), what="both children to be busy")


def test_the_status_tells_the_place_in_the_queue_and_no_time_that_nobody_measured(farm):
    busy = [farm.report(ENDLESS, reports={"async": True}, timeout=8000).headers["Location"] for _ in range(2)]
    await_start(farm, busy)
    first, second = (farm.report(HELLO, reports={"async": True}).headers["Location"] for _ in range(2))

    waiting = [farm.get(one, headers={"Accept": "application/json"}).json() for one in (first, second)]

    assert [(one["state"], one["positionInQueue"]) for one in waiting] == [("planned", 1), ("planned", 2)]
    assert all("estimatedSecondsLeft" not in one for one in waiting)
    for one in (*busy, first, second):
        farm.until_done(one)


def test_the_status_estimates_by_what_the_template_took_before(farm):
    slow = "{% for a in range(rounds) %}{% for b in range(1000) %}{% endfor %}{% endfor %}done"
    created = farm.post("/odata/templates", {"name": "status-measured", "content": slow, "recipe": "html"})
    template = {"shortid": created.json()["shortid"]}
    assert farm.report(template, {"rounds": 40_000}).status_code == 200

    busy = [farm.report(template, {"rounds": 40_000}, reports={"async": True}).headers["Location"] for _ in range(2)]
    await_start(farm, busy)
    waiting = farm.report(template, {"rounds": 1}, reports={"async": True}).headers["Location"]
    said = farm.get(waiting).json()

    assert (said["state"], said["positionInQueue"]) == ("planned", 1)
    assert 0 < said["estimatedSecondsLeft"] < 60
    for one in (*busy, waiting):
        assert farm.until_done(one).status_code == 201
