"""What `api.odata` answers: the same for every set of entities, and in each set's own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.openapi.descriptions import JSON, TEXT, Answer, Operation, Parameter
from api.openapi.operations import tags

if TYPE_CHECKING:
    from collections.abc import Mapping

DOWN = "The database does not answer. Try again shortly."
VERSION = ("OData-Version",)


@dataclass(frozen=True, slots=True)
class Entity:
    """The words for one set's entities.

    Args:
        tag: Their family.
        entity: The name of their schema.
        one: What one of them is called.
        text: What one of them is.
        filter: A filter that makes sense for them.
        order: An order that does.
    """

    tag: str
    entity: str
    one: str
    text: str
    filter: str
    order: str


ENTITIES: Mapping[str, Entity] = {
    "reports": Entity(
        tags.REPORTS,
        "Report",
        "report",
        "A document that is kept, or that is being made to be kept.",
        "state eq 'success' and creationDate ge 2026-01-01T00:00:00Z",
        "creationDate desc",
    ),
    "templates": Entity(
        tags.TEMPLATES,
        "Template",
        "template",
        "A stored template, as its newest version has it.",
        "recipe eq 'weasyprint-pdf' and startswith(name, 'inv')",
        "name",
    ),
    "assets": Entity(
        tags.ASSETS,
        "Asset",
        "asset",
        "A file that templates use by its name.",
        "startswith(mediaType, 'image/')",
        "size desc",
    ),
    "schedules": Entity(
        tags.SCHEDULES,
        "Schedule",
        "schedule",
        "A template that is rendered at the times of a cron line.",
        "enabled eq true",
        "nextRun",
    ),
    "tasks": Entity(
        tags.TASKS,
        "Task",
        "task",
        "One run of a schedule.",
        "state eq 'error'",
        "dueDate desc",
    ),
}


def _option(name: str, text: str, kind: str = "string", example: object = None) -> Parameter:
    return Parameter(name=name, where="query", text=text, schema={"type": kind}, example=example)


_FORMAT = Parameter(
    name="$format", where="query", text="Only `json` is offered.", schema={"type": "string", "enum": ["json"]}
)
_SELECT = _option("$select", "Which properties to answer with, by commas; left out: all.", example="_id,name")


def _filter(words: Entity) -> Parameter:
    return _option(
        "$filter",
        "Which ones: comparisons (`eq ne gt ge lt le in`) joined by `and`, `or` and `not`, with `contains`, "
        "`startswith`, `endswith`, `tolower`, `toupper`, `year`, `month` and `day`. One that is not understood is "
        "refused, with the place where it goes wrong.",
        example=words.filter,
    )


def _number(name: str, text: str) -> Parameter:
    schema = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    return Parameter(name=name, where="query", text=text, schema=schema)


def listing(set_name: str) -> Operation:
    """Describe the list of a set."""
    words = ENTITIES[set_name]
    return Operation(
        tag=words.tag,
        summary=f"List {set_name}",
        text="Page by page: follow `@odata.nextLink` until there is none. That costs the same for the last page as for "
        "the first, which `$skip` does not.",
        parameters=(
            _filter(words),
            _option("$orderby", "By what, each with `asc` or `desc` behind it.", example=words.order),
            _number("$top", "How many at most."),
            _number("$skip", "How many to leave out first."),
            _SELECT,
            _option("$count", "Whether to say how many there are in all.", "boolean"),
            _option("$skiptoken", "Where the page before ended: part of `@odata.nextLink`, not for making up."),
            _FORMAT,
            Parameter(
                name="Prefer",
                where="header",
                text="`odata.maxpagesize=20`: smaller pages.",
                schema={"type": "string"},
                example="odata.maxpagesize=20",
            ),
        ),
        answers={
            200: Answer(
                "A page of the list.",
                {JSON: {"$ref": f"#/components/schemas/{words.entity}List"}},
                ("OData-Version", "Preference-Applied"),
            )
        },
        errors={400: "An option is unknown, malformed, or means nothing here; the message points at it.", 503: DOWN},
    )


def entity(set_name: str) -> Operation:
    """Describe how one of a set is read."""
    words = ENTITIES[set_name]
    return Operation(
        tag=words.tag,
        summary=f"Read a {words.one}" if words.one != "asset" else "Read an asset's entry",
        parameters=(_SELECT, _FORMAT),
        answers={200: answer_entity(set_name, f"The {words.one}.")},
        errors={
            400: "An option is unknown or malformed; the message points at it.",
            404: f"There is no such {words.one}.",
            503: DOWN,
        },
    )


def count(set_name: str) -> Operation:
    """Describe the number of a set's entities."""
    words = ENTITIES[set_name]
    return Operation(
        tag=words.tag,
        summary=f"Count {set_name}",
        parameters=(_filter(words),),
        answers={200: Answer("The number.", {TEXT: str}, VERSION, "42")},
        errors={400: "The filter is malformed, or means nothing here; the message points at it.", 503: DOWN},
    )


def answer_entity(set_name: str, text: str, *, headers: tuple[str, ...] = ()) -> Answer:
    """Describe an answer that is one entity of a set."""
    schema = {"$ref": f"#/components/schemas/{ENTITIES[set_name].entity}"}
    return Answer(text, {JSON: schema}, (*headers, *VERSION))


def done(text: str) -> Answer:
    """Describe the answer to a PATCH or a DELETE."""
    return Answer(text, headers=VERSION)


SERVICE = Operation(
    tag=tags.ODATA,
    summary="List the sets of entities",
    text="The service document: where an OData client begins.",
    parameters=(_FORMAT,),
    answers={
        200: Answer(
            "The sets.",
            {JSON: dict},
            VERSION,
            {
                "@odata.context": "https://farm.example/odata/$metadata",
                "value": [{"name": name, "kind": "EntitySet", "url": name} for name in ENTITIES],
            },
        )
    },
    errors={400: "An option is unknown; the message names those that there are."},
)
METADATA = Operation(
    tag=tags.ODATA,
    summary="Describe the sets of entities",
    text="Every set, and every property with its type, as OData's own XML (CSDL) says it.",
    answers={200: Answer("The description.", {"application/xml": str}, VERSION)},
    errors={400: "An option is unknown; the message names those that there are."},
)
