"""The schemas of OData's entities, from the properties by which `api.odata` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.odata.properties import Type
from api.odata.sets import SETS
from api.openapi.fields import FIELDS
from api.openapi.operations.odata import ENTITIES

if TYPE_CHECKING:
    from api.odata.properties import Property
    from api.odata.sets import EntitySet

_ANY_OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": True}
_TYPES: dict[Type, dict[str, Any]] = {
    Type.STRING: {"type": "string"},
    Type.BOOLEAN: {"type": "boolean"},
    Type.INT32: {"type": "integer", "format": "int32"},
    Type.INT64: {"type": "integer", "format": "int64"},
    Type.DOUBLE: {"type": "number"},
    Type.DATE: {"type": "string", "format": "date-time"},
    Type.OBJECT: _ANY_OBJECT,
    Type.OBJECTS: {"type": "array", "items": _ANY_OBJECT},
}


def schemas() -> dict[str, Any]:
    """Return the schema of each set's entity, and of a list of them, by name."""
    found: dict[str, Any] = {}
    for one in SETS.values():
        found[one.entity] = _entity(one)
        found[f"{one.entity}List"] = _list(one)
    return found | _report_configs(found["Template"]["properties"]) | _asset_entries(found["Asset"]["properties"])


def _report_configs(template: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of the other face that templates have."""
    properties = {name: said for name, said in template.items() if name != "@odata.context"}
    names = {name: properties[name] for name in ("_id", "shortid", "name")}
    again = {"id": {"type": "string", "description": "The same as `_id`."}}
    version = {
        "number": {"type": "integer", "description": "Its number, counted from 1."},
        "creationDate": {"type": "string", "format": "date-time", "description": "When it was saved."},
        "name": {"type": "string", "description": "What the template was called then."},
        "createdBy": {"type": ["string", "null"], "description": "Whose token saved it; null where none is asked for."},
    }
    return {
        "ReportConfig": {
            "type": "object",
            "description": "A template, as `/api/v1` shows it.",
            # A version never changes, and has no date of that.
            "required": ["id", *(name for name in properties if name != "modificationDate")],
            "properties": again | properties,
        },
        "ListedReportConfig": {
            "type": "object",
            "description": "A template, as a list under `/api/v1` shows it.",
            "required": ["id", *properties, "certificate"],
            "properties": again | properties | {"certificate": _CERTIFICATE},
        },
        "RemovedReportConfig": {
            "type": "object",
            "description": "What a removed template was called.",
            "required": ["id", *names],
            "properties": again | names,
        },
        "ReportConfigVersion": {
            "type": "object",
            "description": "One of a template's versions.",
            "required": list(version),
            "properties": version,
        },
    }


# In short; `api.openapi.operations.certificates` has the whole.
_CERTIFICATE = {
    "type": ["object", "null"],
    "description": "Whether the fast engine makes its documents as the reference does; null: nobody has asked yet.",
    "required": ["verdict", "reason", "issuedAt", "samples"],
    "properties": {
        "verdict": {
            "type": "string",
            "enum": ["pending", "certified", "refused", "failed", "withdrawn"],
            "description": "What was found.",
        },
        "reason": {"type": ["string", "null"], "description": "The first reason why it is not certified."},
        "issuedAt": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "Since when the verdict stands.",
        },
        "samples": {"type": "integer", "description": "How many real documents were compared and agreed."},
    },
}


def _asset_entries(asset: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of the other face that assets have."""
    properties = {name: said for name, said in asset.items() if name not in ("@odata.context", "_id")}
    own = {"id": asset["_id"]}
    entry = {
        **own,
        **properties,
        "folder": {"type": "string", "description": "The folder part of its name; empty: it is in none."},
        "url": {"type": "string", "description": "Where its content is."},
    }
    removed = {**own, "shortid": asset["shortid"], "name": asset["name"]}
    return {
        "AssetEntry": {
            "type": "object",
            "description": "An asset, as `/api/v1` shows it.",
            "required": list(entry),
            "properties": entry,
        },
        "RemovedAsset": {
            "type": "object",
            "description": "What a removed asset was called.",
            "required": list(removed),
            "properties": removed,
        },
    }


def _entity(one: EntitySet) -> dict[str, Any]:
    properties = {name: _property(one, said) for name, said in one.properties.items()}
    context = {"type": "string", "description": "Where the shape of this answer is described."}
    return {
        "type": "object",
        "description": f"{ENTITIES[one.name].text} Every property is there, unless `$select` names others.",
        "properties": {"@odata.context": context} | properties,
        "patternProperties": {r"^@pressroom\.": {"description": "What else there is to say, such as `warnings`."}},
    }


def _property(one: EntitySet, said: Property) -> dict[str, Any]:
    schema = dict(_TYPES[said.type])
    if said.presented:
        schema["enum"] = list(dict.fromkeys(said.presented.values()))
    if said.nullable:
        schema["type"] = [schema["type"], "null"]
    schema["description"] = FIELDS.get(one.entity, {}).get(said.name, "")
    return schema


def _list(one: EntitySet) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"A list of {one.name}.",
        "required": ["@odata.context", "value"],
        "properties": {
            "@odata.context": {"type": "string", "description": "Where the shape of this answer is described."},
            "@odata.count": {"type": "integer", "description": "How many there are in all; only with `$count=true`."},
            "@odata.nextLink": {"type": "string", "description": "Where the list goes on; absent at its end."},
            "value": {
                "type": "array",
                "description": "This page of them.",
                "items": {"$ref": f"#/components/schemas/{one.entity}"},
            },
        },
    }
