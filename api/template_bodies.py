"""The shapes of what is said of a template, whichever of its two faces it is said to."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from api.bodies import JsonObject, Name, Strict, Text, writable
from shared import catalogue, parameters

LABEL_LENGTH = 60
MOST_ENTRIES = 200
Type = Literal["string", "number", "integer", "boolean", "date", "datetime", "array", "object"]
Named = TypeVar("Named", "ParameterBody", "FieldBody")


def _engine(name: str) -> str:
    return _one_of(name, catalogue.names(catalogue.ENGINES))


def _recipe(name: str) -> str:
    return _one_of(name, catalogue.names(catalogue.RECIPES))


def _one_of(name: str, known: list[str]) -> str:
    if name not in known:
        raise ValueError(f"one of {', '.join(known)}")
    return name


def _label(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("a label on one line")
    return text


def _usable(name: str) -> str:
    if not parameters.is_name(name):
        raise ValueError("a name such as orderNumber: letters, digits and _, without a digit in front")
    return name


def _unchangeable(_value: object) -> None:
    raise ValueError("none: a shortid is chosen when the template is created")


def _each_once(entries: list[Named] | None) -> list[Named] | None:
    names = [entry.name for entry in entries or ()]
    again = next((place for place, name in enumerate(names) if name in names[:place]), None)
    if again is not None:
        raise ValueError(f"each name once, and {names[again]!r} stands at [{names.index(names[again])}] and [{again}]")
    return entries


class ParameterBody(Strict):
    """One of a template's ``parameters``."""

    name: Annotated[Name, AfterValidator(_usable)]
    type: Type
    required: bool = False
    default: Annotated[Any, AfterValidator(writable)] = None
    example: Annotated[Any, AfterValidator(writable)] = None
    description: Text | None = None

    @field_validator("default", "example")
    @classmethod
    def _fit(cls, value: Any, info: ValidationInfo) -> Any:
        kind = info.data.get("type")
        if value is not None and kind is not None and not parameters.fits(value, kind):
            raise ValueError(f"{parameters.TYPES[kind]}, since the parameter's type is {kind}")
        return value


class FieldBody(Strict):
    """One of a template's ``fields``: what it expects in the data, for those who send it."""

    name: Name
    type: Type = "string"
    description: Text | None = None


class TemplateOptionsBody(Strict):
    """A template's ``options``: those of its renders that name none themselves. ``timeout`` is in milliseconds."""

    report_name: Name | None = Field(default=None, alias="reportName")
    download: bool | None = None
    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class _TemplateBody(Strict):
    content: Text = ""
    engine: Annotated[Text, AfterValidator(_engine)] | None = None
    recipe: Annotated[Text, AfterValidator(_recipe)] | None = None
    sample_data: Annotated[JsonObject, AfterValidator(writable)] = Field(default=None, alias="sampleData")
    options: TemplateOptionsBody | None = None
    parameters: Annotated[list[ParameterBody], Field(max_length=MOST_ENTRIES), AfterValidator(_each_once)] | None = None
    fields: Annotated[list[FieldBody], Field(max_length=MOST_ENTRIES), AfterValidator(_each_once)] | None = None
    context: Annotated[Text, Field(min_length=1, max_length=LABEL_LENGTH), AfterValidator(_label)] | None = None
    context_colour: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] | None = Field(
        default=None, alias="contextColour"
    )


class NewTemplateBody(_TemplateBody):
    """A template that is created."""

    name: Name
    shortid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None


class DraftBody(_TemplateBody):
    """A template that is to be seen before it is saved: the body that would create it, whose name may be left out."""

    name: Name = "preview"
    shortid: Text | None = None


class ReplacedTemplateBody(_TemplateBody):
    """A template's next version in full; what is not named is as if it had never been."""

    name: Name
    shortid: Annotated[None, BeforeValidator(_unchangeable)] = Field(default=None, exclude=True)


class ChangedTemplateBody(_TemplateBody):
    """What changes of a template; what is not named stays."""

    name: Name = ""
    shortid: Annotated[None, BeforeValidator(_unchangeable)] = Field(default=None, exclude=True)
