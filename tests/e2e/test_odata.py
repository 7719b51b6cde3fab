"""What a farm's own work looks like over OData, on the address that a client has."""

from __future__ import annotations

import uuid

HTML = {"content": "<p>x", "recipe": "html"}


def test_a_stored_report_is_an_entity_from_its_first_moment_on(farm):
    name = f"odata-{uuid.uuid4()}"
    answer = farm.report(HTML, reportName=name, reports={"save": True, "public": True})

    report = farm.get(f"/odata/reports('{answer.headers['Report-Id']}')").json()

    assert report["@odata.context"] == f"{farm.base}/odata/$metadata#reports/$entity"
    assert (report["name"], report["reportName"], report["state"]) == (name, name, "success")
    assert (report["contentType"], report["fileExtension"], report["size"]) == ("text/html; charset=utf-8", "html", 4)
    assert (report["public"], report["keep"], report["templateShortid"], report["error"]) == (True, False, None, None)
    assert (report["attempts"], report["traceId"]) == (1, answer.headers["X-Trace-Id"])
    assert report["creationDate"] <= report["startedDate"] <= report["finishedDate"]
    assert answer.headers["Report-BlobName"] == f"{report['blobName']}.html"


def test_a_report_that_fails_says_so_in_its_entity(farm):
    answer = farm.report({"content": "{{ 1 / 0 }}", "recipe": "html"}, reports={"async": True})
    farm.until_done(answer.headers["Location"])

    [report] = farm.get(f"/odata/reports?$filter=_id eq '{answer.headers['Report-Id']}'").json()["value"]

    assert report["state"] == "error"
    assert "division" in report["error"]
    assert (report["size"], report["contentType"], report["sha256"]) == (None, None, None)


def test_reports_are_listed_in_the_order_of_their_submission_whatever_table_has_it(farm):
    name = f"odata-{uuid.uuid4()}"
    ids = [farm.report(HTML, reportName=name, reports={"async": True}).headers["Report-Id"] for _ in range(5)]
    for report_id in ids:
        farm.until_done(f"/reports/{report_id}/status")

    for condition in (f"name eq '{name}'", f"name eq '{name}' and state eq 'success'"):
        listed = farm.get("/odata/reports", params={"$filter": condition, "$orderby": "creationDate desc"})
        assert [one["_id"] for one in listed.json()["value"]] == ids[::-1]


def test_an_error_is_told_in_odatas_shape(farm):
    answer = farm.get("/odata/templates?$filter=nam eq 'x'")

    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "code": "400",
        "message": "$filter, character 1: there is no property 'nam': did you mean name?",
        "target": "$filter",
    }


def test_what_reads_cannot_be_written(farm):
    for method, path in (("POST", "/odata/reports"), ("DELETE", "/odata/reports"), ("PUT", "/odata/templates('x')")):
        answer = farm.request(method, path, json={})
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "405"


def test_the_head_of_a_list_can_be_asked_for(farm):
    answer = farm.request("HEAD", "/odata/reports?$top=1")

    assert (answer.status_code, answer.headers["OData-Version"]) == (200, "4.0")
