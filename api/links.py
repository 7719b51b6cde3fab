"""The addresses that the gateway gives away, and whom it believes about the address that a client used."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.middleware.proxy_fix import ProxyFix

from api import gateway

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Network, IPv6Network
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from shared.settings import Settings


def absolute(endpoint: str, **values: Any) -> str:
    """Return a route's address as the client can reach it."""
    path: str = current_app.url_for(endpoint, **values)
    public_url = gateway.current().settings.public_url
    if public_url:
        # It has the prefix already.
        return public_url.rstrip("/") + path.removeprefix(request.script_root)
    return request.host_url.rstrip("/") + path


def behind_proxies(app: WSGIApplication, settings: Settings) -> WSGIApplication:
    """Return the app such that it knows under which address and prefix its clients reach it.

    ``X-Forwarded-*`` is believed when it comes from a proxy that the settings trust, and from nobody else. A proxy may
    strip the path prefix of ``PRESSROOM_PUBLIC_URL`` or leave it.
    """
    return _Prefixed(_Forwarded(app, settings.trusted_proxies), urlsplit(settings.public_url).path.rstrip("/"))


class _Forwarded:
    def __init__(self, app: WSGIApplication, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._app = app
        self._trusted = trusted
        self._believing = ProxyFix(app, x_for=1, x_proto=1, x_host=1, x_port=1, x_prefix=1)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        believed = self._trusted and self._trusts(environ.get("REMOTE_ADDR", ""))
        return (self._believing if believed else self._app)(environ, start_response)

    def _trusts(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        # How a listener of both families names a peer of the older one.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._trusted)


class _Prefixed:
    def __init__(self, app: WSGIApplication, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if self._prefix and path.startswith(f"{self._prefix}/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + self._prefix
            environ["PATH_INFO"] = path.removeprefix(self._prefix)
        return self._app(environ, start_response)
