"""What is pasted reaches the farm as it is, slashes and all, and is found."""

from __future__ import annotations

from urllib.parse import quote

import pytest

TEMPLATE = {"content": "<p>found", "recipe": "html"}


def found(farm, pasted):
    answer = farm.get(f"/api/v1/find/{quote(pasted, safe='')}")
    assert answer.status_code == 200, answer.text
    return [(one["kind"], one["id"], one["status"]) for one in answer.json()["data"]]


def test_a_report_is_found_by_what_its_answer_says(farm):
    answer = farm.report(TEMPLATE, reports={"save": True, "blobName": "lookups/found"}, reportName="to be found")
    report_id = answer.headers["Report-Id"]
    report = ("report", report_id, "success")

    assert found(farm, report_id) == [report]
    assert found(farm, answer.headers["Permanent-Link"]) == [report]
    assert found(farm, f"  <{answer.headers['Permanent-Link']}>.\n") == [report]
    assert found(farm, answer.headers["Report-BlobName"]) == [report]
    assert found(farm, "lookups/found") == [report]
    assert found(farm, "to be found") == [report]
    assert found(farm, answer.headers["X-Trace-Id"]) == [("trace", answer.headers["X-Trace-Id"], None)]


def test_an_address_that_is_not_encoded_as_a_whole_is_understood_as_far_as_it_goes(farm):
    answer = farm.report(TEMPLATE, reports={"save": True})

    assert farm.get(f"/api/v1/find/{answer.headers['Permanent-Link']}").json()["count"] == 1


@pytest.mark.parametrize("path", ["%00", "a%00b", "%2F%2F", "%2e%2e%2f", "", "%F0%9F", "x" * 7000])
def test_what_is_nothing_is_not_found(farm, path):
    for family in ("find", "trace"):
        answer = farm.get(f"/api/v1/{family}/{path}")
        assert answer.status_code == 404
        assert answer.json()["errors"]


def test_what_is_longer_than_an_address_may_be_is_refused_before_anybody_looks_at_it(farm):
    for family in ("find", "trace"):
        assert 400 <= farm.get(f"/api/v1/{family}/{'x' * 10_000}").status_code < 500
