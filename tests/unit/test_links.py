"""Links lead back the way the client came, and only trusted proxies are asked which way that was."""

from __future__ import annotations

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from api import links
from shared.settings import load_settings

FORWARDED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "reports.example",
    "X-Forwarded-Prefix": "/farm",
    "X-Forwarded-For": "203.0.113.9",
}


def seen(peer, headers, path="/x", **environment):
    """Return the URL and the client's address that the app sees."""
    settings = load_settings({f"PRESSROOM_{name}": value for name, value in environment.items()})

    @Request.application
    def show(request):
        return Response(f"{request.url} {request.remote_addr}")

    client = Client(links.behind_proxies(show, settings))
    return client.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": peer}).text


def test_nobody_is_believed_who_is_not_trusted():
    assert seen("10.0.0.7", FORWARDED) == "http://localhost/x 10.0.0.7"
    assert seen("10.1.0.7", FORWARDED, TRUSTED_PROXIES="10.0.0.0/24") == "http://localhost/x 10.1.0.7"
    assert seen("", FORWARDED, TRUSTED_PROXIES="10.0.0.0/24") == "http://localhost/x "


@pytest.mark.parametrize("peer", ["10.0.0.7", "::ffff:10.0.0.7", "2001:db8::1"])
def test_a_trusted_proxy_is_believed(peer):
    assert seen(peer, FORWARDED, TRUSTED_PROXIES="10.0.0.0/24, 2001:db8::/32") == (
        "https://reports.example/farm/x 203.0.113.9"
    )


def test_only_the_nearest_proxy_s_word_counts():
    headers = FORWARDED | {"X-Forwarded-Host": "evil.example, reports.example"}

    assert seen("10.0.0.7", headers, TRUSTED_PROXIES="10.0.0.7").startswith("https://reports.example/")


def test_the_public_url_s_prefix_may_be_stripped_by_the_proxy_or_not():
    assert seen("10.0.0.7", {}, "/farm/x", PUBLIC_URL="https://reports.example/farm/") == (
        "http://localhost/farm/x 10.0.0.7"
    )
    assert seen("10.0.0.7", {}, "/x", PUBLIC_URL="https://reports.example/farm") == "http://localhost/x 10.0.0.7"
    assert seen("10.0.0.7", {}, "/farming", PUBLIC_URL="https://reports.example/farm").endswith("/farming 10.0.0.7")
