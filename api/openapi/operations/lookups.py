"""What `api.lookups` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi.answers import Meta, Reference  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.odata import DOWN
from api.openapi.operations.tags import FARM


class FoundAnswer(TypedDict):
    """What an id or a name may be."""

    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many things `data` has.")]
    data: Annotated[list[Reference], Field(description="What it is, the likeliest first; mostly one thing.")]
    meta: Meta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


FIND = Operation(
    tag=FARM,
    summary="What is this?",
    text="""\
Says what an id, a name or the name of a file is, as somebody may have it from an e-mail or a log: the id of a history
record, a render, a report, a print task, a batch, or the run of a schedule; a trace id; id, shortid or name of a
report, a template, a schedule or an asset; a printer's id or name; a report's `blobName`; the name of a PDF, with or
without its extension. Blanks and quotes around it, and the full stop behind it, do no harm.

A whole address of this farm is understood, too, whatever host it names: `https://farm/reports/<id>/content`. Encode
what you send as a whole, its slashes and question marks with it.

What has the id comes before what is called so. Of the reports that share a name, the ten newest are listed.""",
    answers={
        200: Answer(
            "What it is.",
            {JSON: FoundAnswer},
            example={
                "success": True,
                "count": 1,
                "data": [
                    {
                        "kind": "record",
                        "id": "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11",
                        "name": "label",
                        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
                        "status": "Ok",
                    }
                ],
                "meta": {"traceId": "0af7651916cd43dd8448eb211c80319c"},
                "status": 200,
            },
        )
    },
    errors={
        404: "Nothing has this id or name. The message says what could have been, and how long it is kept.",
        503: DOWN,
    },
)
