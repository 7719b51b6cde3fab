"""The description is whole: every route, every field, and the very shapes that requests are checked with."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter

from api import app as gateway_app
from api.odata import options
from api.openapi import fields, headers
from api.openapi.addresses import UndescribedRouteError, addresses
from api.openapi.descriptions import described, description_of
from api.openapi.document import document
from api.openapi.operations import odata, system
from api.openapi.shapes import query_parameters, undescribed
from shared.settings import load_settings

BASE = "https://farm.example/press"
READERS = {"read_body": "body", "read_query": "query"}


@pytest.fixture
def gateway(tmp_path):
    return gateway_app.create_app(load_settings({"PRESSROOM_HOME": str(tmp_path)}))


@pytest.fixture
def written(gateway):
    return document(gateway, base=BASE)


def operations(written):
    return [
        (f"{method.upper()} {path}", said)
        for path, methods in written["paths"].items()
        for method, said in methods.items()
    ]


def test_it_is_an_openapi_document(written):
    assert list(OpenAPIV31SpecValidator(written).iter_errors()) == []
    assert written["openapi"].startswith("3.1.")
    assert written["servers"] == [{"url": BASE}]


def test_every_route_is_in_it(gateway, written):
    described_paths = {path.replace("('", "(").replace("')", ")") for path in written["paths"]}
    for rule in gateway.url_map.iter_rules():
        if rule.endpoint.startswith("studio."):
            continue
        path = re.sub(r"<(?:[^:<>]+:)?_?(\w+)>", r"{\1}", rule.rule).replace("('", "(").replace("')", ")")
        names = [path]
        if "{set_name}" in path:
            sets = {name: words.one for name, words in odata.ENTITIES.items()}
            names = [
                path.replace("{set_name}", name).replace("{entity_id}", f"{{{one}_id}}") for name, one in sets.items()
            ]
        assert set(names) <= described_paths, rule.rule


def test_a_route_that_says_nothing_about_itself_stops_it(gateway):
    gateway.add_url_rule("/surprise", "surprise", lambda: "")
    with pytest.raises(UndescribedRouteError, match="/surprise"):
        document(gateway, base=BASE)


def test_a_variable_that_nobody_explains_stops_it(gateway):
    gateway.add_url_rule("/surprise/<what>", "surprise", described(system.PING)(lambda what: ""))
    with pytest.raises(UndescribedRouteError, match="what"):
        document(gateway, base=BASE)


def read_by(function, seen) -> set[tuple[str, type]]:
    """Return what a function, and those of its module that it calls, hand to the readers of bodies and queries."""
    found = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        scope = inspect.unwrap(function).__globals__
        if node.func.id in READERS:
            [shape] = node.args
            found.add((READERS[node.func.id], scope[shape.id]))
        called = scope.get(node.func.id)
        if inspect.isfunction(called) and called.__module__ == function.__module__ and called not in seen:
            found |= read_by(called, seen | {called})
    return found


def test_each_view_reads_what_it_says_it_reads(gateway):
    compared = 0
    for name, view in gateway.view_functions.items():
        if name.startswith("studio."):
            continue
        said = description_of(view)
        expected = {(kind, shape) for kind, shape in (("body", said.body), ("query", said.query)) if shape is not None}
        assert read_by(view, {view}) == expected, view
        compared += len(expected)
    assert compared > 10


def test_every_field_is_explained_and_no_text_is_left_over(gateway, written):
    shapes = written["components"]["schemas"]
    assert list(undescribed(shapes)) == []
    queries = {one.query for one in addresses(gateway)} - {None}
    asked = {shape.__name__: {one["name"] for one in query_parameters(shape)} for shape in queries}
    known = {name: set(schema.get("properties", {})) for name, schema in shapes.items()} | asked
    left_over = {f"{shape}.{field}" for shape, texts in fields.FIELDS.items() for field in texts} - {
        f"{shape}.{field}" for shape, its in known.items() for field in its
    }
    assert left_over == set()
    assert all(one["description"] for shape in queries for one in query_parameters(shape))


def test_every_header_of_an_answer_is_explained(written):
    named = {
        name for _, said in operations(written) for answer in said["responses"].values() for name in answer["headers"]
    }
    assert named == set(headers.ANSWERED)


def test_the_options_of_lists_are_those_that_are_read():
    said = {one.name for one in odata.listing("reports").parameters if one.where == "query"}
    assert said == set(options.LIST)
    assert {one.name for one in odata.entity("reports").parameters} == set(options.ENTITY)
    assert {one.name for one in odata.count("reports").parameters} == set(options.COUNT)
    assert {one.name for one in odata.SERVICE.parameters} == set(options.DOCUMENT)


def test_an_operation_has_a_name_of_its_own_and_a_family(written):
    names = [said["operationId"] for _, said in operations(written)]
    assert len(names) == len(set(names))
    families = {tag["name"] for tag in written["tags"]}
    assert {tag for _, said in operations(written) for tag in said["tags"]} == families


def test_whoever_needs_a_token_may_be_told_so(written):
    for name, said in operations(written):
        assert ("401" in said["responses"]) == ("security" not in said), name


def test_examples_have_the_shape_of_their_body(gateway):
    tried = 0
    for address in addresses(gateway):
        for example in address.operation.examples.values():
            assert address.body is not None, address.path
            TypeAdapter(address.body).validate_python(example)
            tried += 1
    assert tried > 8


def test_nothing_is_written_before_somebody_asks(gateway):
    kept = functools.partial(map, str, gateway.extensions)
    assert not [name for name in kept() if name.startswith("openapi")]
    with gateway.test_client() as client:
        first = client.get("/openapi.json", base_url="http://one.example")
        second = client.get("/openapi.json", base_url="http://two.example")
    assert [answer.json["servers"][0]["url"] for answer in (first, second)] == [
        "http://one.example",
        "http://two.example",
    ]
    assert first.json["paths"] == second.json["paths"]
    assert [name for name in kept() if name.startswith("openapi")] == ["openapi document"]
