"""What would this request give today? A replay and a comparison, as somebody uses them before a template goes live."""

from __future__ import annotations

import base64
import concurrent.futures
import io
import json
import uuid

import pypdf
import pytest
from farms import eventually
from PIL import Image

HISTORY = "/api/v1/report-history-record"
REQUEST = {
    "outputType": "none",
    "parameters": {"customer": "Northwind"},
    "data": [{"article": "Ball bearing", "quantity": 40}, {"article": "Timing belt", "quantity": 2}],
    "createHistoryRecord": True,
}


def content(*, total="Total", extra=""):
    return (
        "<h1>{{ customer }}</h1><table>{% for row in rows %}<tr><td>{{ row.article }}<td>{{ row.quantity }}{% endfor %}"
        f"</table><p>{total}: {{{{ rows | sum(attribute='quantity') }}}}</p>{extra}"
    )


@pytest.fixture
def config(farm):
    """Return a report configuration of the test's own."""
    body = {
        "name": f"delivery {uuid.uuid4()}",
        "content": content(),
        "recipe": "plutoprint-pdf",
        "parameters": [{"name": "customer", "type": "string", "required": True}],
    }
    answer = farm.post("/api/v1/report-config", body)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


@pytest.fixture
def recorded(farm, config):
    """Return what renders the configuration, and returns the record's id."""

    def render(**changes):
        answer = farm.post(f"/api/v1/report-config/{config['id']}/render", REQUEST | changes)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["historyRecordId"]

    return render


def change(farm, config, **changes):
    answer = farm.request("PATCH", f"/api/v1/report-config/{config['id']}", json=changes)
    assert answer.status_code == 200, answer.text


def replay(farm, record_id, **body):
    return farm.post(f"{HISTORY}/{record_id}/replay", body)


def record(farm, record_id):
    return farm.get(f"{HISTORY}/{record_id}").json()["data"]


def difference(farm, before, after):
    """Ask as a client does: as long as the answer is 202, once more."""

    def look():
        answer = farm.get(f"{HISTORY}/{before}/diff/{after}")
        return answer if answer.status_code != 202 else None

    answer = eventually(look, seconds=90, what="the comparison")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_replay_gives_the_same_document_though_the_template_has_changed(farm, config, recorded):
    old = recorded()
    change(farm, config, content=content(total="Sum"))
    answer = replay(farm, old, outputType="base64")
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["traceId"] == answer.headers["X-Trace-Id"]
    assert "Total: 42" in pypdf.PdfReader(io.BytesIO(base64.b64decode(data["reportPdf"]))).pages[0].extract_text()

    before, after = record(farm, old), record(farm, data["historyRecordId"])
    assert (after["replayOf"], after["source"], after["status"]) == (old, "replay", "Ok")
    assert after["apiPayload"] == before["apiPayload"]
    assert after["reportConfig"] == before["reportConfig"]
    assert after["traceId"] != before["traceId"]
    found = difference(farm, old, after["id"])
    assert found["identical"] is True
    assert (found["before"], found["after"]) == (old, after["id"])
    [page] = found["pictures"]
    assert page["overlay"] is None
    assert farm.get(page["before"]).content == farm.get(page["after"]).content


def test_the_latest_version_is_compared_before_it_goes_live(farm, config, recorded):
    old = recorded()
    change(farm, config, content=content(total="Sum", extra="<p style='break-before: page'>Terms"))
    new = replay(farm, old, version="latest").json()["data"]["historyRecordId"]
    found = difference(farm, old, new)
    assert found["identical"] is False
    assert found["template"]["version"] == {"before": 1, "after": 2}
    assert found["request"] == {"changes": [], "more": 0}
    assert found["pages"] == {"before": 1, "after": 2}
    [first, second] = found["text"]["pages"]
    assert [(one["before"], one["after"]) for one in first["changes"]] == [("Total:", "Sum:")]
    assert second == {"page": 2, "changes": [{"context": "", "before": None, "after": "Terms"}]}
    assert 0 < found["pictures"][0]["changed"] < 0.05
    assert found["pictures"][1]["changed"] == 1

    overlay = farm.get(found["pictures"][0]["overlay"])
    assert (overlay.status_code, overlay.headers["Content-Type"]) == (200, "image/png")
    colours = {colour for _, colour in Image.open(io.BytesIO(overlay.content)).convert("RGB").getcolors(1 << 20)}
    assert {(214, 39, 40), (31, 87, 214)} <= colours
    again = farm.get(found["pictures"][0]["overlay"], headers={"If-None-Match": overlay.headers["ETag"]})
    assert again.status_code == 304
    pages = [Image.open(io.BytesIO(farm.get(found["pictures"][0][side]).content)) for side in ("before", "after")]
    assert [one.size for one in pages] == [Image.open(io.BytesIO(overlay.content)).size] * 2
    assert pages[0].tobytes() != pages[1].tobytes()
    assert found["pictures"][1]["before"] is None
    assert farm.get(found["pictures"][1]["after"]).headers["Content-Type"] == "image/png"


def test_two_requests_are_compared_field_by_field(farm, recorded):
    before, after = recorded(), recorded(parameters={"customer": "Contoso"}, outputType="url")
    found = difference(farm, before, after)
    assert found["request"]["changes"] == [
        {"path": "/outputType", "before": "none", "after": "url"},
        {"path": "/parameters/customer", "before": "Northwind", "after": "Contoso"},
    ]


def test_many_who_ask_at_once_get_one_comparison(farm, recorded):
    before, after = recorded(), recorded(parameters={"customer": "Contoso"})
    traces = [uuid.uuid4().hex for _ in range(6)]

    def ask(trace_id):
        return farm.get(f"{HISTORY}/{before}/diff/{after}", headers={"X-Trace-Id": trace_id})

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, traces))
    assert {one.status_code for one in answers} <= {200, 202}
    assert difference(farm, before, after)["identical"] is False

    def made():
        lines = [json.loads(line) for line in farm.logged().splitlines() if '"event": "comparison"' in line]
        return [one["outcome"] for one in lines if one["trace_id"] in traces] or None

    assert eventually(made, what="the comparison's log line") == ["succeeded"]


def test_a_replay_can_be_left_to_itself(farm, recorded):
    old = recorded()
    answer = replay(farm, old, **{"async": True, "outputType": "url"})
    assert answer.status_code == 202
    new = answer.json()["data"]["historyRecordId"]
    eventually(lambda: record(farm, new)["status"] == "Ok", what="the replay")
    done = farm.get(answer.headers["Location"]).json()["data"]
    assert farm.get(done["reportUrl"]).content.startswith(b"%PDF")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"version": "newest"}, 'version is "newest": expected "same", "latest", or the number of a version'),
        ({"version": 0}, 'version is 0: expected "same", "latest", or the number of a version'),
        ({"outputType": "pdf"}, "outputType"),
        ({"versoin": 1}, "did you mean version?"),
    ],
)
def test_a_replay_that_cannot_be_meant_is_refused(farm, recorded, body, why):
    answer = replay(farm, recorded(), **body)
    assert answer.status_code == 400
    assert why in answer.json()["errors"][0]


def test_a_version_that_wants_more_refuses_the_replay_and_names_it_all(farm, config, recorded):
    old = recorded()
    asked = [{"name": "lot", "type": "string", "required": True}]
    change(farm, config, parameters=asked)
    answer = replay(farm, old, version="latest")
    assert answer.status_code == 422
    assert [one.split(" ")[0] for one in answer.json()["errors"]] == ["parameters.lot", "parameters.customer"]
    assert replay(farm, old, version=7).status_code == 404
    assert replay(farm, "nobody").status_code == 404


def test_what_has_no_pdf_cannot_be_compared(farm, config, recorded):
    good = recorded()
    change(farm, config, content="{{ nothing.at.all }}")
    failed = farm.post(f"/api/v1/report-config/{config['id']}/render", REQUEST)
    assert failed.status_code == 400
    [bad] = [
        one["id"]
        for one in farm.get(f"{HISTORY}?reportConfig={config['id']}").json()["data"]
        if one["status"] == "Error"
    ]
    answer = farm.get(f"{HISTORY}/{good}/diff/{bad}")
    assert answer.status_code == 409
    assert answer.json()["errors"] == [f"History record {bad!r} has no PDF to compare: its status is Error"]
    assert farm.get(f"{HISTORY}/{good}/diff/nobody").status_code == 404
    assert farm.get(f"{HISTORY}/{good}/diff/{good}/page/1.png").status_code == 404


def test_a_comparison_goes_with_its_records(farm, recorded):
    before, after = recorded(), recorded(parameters={"customer": "Contoso"})
    [page] = difference(farm, before, after)["pictures"]
    assert farm.request("DELETE", f"{HISTORY}/{after}").status_code in (200, 204)
    for picture in ("overlay", "before", "after"):
        assert farm.get(page[picture]).status_code == 404
    assert farm.get(f"{HISTORY}/{before}/diff/{after}").status_code == 404
