from __future__ import annotations

from pathlib import Path

import pytest

from shared.exceptions import SettingsError
from shared.settings import check_exposure, described, load_settings


def test_an_empty_environment_describes_an_embedded_farm():
    settings = load_settings({})

    assert settings.home == Path("var").absolute()
    assert settings.database == f"sqlite:///{settings.home}/pressroom.db"
    assert settings.broker == f"redis+socket://{settings.home}/run/valkey.sock"
    assert settings.tokens == ()


def test_a_misspelt_setting_is_refused_with_the_nearest_known_one():
    with pytest.raises(SettingsError, match="PRESSROOM_TOKEN: did you mean PRESSROOM_TOKENS"):
        load_settings({"PRESSROOM_TOKEN": "secret"})


def test_other_programs_variables_are_nobodys_business():
    load_settings({"PRESS": "1", "CELERY_BROKER_URL": "x"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PRESSROOM_PORT", "eighty", "a whole number"),
        ("PRESSROOM_PORT", "0", "at least 1"),
        ("PRESSROOM_RENDER_TIMEOUT", "soon", "a number"),
        ("PRESSROOM_RENDER_TIMEOUT", "nan", "a number"),
        ("PRESSROOM_RENDER_TIMEOUT", "700", "at most PRESSROOM_RENDER_TIMEOUT_MAX"),
        ("PRESSROOM_SYNC_WAIT", "inf", "a number"),
        ("PRESSROOM_PORT", "70000", "at most 65535"),
        ("PRESSROOM_HOME", "/tmp/100%20x", "without %"),
        ("PRESSROOM_DATABASE_URL", "mysql://x/y", "postgresql:"),
        ("PRESSROOM_BROKER_URL", "http://x", "redis:"),
        ("PRESSROOM_PUBLIC_URL", "javascript:x", "https:"),
        ("PRESSROOM_WORKER_DEAD_AFTER", "5", "twice PRESSROOM_HEARTBEAT_INTERVAL"),
        ("PRESSROOM_INSECURE", "maybe", "1 or 0"),
        ("PRESSROOM_STORAGE", "tape", "filesystem, s3"),
        ("PRESSROOM_LOG_LEVEL", "loud", "DEBUG"),
    ],
)
def test_a_malformed_setting_is_refused_with_its_name_value_and_what_was_expected(name, value, expected):
    with pytest.raises(SettingsError) as refused:
        load_settings({name: value})

    assert name in refused.value.message
    assert value in refused.value.message
    assert expected in refused.value.message


def test_s3_without_its_account_names_everything_that_is_missing():
    with pytest.raises(SettingsError, match="PRESSROOM_S3_ENDPOINT, PRESSROOM_S3_SECRET_KEY"):
        load_settings({"PRESSROOM_STORAGE": "s3", "PRESSROOM_S3_ACCESS_KEY": "key"})


def test_tokens_that_are_set_but_empty_are_refused():
    with pytest.raises(SettingsError, match="no token"):
        load_settings({"PRESSROOM_TOKENS": " , "})


def test_tokens_are_separated_by_commas():
    tokens = load_settings({"PRESSROOM_TOKENS": "one, shop:two,,"}).tokens
    assert [token.secret for token in tokens] == ["one", "two"]
    assert tokens[1].name == "shop"


def test_settings_that_are_printed_show_no_token():
    assert "sesame" not in repr(load_settings({"PRESSROOM_TOKENS": "shop:sesame"}))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "farm.example"])
def test_an_address_that_strangers_reach_needs_tokens_or_a_word(host):
    with pytest.raises(SettingsError, match="PRESSROOM_TOKENS"):
        check_exposure(load_settings({"PRESSROOM_HOST": host}))

    check_exposure(load_settings({"PRESSROOM_HOST": host, "PRESSROOM_TOKENS": "secret"}))
    check_exposure(load_settings({"PRESSROOM_HOST": host, "PRESSROOM_INSECURE": "1"}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_loopback_address_needs_no_token(host):
    check_exposure(load_settings({"PRESSROOM_HOST": host}))


def test_every_setting_says_what_it_means():
    assert [row["name"] for row in described() if len(row["help"]) < 10] == []
