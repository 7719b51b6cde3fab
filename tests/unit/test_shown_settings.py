"""The settings as the API shows them: all of them, where each comes from, and nothing that is secret."""

from __future__ import annotations

import hashlib
import re
import socket
from urllib.parse import quote

import pytest

from api.app import create_app
from api.shown_settings import HIDDEN, SECRETS, SHOWN, without_password
from shared.settings import Settings, described, load_settings

SECRET = "Xo9-s3cr/t?#%&=:@;y"
FINGERPRINT = hashlib.sha256(b"nameless").hexdigest()[:8]


def asked(home, **environment):
    token = {"Authorization": "Bearer nameless"} if "PRESSROOM_TOKENS" in environment else {}
    app = create_app(load_settings({"PRESSROOM_HOME": str(home), **environment}))
    try:
        return app.test_client().get("/api/v1/settings", headers=token)
    finally:
        app.extensions["pressroom"].database.close()


def shown(home, **environment):
    answer = asked(home, **environment)
    assert answer.status_code == 200
    return {one["name"]: one for one in answer.json["data"]}


def test_every_setting_is_shown_as_the_readme_has_it(tmp_path):
    found = shown(tmp_path)

    assert [(one["name"], one["default"], one["meaning"]) for one in found.values()] == [
        (row["name"], row["default"], row["help"]) for row in described()
    ]
    for name, one in found.items():
        if name != "PRESSROOM_HOME":
            assert (one["value"], one["source"]) == (one["default"], "default")


def test_a_value_is_shown_as_it_was_given_with_where_it_was_given(tmp_path):
    file = tmp_path / "jsreport.json"
    file.write_text('{"extensions": {"reports": {"cleanInterval": "2m", "cleanTreshold": "9d"}}}')
    given = {
        "PRESSROOM_CONFIG": str(file),
        "PRESSROOM_RENDER_TIMEOUT": "7.50",
        "REPORTS_CLEAN_THRESHOLD": "1d",
        "PURGE_HISTORY_DAYS": "",
    }

    found = shown(tmp_path, **given)

    assert {name: (one["value"], one["source"]) for name, one in found.items() if one["source"] != "default"} == {
        "PRESSROOM_HOME": (str(tmp_path), "environment"),
        "PRESSROOM_CONFIG": (str(file), "environment"),
        "PRESSROOM_RENDER_TIMEOUT": ("7.50", "environment"),
        "REPORTS_CLEAN_INTERVAL": ("2m", "file"),
        # The variable wins over the file.
        "REPORTS_CLEAN_TRESHOLD": ("1d", "environment"),
        "PURGE_HISTORY_DAYS": ("", "environment"),
    }


def test_a_relative_home_is_shown_as_the_place_that_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    home = shown("here")["PRESSROOM_HOME"]

    assert (home["value"], home["default"]) == (str(tmp_path / "here"), "./var")


def test_the_answer_says_whose_settings_they_are(tmp_path):
    meta = asked(tmp_path).json["meta"]

    assert (meta["process"], meta["host"]) == ("gateway", socket.gethostname())


def test_tokens_are_shown_by_their_names(tmp_path):
    found = shown(
        tmp_path, PRESSROOM_TOKENS="nameless,shop:alpha1,left:beta22", PRESSROOM_REVOKED_TOKENS="left,old:gamma3,delta4"
    )

    assert found["PRESSROOM_TOKENS"]["value"] == f"{FINGERPRINT}, shop, left"
    delta = hashlib.sha256(b"delta4").hexdigest()[:8]
    assert found["PRESSROOM_REVOKED_TOKENS"]["value"] == f"left, old, {delta}"


def test_of_a_key_only_whether_it_is_set_is_shown(tmp_path):
    keys = ("PRESSROOM_S3_ACCESS_KEY", "PRESSROOM_S3_SECRET_KEY")

    for given, value in (({}, ""), (dict.fromkeys(keys, "abc"), HIDDEN)):
        found = shown(tmp_path, **given)
        assert {found[key]["value"] for key in keys} == {value}
        assert {found[key]["secret"] for key in keys} == {True}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ""),
        ("sqlite:////srv/farm/pressroom.db", "sqlite:////srv/farm/pressroom.db"),
        ("postgresql://press:{}@db.example:5432/farm", "postgresql://press:***@db.example:5432/farm"),
        (
            "postgresql+psycopg://press:{}@db/farm?sslmode=require",
            "postgresql+psycopg://press:***@db/farm?sslmode=require",
        ),
        ("postgresql://press@db/farm", "postgresql://press@db/farm"),
        ("postgresql:///farm?host=/run/pg&user=u&password={}", "postgresql:///farm?host=/run/pg&user=***&password=***"),
        ("postgresql://db/farm?{}", "postgresql://db/farm?***"),
        ("postgresql://one:{}@a,two:{}@b/farm", "postgresql://one:***@b/farm"),
        ("postgresql:press:{}@db/farm", "***"),
        ("redis://:{}@cache:6379/0", "redis://***@cache:6379/0"),
        ("redis://{}@cache:6379/0", "redis://***@cache:6379/0"),
        ("rediss://user:{}@cache/1?ssl_cert_reqs=none", "rediss://***@cache/1?ssl_cert_reqs=***"),
        ("redis://cache/0?password={}#{}", "redis://cache/0?password=***#***"),
        ("redis+socket://:{}@/run/valkey.sock", "redis+socket://***@/run/valkey.sock"),
        ("redis://:{}@a/0;redis://:{}@b/0", "redis://***@b/0"),
    ],
)
def test_a_url_is_shown_without_what_is_secret_in_it(url, expected):
    for secret in ("plain", quote(SECRET, safe="")):
        assert without_password(url.replace("{}", secret)) == expected


@pytest.mark.parametrize("secret", [f"s3cr{sign}t5678" for sign in "@:/?#&=;% "] + [SECRET, "@", "?@", "#@#?"])
def test_signs_that_were_not_encoded_show_no_part_of_a_secret(secret):
    for url in (
        "postgresql://press:{}@db/farm",
        "postgresql://db/farm?password={}",
        "postgresql://press:{}@db/farm?password={}",
        "postgresql://db/farm?sslmode=require&password={}&port=1",
        "redis://:{}@cache/0",
        "redis://{}@cache/0",
        "redis://cache/0?password={}",
        "redis://cache/0#{}",
    ):
        hidden = without_password(url.replace("{}", secret))
        left = [part for part in re.split(r"[^A-Za-z0-9]+", secret) if len(part) > 1 and part in hidden]
        assert left == [], (url, hidden)


def planted(name):
    """Return a secret of its own for each place, in which nothing else of the answer stands."""
    return f"planted{name}secret"


def secrets_of(text):
    return re.findall(r"planted\w*secret", text)


def test_no_secret_is_anywhere_in_the_answer(tmp_path):
    environment = {
        "PRESSROOM_TOKENS": ",".join(
            ["nameless", planted("bare"), f"shop:{planted('named')}", f"9:{planted('digit')}", f"{planted('a')} b:c"]
        ),
        "PRESSROOM_REVOKED_TOKENS": f"{planted('gone')},old:{planted('older')},shop",
        "PRESSROOM_DATABASE_URL": f"postgresql://press:{planted('db')}@127.0.0.1:1/farm?password={planted('query')}",
        "PRESSROOM_BROKER_URL": f"redis://:{planted('redis')}@127.0.0.1:1/0?password={planted('option')}",
        "PRESSROOM_STORAGE": "s3",
        "PRESSROOM_S3_ENDPOINT": "127.0.0.1:1",
        "PRESSROOM_S3_ACCESS_KEY": planted("access"),
        "PRESSROOM_S3_SECRET_KEY": planted("key"),
        "PRESSROOM_PUBLIC_URL": f"https://press:{planted('link')}@farm.example/press",
    }
    settings = load_settings({"PRESSROOM_HOME": str(tmp_path), **environment})
    assert len(secrets_of(str(environment))) == 13

    answer = asked(tmp_path, **environment)

    assert answer.status_code == 200
    assert secrets_of(answer.text) == []
    assert secrets_of(str(answer.headers)) == []
    assert "press:***@127.0.0.1:1/farm" in answer.text
    # Neither is one in what a log would have of what the settings remember.
    assert secrets_of(repr(settings.given)) == []


def test_a_setting_whose_name_sounds_secret_is_shown_as_one():
    suspicious = re.compile(r"TOKENS?$|SECRET|PASSWORD|_KEY$|CREDENTIAL|_URL$|ENDPOINT$")
    for row in described():
        if suspicious.search(row["name"]):
            assert row["name"] in SHOWN, f"{row['name']}: say in api/shown_settings.py how it is shown"
    assert set(SHOWN) <= {row["name"] for row in described()}
    assert set(SECRETS) <= set(SHOWN)


def test_settings_are_equal_and_hashed_by_what_they_are(tmp_path):
    one, other = (load_settings({"PRESSROOM_HOME": str(tmp_path)}) for _ in range(2))

    assert isinstance(one, Settings)
    assert (one, hash(one)) == (other, hash(other))


def test_they_are_told_to_nobody_without_a_token(tmp_path):
    app = create_app(load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_TOKENS": "sesame"}))

    answer = app.test_client().get("/api/v1/settings")

    assert answer.status_code == 401
    assert "PRESSROOM_PORT" not in answer.text


def test_an_unknown_parameter_is_refused(tmp_path):
    app = create_app(load_settings({"PRESSROOM_HOME": str(tmp_path)}))

    answer = app.test_client().get("/api/v1/settings?secrets=1")

    assert answer.status_code == 400
    assert answer.json["errors"] == ["secrets is not a known query parameter: expected none"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_they_are_only_read(tmp_path, method):
    app = create_app(load_settings({"PRESSROOM_HOME": str(tmp_path)}))

    assert app.test_client().open("/api/v1/settings", method=method).status_code == 405
