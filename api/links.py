"""The addresses that the gateway gives away."""

from __future__ import annotations

from typing import Any

from flask import current_app, request

from api import gateway


def absolute(endpoint: str, **values: Any) -> str:
    """Return a route's address as the client can reach it."""
    base = gateway.current().settings.public_url or request.host_url
    path: str = current_app.url_for(endpoint, **values)
    return f"{base.rstrip('/')}{path}"
