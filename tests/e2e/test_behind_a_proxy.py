"""Every link that the gateway gives away leads back to it the way the client came."""

from __future__ import annotations

import pytest
from farms import Farm

FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "r.example", "X-Forwarded-Prefix": "/farm"}
LATER = {"template": {"content": "x", "recipe": "html"}, "options": {"reports": {"async": True}}}


@pytest.fixture
def gateway(tmp_path, valkey):
    """Start gateways; nothing is rendered here."""
    started = []

    def start(**settings):
        environment = {f"PRESSROOM_{name}": value for name, value in settings.items()}
        farm = Farm(tmp_path / f"farm-{len(started)}", PRESSROOM_BROKER_URL=valkey.url, **environment)
        started.append(farm)
        assert farm.command("migrate").returncode == 0
        farm.run_gateway()
        return farm

    yield start
    for farm in started:
        farm.stop()


def links(farm, prefix="", **headers):
    """Return every link that one report's and one template's answers have."""
    begun = farm.post(f"{prefix}/api/report", LATER, headers=headers)
    assert begun.status_code == 200, begun.text
    preferred = farm.post(f"{prefix}/api/report", LATER, headers={"Prefer": "respond-async", **headers})
    body = {"name": f"t {len(headers)} {prefix}", "content": "x"}
    created = farm.post(f"{prefix}/odata/templates", body, headers=headers)
    listed = farm.get(f"{prefix}/odata/reports?$top=1", headers={"Prefer": "odata.maxpagesize=1", **headers})
    return [
        begun.headers["Location"],
        preferred.headers["Location"],
        preferred.json()["statusUrl"],
        created.headers["Location"],
        created.json()["@odata.context"],
        listed.json()["@odata.context"],
    ]


def test_a_trusted_proxy_s_address_and_prefix_are_in_every_link(gateway):
    farm = gateway(TRUSTED_PROXIES="127.0.0.0/8")

    assert [one for one in links(farm, **FORWARDED) if not one.startswith("https://r.example/farm/")] == []
    assert [one for one in links(farm) if not one.startswith(f"{farm.base}/")] == []


def test_a_stranger_s_forwarded_headers_change_no_link(gateway):
    farm = gateway()

    assert [one for one in links(farm, **FORWARDED) if not one.startswith(f"{farm.base}/")] == []


@pytest.mark.parametrize("prefix", ["", "/farm"])
def test_the_public_url_wins_whether_the_proxy_strips_its_prefix_or_not(gateway, prefix):
    farm = gateway(PUBLIC_URL="https://r.example/farm/", TRUSTED_PROXIES="127.0.0.1")

    for headers in ({}, FORWARDED | {"X-Forwarded-Host": "other.example"}):
        answers = links(farm, prefix, **headers)
        assert [one for one in answers if not one.startswith("https://r.example/farm/")] == []
        assert [one for one in answers if "/farm/farm" in one] == []
