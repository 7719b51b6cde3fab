"""What `api.templates` answers."""

from __future__ import annotations

from api.openapi import headers
from api.openapi.descriptions import Answer, Operation, Parameter
from api.openapi.operations import odata
from api.openapi.operations.tags import TEMPLATES

SAVED = ("ETag", "Pressroom-Warning")
STALE = "It is at another version by now than the one that `If-Match` names."
TAKEN = "Another template has this name or shortid."
IN_USE = "A schedule renders it; the message names the schedules."
NO_SUCH = "There is no such template."

LABEL = {
    "name": "parcel-label",
    "content": "<style>@page { size: 62mm 29mm; margin: 3mm }</style>{{ code | barcode }}",
    "recipe": "plutoprint-pdf",
    "sampleData": {"code": "PR-0001"},
    "parameters": [{"name": "code", "type": "string", "required": True, "example": "PR-4711"}],
    "context": "Warehouse",
    "contextColour": "#1f6f43",
}

CREATE = Operation(
    tag=TEMPLATES,
    summary="Store a template",
    text="Whatever its text includes need not exist yet: what is missing is said in `@pressroom.warnings`, and it is "
    "stored all the same.",
    examples={"A label with a bar code": LABEL},
    answers={201: odata.answer_entity("templates", "It is stored, as version 1.", headers=("Location", *SAVED))},
    errors={409: TAKEN, 503: odata.DOWN},
)
CHANGE = Operation(
    tag=TEMPLATES,
    summary="Change a template",
    text="What is named makes the next version, what is not named stays. Renders that began before are not touched.",
    parameters=(
        headers.IF_MATCH,
        Parameter(
            name="Prefer",
            where="header",
            text="`return=representation`: answer with the template as it is now.",
            schema={"type": "string"},
            example="return=representation",
        ),
    ),
    examples={"Another recipe": {"recipe": "weasyprint-pdf"}},
    answers={
        200: odata.answer_entity(
            "templates",
            "It is changed, and this is what it is now. (`Prefer: return=representation`)",
            headers=(*SAVED, "Preference-Applied"),
        ),
        204: Answer("It is changed.", headers=(*SAVED, *odata.VERSION)),
    },
    errors={404: NO_SUCH, 409: TAKEN, 412: STALE, 503: odata.DOWN},
)
REMOVE = Operation(
    tag=TEMPLATES,
    summary="Remove a template",
    text="What was rendered from it stays.",
    parameters=(headers.IF_MATCH,),
    answers={204: odata.done("It is gone.")},
    errors={404: NO_SUCH, 409: IN_USE, 412: STALE, 503: odata.DOWN},
)
