"""What `api.shown_settings` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi.answers import TraceId  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.tags import FARM


class Setting(TypedDict):
    """One setting."""

    name: Annotated[str, Field(description="The variable of the environment that says it.")]
    value: Annotated[
        str,
        Field(
            description="What it is, as the environment would say it; the home is a whole path. Of a secret: the names "
            "of tokens, a URL with `***` for what is secret in it, and else `***`. Empty: it is not set."
        ),
    ]
    default: Annotated[str, Field(description="What it is when nobody says it.")]
    source: Annotated[
        Literal["environment", "file", "default"],
        Field(description="Who said it: the environment, the file that `PRESSROOM_CONFIG` names, or nobody."),
    ]
    meaning: Annotated[str, Field(description="What it is for.")]
    secret: Annotated[bool, Field(description="Whether it may have a secret, and is not shown as it is.")]


class SettingsMeta(TypedDict):
    """Whose settings these are."""

    traceId: TraceId
    process: Annotated[Literal["gateway"], Field(description="Which process has these settings.")]
    host: Annotated[str, Field(description="The name of the machine that it runs on.")]


class SettingsAnswer(TypedDict):
    """Every setting."""

    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many settings `data` has.")]
    data: Annotated[list[Setting], Field(description="The settings, in the order of the README's table.")]
    meta: SettingsMeta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


READ = Operation(
    tag=FARM,
    summary="Read the settings",
    text="Every setting that the gateway has which answers, as of its start: its workers, and other gateways, may have "
    "been started with others. They are changed in the environment. No secret is in the answer: of tokens it has "
    "the names, of a token without a name the beginning of its SHA-256, as records name it.",
    answers={200: Answer("The settings.", {JSON: SettingsAnswer})},
)
