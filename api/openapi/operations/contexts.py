"""What `api.contexts` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi.answers import Meta  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.odata import DOWN
from api.openapi.operations.tags import REPORT_CONFIGURATIONS


class ReportConfigContext(TypedDict):
    """A label that groups report configurations."""

    context: Annotated[str, Field(description="The label.")]
    colour: Annotated[
        str | None, Field(description="Its colour, as `#rrggbb`: where templates differ, that of the latest.")
    ]
    reportConfigs: Annotated[int, Field(description="How many have it.")]


class ReportConfigContexts(TypedDict):
    """All labels."""

    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many there are.")]
    data: Annotated[list[ReportConfigContext], Field(description="The labels, in their order.")]
    meta: Meta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


LISTING = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="List the labels of report configurations",
    text="All of them, for whoever wants to choose one: the list of report configurations takes it as `context`.",
    answers={200: Answer("The labels.", {JSON: ReportConfigContexts})},
    errors={503: DOWN},
)
