"""What a request may ask of the database: so many statements and commits, and no more."""

from __future__ import annotations

import hashlib

import orders
import pytest
from sqlalchemy import event, select

from api.app import create_app
from shared import renders, submissions, templates
from shared.models import Render, SpentName
from shared.settings import load_settings
from shared.submissions import Order, ReportWish, TemplateChoice
from shared.templates import TemplateFields

LATER = {"reports": {"async": True}}


@pytest.fixture
def app(database, database_url, tmp_path):
    """A gateway whose broker is away, which costs no statement."""
    app = create_app(load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_DATABASE_URL": database_url}))
    yield app
    app.extensions["pressroom"].database.close()


@pytest.fixture
def spent(app):
    """Statements and commits of the gateway from now on."""
    spent = []
    engine = app.extensions["pressroom"].database.engine
    event.listen(engine, "before_cursor_execute", lambda *given: spent.append(" ".join(given[2].split()[:3])))
    event.listen(engine, "commit", lambda _connection: spent.append("COMMIT"))
    return spent


@pytest.fixture
def client(app, template):
    client = app.test_client()
    # What a process knows for a second or two is read by the first of many requests.
    assert client.post("/api/report", json={"template": {"name": template.name}, "options": LATER}).status_code == 200
    return client


def beyond_begin(spent):
    return [one for one in spent if not one.startswith("BEGIN")]


def submitted(client, **template):
    answer = client.post("/api/report", json={"template": template, "data": {"a": 1}, "options": LATER})
    assert answer.status_code == 200
    return answer.headers["Report-Id"]


def test_a_stored_report_costs_one_question_two_rows_and_one_commit(client, template, spent, monkeypatch):
    monkeypatch.setattr("api.known.Known.get", lambda known: known._known[0])

    submitted(client, name=template.name)

    assert beyond_begin(spent) == [
        "SELECT templates.id, templates.shortid,", "INSERT INTO renders", "INSERT INTO reports", "COMMIT",
    ]  # fmt: skip


def test_a_template_of_the_request_s_own_costs_no_question(client, spent, monkeypatch):
    monkeypatch.setattr("api.known.Known.get", lambda known: known._known[0])

    submitted(client, content="<p>x", recipe="html")

    assert beyond_begin(spent) == ["INSERT INTO renders", "INSERT INTO reports", "COMMIT"]


def test_a_poll_of_a_finished_report_and_its_document_cost_one_question_each(client, template, app, spent):
    report_id = submitted(client, name=template.name)
    gateway = app.extensions["pressroom"]
    with gateway.database.writing() as session:
        render_id = session.execute(select(Render.id).order_by(Render.id.desc())).scalars().first()
        orders.claim(session, render_id)
        key = f"reports/{report_id}.html"
        gateway.storage.put(key, b"hello", media_type="text/html", metadata={})
        renders.succeed(
            session,
            render_id,
            attempt=1,
            result=orders.result(blob_key=key, sha256=hashlib.sha256(b"hello").hexdigest()),
        )
    spent.clear()

    assert client.get(f"/reports/{report_id}/status").status_code == 201
    with client.get(f"/reports/{report_id}/content") as answer:
        assert answer.data == b"hello"

    assert beyond_begin(spent) == ["SELECT reports.id, reports.name,"] * 2


def test_a_poll_of_a_report_that_waits_costs_two_questions(client, template, spent, monkeypatch):
    report_id = submitted(client, name=template.name)
    # How the queue is, and what its templates take, is known for two seconds.
    assert client.get(f"/reports/{report_id}/status").status_code == 200
    monkeypatch.setattr("api.known.Known.get", lambda known: known._known[0])
    spent.clear()

    answer = client.get(f"/reports/{report_id}/status")

    assert answer.json["positionInQueue"] == 2
    assert beyond_begin(spent) == ["SELECT reports.id, reports.name,", "SELECT CASE WHEN"]


def test_a_version_that_was_saved_is_rendered_at_once(database, filesystem_storage, settings, template):
    def accept():
        order = Order(trace_id="t", template=TemplateChoice(name="t"))
        return submissions.accept(database, filesystem_storage, settings, order, recipe_states={})

    assert accept().version.number == 1
    fields = TemplateFields(name="t", content="new", engine="jinja", recipe="text", sample_data=None)
    with database.writing() as session:
        templates.change(session, template.id, fields)

    accepted = accept()

    assert (accepted.version.number, accepted.render.recipe) == (2, "text")
    assert orders.row(database, accepted.render.id).engine == "jinja"


def test_a_process_keeps_few_versions_and_no_large_sample_data(database, monkeypatch):
    monkeypatch.setattr(templates, "MOST_KNOWN_VERSIONS", 2)
    monkeypatch.setattr(templates, "KNOWN_CHARACTERS", 10)
    known = {}
    monkeypatch.setattr(templates, "_KNOWN_VERSIONS", known)
    for name, sample in (("a", None), ("b", "{}"), ("large", '{"padding": "x"}'), ("c", None)):
        with database.writing() as session:
            fields = TemplateFields(name=name, content="", engine="none", recipe="html", sample_data=sample)
            version_id = templates.create(session, fields).version_id
        with database.looking() as connection:
            _, version = templates.choose(connection, name=name)
        assert (version.id, version.sample_data) == (version_id, sample)
        assert (version_id in known) is (name != "large")
        assert len(known) <= 2


def test_a_report_of_a_spent_name_has_a_key_of_its_own(database, filesystem_storage, settings):
    with database.writing() as session:
        session.add(SpentName(name="mine"))
    order = Order(
        trace_id="t", template=TemplateChoice(content="x", recipe="html"), report=ReportWish(blob_name="mine")
    )

    render = submissions.accept(database, filesystem_storage, settings, order, recipe_states={}).render

    assert orders.row(database, render.id).blob_stem == f"reports/mine~{render.id}"
