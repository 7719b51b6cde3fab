"""Templates as ReportConfigs: the other face of the same entities."""

from __future__ import annotations

import uuid
from urllib.parse import quote

import pytest

BASE = "/api/v1/report-config"


def create(farm, **changes):
    body = {"name": f"c-{uuid.uuid4()}", "content": "<p>{{ word }}", "recipe": "html", "sampleData": {"word": "sample"}}
    return farm.post(BASE, body | changes)


def test_both_faces_show_the_same_entity(farm):
    made_here = create(farm, context="Sales", contextColour="#abcdef", parameters=[{"name": "a", "type": "array"}])
    made_there = farm.post("/odata/templates", {"name": f"o-{uuid.uuid4()}", "recipe": "html"})

    assert made_here.status_code == 201
    for entity in (made_here.json()["data"], made_there.json()):
        here = farm.get(f"{BASE}/{entity['_id']}").json()["data"]
        there = farm.get(f"/odata/templates('{entity['_id']}')").json()
        assert here.pop("id") == entity["_id"]
        assert here == {name: value for name, value in there.items() if not name.startswith("@")}
    assert farm.get(made_here.headers["Location"]).json()["data"] == made_here.json()["data"]


def test_a_change_at_one_face_is_seen_at_the_other(farm):
    entity = create(farm).json()["data"]
    there = f"/odata/templates('{entity['_id']}')"

    farm.request("PATCH", there, json={"content": "2"})
    here = farm.request("PATCH", f"{BASE}/{entity['shortid']}", json={"context": "Lager"})
    assert (here.status_code, here.json()["data"]["version"], here.json()["data"]["content"]) == (200, 3, "2")
    assert farm.get(there).json()["context"] == "Lager"

    assert farm.request("DELETE", there).status_code == 204
    assert farm.get(f"{BASE}/{entity['_id']}").status_code == 404


@pytest.mark.parametrize("name", ["Rechnung Österreich", "a/b c/ü?&#", "per%20cent", "it's (1) “2”"])
def test_a_template_is_found_by_any_name(farm, name):
    name = f"{name} {uuid.uuid4()}"
    entity = create(farm, name=name).json()["data"]

    answer = farm.get(f"{BASE}/{quote(name, safe='')}")

    assert answer.json()["data"] == entity
    assert farm.get(f"{BASE}/{quote(name, safe='')}/version").json()["data"][0]["name"] == name
    assert farm.request("DELETE", f"{BASE}/{quote(name, safe='')}").status_code == 200
    assert farm.get(f"{BASE}/{entity['_id']}").status_code == 404


def test_a_name_that_looks_like_a_part_of_another_is_found_where_there_is_no_other(farm):
    name = f"n-{uuid.uuid4()}"
    for part in ("version", "version/1"):
        create(farm, name=f"{name}/{part}")
        assert farm.get(f"{BASE}/{name}/{part}").json()["data"]["name"] == f"{name}/{part}"
    create(farm, name=name)

    assert farm.get(f"{BASE}/{name}/version/1").json()["data"]["name"] == name
    assert farm.get(f"{BASE}/{name}/version/version").json()["data"][0]["name"] == f"{name}/version"
    assert farm.request("PATCH", f"{BASE}/{name}/version", json={"content": "2"}).json()["data"]["version"] == 2


def test_what_is_replaced_keeps_nothing_that_is_not_named(farm):
    entity = create(farm, context="Sales").json()["data"]

    answer = farm.request("PUT", f"{BASE}/{entity['_id']}", json={"name": entity["name"], "content": "new"})

    replaced = answer.json()["data"]
    assert answer.status_code == 200
    assert (replaced["version"], replaced["content"], replaced["context"], replaced["sampleData"]) == (
        2, "new", None, None,
    )  # fmt: skip
    assert (replaced["recipe"], replaced["shortid"]) == ("weasyprint-pdf", entity["shortid"])
    assert farm.request("PUT", f"{BASE}/{entity['_id']}", json={"content": "new"}).status_code == 400


def test_versions_are_listed_and_shown_as_they_were(farm):
    entity = create(farm).json()["data"]
    name = f"{entity['name']}-2"
    farm.request("PATCH", f"{BASE}/{entity['_id']}", json={"name": name, "content": "2", "sampleData": None})

    listed = farm.get(f"{BASE}/{entity['_id']}/version").json()
    first = farm.get(f"{BASE}/{entity['_id']}/version/1").json()["data"]

    assert [(one["number"], one["name"]) for one in listed["data"]] == [(2, name), (1, entity["name"])]
    assert (listed["count"], listed["meta"]["total"], listed["meta"]["page"]) == (2, 2, 1)
    assert first["creationDate"] == listed["data"][1]["creationDate"]
    assert {key: value for key, value in first.items() if key != "creationDate"} == {
        key: value for key, value in entity.items() if key not in ("creationDate", "modificationDate")
    }
    missing = farm.get(f"{BASE}/{entity['_id']}/version/9999999999999")
    assert missing.status_code == 404
    assert "its newest is 2" in missing.json()["errors"][0]


def test_a_list_is_searched_filtered_sorted_and_paged(farm):
    mark = uuid.uuid4().hex
    for name, context in (("b", "x"), ("a", None), ("c", mark)):
        create(farm, name=f"{name}-{mark}" if context != mark else f"c-{uuid.uuid4()}", context=context)

    def names(query):
        answer = farm.get(f"{BASE}?search={mark}&{query}")
        assert answer.status_code == 200
        return [one["name"][0] for one in answer.json()["data"]], answer.json()["meta"]["total"]

    assert names("") == (["a", "b", "c"], 3)
    assert names("sort=-name") == (["c", "b", "a"], 3)
    assert names("sort=creationDate&pageSize=2") == (["b", "a"], 3)
    assert names("sort=creationDate&pageSize=2&page=2") == (["c"], 3)
    assert names("context=x") == (["b"], 1)
    assert names("recipe=text") == ([], 0)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("pagesize=5", "did you mean pageSize?"),
        ("pageSize=201", "201"),
        ("page=0", "page is"),
        ("sort=nam", "'name'"),
        ("search=%00", "NUL"),
        ("sort=name&sort=name", "expected once"),
    ],
)
def test_a_query_that_a_list_does_not_know_is_refused(farm, query, said):
    for address in (BASE, f"{BASE}/x/version"):
        answer = farm.get(f"{address}?{query}")
        assert answer.status_code == 400
        assert answer.json()["success"] is False
    assert said in farm.get(f"{BASE}?{query}").json()["errors"][0]


def test_every_broken_field_is_listed(farm):
    answer = create(farm, engine="nope", contextColour="x", parameters=[{"name": "a", "type": "date", "default": 5}])

    assert answer.status_code == 400
    assert [error.partition(" ")[0] for error in answer.json()["errors"]] == [
        "engine",
        "parameters[0].default",
        "contextColour",
    ]


def test_a_name_belongs_to_one_template_whichever_face_gave_it(farm):
    entity = farm.post("/odata/templates", {"name": f"o-{uuid.uuid4()}"}).json()

    answer = create(farm, name=entity["name"])

    assert answer.status_code == 409
    assert entity["name"] in answer.json()["errors"][0]
    assert answer.json()["meta"]["fields"] == ["name"]
    # Where the shortid is chosen, too, it may be that which is taken.
    assert "fields" not in create(farm, name=entity["name"], shortid="one-of-mine").json()["meta"]


def test_a_change_of_a_version_that_is_not_the_newest_is_refused_when_the_client_says_which(farm):
    created = create(farm)
    address = f"{BASE}/{created.json()['data']['_id']}"
    tag = created.headers["ETag"]

    changed = farm.request("PUT", address, json={"name": f"c-{uuid.uuid4()}"}, headers={"If-Match": tag})
    again = farm.request("PATCH", address, json={"content": "x"}, headers={"If-Match": tag})

    assert (changed.status_code, again.status_code) == (200, 412)
    assert farm.get(address).headers["ETag"] == changed.headers["ETag"] != tag


def test_warnings_come_with_a_save_and_not_later(farm):
    created = create(farm, content="\n{% extends 'nope' %}").json()
    changed = farm.request("PATCH", f"{BASE}/{created['data']['_id']}", json={"content": "\n{{ 1 +"}).json()

    assert created["meta"]["warnings"] == ['line 2: there is no template named "nope" yet']
    assert changed["meta"]["warnings"][0].startswith("The template cannot be read: line 2: ")
    assert "warnings" not in farm.get(f"{BASE}/{created['data']['_id']}").json()["meta"]


@pytest.mark.parametrize("key", ["nope", "%00", "%ED%A0%80", "a//b", "nope/version", "nope/version/1", "/"])
def test_a_template_that_there_is_not_is_not_found(farm, key):
    answer = farm.get(f"{BASE}/{key}")

    assert answer.status_code == 404
    assert answer.json()["success"] is False
