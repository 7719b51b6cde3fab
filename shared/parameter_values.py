"""What a render is given for a template's parameters: checked against them, and joined with the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared import spelling
from shared.parameters import TYPES, fits

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_CHARACTERS = 80
MOST_NAMED = 30


def merged(
    parameters: Mapping[str, Any],
    data: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None,
    declared: Sequence[Mapping[str, Any]] | None,
) -> dict[str, Any]:
    """Return the names that a template finds: of parameters and data with one name, the data counts.

    Args:
        parameters: What was given.
        data: What was sent: an object's keys are names, a list is ``rows``.
        declared: What the template asks for; what was not given and has a default is that.
    """
    known = dict(parameters)
    for one in declared or ():
        if known.get(one["name"]) is None and one.get("default") is not None:
            known[one["name"]] = one["default"]
    names = data if isinstance(data, Mapping) else {} if data is None else {"rows": list(data)}
    return {"parameters": known, "rows": [], **known, **names}


def problems(parameters: Mapping[str, Any], declared: Sequence[Mapping[str, Any]] | None) -> list[tuple[str, str]]:
    """Return what is wrong with parameters: field and text, as of `UnprocessableError`.

    Nothing (null) is what was not given. A template that declares no parameters takes any.

    Args:
        parameters: What was given.
        declared: What the template asks for.
    """
    known = {one["name"]: one for one in declared or ()}
    found = []
    for name, one in known.items():
        value = parameters.get(name)
        path, expected = f"parameters.{name}", TYPES[one["type"]]
        if value is not None and not fits(value, one["type"]):
            found.append((path, f"{path} is {_shown(value)}: expected {expected}"))
        elif value is None and one.get("required"):
            said = "null" if name in parameters else "missing"
            found.append((path, f"{path} is {said}: the template needs {expected}"))
    unknown = [name for name in parameters if name not in known] if known else []
    found += [_unknown(name, known) for name in unknown[:MOST_NAMED]]
    if len(unknown) > MOST_NAMED:
        found.append(("parameters", f"and {len(unknown) - MOST_NAMED} more that are no parameters of this template"))
    return found


def _unknown(name: str, known: Mapping[str, Any]) -> tuple[str, str]:
    path = f"parameters.{_shortened(name)}"
    hint = spelling.hint(_shortened(name), known, f"expected {', '.join(list(known)[:MOST_NAMED])}")
    return path, f"{path} is not a parameter of this template: {hint}"


def _shown(value: Any) -> str:
    return _shortened(json.dumps(value, ensure_ascii=False))


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
