"""Tokens: asked for everywhere but on the open routes."""

from __future__ import annotations

import hashlib

import pytest
from farms import Farm, eventually

OPEN = ["/healthz", "/readyz", "/api/ping"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, valkey):
    farm = Farm(
        tmp_path_factory.mktemp("guarded"),
        # A database of its own on the shared broker: this farm's messages must not reach the other's workers.
        PRESSROOM_BROKER_URL=valkey.url.replace("/0", "/1"),
        PRESSROOM_TOKENS="first,shop:second,shop:third,left:fourth,fifth",
        PRESSROOM_REVOKED_TOKENS="left,fifth",
    )
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()


@pytest.mark.parametrize("path", ["/api/recipe", "/api/version", "/odata/templates", "/reports/x/status", "/nothing"])
def test_without_a_token_there_is_a_401_that_says_how(guarded, path):
    answer = guarded.get(path)

    assert answer.status_code == 401
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert "Basic" in answer.headers["WWW-Authenticate"]
    assert "token" in answer.text


@pytest.mark.parametrize("header", [{"X-CSRFToken": "x"}, {"Sec-Fetch-Dest": "empty"}, {"Sec-Fetch-Dest": "image"}])
def test_what_a_page_asks_for_brings_up_no_box_for_passwords(guarded, header):
    answer = guarded.get("/api/recipe", headers=header)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Pressroom"'


@pytest.mark.parametrize("path", OPEN)
def test_open_routes_ask_for_none(guarded, path):
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("token", ["first", "second", "third"])
def test_each_token_opens_as_bearer_and_as_the_password_of_basic(guarded, token):
    assert guarded.get("/api/recipe", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert guarded.get("/api/recipe", auth=("anybody", token)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer sixth",
        "Bearer shop:second",
        "Bearer ",
        "Bearer first second",
        "Basic !!!",
        "first",
        "Digest x",
        "Bearer é",
    ],
)
def test_anything_else_is_refused(guarded, header):
    assert guarded.get("/api/recipe", headers={"Authorization": header.encode()}).status_code == 401


@pytest.mark.parametrize("token", ["fourth", "fifth"])
def test_a_revoked_token_is_told_so_whether_it_was_revoked_by_name_or_itself(guarded, token):
    answer = guarded.get("/api/v1/report-config", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401
    assert answer.json()["errors"] == ["This API token has been revoked."]


def test_the_settings_show_names_of_tokens_and_no_token(guarded):
    answer = guarded.get("/api/v1/settings", headers={"Authorization": "Bearer third"})

    found = {one["name"]: one for one in answer.json()["data"]}
    first, fifth = (hashlib.sha256(token).hexdigest()[:8] for token in (b"first", b"fifth"))
    assert found["PRESSROOM_TOKENS"]["value"] == f"{first}, shop, shop, left, {fifth}"
    assert found["PRESSROOM_REVOKED_TOKENS"]["value"] == f"left, {fifth}"
    assert found["PRESSROOM_PORT"]["value"] == str(guarded.port)
    assert found["PRESSROOM_PORT"]["source"] == "environment"
    assert found["PRESSROOM_HOME"]["value"] == str(guarded.home)
    shown = " ".join(one["value"] for one in found.values())
    assert [token for token in ("first", "second", "third", "fourth", "fifth") if token in shown] == []


def test_a_version_of_a_template_says_whose_token_made_it(guarded):
    body = {"name": "audited", "content": "one", "engine": "none", "recipe": "html"}
    guarded.token = "second"
    created = guarded.post("/api/v1/report-config", body)
    assert created.status_code == 201, created.text
    template = created.json()["data"]
    guarded.token = "first"
    guarded.request("PATCH", f"/api/v1/report-config/{template['id']}", json={"content": "two"})
    versions = guarded.get("/api/v1/report-config/audited/version").json()["data"]
    guarded.token = None

    # A token without a name is known by the beginning of its SHA-256.
    digest = hashlib.sha256(b"first").hexdigest()
    assert [one["createdBy"] for one in versions] == [f"token:{digest[:8]}", "token:shop"]


def test_a_public_report_is_open_and_another_is_not(guarded):
    guarded.token = "first"
    template = {"content": "<p>for all", "recipe": "html"}
    public = guarded.report(template, reports={"save": True, "public": True})
    private = guarded.report(template, reports={"save": True})
    guarded.token = None

    assert "/reports/public/" in public.headers["Permanent-Link"]
    assert guarded.get(public.headers["Permanent-Link"]).content == b"<p>for all"
    assert guarded.get(private.headers["Permanent-Link"]).status_code == 401
    sneaky = f"/reports/public/{private.headers['Report-Id']}/content"
    assert guarded.get(sneaky).status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_gateway_that_strangers_reach_does_not_start_without_tokens(tmp_path, host):
    farm = Farm(tmp_path, PRESSROOM_HOST=host)

    refused = farm.command("run", "gateway")

    assert refused.returncode == 1
    assert "PRESSROOM_TOKENS" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_gateway_that_strangers_reach_starts_when_told_that_this_is_meant(tmp_path):
    farm = Farm(tmp_path, PRESSROOM_HOST="0.0.0.0", PRESSROOM_INSECURE="1")
    try:
        farm.run_gateway()
        eventually(lambda: farm.get("/api/ping").status_code == 200)
    finally:
        farm.stop()
