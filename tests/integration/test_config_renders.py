"""Renders of ReportConfigs: checked, and written down with record and print task in one piece; and how they end."""

from __future__ import annotations

import json
from dataclasses import replace

import orders
import pytest
from sqlalchemy import event, func, select, update

from shared import (
    aftermath,
    config_renders,
    history,
    print_tasks,
    printers,
    render_answers,
    renders,
    submissions,
    templates,
    tending,
    thumbnails,
)
from shared.config_renders import ConfigRender, PrintWish
from shared.database import now
from shared.exceptions import NotFoundError, UnprocessableError
from shared.models import HistoryRecord, PrintTask, Render, RetiredObject, Thumbnail
from shared.printers import PrinterFields
from shared.renders import Cause
from shared.settings import load_settings
from shared.storage import StorageError
from shared.storage.filesystem import FilesystemStorage
from shared.templates import TemplateFields

PAYLOAD = b'{ "outputType": "url",\n"parameters": {"code": "\xc3\xa4"} }'
LABEL = TemplateFields(
    name="label",
    content="<p>{{ code }}",
    engine="jinja",
    recipe="plutoprint-pdf",
    sample_data='{"code": "sample"}',
    parameters=[
        {"name": "code", "type": "string", "required": True},
        {"name": "count", "type": "integer", "required": False, "default": 1},
    ],
)
PRINTED = PrintWish(printer_name="Warehouse", number_of_copies=3, options={"duplex": "one-sided"})


@pytest.fixture
def settings(tmp_path):
    return load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_INLINE_DATA_BYTES": "500"})


@pytest.fixture
def template(database):
    with database.writing() as session:
        return templates.create(session, LABEL)


@pytest.fixture
def printer(database):
    fields = PrinterFields(
        name="Warehouse",
        uri="ipp://127.0.0.1:9/printers/Warehouse",
        agent=False,
        location=None,
        is_default=False,
        verify_tls=True,
    )
    with database.writing() as session:
        return printers.create(session, fields, created_by=None)


@pytest.fixture
def submit(database, filesystem_storage, settings, template):
    def submit(*, storage=filesystem_storage, **changes):
        values = {
            "trace_id": "trace",
            "key": "label",
            "output_type": "url",
            "payload": PAYLOAD,
            "report_url": lambda render_id, record_id: f"http://farm/{'record' if record_id else 'render'}/pdf",
            "parameters": {"code": "PR-1"},
            "create_history_record": True,
        }
        wish = ConfigRender(**(values | changes))
        return config_renders.submit(database, storage, settings, wish, recipe_states={})

    return submit


@pytest.fixture
def begun(submit, printer, database):
    """A render with record and print task that a worker has taken."""
    accepted = submit(printing=PRINTED)
    assert orders.claimed(database, accepted.render.id).attempt == 1
    return accepted


class StorageWithAnEvent(FilesystemStorage):
    """A store in which something else happens while something is put into a folder of it."""

    def __init__(self, root, folder, event):
        super().__init__(root)
        self._folder, self._event = folder, event

    def put(self, key, *arguments, **options):
        super().put(key, *arguments, **options)
        if key.startswith(self._folder):
            self._event()


def rows(database):
    with database.reading() as session:
        tables = (Render, HistoryRecord, PrintTask)
        return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def record(database, accepted):
    with database.reading() as session:
        return session.get(HistoryRecord, accepted.record.id)


def task(database, accepted):
    with database.reading() as session:
        return session.get(PrintTask, accepted.print_task.id)


def succeed(database, accepted, **changes):
    values = {"blob_key": f"history/{accepted.render.id}.pdf", "media_type": "application/pdf", "extension": "pdf"}
    result = orders.result(**(values | {"pages": 2} | changes))
    with database.writing() as session:
        assert renders.succeed(session, accepted.render.id, attempt=1, result=result)


def end_of(database, accepted):
    """Return the record's status, its answer, and the print task, after the render's end."""
    found = record(database, accepted)
    assert found.response == answer_of(database, accepted)
    return found.status, found.response, task(database, accepted)


def answer_of(database, accepted):
    return history.answer_of(orders.row(database, accepted.render.id), accepted.promise)


def end_without_settling(database, accepted, **values):
    """End a render as a worker of a release did that knew of no records."""
    with database.writing() as session:
        session.execute(
            update(Render)
            .where(Render.id == accepted.render.id)
            .values(finished_at=now(), timings={}, warnings=[], **values)
        )


SUCCEEDED = {"state": "succeeded", "blob_key": "history/x.pdf", "media_type": "application/pdf", "size": 5, "pages": 2}


def tend(database, settings):
    rung = []

    def ring(errand):
        rung.append(errand.row_id)
        return True

    return tending.tend(database, settings, waiting=lambda _queue: 0, ring=ring).settled, rung


def data_of(database, accepted):
    return json.loads(orders.row(database, accepted.render.id).data)


def test_render_record_and_print_task_are_written_together(submit, database, printer, template):
    accepted = submit(printing=PRINTED, create_history_record=False, source="batch", created_by="token:erp")

    assert rows(database) == [1, 1, 1]
    render, found, printing = (
        orders.row(database, accepted.render.id),
        record(database, accepted),
        task(database, accepted),
    )
    assert (render.state, render.kept, render.followed, render.blob_stem) == (
        "queued", True, True, f"history/{render.id}",
    )  # fmt: skip
    assert (found.render_id, found.status, found.response) == (render.id, "Unknown", None)
    assert (found.template_id, found.template_shortid, found.template_name, found.template_version) == (
        template.id, template.shortid, "label", 1,
    )  # fmt: skip
    assert found.created_at == found.modified_at == render.submitted_at
    assert found.file_name == f"{found.id}.pdf"
    assert (printing.status, printing.held, printing.due_at, printing.history_record_id) == (
        "pending", True, None, found.id,
    )  # fmt: skip
    assert (printing.printer_id, printing.number_of_copies, printing.options) == (
        printer.id, 3, {"duplex": "one-sided"},
    )  # fmt: skip
    for one in (render, found, printing):
        assert (one.trace_id, one.source, one.created_by) == ("trace", "batch", "token:erp")
    assert (accepted.promise.history_record_id, accepted.promise.print_task_id) == (found.id, printing.id)


@pytest.mark.parametrize(("output_type", "url"), [("base64", None), ("url", "http://farm/record/pdf"), ("none", None)])
def test_the_record_knows_what_was_promised(submit, database, output_type, url):
    found = record(database, submit(output_type=output_type))

    assert (found.output_type, found.report_url) == (output_type, url)


def test_without_a_record_nothing_but_a_passing_render_is_written(submit, database, filesystem_storage):
    accepted = submit(create_history_record=False, payload=b"x" * 501)

    render = orders.row(database, accepted.render.id)
    assert rows(database) == [1, 0, 0]
    assert (render.kept, render.followed, render.blob_stem) == (False, False, f"transient/{render.id}")
    assert accepted.promise.report_url == "http://farm/render/pdf"
    assert list(filesystem_storage.keys()) == []


def test_the_payload_is_kept_to_the_byte(submit, database):
    found = record(database, submit())

    assert (found.payload, found.payload_key) == (PAYLOAD, None)


def test_a_large_payload_is_kept_in_storage_to_the_byte(submit, database, filesystem_storage):
    payload = PAYLOAD + b" " * 500

    found = record(database, submit(payload=payload))

    assert (found.payload, found.payload_key) == (None, f"payloads/{found.id}.json")
    assert filesystem_storage.get(found.payload_key) == payload
    assert filesystem_storage.stat(found.payload_key).metadata["trace-id"] == "trace"


def test_the_template_finds_parameters_defaults_and_rows(submit, database):
    accepted = submit(parameters={"code": "PR-1"}, data=[{"code": "of the row"}])

    assert data_of(database, accepted) == {
        "parameters": {"code": "PR-1", "count": 1},
        "rows": [{"code": "of the row"}],
        "code": "PR-1",
        "count": 1,
    }


def test_without_data_there_is_none_and_not_the_sample(submit, database, template):
    with database.writing() as session:
        templates.change(session, template.id, replace(LABEL, parameters=None))

    assert data_of(database, submit(parameters={})) == {"parameters": {}, "rows": []}


def test_everything_that_does_not_fit_is_said_at_once(submit, database, template, printer):
    fields = replace(LABEL, recipe="html")
    with database.writing() as session:
        templates.change(session, template.id, fields)

    with pytest.raises(UnprocessableError) as refused:
        submit(parameters={"cod": 1, "count": 1.5}, printing=PrintWish(printer_name="Warehuose"), payload=b"x" * 501)

    problems = dict(refused.value.problems)
    assert list(problems) == ["recipe", "parameters.code", "parameters.count", "parameters.cod", "printerName"]
    assert "POST /api/report" in problems["recipe"]
    assert "Warehouse" in problems["printerName"]
    assert rows(database) == [0, 0, 0]


def test_what_a_printer_cannot_do_is_refused_before_anything_is_written(submit, database, printer):
    with database.writing() as session:
        session.merge(printer).capabilities = {"duplex": ["one-sided"], "maxCopies": 2}

    with pytest.raises(UnprocessableError) as refused:
        submit(
            printing=PrintWish(printer_name="Warehouse", number_of_copies=3, options={"duplex": "two-sided-long-edge"})
        )

    assert {field for field, _ in refused.value.problems} == {"numberOfCopies", "options.duplex"}
    assert rows(database) == [0, 0, 0]


@pytest.mark.parametrize("changes", [{"key": "nope"}, {"key": "a\0b"}, {"version": 7}])
def test_a_template_that_is_not_there_is_not_rendered(submit, database, changes):
    with pytest.raises(NotFoundError):
        submit(**changes)

    assert rows(database) == [0, 0, 0]


def test_a_pinned_version_is_rendered_and_recorded(submit, database, template):
    with database.writing() as session:
        templates.change(session, template.id, LABEL)

    accepted = submit(version=1, replay_of="another", source="replay")

    assert orders.row(database, accepted.render.id).template_version_id == template.version_id
    found = record(database, accepted)
    assert (found.template_version, found.replay_of, found.source) == (1, "another", "replay")


def test_the_version_that_was_checked_is_the_one_that_is_rendered(submit, database, tmp_path, template):
    def save():
        with database.writing() as session:
            templates.change(session, template.id, replace(LABEL, recipe="html"))

    accepted = submit(storage=StorageWithAnEvent(tmp_path / "blobs", "payloads/", save), payload=b"x" * 501)

    assert (accepted.record.template_version, accepted.render.recipe) == (1, "plutoprint-pdf")


def test_a_template_that_is_removed_meanwhile_leaves_nothing(submit, database, tmp_path, template):
    def remove():
        with database.writing() as session:
            templates.remove(session, template.id)

    # After it was found, and before the rows are written.
    storage = StorageWithAnEvent(tmp_path / "blobs", "data/", remove)
    with pytest.raises(NotFoundError, match="removed at this moment"):
        submit(storage=storage, payload=b"x" * 501, data={"text": "x" * 501})

    assert rows(database) == [0, 0, 0]
    assert list(storage.keys()) == []


def test_a_printer_that_is_removed_meanwhile_leaves_nothing(submit, database, tmp_path, printer):
    def remove():
        with database.writing() as session:
            session.delete(session.merge(printer))

    storage = StorageWithAnEvent(tmp_path / "blobs", "payloads/", remove)
    with pytest.raises(UnprocessableError, match="Warehouse"):
        submit(storage=storage, payload=b"x" * 501, printing=PRINTED)

    assert rows(database) == [0, 0, 0]
    assert list(storage.keys()) == []


def test_a_payload_that_cannot_be_stored_stays_in_its_record(submit, database):
    class AwayStorage:
        def put(self, *_, **__):
            raise StorageError("connection refused")

    accepted = submit(storage=AwayStorage(), payload=b"x" * 501)

    with database.reading() as session:
        found = history.find(session, accepted.record.id, whole=True)
        assert (found.payload, found.payload_key) == (b"x" * 501, None)
        assert session.scalars(select(RetiredObject.key)).all() == [f"payloads/{found.id}.json"]


def test_a_document_makes_the_record_ok_and_lets_the_print_task_begin(begun, database):
    succeed(database, begun)

    status, response, printing = end_of(database, begun)
    assert (status, response["success"], response["status"]) == ("Ok", True, 200)
    assert response["data"] == {
        "traceId": "trace",
        "reportUrl": "http://farm/record/pdf",
        "reportPdfFileName": f"{begun.record.id}.pdf",
        "pages": 2,
        "historyRecordId": begun.record.id,
        "printTaskId": begun.print_task.id,
    }
    found = record(database, begun)
    assert (found.blob_key, found.size, found.pages) == (f"history/{begun.render.id}.pdf", 5, 2)
    assert (printing.status, printing.held) == ("pending", False)
    assert printing.due_at is not None
    with database.reading() as session:
        assert session.get(Thumbnail, begun.render.id).state == "queued"


def test_a_failure_makes_the_record_an_error_and_ends_the_print_task(begun, database):
    with database.writing() as session:
        assert renders.fail(session, begun.render.id, attempt=1, cause=Cause.DATA, error="no 'total'", line=7)

    status, response, printing = end_of(database, begun)
    assert (status, response) == (
        "Error",
        {
            "success": False,
            "errors": ["no 'total'"],
            "meta": {"traceId": "trace", "cause": "data", "line": 7},
            "status": 400,
        },
    )
    assert (printing.status, printing.held, printing.due_at) == ("failed", False, None)
    assert "no 'total'" in printing.error


@pytest.mark.parametrize(("error", "status"), [(None, 410), ("The farm could not start this render", 503)])
def test_a_cancelled_render_makes_the_record_an_error(begun, database, error, status):
    with database.writing() as session:
        assert renders.cancel(session, begun.render.id, error=error)

    found, response, printing = end_of(database, begun)
    assert (found, response["status"], printing.status) == ("Error", status, "failed")
    assert response["errors"] == [error or "The render was cancelled"]


def test_a_render_of_which_workers_die_makes_the_record_an_error_in_the_end(begun, database):
    for attempt in (1, 2):
        with database.writing() as session:
            renders.lose(session, session.get(Render, begun.render.id), reason="killed", max_losses=2)
        assert (record(database, begun).status, task(database, begun).held) == (
            ("Unknown", True) if attempt == 1 else ("Error", False)
        )
        orders.claimed(database, begun.render.id)

    _, response, printing = end_of(database, begun)
    assert (response["status"], response["meta"]["cause"], printing.status) == (500, "poisoned", "failed")


def test_a_recipe_that_makes_no_pdf_after_all_is_a_render_fail(begun, database):
    succeed(database, begun, media_type="text/html", extension="html")

    status, _, printing = end_of(database, begun)
    assert (status, record(database, begun).blob_key) == ("Render Fail", None)
    assert printing.status == "failed"
    with database.reading() as session:
        assert session.get(Thumbnail, begun.render.id) is None


def test_whoever_asks_after_a_render_finds_it_with_its_record(begun, database):
    with database.reading() as session:
        render, found = render_answers.find(session, begun.render.id)

    assert (render.id, found.id) == (begun.render.id, begun.record.id)


def test_a_render_that_something_else_keeps_is_not_found_here(database, filesystem_storage, settings, template):
    order = submissions.Order(
        trace_id="t", template=submissions.TemplateChoice(name="label"), report=submissions.ReportWish()
    )
    kept = submissions.accept(database, filesystem_storage, settings, order, recipe_states={})

    for render_id in (kept.render.id, "nope", "a\0b"):
        with database.reading() as session, pytest.raises(NotFoundError):
            render_answers.find(session, render_id)


def test_a_render_whose_document_went_with_its_record_is_not_found(submit, database):
    accepted = submit(create_history_record=False)
    orders.claimed(database, accepted.render.id)
    succeed(database, accepted)
    with database.writing() as session:
        renders.disown(session, accepted.render.id)

    with database.reading() as session, pytest.raises(NotFoundError):
        render_answers.find(session, accepted.render.id)


def test_a_print_task_that_was_cancelled_meanwhile_is_named_in_the_answer_and_stays_cancelled(begun, database):
    with database.writing() as session:
        print_tasks.cancel(session, begun.print_task.id)

    succeed(database, begun)

    status, response, printing = end_of(database, begun)
    assert (status, response["data"]["printTaskId"]) == ("Ok", begun.print_task.id)
    assert (printing.status, printing.due_at) == ("cancelled", None)


def test_an_end_that_a_worker_of_an_earlier_release_wrote_reaches_record_and_print_task(begun, database, settings):
    end_without_settling(database, begun, **SUCCEEDED)
    assert record(database, begun).status == "Unknown"

    assert tend(database, settings)[0] == 1

    status, _, printing = end_of(database, begun)
    assert (status, record(database, begun).blob_key, printing.held) == ("Ok", "history/x.pdf", False)
    with database.reading() as session:
        assert session.get(Thumbnail, begun.render.id).state == "queued"
    # Whatever else is due is found as always, and nothing is settled twice.
    assert tend(database, settings) == (0, [begun.print_task.id])
    with database.writing() as session:
        assert not aftermath.settle_late(session, begun.render.id)


def test_a_failure_that_a_worker_of_an_earlier_release_wrote_ends_the_print_task(begun, database, settings):
    end_without_settling(database, begun, state="failed", cause="engine", error="it broke")

    assert tend(database, settings)[0] == 1

    status, _, printing = end_of(database, begun)
    assert (status, printing.status) == ("Error", "failed")


def test_a_thumbnail_that_somebody_asked_for_before_a_late_settlement_stays(begun, database, settings):
    end_without_settling(database, begun, **SUCCEEDED)
    with database.writing() as session:
        thumbnails.remake(session, begun.render.id)

    assert tend(database, settings)[0] == 1

    assert record(database, begun).status == "Ok"


def test_a_render_that_goes_on_is_not_settled(begun, database, settings):
    assert tend(database, settings) == (0, [])
    assert record(database, begun).response is None


def test_the_template_is_looked_for_once(submit, database):
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    submit(create_history_record=False)

    assert len([one for one in asked if "FROM templates" in one]) == 1
