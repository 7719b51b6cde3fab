"""Traces: what rows and log lines tell of one, what belongs to it, and how much is looked at for that."""

from __future__ import annotations

import datetime as dt
import json

import orders
import pytest
from everything import Everything
from plans import whole_tables
from sqlalchemy import event

from api import traces
from api.app import create_app
from shared import timeline
from shared.cli import main
from shared.database import now
from shared.models import Batch, Render, Report
from shared.settings import load_settings
from shared.timeline import Bounds


@pytest.fixture
def farm(database, filesystem_storage, settings, template):
    return Everything(database, filesystem_storage, settings, template)


@pytest.fixture
def app(database, database_url, tmp_path):
    app = create_app(load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_DATABASE_URL": database_url}))
    yield app
    app.extensions["pressroom"].database.close()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def log(tmp_path):
    """Writes lines into a log file, as of now."""
    folder = tmp_path / "logs"
    folder.mkdir()

    def write(*lines, name="gateway.jsonl"):
        present = dt.datetime.now(dt.UTC).isoformat()
        told = [line if isinstance(line, str) else json.dumps({"timestamp": present} | line) for line in lines]
        with (folder / name).open("a") as file:
            file.write("".join(f"{line}\n" for line in told))

    return write


@pytest.fixture
def known(database, tmp_path):
    """Returns what is known of a trace."""
    return lambda trace_id, **bounds: timeline.collect(database, tmp_path / "logs", trace_id, bounds=Bounds(**bounds))


def told(found):
    return {(one.source, one.event) for one in found.entries}


def things(found):
    return {(one.kind, one.id, one.name, one.trace_id, one.status) for one in found.things}


def test_a_record_s_trace_tells_of_its_render_its_thumbnail_and_its_reprints(farm, known, log):
    log({"event": "print task made", "process": "gateway", "trace_id": farm.reprint.trace_id})

    found = known("order-1")

    assert told(found) >= {
        ("database", event) for event in ("submitted", "started", "succeeded", "record", "thumbnail", "print task")
    }
    assert ("gateway", "print task made") in told(found)
    record, reprint = farm.record, farm.reprint
    assert things(found) == {
        ("render", record.render_id, "t", "order-1", "succeeded"),
        ("record", record.id, "t", "order-1", "Ok"),
        ("thumbnail", record.render_id, None, "order-1", "failed"),
        ("printTask", reprint.id, f"{record.id}.pdf", reprint.trace_id, "pending"),
    }
    assert [one.at for one in found.entries] == sorted(one.at for one in found.entries)


def test_a_reprint_s_trace_leads_back_to_the_record_and_tells_nothing_of_it(farm, known):
    found = known(farm.reprint.trace_id)

    assert told(found) == {("database", "print task")}
    assert {(kind, thing_id) for kind, thing_id, *_ in things(found)} == {
        ("printTask", farm.reprint.id),
        ("record", farm.record.id),
    }


def test_a_schedule_s_run_tells_what_became_of_it(farm, known):
    found = known("run-1")

    assert told(found) >= {("database", event) for event in ("task", "task error", "report", "submitted", "failed")}
    [ended] = [one for one in found.entries if one.event == "task error"]
    assert ended.details["error"] == "no such filter"
    assert {(kind, name, status) for kind, _, name, _, status in things(found)} == {
        ("task", farm.schedule.shortid, "error"),
        ("render", "t", "failed"),
        ("report", "every night", "error"),
    }


def test_a_document_s_trace_leads_to_its_batch(farm, known, database):
    assert things(known("batch-1")) == {("batch", farm.batch.id, "t", "batch-1", "running")}
    render_id = orders.submitted(database, trace_id="batch-1-1")
    with database.writing() as session:
        session.get(Render, render_id).batch_id = farm.batch.id

    found = known("batch-1-1")

    assert {(kind, thing_id) for kind, thing_id, *_ in things(found)} == {
        ("render", render_id),
        ("batch", farm.batch.id),
    }
    assert told(found) == {("database", "submitted")}


def test_a_batch_that_is_over_says_how_it_ended(farm, known, database):
    with database.writing() as session:
        batch = session.get(Batch, farm.batch.id)
        batch.state, batch.finished_at, batch.succeeded = "completed", now(), 2

    assert [(one.event, one.details["documents"]) for one in known("batch-1").entries] == [
        ("batch", 2),
        ("batch completed", 2),
    ]


def test_a_report_that_was_removed_is_told_of_and_not_referred_to(farm, known, database):
    with database.writing() as session:
        session.get(Report, farm.report_id).removed_at = now()

    found = known("order-2")

    assert ("database", "report") in told(found)
    assert {kind for kind, *_ in things(found)} == {"render"}


def test_of_what_is_no_trace_nothing_is_known(farm, known):
    for trace_id in ("order-9", "", "order-1/x", "a\0b", "\ud800", "x" * 10_000, "%", "order_1"):
        assert known(trace_id) == timeline.Timeline([], [], truncated=False)


def test_every_question_has_an_index(farm, database, known):
    for trace_id in ("order-1", "run-1", "batch-1", farm.reprint.trace_id):
        assert whole_tables(database, lambda trace_id=trace_id: known(trace_id, rows=500)) == []


def test_no_template_s_text_and_no_request_is_read(farm, database, known):
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    for trace_id in ("order-1", "order-2", "run-1", "batch-1", farm.reprint.trace_id):
        assert known(trace_id).entries

    assert [
        one for one in asked if any(f".{name}," in one for name in ("content", "data", "payload", "response"))
    ] == []


def test_the_earliest_rows_and_entries_are_told_and_that_there_are_more(farm, known, database, log):
    for _ in range(3):
        farm.report(trace_id="order-3")
    log(*[{"event": f"line {number}", "process": "worker", "trace_id": "order-3"} for number in range(5)])

    whole = known("order-3")
    assert (len(whole.entries), whole.truncated) == (11, False)
    assert known("order-3", rows=3, entries=11, bytes_per_file=10_000) == whole

    few = known("order-3", rows=2)
    assert few.truncated
    assert [one.event for one in few.entries if one.source == "database"] == ["submitted", "report"] * 2
    few = known("order-3", entries=7)
    assert few.truncated
    assert few.entries == whole.entries[:7]
    # The very last one alone is missing.
    assert known("order-3", entries=10).truncated


def test_no_file_brings_more_lines_than_are_told(farm, known, log, monkeypatch):
    log(*[{"event": "x", "process": "worker", "trace_id": "order-1"} for number in range(50)])
    read = []
    of_line = timeline._of_line
    monkeypatch.setattr(timeline, "_of_line", lambda *given: read.append(given) or of_line(*given))

    assert known("order-1", entries=10).truncated
    assert len(read) == 11


def test_a_trace_that_only_the_logs_know_is_found_in_what_is_newest_in_them(known, log):
    log({"event": "old", "trace_id": "ping-1"}, *[{"event": "x" * 100}] * 100)
    log({"event": "refused", "process": "gateway", "trace_id": "ping-1"})

    assert told(known("ping-1")) == {("log", "old"), ("gateway", "refused")}
    found = known("ping-1", bytes_per_file=5000)
    assert told(found) == {("gateway", "refused")}
    assert found.truncated


def test_what_a_log_has_long_before_the_trace_s_first_row_is_read_only_without_bounds(farm, known, log):
    early = {"timestamp": "2020-01-01T00:00:00Z", "event": "another use of the name"}
    log(early | {"trace_id": "order-1"}, *[early] * 30_000, {"event": "its own", "trace_id": "order-1"})

    assert told(known("order-1")) >= {("log", "another use of the name"), ("log", "its own")}
    found = known("order-1", bytes_per_file=1_000_000)
    assert ("log", "its own") in told(found)
    assert ("log", "another use of the name") not in told(found)
    assert not found.truncated


def test_a_line_that_is_none_of_the_farm_s_is_passed_over(farm, known, log):
    before = known("order-1")

    log(
        '{"trace_id": "order-1", "timestamp": "2026-01-0',
        '{"trace_id": "order-1"}',
        '{"trace_id": "order-1", "timestamp": null}',
        '{"trace_id": "order-1", "timestamp": 5}',
        '{"trace_id": ["x"], "y": {"trace_id": "order-1"}, "timestamp": "2026-01-01T00:00:00Z"}',
        '["trace_id": "order-1"]',
        'a word {"trace_id": "order-1", "timestamp": "2026-01-01T00:00:00Z"}',
    )

    assert known("order-1") == before


def test_a_time_without_an_offset_is_utc(known, log):
    log({"timestamp": "2026-01-01T12:00:00", "event": "x", "trace_id": "ping-1"})

    [entry] = known("ping-1").entries
    assert entry.at == dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def test_the_api_tells_what_the_command_prints(farm, client, log, database_url, tmp_path, monkeypatch, capsys):
    log({"event": "render", "process": "worker", "level": "warning", "trace_id": "order-1", "pages": 1, "error": None})

    answer = client.get("/api/v1/trace/order-1")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["count"] == len(answer.json["data"])
    monkeypatch.setenv("PRESSROOM_HOME", str(tmp_path))
    monkeypatch.setenv("PRESSROOM_DATABASE_URL", database_url)
    main(["trace", "order-1", "--json"], standalone_mode=False)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["source"], one["event"]) for one in answer.json["data"]] == [
        (one["source"], one["event"]) for one in printed
    ]
    [line] = [one for one in answer.json["data"] if one["source"] == "worker"]
    assert line == {
        "at": line["at"],
        "source": "worker",
        "event": "render",
        "level": "warning",
        "details": {"pages": 1},
    }
    [submitted] = [one for one in answer.json["data"] if one["event"] == "submitted"]
    assert submitted["details"]["render"] == farm.record.render_id
    assert "level" not in submitted


def test_the_api_names_what_belongs_to_a_trace(farm, client):
    meta = client.get("/api/v1/trace/order-1").json["meta"]

    assert (meta["logs"], meta["truncated"]) == ("this machine", False)
    assert meta["records"] == [
        {"kind": "record", "id": farm.record.id, "name": "t", "traceId": "order-1", "status": "Ok"}
    ]
    assert {name: len(found) for name, found in meta.items() if isinstance(found, list)} == {
        "records": 1,
        "renders": 1,
        "reports": 0,
        "printTasks": 1,
        "batches": 0,
        "tasks": 0,
        "thumbnails": 1,
    }
    assert meta["traceId"] != "order-1"
    for trace_id, name in (("order-2", "reports"), ("run-1", "tasks"), ("batch-1", "batches")):
        assert len(client.get(f"/api/v1/trace/{trace_id}").json["meta"][name]) == 1


def test_what_json_has_not_is_left_out(client, log):
    log('{"timestamp": "2026-01-01T12:00:00Z", "trace_id": "ping-1", "event": "x", "ratio": NaN, "most": Infinity}')

    answer = client.get("/api/v1/trace/ping-1")

    assert json.loads(answer.text, parse_constant=pytest.fail)["data"][0]["details"] == {}


def test_the_api_tells_no_more_than_it_may(farm, client, log, monkeypatch):
    monkeypatch.setattr(traces, "BOUNDS", Bounds(rows=500, entries=4, bytes_per_file=1000))

    answer = client.get("/api/v1/trace/order-1")

    assert len(answer.json["data"]) == 4
    assert answer.json["meta"]["truncated"] is True


def test_a_trace_that_nobody_knows_is_answered_with_how_long_things_are_kept(client):
    for trace_id in ("never-seen", "a%00b", "x" * 10_000, "%F0%9F%98%80", "...", "a b", "'", "%25"):
        answer = client.get(f"/api/v1/trace/{trace_id}")
        assert answer.status_code == 404
        [error] = answer.json["errors"]
        assert "kept 30 days (PURGE_HISTORY_DAYS)" in error
        assert "reports until somebody removes them" in error
        assert "10 minutes (PRESSROOM_TRANSIENT_KEEP)" in error
        assert "another machine" in error
        assert len(error) < 700


def test_a_slash_is_in_no_trace(farm, client):
    for path in ("a%2Fb", "a/b", "order-1/"):
        assert client.get(f"/api/v1/trace/{path}").status_code == 404


def test_an_unknown_parameter_is_refused(farm, client):
    answer = client.get("/api/v1/trace/order-1?limit=5")

    assert answer.status_code == 400
    assert answer.json["errors"] == ["limit is not a known query parameter: expected none"]
