"""The settings over HTTP, to be read. What is secret in them is shown to nobody."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from flask import Blueprint, Response

from api import gateway
from api.envelope import success
from api.openapi import described
from api.openapi.operations import shown_settings as operations
from api.paging import NoQuery, read_query
from shared.settings import Source
from shared.settings import described as declared
from shared.tokens import read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.settings import Settings

HIDDEN = "***"
# What a URL's query may say aloud; whatever else a driver understands there may be a password.
HARMLESS = frozenset({"host", "port", "sslmode", "connect_timeout", "application_name", "target_session_attrs"})

_PARTS = re.compile(r"([^?#]*)(\??)([^#]*)(#?)(.*)", re.DOTALL)

blueprint = Blueprint("shown_settings", __name__, url_prefix="/api/v1")


@blueprint.get("/settings")
@described(operations.READ, query=NoQuery)
def read() -> Response:
    """List every setting of this gateway."""
    read_query(NoQuery)
    settings = gateway.current().settings
    given = {one.name: one for one in settings.given}
    shown = []
    for one in declared():
        name, default = one["name"], one["default"]
        said = given.get(name)
        text = default if said is None else said.text
        shown.append(
            {
                "name": name,
                "value": SHOWN.get(name, _as_it_is)(settings, text),
                "default": default,
                "source": Source.DEFAULT if said is None else said.source,
                "meaning": one["help"],
                "secret": name in SECRETS,
            }
        )
    return success(shown, process="gateway", host=socket.gethostname())


def without_password(url: str) -> str:
    """Return a URL without what is secret in it: the account's password, and all of the query that may be one.

    Where it is not clear what is the account and what is not, as signs in it were not encoded, all of that is hidden.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return HIDDEN if url else ""
    head, question, query, hash_sign, fragment = _PARTS.fullmatch(rest).groups()  # type: ignore[union-attr]  # Always.
    if "@" in query + fragment:
        return f"{scheme}://{HIDDEN}"
    # Up to the last sign: a password that was not encoded may have some of its own.
    account, at, place = head.rpartition("@")
    user, colon, _ = account.partition(":")
    if at and scheme.startswith("redis"):
        # Nobody logs in to Redis with a name alone: what stands there may be a password without its colon.
        account = HIDDEN
    elif colon:
        account = f"{user}:{HIDDEN}"
    parts = "&".join(_without_value(part) for part in query.split("&"))
    return f"{scheme}://{account}{at}{place}{question}{parts}{hash_sign}{HIDDEN if hash_sign else ''}"


def _without_value(part: str) -> str:
    name, equals, _ = part.partition("=")
    return part if name in HARMLESS or not part else f"{name}={HIDDEN}" if equals else HIDDEN


def _as_it_is(_settings: Settings, text: str) -> str:
    return text


def _hidden(_settings: Settings, text: str) -> str:
    return HIDDEN if text else ""


def _address(_settings: Settings, text: str) -> str:
    # Mostly host and port.
    return without_password(text) if "@" in text or "://" in text else text


def _url(_settings: Settings, text: str) -> str:
    return without_password(text)


def _home(settings: Settings, _text: str) -> str:
    return str(settings.home)


def _tokens(settings: Settings, _text: str) -> str:
    return ", ".join(token.name for token in settings.tokens)


def _revoked(settings: Settings, _text: str) -> str:
    # Each is a token, or a name of one.
    names = {token.name for token in settings.tokens}
    return ", ".join(entry if entry in names else read_token(entry).name for entry in settings.revoked_tokens)


SECRETS: Mapping[str, Callable[[Settings, str], str]] = {
    "PRESSROOM_TOKENS": _tokens,
    "PRESSROOM_REVOKED_TOKENS": _revoked,
    "PRESSROOM_DATABASE_URL": _url,
    "PRESSROOM_BROKER_URL": _url,
    "PRESSROOM_FLOWER_URL": _url,
    "PRESSROOM_S3_ACCESS_KEY": _hidden,
    "PRESSROOM_S3_SECRET_KEY": _hidden,
}
SHOWN: Mapping[str, Callable[[Settings, str], str]] = {
    **SECRETS,
    "PRESSROOM_HOME": _home,
    "PRESSROOM_PUBLIC_URL": _address,
    "PRESSROOM_S3_ENDPOINT": _address,
}
