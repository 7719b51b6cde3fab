"""The schemas of bodies, queries and answers, made from the shapes that the code works with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from api.openapi import entities
from api.openapi.fields import FIELDS, QUERY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel


class _Plain(GenerateJsonSchema):
    """Schemas without a title for each field: it would only repeat the name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


class Shapes:
    """All shapes of one document. What is handed out at first is filled when all are known."""

    def __init__(self) -> None:
        self._wanted: dict[Any, dict[str, Any]] = {}

    def reference(self, shape: Any) -> dict[str, Any]:
        """Return what will be the shape's schema; one that is a schema already is returned as it is."""
        return dict(shape) if isinstance(shape, dict) else self._wanted.setdefault(shape, {})

    def content(self, shape: Any) -> dict[str, Any]:
        """Return a body's description; bytes have no schema."""
        return {} if shape is None else {"schema": self.reference(shape)}

    def resolve(self) -> dict[str, Any]:
        """Fill all schemas, and return those that others refer to."""
        schemas, shared = TypeAdapter.json_schemas(
            [(index, "validation", TypeAdapter(shape)) for index, shape in enumerate(self._wanted)],
            ref_template="#/components/schemas/{model}",
            schema_generator=_Plain,
        )
        for index, schema in enumerate(self._wanted.values()):
            schema.update(schemas[index, "validation"])
        components: dict[str, Any] = shared.get("$defs", {})
        _explain(components)
        components |= entities.schemas()
        return dict(sorted(components.items()))


def _explain(components: dict[str, Any]) -> None:
    """Give every field its text, and take away what tells a reader nothing."""
    for name, schema in components.items():
        if "description" in schema:
            schema["description"] = schema["description"].replace("``", "`")
        schema.pop("title", None)
        for field, said in schema.get("properties", {}).items():
            # Nothing, as a default, stands for what is not said.
            default = said.get("default", ...)
            if default is None or default == "" or isinstance(default, dict):
                del said["default"]
            text = FIELDS.get(name, {}).get(field)
            if text:
                said["description"] = text


def undescribed(components: Mapping[str, Any]) -> Iterator[str]:
    """Return the fields, as ``Shape.field``, that no text explains."""
    for name, schema in components.items():
        for field, said in schema.get("properties", {}).items():
            if not said.get("description") and "$ref" not in said:
                yield f"{name}.{field}"


def query_parameters(shape: type[BaseModel] | None) -> Iterator[dict[str, Any]]:
    """Return the parameters that a shape has for fields."""
    if shape is None:
        return
    schema = shape.model_json_schema(schema_generator=_Plain)
    texts = {**QUERY_FIELDS, **FIELDS.get(shape.__name__, {})}
    for name, said in schema["properties"].items():
        required = name in schema.get("required", ())
        example = {"example": said["examples"][0]} if "examples" in said else {}
        text = texts.get(name, "")
        yield {"name": name, "in": "query", "description": text, "required": required, "schema": said, **example}
