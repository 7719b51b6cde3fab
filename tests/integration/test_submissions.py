"""Accepting an order: all of it, or nothing."""

from __future__ import annotations

import orders
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from shared import submissions, sweeps, templates
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError, NotReadyError
from shared.guards import StorageNotAskedError
from shared.models import Render, Report, RetiredObject
from shared.settings import load_settings
from shared.storage import StorageError
from shared.submissions import Order, ReportWish, TemplateChoice
from shared.templates import TemplateFields

INLINE = TemplateChoice(content="<p>x", engine="jinja", recipe="html")


@pytest.fixture
def settings(tmp_path):
    return load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_INLINE_DATA_BYTES": "100"})


@pytest.fixture
def accept(database, filesystem_storage, settings):
    def accept(*, states=None, **changes):
        order = Order(**({"trace_id": "t", "template": INLINE} | changes))
        return submissions.accept(database, filesystem_storage, settings, order, recipe_states=states or {})

    return accept


def rows(database):
    with database.reading() as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in (Render, Report)]


def test_an_order_is_a_committed_row(accept, database):
    accepted = accept(data={"a": 1})

    row = orders.row(database, accepted.render.id)
    assert (row.state, row.data, row.data_key) == ("queued", '{"a":1}', None)
    assert accepted.report is None


def test_data_of_any_text_comes_back_from_the_row(accept, database):
    accepted = accept(data={"t": "é\0😀\ud800"})

    text = orders.row(database, accepted.render.id).data
    assert submissions.json.loads(text) == {"t": "é\0😀\ud800"}


def test_large_data_goes_to_storage_with_its_trace(accept, database, filesystem_storage):
    accepted = accept(data={"t": "x" * 200})

    row = orders.row(database, accepted.render.id)
    assert row.data is None
    assert filesystem_storage.get(row.data_key) == b'{"t":"' + b"x" * 200 + b'"}'
    assert filesystem_storage.stat(row.data_key).metadata["trace-id"] == "t"


def test_a_refused_blob_name_leaves_no_row_and_no_object(accept, database, filesystem_storage):
    first = accept(report=ReportWish(blob_name="mine"))

    with pytest.raises(ConflictError, match=first.report.id):
        accept(report=ReportWish(blob_name="mine"), data={"t": "x" * 200})

    assert rows(database) == [1, 1]
    assert list(filesystem_storage.keys()) == []


@pytest.mark.parametrize(
    "error", [StorageError("reset while it was written"), StorageNotAskedError("the storage is away")]
)
def test_large_data_that_cannot_be_stored_stays_in_its_row(database, settings, error):
    class AwayStorage:
        def put(self, *_, **__):
            raise error

    order = Order(trace_id="t", template=INLINE, data={"t": "x" * 200})
    accepted = submissions.accept(database, AwayStorage(), settings, order, recipe_states={})

    row = orders.row(database, accepted.render.id)
    assert (row.data, row.data_key) == ('{"t":"' + "x" * 200 + '"}', None)
    with database.reading() as session:
        # What may have arrived all the same is found by the sweep.
        retired = session.scalars(select(RetiredObject.key)).all()
    assert retired == [f"data/{row.id}.json"]


def test_large_data_of_a_submission_that_never_came_through_is_found_by_the_sweep(
    accept, database, filesystem_storage, monkeypatch
):
    def broken(*_, **__):
        raise OperationalError("INSERT", None, OSError("the database went away"))

    monkeypatch.setattr(submissions.renders, "submit", broken)
    with pytest.raises(OperationalError):
        accept(data={"t": "x" * 200})
    assert len(list(filesystem_storage.keys())) == 1

    assert sweeps.sweep_retired(database, filesystem_storage, older_than=-5) == 1
    assert list(filesystem_storage.keys()) == []


def test_a_submission_that_was_held_up_until_the_sweep_took_its_data_is_refused(database, settings, filesystem_storage):
    class Slow:
        """Stores, and is stopped before it says so."""

        def __getattr__(self, name):
            return getattr(filesystem_storage, name)

        def put(self, *arguments, **options):
            filesystem_storage.put(*arguments, **options)
            with pytest.raises(KeyboardInterrupt):
                # Killed after it had said what it takes, and before it forgot the note.
                sweeps.sweep_retired(database, Stuck(), older_than=-5)

    class Stuck:
        def delete(self, key):
            filesystem_storage.delete(key)
            raise KeyboardInterrupt

    order = Order(trace_id="t", template=INLINE, data={"t": "x" * 200})
    with pytest.raises(NotReadyError, match="send it again"):
        submissions.accept(database, Slow(), settings, order, recipe_states={})

    assert rows(database) == [0, 0]
    assert sweeps.sweep_retired(database, filesystem_storage, older_than=-5) == 0
    assert list(filesystem_storage.keys()) == []


def test_large_data_that_a_row_names_is_not_swept(accept, database, filesystem_storage):
    accepted = accept(data={"t": "x" * 200})

    assert sweeps.sweep_retired(database, filesystem_storage, older_than=-5) == 0
    assert list(filesystem_storage.keys()) == [accepted.render.data_key]


def test_a_render_records_the_version_it_was_ordered_from(accept, database):
    fields = TemplateFields(name="t", content="1", engine="jinja", recipe="html", sample_data='{"s":1}')
    with database.writing() as session:
        template = templates.create(session, fields)

    accepted = accept(template=TemplateChoice(name="t"))
    with database.writing() as session:
        changed = templates.change(session, template.id, fields)
        templates.remove(session, template.id)

    row = orders.row(database, accepted.render.id)
    assert (row.template_version_id, row.content, row.data) == (template.version_id, None, '{"s":1}')
    assert changed.version.number == 2


def test_the_order_of_look_up_is_id_shortid_name(accept, database):
    with database.writing() as session:
        for name in ("one", "two"):
            templates.create(
                session,
                TemplateFields(name=name, content=name, engine="none", recipe="html", sample_data=None),
                shortid=f"short-{name}",
            )

    accepted = accept(template=TemplateChoice(shortid="short-one", name="two"))

    assert accepted.name == "one"


@pytest.mark.parametrize("key", ["template_id", "shortid", "name"])
def test_an_unknown_template_is_not_accepted(accept, database, key):
    with pytest.raises(NotFoundError, match="'nope'"):
        accept(template=TemplateChoice(**{key: "nope"}))

    assert rows(database) == [0, 0]


def test_a_recipe_that_works_on_no_living_worker_is_refused_with_the_reason_and_the_others(accept):
    states = {"weasyprint-pdf": "Pango is missing", "plutoprint-pdf": "ok", "html": "ok"}

    with pytest.raises(InvalidRequestError, match=r"Pango is missing.*plutoprint-pdf, html"):
        accept(template=TemplateChoice(content="x", recipe="weasyprint-pdf"), states=states)


@pytest.mark.parametrize("timeout", [0, -1, 601, float("inf"), float("nan")])
def test_a_time_limit_outside_the_farms_is_refused(accept, timeout):
    with pytest.raises(InvalidRequestError, match="600000"):
        accept(timeout=timeout)
