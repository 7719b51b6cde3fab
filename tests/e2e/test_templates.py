"""Stored templates: created, found in three ways, overridden, changed, removed."""

from __future__ import annotations

import uuid

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


def test_a_query_option_is_refused_rather_than_ignored(farm):
    answer = farm.get("/odata/templates?$filter=name eq 'x'")

    assert answer.status_code == 400
    assert "$filter" in answer.json()["error"]["message"]
