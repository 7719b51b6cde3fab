"""The OpenAPI document, written from the routes, their descriptions and the shapes that check their requests."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from api.openapi import answers as shapes_of_answers
from api.openapi.addresses import UndescribedRouteError, addresses
from api.openapi.descriptions import JSON, TEXT, Answer
from api.openapi.headers import ANSWERED, EVERYWHERE
from api.openapi.operations.tags import DESCRIPTIONS
from api.openapi.parameters import PATH
from api.openapi.shapes import Shapes, query_parameters
from api.openapi.texts import COMMON_ERRORS, INTRODUCTION, TITLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

    from api.openapi.addresses import Address
    from api.openapi.descriptions import Parameter

VERSION = "3.1.0"
METHODS = ("get", "head", "post", "put", "patch", "delete")


def document(app: Flask, *, base: str) -> dict[str, Any]:
    """Write the document.

    Args:
        app: The gateway, with all its routes.
        base: The address under which its clients reach it.

    Raises:
        UndescribedRouteError: A route, or a variable of its path, says nothing about itself.
    """
    shapes = Shapes()
    paths: dict[str, dict[str, Any]] = {}
    for address in addresses(app):
        known = paths.get(address.path, {}) | dict(_Writer(address, shapes).operations())
        paths[address.path] = {method: known[method] for method in METHODS if method in known}
    schemas = shapes.resolve()
    return {
        "openapi": VERSION,
        "info": {
            "title": TITLE,
            "version": version("pressroom"),
            "description": INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base}],
        "security": [{"bearer": []}, {"basic": []}],
        "tags": [{"name": name, "description": text} for name, text in DESCRIPTIONS.items()],
        "paths": dict(sorted(paths.items(), key=_rank)),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "One of `PRESSROOM_TOKENS`."},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user name, and one of `PRESSROOM_TOKENS` as the password.",
                },
            },
            "headers": {name: dict(header) for name, header in ANSWERED.items()}
            | {"X-Trace-Id": {**ANSWERED["X-Trace-Id"], "required": True}},
            "parameters": {one.name: _parameter(one) for one in EVERYWHERE},
            "schemas": schemas,
        },
    }


def _rank(one: tuple[str, dict[str, Any]]) -> tuple[int, bool, int, str]:
    """Return what paths are sorted by: the family; jsreport's own addresses first; the shorter, the more general."""
    path, operations = one
    tag = next(iter(operations.values()))["tags"][0]
    return list(DESCRIPTIONS).index(tag), path.startswith("/odata"), len(path), path


class _Writer:
    """Writes what one address does."""

    def __init__(self, address: Address, shapes: Shapes) -> None:
        self._address = address
        self._shapes = shapes

    def operations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for method in self._address.methods:
            yield method.lower(), self._operation(method.lower())
        if self._address.operation.head:
            yield "head", self._head()

    def _operation(self, method: str) -> dict[str, Any]:
        said = self._address.operation
        written: dict[str, Any] = {"tags": [said.tag], "summary": said.summary}
        written["operationId"] = f"{self._address.name}.{method}"
        if said.text:
            written["description"] = said.text
        if self._address.open:
            written["security"] = []
        written["parameters"] = self._parameters()
        body = self._body()
        if body:
            written["requestBody"] = {"required": not said.body_optional, "content": body}
        written["responses"] = self._answers(has_body=bool(body))
        return written

    def _head(self) -> dict[str, Any]:
        written = self._operation("head")
        written["summary"] += ", the headers alone"
        written["description"] = "As `GET`, without the body."
        for answer in written["responses"].values():
            answer.pop("content", None)
        return written

    def _parameters(self) -> list[dict[str, Any]]:
        said = self._address.operation.parameters
        known = {**PATH, **{one.name: one for one in said if one.where == "path"}}
        unknown = [name for name in self._address.variables if name not in known]
        if unknown:
            raise UndescribedRouteError(
                f"{self._address.path}: api/openapi/parameters.py does not know {', '.join(unknown)}"
            )
        return [
            *(_parameter(known[name]) for name in self._address.variables),
            *(_parameter(one) for one in said if one.where != "path"),
            *query_parameters(self._address.query),
            *({"$ref": f"#/components/parameters/{one.name}"} for one in EVERYWHERE),
        ]

    def _body(self) -> dict[str, Any]:
        said = self._address.operation
        if self._address.body is None:
            return {media_type: {"schema": schema} for media_type, schema in (said.body or {}).items()}
        content: dict[str, Any] = {"schema": self._shapes.reference(self._address.body)}
        if said.examples:
            content["examples"] = {
                re.sub(r"\W+", "-", name).lower(): {"summary": name, "value": value}
                for name, value in said.examples.items()
            }
        return {JSON: content}

    def _answers(self, *, has_body: bool) -> dict[str, Any]:
        said = self._address.operation
        usual: dict[int, str] = {}
        if not self._address.open:
            usual[401] = COMMON_ERRORS[401]
        if has_body:
            usual |= {status: COMMON_ERRORS[status] for status in (400, 413, 415)}
        if self._address.query is not None:
            usual[400] = COMMON_ERRORS[400]
        usual |= said.errors
        answers = {status: self._refusal(status, text) for status, text in usual.items()} | dict(said.answers)
        return {str(status): self._answer(answers[status]) for status in sorted(answers)}

    def _refusal(self, status: int, text: str) -> Answer:
        headers = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
        return Answer(text, {JSON: _error_of(self._address.path), TEXT: str}, headers.get(status, ()))

    def _answer(self, answer: Answer) -> dict[str, Any]:
        written: dict[str, Any] = {"description": answer.text}
        written["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in (*answer.headers, "X-Trace-Id")
        }
        if answer.content:
            content = {media_type: self._shapes.content(shape) for media_type, shape in answer.content.items()}
            if answer.example is not None:
                next(iter(content.values()))["example"] = answer.example
            written["content"] = content
        return written


def _error_of(path: str) -> type:
    """Return the shape in which a family of addresses refuses, as `api.errors.answer_error` does."""
    if path.startswith("/api/v1/"):
        return shapes_of_answers.Failure
    return shapes_of_answers.ODataError if path.startswith("/odata") else shapes_of_answers.Error


def _parameter(one: Parameter) -> dict[str, Any]:
    written: dict[str, Any] = {"name": one.name, "in": one.where, "description": one.text, "schema": dict(one.schema)}
    if one.where == "path":
        written["required"] = True
    if one.example is not None:
        written["example"] = one.example
    return written
