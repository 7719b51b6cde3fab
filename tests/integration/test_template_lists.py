"""Lists of templates, with what is known of each and the fast engine, and the labels that group them."""

from __future__ import annotations

import pytest
from sqlalchemy import event, update

from api.app import create_app
from shared import certificates, template_lists, templates
from shared.database import now
from shared.models import Certificate, Template
from shared.settings import load_settings
from shared.template_lists import Filters, Label
from shared.templates import TemplateFields

VERDICTS = ("certified", "refused", "pending", "withdrawn", "failed")


def create(database, name="t", **changes):
    values = {"content": "", "engine": "jinja", "recipe": "pdf", "sample_data": None}
    with database.writing() as session:
        return templates.create(session, TemplateFields(name=name, **(values | changes)))


def certify(database, template, verdict, **values):
    with database.writing() as session:
        subject = certificates.of_stored(template.version_id, template.version.engine)
        session.add(Certificate(subject=subject, trace_id="t", template_version_id=template.version_id))
        session.flush()
        values = {"verdict": verdict, "state": "succeeded", "issued_at": now()} | values
        session.execute(update(Certificate).where(Certificate.subject == subject).values(**values))


def listed(database, *, order_by=Template.created_at, descending=False, limit=10, offset=0, **filters):
    with database.reading() as session:
        return template_lists.listing(
            session, Filters(**filters), order_by=order_by, descending=descending, limit=limit, offset=offset
        )


def names(database, **asked):
    count, found = listed(database, **asked)
    return count, [one.template.name for one in found]


def test_a_list_is_searched_filtered_sorted_and_paged(database):
    for name, context, recipe in (("Ant", "zoo", "html"), ("bee", None, "text"), ("50%", "Anthill", "html")):
        create(database, name, context=context, recipe=recipe)

    assert names(database) == (3, ["Ant", "bee", "50%"])
    assert names(database, descending=True, limit=1, offset=1) == (3, ["bee"])
    assert names(database, search="aNT") == (2, ["Ant", "50%"])
    assert names(database, search="%") == (1, ["50%"])
    assert names(database, recipe="text") == (1, ["bee"])
    assert names(database, context="zoo", engine="jinja") == (1, ["Ant"])
    assert names(database, engine="none") == (0, [])


def test_a_list_is_filtered_by_the_verdict_on_each_newest_version(database):
    for verdict in VERDICTS:
        certify(database, create(database, verdict), verdict)
    certify(database, create(database, "again"), "certified")
    create(database, "unasked")

    for verdict in VERDICTS[1:]:
        assert names(database, certified=verdict) == (1, [verdict])
    assert names(database, certified="certified") == (2, ["certified", "again"])
    assert names(database, certified="certified", search="gai") == (1, ["again"])
    assert names(database, certified="none") == (1, ["unasked"])
    assert names(database, certified="certified", limit=1, offset=1) == (2, ["again"])


def test_a_new_version_has_no_verdict_of_the_one_before(database):
    template = create(database)
    certify(database, template, "refused", samples=3, result={"reasons": [{"text": "grid"}]})
    [entry] = listed(database)[1]
    assert entry.certificate[:1] + entry.certificate[2:] == ("refused", 3, {"reasons": [{"text": "grid"}]})

    with database.writing() as session:
        templates.change(session, template.id, templates.fields_of(template.version))
    assert [one.certificate for one in listed(database)[1]] == [None]
    assert names(database, certified="refused") == (0, [])


def test_labels_are_named_once_with_the_colour_that_was_given_last(database):
    for name, context, colour in (
        ("a", "Sales", "#111111"),
        ("b", "Dispatch", None),
        ("c", "Sales", "#333333"),
        ("d", "Sales", None),
        ("e", None, "#555555"),
    ):
        create(database, name, context=context, context_colour=colour)
    with database.writing() as session:
        session.execute(update(Template).where(Template.name == "a").values(modified_at=now(60)))

    with database.reading() as session:
        assert template_lists.labels(session) == [Label("Dispatch", None, 1), Label("Sales", "#111111", 3)]


@pytest.fixture
def client(database, database_url, tmp_path):
    app = create_app(load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_DATABASE_URL": database_url}))
    client = app.test_client()
    client.asked = []
    engine = app.extensions["pressroom"].database.engine
    event.listen(engine, "before_cursor_execute", lambda *given: client.asked.append(given[2]))
    yield client
    app.extensions["pressroom"].database.close()


def test_a_page_of_cards_costs_two_questions_however_many_are_on_it(database, client):
    for number in range(25):
        certify(database, create(database, f"t{number:02}", context="Sales", context_colour="#abcdef"), "certified")

    def asked(path):
        client.asked.clear()
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return len([one for one in client.asked if not one.startswith("BEGIN")]), answer.json

    count, page = asked("/api/v1/report-config?certified=certified")
    assert (count, page["count"]) == (2, 25)
    assert asked("/api/v1/report-config?pageSize=1")[0] == 2
    assert asked("/api/v1/report-config-context")[0] == 1


def test_a_card_says_the_verdict_and_the_first_reason(database, client):
    refused, pending = create(database, "refused"), create(database, "pending")
    result = {"reasons": [{"kind": "demand", "page": None, "text": "It uses a grid"}, {"text": "and more"}]}
    certify(database, refused, "refused", result=result, samples=2)
    certify(database, pending, "pending", result=result, issued_at=None)
    create(database, "unasked")

    found = {one["name"]: one for one in client.get("/api/v1/report-config").json["data"]}
    certificate = found["refused"]["certificate"]
    assert certificate.pop("issuedAt").endswith("Z")
    assert certificate == {"verdict": "refused", "reason": "It uses a grid", "samples": 2}
    assert found["pending"]["certificate"] == {"verdict": "pending", "reason": None, "issuedAt": None, "samples": 0}
    assert found["unasked"]["certificate"] is None
    assert client.get("/api/v1/report-config?certified=yes").status_code == 400
    assert client.get("/api/v1/report-config-context").json["data"] == []
