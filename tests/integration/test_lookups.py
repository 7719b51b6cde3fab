"""What an id, a name, a file's name or an address is, as people paste them; and what it costs to find that out."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import records
from everything import Everything
from plans import whole_tables
from sqlalchemy import event

from api.app import create_app
from shared import lookups
from shared.database import now
from shared.identifiers import new_id
from shared.models import Report
from shared.settings import load_settings


@pytest.fixture
def farm(database, filesystem_storage, settings, template):
    return Everything(database, filesystem_storage, settings, template)


@pytest.fixture
def app(database, database_url, tmp_path):
    given = {"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_DATABASE_URL": database_url}
    app = create_app(load_settings(given | {"PRESSROOM_PUBLIC_URL": "https://farm.example/press"}))
    yield app
    app.extensions["pressroom"].database.close()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def answered(client):
    """Returns kinds and ids of what a text is."""

    def ask(pasted):
        answer = client.get(f"/api/v1/find/{quote(pasted, safe='')}")
        assert answer.status_code in (200, 404), answer.text
        return [(one["kind"], one["id"]) for one in answer.json["data"]] if answer.status_code == 200 else None

    return ask


def test_every_kind_of_thing_is_found_by_its_id(farm, answered):
    record = farm.record
    for kind, thing_id in (
        ("record", record.id),
        ("render", record.render_id),
        ("report", farm.report_id),
        ("printTask", farm.reprint.id),
        ("batch", farm.batch.id),
        ("template", farm.template.id),
        ("schedule", farm.schedule.id),
        ("task", farm.task.id),
        ("printer", farm.printer.id),
        ("asset", farm.asset.id),
        ("trace", "order-1"),
        ("trace", farm.reprint.trace_id),
        ("trace", "batch-1"),
        ("trace", "run-1"),
    ):
        assert answered(thing_id) == [(kind, thing_id)]


def test_what_has_a_name_is_found_by_it(farm, answered, database):
    with database.reading() as session:
        report = session.get(Report, farm.report_id)
    for name, expected in (
        (report.shortid, ("report", report.id)),
        ("invoices/2026/4711", ("report", report.id)),
        ("an invoice", ("report", report.id)),
        ("greeting", ("template", farm.template.id)),
        ("t", ("template", farm.template.id)),
        (farm.schedule.shortid, ("schedule", farm.schedule.id)),
        ("Warehouse 1", ("printer", farm.printer.id)),
        (farm.asset.shortid, ("asset", farm.asset.id)),
        ("logos/northwind.svg", ("asset", farm.asset.id)),
    ):
        assert answered(name) == [expected], name
    # Its reports are called so, too.
    assert answered("every night")[0] == ("schedule", farm.schedule.id)
    assert [kind for kind, _ in answered("every night")] == ["schedule", "report"]


def test_a_match_says_what_it_is(farm, client):
    [record] = client.get(f"/api/v1/find/{farm.record.id}").json["data"]
    [schedule] = client.get(f"/api/v1/find/{farm.schedule.id}").json["data"]
    [trace] = client.get("/api/v1/find/order-1").json["data"]

    assert record == {"kind": "record", "id": farm.record.id, "name": "t", "traceId": "order-1", "status": "Ok"}
    assert schedule == {
        "kind": "schedule",
        "id": farm.schedule.id,
        "name": "every night",
        "traceId": None,
        "status": "enabled",
    }
    assert trace == {"kind": "trace", "id": "order-1", "name": None, "traceId": "order-1", "status": None}


def test_a_file_is_found_by_its_name_with_and_without_extension(farm, answered, database):
    record = farm.record
    assert record.file_name == f"{record.id}.pdf"
    for name, expected in (
        (record.file_name, ("record", record.id)),
        (f"{record.render_id}.pdf", ("render", record.render_id)),
        ("invoices/2026/4711.html", ("report", farm.report_id)),
        # As Report-BlobName and the store have it when a second attempt made it.
        ("invoices/2026/4711~2.pdf", ("report", farm.report_id)),
        ("reports/invoices/2026/4711.pdf", ("report", farm.report_id)),
        (f"reports/{farm.report_id}.pdf", ("report", farm.report_id)),
        (record.blob_key, ("render", record.render_id)),
    ):
        assert answered(name) == [expected], name


def test_what_e_mails_put_around_an_id_does_no_harm(farm, answered):
    for around in (
        "  {} \n",
        "\t{}\r\n",
        "'{}'",
        '"{}"',
        "\u201e{}\u201c",
        "\u00ab {} \u00bb",
        "<{}>",
        "({}).",
        "{},",
        "\u200b{}\ufeff",
        "\u00a0{}",
        "`{}`;",
    ):
        assert answered(around.format(farm.record.id)) == [("record", farm.record.id)], around
        assert answered(around.format("Warehouse 1")) == [("printer", farm.printer.id)], around
        assert answered(around.format(farm.reprint.trace_id)) == [("trace", farm.reprint.trace_id)], around


def test_an_id_is_recognised_among_other_words_and_in_capitals(farm, answered):
    assert answered(f"Report-Id: {farm.report_id}!") == [("report", farm.report_id)]
    assert answered(f"order {farm.record.id.upper()} is missing") == [("record", farm.record.id)]
    assert answered(f"{farm.report_id} or {farm.record.id}?") == [
        ("report", farm.report_id),
        ("record", farm.record.id),
    ]


def test_an_address_of_the_farm_is_what_its_route_leads_to(farm, answered):
    record, report = ("record", farm.record.id), ("report", farm.report_id)
    for address, expected in (
        ("/reports/{report}/content", [report]),
        ("https://farm.example/press/reports/{report}/content", [report]),
        ("https://inside:8000/reports/{report}/status?x=1#here", [report]),
        ("<https://farm.example/press/reports/public/{report}/attachment>.", [report]),
        ("http://farm/odata/reports('{report}')", [report]),
        ("http://farm/odata/reports(%27{report}%27)?$select=name", [report]),
        ("http://farm/api/v1/report-history-record/{record}/pdf", [record]),
        ("http://farm/api/v1/report-config/t", [("template", farm.template.id)]),
        ("http://farm/api/v1/report-config/greeting/version/1", [("template", farm.template.id)]),
        ("http://farm/api/v1/printer/Warehouse%201", [("printer", farm.printer.id)]),
        ("http://farm/api/v1/asset/logos/northwind.svg", [("asset", farm.asset.id)]),
        ("http://farm/api/v1/trace/order-1", [("trace", "order-1")]),
        ("http://farm/another/api/v1/trace/order-1", None),
        ("https://farm.example/press/api/v1/trace/order-1", [("trace", "order-1")]),
        # Of an address that the gateway does not serve, what is an id by its looks.
        ("/studio/history/{record}", [record]),
        ("https://farm/studio/history/{record}/anything/else", [record]),
        ("https://mail.example/safe?url=https%3A%2F%2Ffarm%2Freports%2F{report}%2Fcontent&data=1", [report]),
    ):
        pasted = address.format(record=farm.record.id, report=farm.report_id)
        assert answered(pasted) == expected, pasted


def test_an_address_of_two_records_is_both(farm, answered, database, filesystem_storage):
    other = records.done(database, filesystem_storage, farm.template)

    assert answered(f"https://farm/api/v1/report-history-record/{other.id}/diff/{farm.record.id}") == [
        ("record", other.id),
        ("record", farm.record.id),
    ]


def test_what_has_it_as_its_id_comes_before_what_is_called_so(farm, answered, database):
    called = farm.report(trace_id="greeting", name="greeting")
    named = farm.report(trace_id="greeting", blob_name="greeting")

    assert answered("greeting") == [
        ("trace", "greeting"),
        ("template", farm.template.id),
        ("report", named),
        ("report", called),
    ]
    # What was meant literally comes before what is left without an extension.
    whole = farm.report(trace_id="x", blob_name="greeting.html")
    assert answered("greeting.html")[0] == ("report", whole)
    assert ("template", farm.template.id) in answered("greeting.html")


def test_of_the_reports_that_share_a_name_the_newest_are_listed(farm, answered):
    made = [farm.report(trace_id="x", name="shelf label") for _ in range(lookups.MOST_OF_A_NAME + 2)]

    assert answered("shelf label") == [("report", one) for one in made[:1:-1]]


def test_a_removed_report_is_gone(farm, answered, database):
    with database.writing() as session:
        session.get(Report, farm.report_id).removed_at = now()

    for name in (farm.report_id, "an invoice", "invoices/2026/4711"):
        assert answered(name) is None


NOTHING = [
    "nothing",
    new_id(),
    "",
    " ",
    '""',
    "a\0b",
    "a/b/c",
    "//",
    "/",
    "../..",
    "%",
    "_",
    "%2F",
    "'; --",
    "\n",
    "\U0001f600",
    "http://[",
    "http://farm/reports/\0/content",
    "http://farm/reports/x/../y",
    "x" * 10_000,
    "'" * 1999 + "x",
    "~" * 2000,
    "https://farm/" + "a/" * 900,
    "\u0130" * 150,
]


def test_what_is_nothing_is_not_found_and_told_what_could_have_been(farm, client):
    for pasted in NOTHING:
        answer = client.get(f"/api/v1/find/{quote(pasted, safe='')}")
        assert answer.status_code == 404, pasted
        [error] = answer.json["errors"]
        assert "the name of a template" in error
        assert "30 days (PURGE_HISTORY_DAYS)" in error
        assert len(error) < 800
    plain = client.get("/api/v1/find/nothing", headers={"Accept": "text/plain"})
    assert (plain.status_code, plain.mimetype) == (404, "text/plain")
    assert plain.text.startswith("Nothing here has the id or name 'nothing'.")


def test_bytes_that_are_no_text_are_not_found(farm, client):
    assert client.get("/api/v1/find/%FF%FE").status_code == 404
    assert client.get("/api/v1/find/%ED%A0%80").status_code == 404


def test_an_unknown_parameter_is_refused(farm, client):
    answer = client.get(f"/api/v1/find/https://farm/reports/{farm.report_id}/content?download=1")

    assert answer.status_code == 400
    assert answer.json["errors"] == ["download is not a known query parameter: expected none"]


def test_every_question_has_an_index(farm, database):
    words = [farm.record.id, "order-1", "invoices/2026/4711", "an invoice", "Warehouse 1", "t"]

    def ask():
        with database.reading() as session:
            assert len(lookups.find(session, words)) > 4

    assert whole_tables(database, ask) == []


def test_no_text_of_a_template_and_no_request_is_read(farm, database):
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    with database.reading() as session:
        lookups.find(session, [farm.record.id, "t", farm.report_id])

    assert [
        one for one in asked if any(f".{name}," in one for name in ("content", "data", "payload", "response"))
    ] == []


def test_no_more_words_are_looked_for_than_a_person_sends(farm, database):
    def asked(*words):
        statements = []
        note = lambda *given: statements.append(given[2])  # noqa: E731
        event.listen(database.engine, "before_cursor_execute", note)
        with database.reading() as session:
            found = lookups.find(session, words)
        event.remove(database.engine, "before_cursor_execute", note)
        return len(statements), found

    few, _ = asked(*"abcdefgh")
    many, found = asked(*"abcdefgh", *(new_id() for _ in range(100)), farm.record.id)
    assert (many, found) == (few, [])
