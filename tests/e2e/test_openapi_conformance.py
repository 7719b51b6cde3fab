"""The gateway does what its own description says, whatever is sent to it: no 5xx, no answer that is not described."""

from __future__ import annotations

import base64
import collections
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from farms import Farm, eventually
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "a-token-for-tests"
# Of the fuzzing phase, for each operation; the coverage phase adds what the schemas' bounds ask for, some 60 each.
EXAMPLES = 6
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NOBODY = "0199a2c4-0000-7000-8000-000000000000"
CONFORMANCE = (
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
WANTED = (*CONFORMANCE, "not_a_server_error", "negative_data_rejection", "unsupported_method", "ignored_auth")
# What one engine paints and the other does not.
SHADOW = "<div style='width: 5cm; height: 2cm; background: #eee; box-shadow: 2mm 2mm 0 #888'></div>"
# A template's and an asset's name may hold slashes, so what is below them is also another one's address.
OPEN_ENDED = (
    r"^/api/v1/(report-config/\{key\}/(version|preview|thumbnail|render|certificate)|asset/\{key\}/content|"
    r"printer/\{key\}/(refresh|test-page))"
)


@pytest.fixture(scope="module")
def own_farm(tmp_path_factory, valkey) -> Iterator[Farm]:
    """A farm that soon gives up what is absurd, and that wants a token."""
    farm = Farm(
        tmp_path_factory.mktemp("described"),
        # A database of its own on the shared broker: another farm's workers must not take its messages.
        PRESSROOM_BROKER_URL=valkey.url.replace("/0", "/3"),
        PRESSROOM_TOKENS=TOKEN,
        PRESSROOM_DEFAULT_RECIPE="html",
        PRESSROOM_RENDER_TIMEOUT="5",
        PRESSROOM_RENDER_TIMEOUT_MAX="5",
    )
    farm.token = TOKEN
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()


@pytest.fixture(scope="module")
def seeds(own_farm) -> dict[str, str]:
    """One thing of each kind, so that not every request is about nothing."""
    template = own_farm.post("/odata/templates", {"name": "seed", "content": "<p>seed", "recipe": "html"}).json()
    asset = own_farm.request("PUT", "/api/v1/asset/seeds/seed.png", data=base64.b64decode(PIXEL)).json()["data"]
    schedule = own_farm.post(
        "/odata/schedules", {"name": "seed", "cron": "0 7 * * *", "templateShortid": template["shortid"]}
    ).json()
    task = own_farm.post("/api/scheduling/runNow", {"scheduleId": schedule["_id"]}).json()
    label = {"name": "label", "content": "<p>label {{ rows | length }}", "recipe": "plutoprint-pdf"}
    label = own_farm.post("/odata/templates", label).json()
    # A PDF, so that it has a thumbnail.
    report = own_farm.report({"name": "label"}, {}, reports={"save": True, "public": True})
    report_id = report.headers["Report-Id"]
    eventually(lambda: own_farm.get(f"/reports/{report_id}/thumbnail").status_code == 200)
    shadow = {"name": "shadow", "content": SHADOW, "recipe": "pdf", "sampleData": {}}
    shadow = own_farm.post("/odata/templates", shadow).json()
    certificate = f"/api/v1/report-config/{shadow['_id']}/certificate"
    eventually(lambda: own_farm.get(f"{certificate}/page/1.png").status_code == 200)
    # The description's examples name it.
    printer = own_farm.post("/api/v1/printer", {"name": "WarehousePrinter01", "agent": True}).json()["data"]
    wish = {"outputType": "url", "createHistoryRecord": True}
    printed = wish | {"createPrintTask": True, "printerName": "WarehousePrinter01"}
    answer = own_farm.post("/api/v1/report-config/label/render", wish | {"async": True})
    render, trace_id = answer.json()["data"], answer.headers["X-Trace-Id"]
    # They differ, so that there is something to show.
    wishes = (printed, wish | {"data": [{}]})
    record, other = (own_farm.post("/api/v1/report-config/label/render", one).json()["data"] for one in wishes)
    for one in (record, other):
        # Its overlays exist from then on.
        path = f"/api/v1/report-history-record/{record['historyRecordId']}/diff/{one['historyRecordId']}"
        eventually(lambda path=path: own_farm.get(path).status_code == 200)
    eventually(lambda: own_farm.get("/api/v1/report-config/label/thumbnail").status_code == 200)
    batch = {"template": {"name": "label"}, "items": [{}, {}], "merge": True}
    batch, merged = (own_farm.post("/api/v1/batch", batch).json()["data"]["id"] for _ in range(2))
    eventually(lambda: own_farm.get(f"/api/v1/batch/{merged}/pdf").status_code == 200)
    return {
        "template_id": template["_id"],
        "key": template["_id"],
        "number": 1,
        "name": "a/nice/name",
        "template_shortid": template["shortid"],
        "report_id": report_id,
        "asset_id": asset["id"],
        "schedule_id": schedule["_id"],
        "task_id": task["_id"],
        "label": label["_id"],
        "shadow": shadow["_id"],
        "render_id": render["renderId"],
        "trace_id": trace_id,
        "record_id": record["historyRecordId"],
        "other_id": other["historyRecordId"],
        "page": 1,
        "print_task_id": record["printTaskId"],
        "batch_id": batch,
        "merged": merged,
        "printer": printer["id"],
    }


@pytest.fixture(scope="module")
def described(own_farm, seeds):
    """The description, in which no answer may have more than it says."""
    document = own_farm.get("/openapi.json").json()
    _close(document["components"]["schemas"])
    _close(document["paths"])
    _sample(document["paths"])
    return schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(_settings(own_farm, seeds)))


def _close(node: Any) -> None:
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node.setdefault("additionalProperties", False)
        for inner in node.values():
            _close(inner)
    elif isinstance(node, list):
        for inner in node:
            _close(inner)


def _sample(paths: dict[str, Any]) -> None:
    """Leave the headers that every operation has to one of them: trying them at each would take half of the time."""
    for path, methods in paths.items():
        for said in methods.values():
            if path != "/api/engine":
                said["parameters"] = [one for one in said["parameters"] if "$ref" not in one]


def _settings(farm: Farm, seeds: dict[str, str]) -> dict[str, Any]:
    """Return what schemathesis is to do. Half of the values that cannot be guessed are some that exist."""
    ids = {f"path.{name}": [value] for name, value in seeds.items() if name.endswith("_id")}
    words = {
        **ids,
        "path.pasted": [seeds["record_id"], "label", f"/reports/{seeds['report_id']}/content"],
        "path.cron_line": ["0 7 * * MON-FRI", "*/5 * * * *"],
        "query.cron": ["0 7 * * MON-FRI", "*/5 * * * *"],
        "query.timezone": ["Europe/Dublin"],
        "query.$filter": ["_id ne 'x'", "creationDate gt 2020-01-01T00:00:00Z and contains(_id, '0')"],
        "query.$orderby": ["_id desc", "creationDate"],
        "query.$select": ["_id,creationDate", "*"],
        "body.recipe": ["html", "text"],
        "body.engine": ["jinja", "none"],
        "body.template.recipe": ["html", "text"],
        "body.template.engine": ["jinja", "none"],
        "body.cron": ["30 2 * * *"],
        "body.timezone": ["Europe/Dublin"],
        "body.templateShortid": [seeds["template_shortid"]],
        "body.scheduleId": [seeds["schedule_id"]],
        "body.printerName": ["WarehousePrinter01"],
        "query.template": ["label"],
        "body.fileBase64": ["JVBERi0xLjcK"],
        "body.lease": [f"{seeds['print_task_id']}.1"],
        "query.reportConfig": ["label"],
    }
    names = {parameter: f"words-{place}" for place, parameter in enumerate(words)}
    return {
        "base-url": farm.base,
        "headers": {"Authorization": f"Bearer {TOKEN}"},
        "continue-on-failure": True,
        "request-timeout": 30,
        "generation": {"deterministic": True, "no-shrink": True, "max-examples": EXAMPLES},
        "phases": {
            "stateful": {"enabled": False},
            # What was answered before is not sent again: two runs shall ask the same.
            **{phase: {"extra-data-sources": {"responses": False}} for phase in ("coverage", "fuzzing")},
        },
        "checks": {"enabled": False, **{name: {"enabled": True} for name in WANTED}},
        "dictionaries": {
            **{names[parameter]: {"values": values} for parameter, values in words.items()},
            "pictures": {"values": ["seeds/again.png"]},
        },
        # What is read before it is changed is known to nobody here; one that is stale is tried below.
        "parameters": {"header.If-Match": "*"}
        | {parameter: {"dictionary": name, "probability": 0.5} for parameter, name in names.items()},
        "operations": [
            {"include-path-regex": OPEN_ENDED, "checks": {"unsupported_method": {"enabled": False}}},
            {"include-path-regex": "^/api/v1/report-config", "parameters": {"path.key": seeds["template_id"]}},
            {
                "include-path-regex": "^/api/v1/report-config/.key./(render|preview|thumbnail)$",
                "parameters": {"path.key": seeds["label"]},
            },
            # Only read: while one is made anew, there are no pictures.
            {
                "include-name": "GET /api/v1/report-config/{key}/certificate",
                "parameters": {"path.key": seeds["shadow"]},
            },
            {
                "include-name": "GET /api/v1/report-config/{key}/certificate/page/{page}.png",
                "parameters": {"path.key": seeds["shadow"], "path.page": 1},
            },
            {
                "include-name": "POST /api/v1/report-config/{key}/certificate",
                "parameters": {"path.key": seeds["label"]},
            },
            {
                "include-path-regex": "/diff/.*/page/",
                "parameters": {
                    "path.page": 1,
                    "path.record_id": seeds["record_id"],
                    "path.other_id": seeds["other_id"],
                },
            },
            {"include-path-regex": "^/api/v1/printer", "parameters": {"path.key": seeds["printer"]}},
            # The same: while it is made once more, there is none.
            {"include-name": "GET /api/v1/batch/{batch_id}/pdf", "parameters": {"path.batch_id": seeds["merged"]}},
            *(
                {"include-name": name, "parameters": {"path.key": key}}
                for name, key in (
                    ("GET /api/v1/asset/{key}", seeds["asset_id"]),
                    ("GET /api/v1/asset/{key}/content", seeds["asset_id"]),
                    ("PUT /api/v1/asset/{key}", "a/new.css"),
                )
            ),
            {
                "include-name": "PATCH /odata/assets('{asset_id}')",
                "parameters": {"path.asset_id": seeds["asset_id"], "body.name": {"dictionary": "pictures"}},
            },
            # What is removed is found by nobody after.
            {
                "include-method": "DELETE",
                "parameters": {f"path.{name}": NOBODY for name in ("key", *(one[5:] for one in ids))},
            },
        ],
    }


def test_every_example_works_as_it_stands(own_farm, seeds, described):
    tried = 0
    for operation in (one.ok() for one in described.get_all_operations()):
        content = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {})
        for name, example in content.get("examples", {}).items():
            path = operation.path.format(**seeds | _key_of(operation.path, seeds))
            answer = own_farm.request(operation.method, path, json=example["value"])
            assert answer.status_code in (200, 201, 202, 204), (operation.label, name, answer.text)
            tried += 1
    assert tried > 10


def _key_of(path: str, seeds: dict[str, str]) -> dict[str, str]:
    """Say which thing ``key`` is, where it is not just any template."""
    if path.startswith("/api/v1/printer"):
        return {"key": seeds["printer"]}
    return {"key": seeds["label"]} if path.endswith(("/render", "/preview", "/thumbnail")) else {}


@pytest.fixture(scope="module")
def ask(seeds, described):
    """Asks, and holds the answer against the description."""

    def ask(method, address, *, expected, path=None, **said) -> Any:
        case = described[address][method].Case(path_parameters=seeds | (path or {}), **said)
        answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == expected, answer.text
        case.validate_response(answer, checks=CHECKS.get_by_names(CONFORMANCE))
        return answer

    return ask


def test_rarer_answers_are_described_too(own_farm, seeds, ask):
    later = {"Prefer": "respond-async"}
    render = {"template": {"content": "<p>{{ 1 // by }}", "recipe": "html"}, "options": {"reportName": "rare"}}
    good = ask("POST", "/api/report", expected=202, headers=later, body=render | {"data": {"by": 1}})
    bad = ask("POST", "/api/report", expected=202, headers=later, body=render | {"data": {"by": 0}})
    for begun in (good, bad):
        own_farm.until_done(begun.headers["location"][0])
    good_id, bad_id = ({"report_id": begun.headers["report-id"][0]} for begun in (good, bad))

    status, content = "/reports/{report_id}/status", "/reports/{report_id}/content"
    ask("GET", status, expected=201, path=good_id)
    ask("HEAD", status, expected=201, path=good_id)
    ask("GET", status, expected=500, path=bad_id)
    ask("HEAD", status, expected=500, path=bad_id)
    ask("GET", content, expected=404, path=bad_id)
    ask("GET", content, expected=206, path=good_id, headers={"Range": "bytes=0-1"})
    ask("GET", content, expected=416, path=good_id, headers={"Range": "bytes=1000-"})
    tag = ask("HEAD", content, expected=200, path=good_id).headers["etag"][0]
    ask("GET", content, expected=304, path=good_id, headers={"If-None-Match": tag})
    ask("POST", "/api/report", expected=400, body=render | {"data": {"by": 0}})
    ask("GET", "/reports/{report_id}/thumbnail", expected=404, path=good_id)
    ask("POST", "/reports/{report_id}/thumbnail", expected=409, path=good_id)
    draft = {"content": "<p>\n{% include asset %}", "recipe": "html"}
    ask("POST", "/api/v1/preview", expected=400, body=draft)
    ask("POST", "/api/v1/preview", expected=400, body=draft | {"context": "two\nlines"})

    template, config = "/odata/templates('{template_id}')", "/api/v1/report-config/{key}"
    ask("PATCH", template, expected=412, headers={"If-Match": '"99"'}, body={})
    ask("PATCH", template, expected=200, headers={"Prefer": "return=representation"}, body={"context": "Rare"})
    ask("PATCH", template, expected=204, body={"context": "Rare"})
    ask("DELETE", template, expected=409)
    for address in (template, config):
        ask("GET", address, expected=404, path={"template_id": NOBODY, "key": NOBODY}, headers={"Accept": "text/plain"})

    made = {"name": "rare", "content": "{% include 'nothing' %}"}
    rare = {"template_id": ask("POST", "/odata/templates", expected=201, body=made).json()["_id"]}
    ask("POST", "/odata/templates", expected=409, body=made)
    ask("POST", "/api/v1/report-config", expected=409, body=made)
    ask("DELETE", template, expected=204, path=rare)
    ask("POST", "/api/v1/report-config", expected=201, body=made)
    ask("DELETE", config, expected=200, path={"key": "rare"})
    ask("DELETE", "/odata/reports('{report_id}')", expected=204, path=bad_id)
    ask("PUT", "/api/v1/asset/{key}", expected=201, path={"key": "rare.css"}, body=b"p {}")
    ask("GET", "/api/v1/asset/{key}/content", expected=200, path={"key": "rare.css"})
    ask("DELETE", "/api/v1/asset/{key}", expected=200, path={"key": "rare.css"})
    asset = {"asset_id": ask("POST", "/odata/assets", expected=201, body={"name": "rare.css", "content": "cCB7fQ=="})}
    asset["asset_id"] = asset["asset_id"].json()["_id"]
    ask("DELETE", "/odata/assets('{asset_id}')", expected=204, path=asset)
    body = {"name": "rare", "cron": "0 7 * * *", "templateShortid": seeds["template_shortid"]}
    schedule = {"schedule_id": ask("POST", "/odata/schedules", expected=201, body=body).json()["_id"]}
    ask("DELETE", "/odata/schedules('{schedule_id}')", expected=204, path=schedule)


@pytest.mark.timeout(300)  # It takes a minute; on a machine that has much else to do, several.
def test_the_gateway_answers_as_it_says(described):
    answered: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    wrong = []
    with warnings.catch_warnings():
        # Of the tool's own threads and strategies; what the product warns of is in its logs.
        warnings.simplefilter("ignore")
        for event in from_schema(described).execute():
            if isinstance(event, FatalError):
                raise event.exception
            if isinstance(event, NonFatalError):
                wrong.append(f"{event.label}: {event.value!r}")
            if isinstance(event, ScenarioFinished):
                for one in event.recorder.interactions.values():
                    if one.response is not None:
                        answered[event.recorder.label][one.response.status_code] += 1
                wrong += list(_failures(event))
    assert not wrong, "\n\n".join(wrong)
    assert len(answered) == sum(1 for _ in described.get_all_operations())
    # A conformance of nothing but refusals would prove little.
    hollow = [name for name, statuses in answered.items() if min(statuses) >= 400 and not name.startswith("DELETE")]
    assert not hollow, hollow


def _failures(event: ScenarioFinished) -> Iterator[str]:
    for nodes in event.recorder.checks.values():
        for node in nodes:
            if node.failure_info is not None:
                failure = node.failure_info.failure
                yield f"{event.recorder.label}: {node.name}: {failure.message}\n{node.failure_info.code_sample}"


def test_rarer_answers_about_records_are_described_too(own_farm, seeds, ask):
    # One of its own: the requests of the tests before may have renamed the other.
    printer = own_farm.post("/api/v1/printer", {"name": "StorePrinter02", "agent": True}).json()["data"]
    broken = {"name": "broken", "content": "{{ 1 // 0 }}", "recipe": "plutoprint-pdf"}
    made = ask("POST", "/api/v1/report-config", expected=201, body=broken).json()["data"]
    keys = {"label": {"key": seeds["label"]}, "broken": {"key": made["id"]}}
    order, wish = "/api/v1/report-config/{key}/render", {"outputType": "base64", "createHistoryRecord": True}
    unrecorded = wish | {"createHistoryRecord": False, "outputType": "none"}
    ask("POST", order, expected=200, path=keys["label"], body=wish)
    ask("POST", order, expected=200, path=keys["label"], body=unrecorded)
    ask("POST", order, expected=400, path=keys["broken"], body=wish)
    ask("POST", order, expected=422, path=keys["label"], body=wish | {"createPrintTask": True, "printerName": "none"})
    begun = {}
    for name, key in keys.items():
        answer = ask("POST", order, expected=202, path=key, body=wish | {"async": True}).json()["data"]
        url = answer["statusUrl"]
        eventually(lambda url=url: "state" not in own_farm.get(url).json().get("data", {}))
        begun[name] = {"render_id": answer["renderId"], "record_id": answer["historyRecordId"]}
    status, pdf = "/api/v1/render/{render_id}", "/api/v1/render/{render_id}/pdf"
    ask("GET", status, expected=200, path=begun["label"])
    ask("GET", status, expected=400, path=begun["broken"])
    ask("GET", pdf, expected=404, path=begun["broken"])
    ask("GET", pdf, expected=206, path=begun["label"], headers={"Range": "bytes=0-1"})
    tag = ask("HEAD", pdf, expected=200, path=begun["label"]).headers["etag"][0]
    ask("GET", pdf, expected=304, path=begun["label"], headers={"If-None-Match": tag})

    record = "/api/v1/report-history-record/{record_id}"
    ask("GET", record, expected=200, path=begun["broken"])
    ask("GET", f"{record}/pdf", expected=404, path=begun["broken"])
    ask("GET", f"{record}/thumbnail", expected=404, path=begun["broken"])
    ask("POST", f"{record}/print", expected=409, path=begun["broken"], body={"printerName": "StorePrinter02"})
    ask("POST", f"{record}/replay", expected=400, path=begun["broken"], body={})
    ask("DELETE", record, expected=409)
    paper = ask("POST", f"{record}/print", expected=201, path=begun["label"], body={"printerName": "StorePrinter02"})
    task, task_id = "/api/v1/report-print-task/{print_task_id}", {"print_task_id": paper.json()["data"]["id"]}
    ask("DELETE", "/api/v1/printer/{key}", expected=409, path={"key": printer["id"]})
    ask("DELETE", task, expected=409, path=task_id)
    lease = ask("POST", f"{task}/claim", expected=200, path=task_id, body={"agent": "door"}).json()["data"]["lease"]
    ask("POST", f"{task}/claim", expected=409, path=task_id, body={"agent": "window"})
    ask("POST", f"{task}/result", expected=200, path=task_id, body={"lease": lease, "status": "completed"})
    ask("POST", f"{task}/cancel", expected=409, path=task_id)
    ask("DELETE", f"{record}/delete-all-report-print-tasks", expected=200, path=begun["label"])
    ask("DELETE", record, expected=200, path=begun["label"])
