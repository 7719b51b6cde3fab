"""One id through gateway, queue, render and storage."""

from __future__ import annotations

import json

from farms import eventually

TEMPLATE = {"content": "<p>traced", "recipe": "weasyprint-pdf"}


def submit(farm, trace_id):
    answer = farm.post(
        "/api/report", {"template": TEMPLATE, "options": {"reports": {"async": True}}}, headers={"X-Trace-Id": trace_id}
    )
    assert answer.headers["X-Trace-Id"] == trace_id
    assert farm.until_done(answer.headers["Location"]).status_code == 201
    return answer.headers["Report-Id"]


def test_a_trace_shows_gateway_queue_wait_render_and_storage(farm):
    submit(farm, "order-4711")
    eventually(lambda: "order-4711" in (farm.home / "logs" / "render-worker.jsonl").read_text())

    shown = farm.command("trace", "order-4711")

    assert shown.returncode == 0, shown.stderr
    for part in ("gateway", "POST", "queue_wait_ms=", "engine_ms=", "store_ms=", "template_ms=", "pages=1", "reports/"):
        assert part in shown.stdout, f"{part} is missing from\n{shown.stdout}"


def test_a_traces_entries_are_in_the_order_of_time(farm):
    submit(farm, "order-4712")

    entries = [json.loads(line) for line in farm.command("trace", "order-4712", "--json").stdout.splitlines()]

    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    events = [entry["event"] for entry in entries]
    assert events.index("submitted") < events.index("started") < events.index("succeeded")


def test_the_gateway_tells_what_the_command_prints(farm):
    report_id = submit(farm, "order-4714")

    def told():
        """Return the answer, once both processes have logged what they did."""
        answer = farm.get("/api/v1/trace/order-4714").json()
        return answer if {one["source"] for one in answer["data"]} == {"database", "gateway", "worker"} else None

    answer = eventually(told)
    printed = [json.loads(line) for line in farm.command("trace", "order-4714", "--json").stdout.splitlines()]

    assert [(one["at"][:23], one["event"]) for one in answer["data"]] == [
        (one["at"][:23], one["event"]) for one in printed
    ]
    [report] = answer["meta"]["reports"]
    assert report["id"] == report_id
    assert report["status"] == "success"


def test_the_trace_id_stands_in_the_stored_objects_metadata(farm):
    from shared.storage.filesystem import FilesystemStorage  # noqa: PLC0415

    report_id = submit(farm, "order-4713")

    stored = FilesystemStorage(farm.home / "blobs").stat(f"reports/{report_id}.pdf")

    assert stored.metadata["trace-id"] == "order-4713"
    assert stored.media_type == "application/pdf"


def test_the_w3c_header_is_understood(farm):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    answer = farm.get("/api/ping", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})

    assert answer.headers["X-Trace-Id"] == trace


def test_an_id_nobody_knows_is_said_to_be_unknown(farm):
    shown = farm.command("trace", "never-seen")

    assert shown.returncode == 1
    assert "never-seen" in shown.stderr


def test_every_log_line_of_gateway_and_workers_that_is_json_has_its_process(farm):
    lines = [json.loads(line) for line in farm.logged().splitlines() if line.startswith("{")]

    assert {line["process"] for line in lines} >= {"gateway", "worker", "beat"}
    rendered = [line for line in lines if line["event"] == "render"]
    assert rendered
    assert all(line["trace_id"] and "queue_ms" in line and "outcome" in line for line in rendered)
