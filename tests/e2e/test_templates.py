"""Stored templates: created, found in three ways, overridden, changed, removed."""

from __future__ import annotations

import uuid
from urllib.parse import unquote

import pytest


def create(farm, **changes):
    body = {"name": f"t-{uuid.uuid4()}", "content": "<p>{{ word }}", "recipe": "html", "sampleData": {"word": "sample"}}
    return farm.post("/odata/templates", body | changes)


def test_a_created_template_can_be_read_and_listed(farm):
    answer = create(farm)

    assert answer.status_code == 201
    entity = answer.json()
    assert answer.headers["Location"] == f"{farm.base}/odata/templates('{entity['_id']}')"
    assert answer.headers["OData-Version"] == "4.0"
    assert (entity["engine"], entity["recipe"], entity["version"]) == ("jinja", "html", 1)
    assert farm.get(answer.headers["Location"]).json() == entity
    listed = farm.get("/odata/templates").json()["value"]
    assert [one for one in listed if one["_id"] == entity["_id"]] == [
        {name: value for name, value in entity.items() if name != "@odata.context"}
    ]


@pytest.mark.parametrize("key", ["_id", "shortid", "name"])
def test_a_stored_template_is_found_by_each_of_its_keys(farm, key):
    entity = create(farm).json()

    assert farm.report({key: entity[key]}, {"word": "data"}).content == b"<p>data"


def test_without_data_the_sample_data_is_used(farm):
    entity = create(farm).json()

    assert farm.report({"name": entity["name"]}).content == b"<p>sample"


def test_inline_properties_override_the_stored_ones(farm):
    entity = create(farm).json()

    answer = farm.report({"name": entity["name"], "content": "{{ word }}!", "recipe": "text"})

    assert (answer.content, answer.headers["File-Extension"]) == (b"sample!", "txt")


def test_a_report_is_named_after_its_template(farm):
    entity = create(farm).json()

    answer = farm.report({"shortid": entity["shortid"]})

    assert answer.headers["Content-Disposition"] == f"inline; filename={entity['name']}.html"


def test_a_change_makes_a_new_version_and_keeps_what_it_does_not_name(farm):
    entity = create(farm).json()
    address = f"/odata/templates('{entity['_id']}')"

    assert farm.request("PATCH", address, json={"content": "<b>{{ word }}"}).status_code == 204

    changed = farm.get(address).json()
    assert (changed["version"], changed["content"], changed["name"]) == (2, "<b>{{ word }}", entity["name"])
    assert farm.report({"_id": entity["_id"]}).content == b"<b>sample"


def test_a_removed_template_is_gone_and_its_reports_stay(farm):
    entity = create(farm).json()
    link = farm.report({"_id": entity["_id"]}, reports={"save": True}).headers["Permanent-Link"]
    address = f"/odata/templates('{entity['_id']}')"

    assert farm.request("DELETE", address).status_code == 204

    assert farm.get(address).status_code == 404
    assert farm.request("DELETE", address).status_code == 404
    assert farm.get(link).content == b"<p>sample"


def test_a_name_belongs_to_one_template(farm):
    entity = create(farm).json()
    other = create(farm).json()

    again = create(farm, name=entity["name"])
    renamed = farm.request("PATCH", f"/odata/templates('{other['_id']}')", json={"name": entity["name"]})

    assert (again.status_code, renamed.status_code) == (409, 409)
    assert entity["name"] in again.json()["error"]["message"]
    assert renamed.json()["error"]["target"] == "name"


EVERYTHING = {
    "content": "<p>{{ word }}",
    "engine": "jinja",
    "recipe": "html",
    "sampleData": {"word": "ü"},
    "options": {"reportName": "Bericht ü", "download": True, "timeout": 5000},
    "parameters": [
        {"name": "number", "type": "integer", "description": "Which", "required": True, "default": 1, "example": 4711},
        {"name": "day", "type": "date", "required": False, "example": "2026-03-14"},
    ],
    "fields": [{"name": "customer.name", "type": "string"}],
    "context": "Sales",
    "contextColour": "#00aa00",
}


def address(entity):
    return f"/odata/templates('{entity['_id']}')"


def test_everything_that_is_said_of_a_template_is_kept(farm):
    entity = create(farm, **EVERYTHING, shortid=f"s-{uuid.uuid4()}").json()

    assert {name: entity[name] for name in EVERYTHING} == EVERYTHING
    assert entity["shortid"].startswith("s-")


def test_a_field_that_is_changed_to_null_is_emptied_and_the_others_stay(farm):
    entity = create(farm, **EVERYTHING).json()

    farm.request("PATCH", address(entity), json={"context": None, "options": None})

    changed = farm.get(address(entity)).json()
    assert (changed["context"], changed["options"], changed["version"]) == (None, None, 2)
    assert all(changed[name] == EVERYTHING[name] for name in EVERYTHING if name not in ("context", "options"))


def test_a_change_is_answered_with_what_it_made_when_that_is_preferred(farm):
    entity = create(farm).json()

    answer = farm.request(
        "PATCH", address(entity), json={"content": "{% if %}"}, headers={"Prefer": "return=representation"}
    )

    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "return=representation")
    assert (answer.json()["version"], answer.json()["content"]) == (2, "{% if %}")
    assert "line 1" in answer.json()["@pressroom.warnings"][0]


def test_a_change_of_a_version_that_is_not_the_newest_is_refused_when_the_client_says_which(farm):
    entity = create(farm).json()
    first = farm.request("PATCH", address(entity), json={"content": "2"}, headers={"If-Match": '"1"'})
    second = farm.request("PATCH", address(entity), json={"content": "3"}, headers={"If-Match": '"1"'})
    removed = farm.request("DELETE", address(entity), headers={"If-Match": '"1"'})

    assert (first.status_code, first.headers["ETag"]) == (204, '"2"')
    assert (second.status_code, removed.status_code) == (412, 412)
    assert farm.get(address(entity)).json()["content"] == "2"
    assert farm.request("DELETE", address(entity), headers={"If-Match": first.headers["ETag"]}).status_code == 204


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"name": ""}, "name", "at least 1"),
        ({"name": "x\0"}, "name", "NUL"),
        ({"content": None}, "content", "a text"),
        ({"engine": "jinjer"}, "engine", "expected one of jinja, none"),
        ({"recipe": "docx"}, "recipe", "expected one of html, pdf, plutoprint-pdf"),
        ({"shortid": "a b"}, "shortid", "match pattern"),
        ({"sampleData": [1]}, "sampleData", "an object"),
        ({"sampleData": '{"a": NaN}'}, "sampleData", "NaN"),
        ({"contnt": "x"}, "contnt", "did you mean content?"),
        ({"options": {"timout": 5}}, "options.timout", "did you mean timeout?"),
        ({"options": {"timeout": 0}}, "options.timeout", "greater than 0"),
        ({"options": {"timeout": 10**9}}, "options.timeout", "600000"),
        ({"context": "a\nb"}, "context", "a label on one line"),
        ({"contextColour": "red"}, "contextColour", "match pattern"),
        ({"parameters": {}}, "parameters", "list"),
        ({"parameters": [{"name": "a b", "type": "string"}]}, "parameters[0].name", "letters, digits and _"),
        ({"parameters": [{"name": "in", "type": "string"}]}, "parameters[0].name", "letters, digits and _"),
        ({"parameters": [{"name": "a", "type": "text"}]}, "parameters[0].type", "'string', 'number'"),
        ({"parameters": [{"name": "a"}]}, "parameters[0].type", "missing"),
        ({"parameters": [{"name": "a", "type": "date", "requird": 1}]}, "parameters[0].requird", "mean required?"),
        ({"parameters": [{"name": "a", "type": "string", "default": 1}]}, "parameters[0].default", "a text"),
        (
            {"parameters": [{"name": "a", "type": "integer", "example": True}]},
            "parameters[0].example",
            "a whole number",
        ),
        ({"parameters": [{"name": "a", "type": "date", "default": "2026-02-30"}]}, "parameters[0].default", "a date"),
        (
            {"parameters": [{"name": "b", "type": "string"}] + 2 * [{"name": "a", "type": "string"}]},
            "parameters",
            "'a' stands at [1] and [2]",
        ),
        ({"fields": [{"name": "a", "type": "string"}, {"type": "string"}]}, "fields[1].name", "missing"),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_its_path(farm, change, field, said):
    answer = create(farm, **change)

    assert answer.status_code == 400
    assert answer.json()["error"]["target"] == field
    assert said in answer.json()["error"]["message"]


def test_everything_that_is_wrong_is_said_at_once(farm):
    parameters = [{"name": "ok", "type": "string"}, {"name": "1", "type": "date", "default": "x"}]
    answer = create(farm, engine="nope", recipe="nope", contextColour="x", parameters=parameters)

    fields = [one["target"] for one in answer.json()["error"]["details"]]
    assert sorted(fields) == ["contextColour", "engine", "parameters[1].default", "parameters[1].name", "recipe"]


def test_a_shortid_is_chosen_once(farm):
    entity = create(farm).json()

    again = create(farm, shortid=entity["shortid"])
    changed = farm.request("PATCH", address(entity), json={"shortid": "other"})

    assert (again.status_code, changed.status_code) == (409, 400)
    assert "when the template is created" in changed.json()["error"]["message"]


def test_the_templates_options_hold_where_a_render_names_none(farm):
    entity = create(farm, content="<p>x", options={"reportName": "Ansicht", "timeout": 60_000}).json()

    plain = farm.report({"_id": entity["_id"]})
    named = farm.report({"_id": entity["_id"]}, reportName="other")

    assert plain.headers["Content-Disposition"] == "inline; filename=Ansicht.html"
    assert named.headers["Content-Disposition"] == "inline; filename=other.html"


def test_the_templates_time_limit_ends_a_render_that_names_none(farm):
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    entity = create(farm, content=endless, options={"timeout": 300}).json()

    answer = farm.report({"_id": entity["_id"]})

    assert answer.json()["cause"] == "timeout"
    assert "0.3 s" in answer.json()["message"]


def test_a_pinned_version_is_rendered_with_all_that_belonged_to_it(farm):
    entity = create(farm, content="<p>{{ word }}", sampleData={"word": "one"}).json()
    change = {"content": "{{ word }}", "recipe": "text", "engine": "none", "sampleData": {"word": "two"}}
    farm.request("PATCH", address(entity), json=change)

    newest = farm.report({"shortid": entity["shortid"]})
    first = farm.report({"shortid": entity["shortid"], "version": 1})
    inline = farm.report({"shortid": entity["shortid"], "version": 1, "content": "<b>{{ word }}"})

    assert (newest.content, newest.headers["File-Extension"]) == (b"{{ word }}", "txt")
    assert (first.content, first.headers["File-Extension"]) == (b"<p>one", "html")
    assert inline.content == b"<b>one"


def test_a_version_that_there_is_not_is_not_found_and_the_newest_is_named(farm):
    entity = create(farm).json()

    answer = farm.report({"shortid": entity["shortid"], "version": 2})

    assert answer.status_code == 404
    assert "its newest is 1" in answer.json()["message"]


def test_a_version_of_no_stored_template_is_refused(farm):
    assert farm.report({"content": "x", "version": 1}).status_code == 400


def test_what_a_templates_author_should_know_is_in_the_answer(farm):
    created = create(farm, content="a\n{% include 'Ü 100%' %}")
    changed = farm.request("PATCH", address(created.json()), json={"content": "{% include 'Ü 100%' %}"})
    fine = create(farm)

    assert created.json()["@pressroom.warnings"] == ['line 2: there is no template named "Ü 100%" yet']
    assert changed.status_code == 204
    assert unquote(changed.headers["Pressroom-Warning"]) == 'line 1: there is no template named "Ü 100%" yet'
    assert changed.headers["Pressroom-Warning"].isascii()
    assert "@pressroom.warnings" not in fine.json()
    assert "Pressroom-Warning" not in fine.headers


def test_the_template_says_whether_its_documents_are_for_saving_and_the_request_wins(farm):
    entity = create(farm, options={"download": True, "reportName": "Label"}).json()

    stored = farm.report({"_id": entity["_id"]})
    asked = farm.report({"_id": entity["_id"]}, download=False, reportName="Mine")

    assert stored.headers["Content-Disposition"] == "attachment; filename=Label.html"
    assert asked.headers["Content-Disposition"] == "inline; filename=Mine.html"
