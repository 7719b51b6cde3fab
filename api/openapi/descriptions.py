"""What a route says about itself. Nothing here is worked out before somebody asks for the document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

View = TypeVar("View", bound="Callable[..., object]")
_DESCRIBED = "described"

JSON = "application/json"
TEXT = "text/plain"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A part of the path or of the query, or a header, that a request may have.

    Args:
        name: Its name on the wire.
        where: ``path``, ``query`` or ``header``.
        text: What it is for.
        schema: Its JSON schema.
        example: A value that works.
    """

    name: str
    where: str
    text: str
    schema: Mapping[str, Any]
    example: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a request ends.

    Args:
        text: When it ends so, and what the caller has then.
        content: By media type, the shape of the body: a typed dictionary or another type, or a JSON schema; None: just
            bytes.
        headers: Names of the headers worth reading, each of which `headers.ANSWERED` explains.
        example: What such a body looks like.
    """

    text: str
    content: Mapping[str, Any] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a route does, for somebody who has never used it.

    Args:
        tag: The family it belongs to.
        summary: A few words.
        text: What else there is to know, in Markdown.
        answers: By status, what it answers when all is well, and errors whose body is not the family's usual one.
        errors: By status, when it refuses in the family's usual way; what can go wrong with any body, or with any
            request, is added by itself.
        parameters: Query and header parameters. Those of the path are known by their name.
        body: By media type, the schema of a body that no shape describes, such as a file.
        body_optional: Whether the body may be left out.
        examples: By name, bodies that work when they are sent as they are.
        head: Whether ``HEAD`` is worth a mention, as where the headers alone tell something.
    """

    tag: str
    summary: str
    text: str = ""
    answers: Mapping[int, Answer]
    errors: Mapping[int, str] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Any] | None = None
    body_optional: bool = False
    examples: Mapping[str, Any] = field(default_factory=dict)
    head: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """What a view says about itself."""

    operation: Operation | Callable[[str], Operation]
    body: type[BaseModel] | None
    query: type[BaseModel] | None


def described(
    operation: Operation | Callable[[str], Operation],
    *,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
) -> Callable[[View], View]:
    """Say what a view does.

    Args:
        operation: The description; or, of a route for every set of entities, what describes it for the set of a name.
        body: The shape that the view hands to `api.bodies.read_body`. A test compares the two.
        query: The shape that it hands to `api.paging.read_query`; the same holds.
    """

    def note(view: View) -> View:
        setattr(view, _DESCRIBED, Described(operation, body, query))
        return view

    return note


def description_of(view: object) -> Described | None:
    """Return what a view says about itself, if it does."""
    found: Described | None = getattr(view, _DESCRIBED, None)
    return found
