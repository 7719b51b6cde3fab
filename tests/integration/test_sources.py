"""Where a request came from stands in what it makes: the farm's own pages, or anybody else."""

from __future__ import annotations

import base64

import pytest
import records
from sqlalchemy import select

from api.app import create_app
from shared import templates
from shared.identifiers import new_id
from shared.models import HistoryRecord, Printer, PrintTask, Render
from shared.settings import load_settings
from shared.templates import TemplateFields

STUDIO = {"pressroom.source": "studio"}
FILE = base64.b64encode(records.PDF).decode()


@pytest.fixture
def database_url(tmp_path):
    # What the rows say is what matters here.
    return f"sqlite:///{tmp_path / 'pressroom.db'}"


@pytest.fixture
def config(database):
    fields = TemplateFields(name="c", content="x", engine="none", recipe="weasyprint-pdf", sample_data=None)
    with database.writing() as session:
        session.add(Printer(id=new_id(), name="Branch", agent=True))
        return templates.create(session, fields)


@pytest.fixture
def ask(database, config, tmp_path):
    """Asks a gateway whose broker is away; what it accepts is in its rows."""
    client = create_app(load_settings({"PRESSROOM_HOME": str(tmp_path)})).test_client()

    def ask(path, body, **request):
        answer = client.post(path, json=body, **request)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json and answer.json.get("data")

    return ask


def sources(database, model):
    with database.reading() as session:
        return session.scalars(select(model.source).order_by(model.id)).all()


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"environ_overrides": STUDIO}, "studio"),
        ({}, "api"),
        ({"environ_overrides": {"pressroom.source": "moon"}}, "api"),
        # What is sent over HTTP says nothing of it, however it is spelled.
        ({"headers": {"Pressroom-Source": "studio", "pressroom.source": "studio"}}, "api"),
    ],
)
def test_what_a_request_makes_says_where_it_came_from(database, config, ask, request_, expected):
    wish = {"outputType": "none", "createHistoryRecord": True, "createPrintTask": True, "printerName": "Branch"}
    ask(f"/api/v1/report-config/{config.id}/render", wish | {"async": True}, **request_)
    ask("/api/v1/report-print-task", {"fileBase64": FILE, "printerName": "Branch"}, **request_)
    ask("/api/v1/printer/Branch/test-page", {}, **request_)
    ask("/api/report", {"template": {"name": "c"}, "options": {"reports": {"async": True}}}, **request_)

    assert sources(database, HistoryRecord) == [expected]
    assert sources(database, PrintTask) == [expected] * 3
    assert sources(database, Render) == [expected] * 2


def test_a_replay_is_one_and_its_reprint_comes_from_where_it_was_asked(database, config, ask, filesystem_storage):
    done = records.done(database, filesystem_storage, config)

    ask(f"/api/v1/report-history-record/{done.id}/replay", {"async": True}, environ_overrides=STUDIO)
    ask(f"/api/v1/report-history-record/{done.id}/print", {"printerName": "Branch"}, environ_overrides=STUDIO)

    assert sources(database, HistoryRecord) == ["api", "replay"]
    assert sources(database, PrintTask) == ["studio"]
