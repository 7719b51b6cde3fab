"""Assets that a Jinja template takes in: ``asset_text('site.css')`` as text, ``asset_json('labels.json')`` as data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jinja2 import Undefined

from shared.exceptions import NotFoundError, TemplateError
from workers.engines.formats import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.fetching import Fetched

JSON = "application/json"
TEXTS = ("text/css", "image/svg+xml", JSON)


def functions(read: Callable[[str], Fetched] | None) -> dict[str, Callable[[Any], Any]]:
    """Return the functions by the names that a template calls them by.

    Args:
        read: Returns the asset of a name; None: there are none.
    """

    def asset_text(name: Any) -> str:
        return _text(read, name, TEXTS)

    def asset_json(name: Any) -> Any:
        # It was JSON when it was uploaded.
        return json.loads(_text(read, name, (JSON,)))

    return {"asset_text": asset_text, "asset_json": asset_json}


def _text(read: Callable[[str], Fetched] | None, name: Any, expected: tuple[str, ...]) -> str:
    if isinstance(name, Undefined):
        name._fail_with_undefined_error()  # noqa: SLF001  # As Jinja's own functions do by using it.
    if not isinstance(name, str):
        raise TemplateError(f"{shown(name)} is not the name of an asset: expected a text")
    if read is None:
        raise NotFoundError(f"there is no asset named {shown(name)}")
    asset = read(name)
    if asset.media_type not in expected:
        raise TemplateError(f"asset {shown(name)} is {asset.media_type}: expected {' or '.join(expected)}")
    try:
        return asset.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateError(f"asset {shown(name)} is not UTF-8: store it so") from error
