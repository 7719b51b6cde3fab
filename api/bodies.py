"""The shapes of request bodies. Field names are the wire's; an unknown field is refused with the nearest known one."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar, get_args

from flask import request
from gunicorn.http.errors import ParseException
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from api.errors import InvalidBodyError
from shared import spelling
from shared.durations import duration
from shared.submissions import TemplateChoice

SHOWN_CHARACTERS = 80
MOST_PROBLEMS = 20
NAME_LENGTH = 200
# What a column of the database holds.
LARGEST_INTEGER = 2**31 - 1
EXPECTED = {
    "bool_type": "true or false",
    "string_type": "a text",
    "dict_type": "an object",
    "list_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "int_type": "a whole number",
    "float_type": "a number",
    "missing": "a value",
}

Body = TypeVar("Body", bound=BaseModel)


def _storable(text: str) -> str:
    # PostgreSQL has no NUL in texts, and nothing can encode half of a surrogate pair.
    if "\0" in text:
        raise ValueError("a text without the NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text of whole Unicode characters, without lone surrogates") from error
    return text


def _an_object(value: object) -> object:
    """Read data that came as JSON text; what is not an object is refused."""
    if isinstance(value, str):
        try:
            # The parser of the body itself, so that the same text means the same in both places.
            value = from_json(value)
        except ValueError as error:
            raise ValueError(f"an object, or a text that is the JSON of one ({error})") from error
        if not isinstance(value, dict):
            raise ValueError("a text that is the JSON of an object")  # noqa: TRY004  # Pydantic takes ValueErrors.
    elif value is not None and not isinstance(value, dict):
        raise ValueError("an object, or a text that is the JSON of one")
    return value


def writable(value: Any) -> Any:
    """Refuse what the JSON reader takes and JSON has not."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise ValueError("JSON, which has no NaN or Infinity and no number of thousands of digits") from error
    return value


def _seconds(value: object) -> object:
    """Read a duration: a text such as ``5m``, or milliseconds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a duration such as 30s, 5m, 2h or 1d, or milliseconds")  # noqa: TRY004  # As above.
    try:
        return duration(value if isinstance(value, str) else f"{value:.3f}")
    except OverflowError:
        # A whole number of hundreds of digits.
        raise ValueError("a duration of more than 0 and at most 100 years") from None
    except ValueError as error:
        raise ValueError(str(error).removeprefix("expected ")) from error


Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH), AfterValidator(_storable)]
# Seconds; on the wire a duration.
Duration = Annotated[float, BeforeValidator(_seconds, json_schema_input_type=str | float)]
JsonText = Annotated[str, Field(json_schema_extra={"contentMediaType": "application/json"})]
JsonObject = Annotated[
    dict[str, Any] | None, BeforeValidator(_an_object, json_schema_input_type=dict[str, Any] | JsonText | None)
]


class Strict(BaseModel):
    """The root of every shape: unknown fields are refused, and values must be of their type."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=False, frozen=True)


class TemplateBody(Strict):
    """``template`` of a render request."""

    id: Text | None = Field(default=None, alias="_id")
    shortid: Text | None = None
    name: Text | None = None
    version: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] | None = None
    content: Text | None = None
    engine: Text | None = None
    recipe: Text | None = None

    @property
    def choice(self) -> TemplateChoice:
        """What it says, for those who find templates."""
        return TemplateChoice(
            template_id=self.id,
            shortid=self.shortid,
            name=self.name,
            version=self.version,
            content=self.content,
            engine=self.engine,
            recipe=self.recipe,
        )


class ReportsBody(Strict):
    """``options.reports`` of a render request. ``expiresIn`` is a duration, ``keep`` pins the report."""

    save: bool = False
    run_async: bool = Field(default=False, alias="async")
    public: bool = False
    blob_name: Text | None = Field(default=None, alias="blobName")
    keep: bool = False
    expires_in: Duration | None = Field(default=None, alias="expiresIn")


class ChangedReportBody(Strict):
    """The body of ``PATCH /odata/reports('id')``; what is not named stays."""

    report_name: Name | None = Field(default=None, alias="reportName")
    public: bool | None = None
    keep: bool | None = None


class OptionsBody(Strict):
    """``options`` of a render request. ``timeout`` is in milliseconds."""

    report_name: Name | None = Field(default=None, alias="reportName")
    download: bool = False
    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    reports: ReportsBody = ReportsBody()


class RenderBody(Strict):
    """The body of ``POST /api/report``."""

    template: TemplateBody
    data: JsonObject = None
    options: OptionsBody = OptionsBody()


def read_body(shape: type[Body]) -> Body:
    """Read the request's JSON body.

    Raises:
        BadRequest: The body broke off.
        RequestEntityTooLarge: The body is over the limit.
        UnsupportedMediaType: The body does not say that it is JSON. (Insisting on it also keeps a foreign web page from
            posting here unasked: a browser sends JSON across origins only after it was allowed to.)
        InvalidBodyError: It is no JSON, or a field is unknown, missing or of the wrong type; all of them are named.
    """
    if not request.is_json:
        given = request.content_type or "missing"
        raise UnsupportedMediaType(f"Content-Type is {given}: expected application/json")
    try:
        content = request.get_data()
    except (OSError, ParseException) as error:
        # A malformed chunk, or a client that fell silent.
        raise BadRequest("The body could not be read to its end") from error
    limit = request.max_content_length
    if request.content_length is None and limit is not None and len(content) >= limit:
        # A body that comes in chunks says no length; reading it stops at the limit without a word.
        raise RequestEntityTooLarge
    try:
        return shape.model_validate_json(content)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        explained = [_explained(shape, one) for one in problems[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            explained.append(("", f"and {len(problems) - MOST_PROBLEMS} more"))
        raise InvalidBodyError(explained) from error


def has_body() -> bool:
    """Say whether the request brings a body: one that may be left out is not read then."""
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _explained(shape: type[BaseModel], error: Any) -> tuple[str, str]:
    """Return a field's path and what is wrong with it."""
    path = shortened(_path(error["loc"]))
    kind = error["type"]
    if kind == "json_invalid":
        why = str(error["ctx"]["error"])
        if "hex escape" in why:
            why += " (an escape is cut short, or is half of a surrogate pair without the other)"
        return "", f"The body is not JSON: {why}"
    if kind == "extra_forbidden":
        near = spelling.nearest(path.rpartition(".")[2], _known_fields(shape, error["loc"][:-1]))
        return path, f"{path} is not a known field" + (f": did you mean {near}?" if near else "")
    if kind == "missing":
        return path, f"{path} is missing"
    if kind == "value_error":
        expected = str(error["ctx"]["error"])
    else:
        expected = EXPECTED.get(kind) or _lowered(str(error["msg"]))
    subject = path or "The body"
    return path, f"{subject} is {_shown(error['input'])}: expected {expected}"


def _path(places: tuple[str | int, ...]) -> str:
    """Write a field's path, as in ``parameters[2].default``."""
    written = "".join(f"[{place}]" if isinstance(place, int) else f".{place}" for place in places)
    return written.removeprefix(".")


def _known_fields(shape: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the wire names of the fields at a path of nested bodies."""
    for part in path:
        for name, field in shape.model_fields.items():
            if part in (name, field.alias):
                shape = _shape_in(field.annotation) or shape
    return [field.alias or name for name, field in shape.model_fields.items()]


def _shape_in(annotation: Any) -> type[BaseModel] | None:
    """Return the shape in a field's type: the type itself, or that of a list's entries, or of what is not None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _shape_in(part))), None)


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return shortened(text)


def shortened(text: str) -> str:
    """Return the beginning of a text, as much as a message has room for."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _lowered(message: str) -> str:
    # "Input should be greater than 0" -> "greater than 0": it follows the word "expected".
    return message.removeprefix("Input should be ").removeprefix("String should ")
