"""The policy that decides which URLs a document may use."""

from __future__ import annotations

import socket

import asset_files
import pytest
from asset_files import FakeAssets
from billiard.exceptions import SoftTimeLimitExceeded

from shared.exceptions import NotFoundError, TemplateError
from workers.assets import AssetUnavailableError
from workers.fetching import (
    MOST_FETCHES_OF_ONE,
    MOST_REFUSALS_KEPT,
    SHOWN_CHARACTERS,
    Fetched,
    FetchPolicy,
    FetchRefusedError,
)


@pytest.mark.parametrize(
    ("url", "fetched"),
    [
        ("data:,hello%20world", Fetched(b"hello world", "text/plain")),
        ("data:text/css;charset=utf-8,p%7Bcolor:red%7D", Fetched(b"p{color:red}", "text/css")),
        ("data:image/png;base64,aGVsbG8=", Fetched(b"hello", "image/png")),
        ("DATA:image/svg+xml,<svg/>", Fetched(b"<svg/>", "image/svg+xml")),
    ],
)
def test_a_data_url_carries_its_content(url, fetched):
    policy = FetchPolicy()
    assert policy.fetch(url) == fetched
    assert policy.refused == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "HTTPS://example.org/a.png",
        "file:///etc/passwd",
        "FiLe:/etc/passwd",
        "//example.org/a.png",
        "/etc/passwd",
        "ftp://example.org/",
        "gopher://example.org/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fe80::1%25lo]/",
        "http://169.254.169.254/latest/meta-data",
        "http://2852039166/latest/meta-data",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://0/",
        "http://localhost./",
        "http://metadata.google.internal/",
        "http://rebinding.example/",
        "http://no-such-host.invalid/",
        "http://example.org@169.254.169.254/",
        "http://example.org:80\\@169.254.169.254/",
        "http://data:,x@127.0.0.1/",
        "http://asset:logo.png@127.0.0.1/",
        "http:127.0.0.1",
        "http:\\\\127.0.0.1\\",
        "ht\ntp://127.0.0.1/",
        "\thttp://127.0.0.1/",
        "url:http://127.0.0.1/",
        "unix:///run/docker.sock",
        "dict://127.0.0.1:6379/INFO",
        "ldap://127.0.0.1/",
        "tftp://127.0.0.1/x",
        "jar:http://127.0.0.1/a.jar!/x",
        "view-source:file:///etc/passwd",
        "blob:http://127.0.0.1/x",
        "about:blank",
        "javascript:alert(1)",
        "file://localhost/etc/passwd",
        "file://host/share",
        "file:///dev/urandom",
        "/dev/urandom",
        "../../etc/passwd",
        "C:\\Windows\\win.ini",
        r"\\host\share",
        r"\\?\UNC\host\share",
        " data:,x",
        "data",
        "data:no-comma",
        "data:image/png;base64,a",
        "data:,\ud800",
        "",
    ],
)
def test_everything_else_is_refused_and_remembered(url):
    policy = FetchPolicy()
    with pytest.raises(FetchRefusedError) as caught:
        policy.fetch(url)
    assert caught.value.message.startswith(f"{url} was not fetched: ")
    assert policy.refused == [caught.value.message]


@pytest.mark.parametrize("name", ["/dev/urandom", "//127.0.0.1/x", "../../etc/passwd", "http://127.0.0.1/", "a\0"])
def test_the_name_of_an_asset_is_no_way_to_anything_else(name):
    policy = FetchPolicy()
    with pytest.raises(FetchRefusedError, match="there is no asset named"):
        policy.fetch(f"asset:{name}")


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "all_proxy", "data_proxy", "asset_proxy"])
def test_nothing_is_looked_up_or_connected_to_whatever_the_environment_says(monkeypatch, variable):
    def never(*_, **__):
        raise AssertionError("a document reached for the network")

    monkeypatch.setenv(variable, "http://127.0.0.1:9/")
    monkeypatch.setenv(variable.upper(), "http://127.0.0.1:9/")
    for name in ("getaddrinfo", "gethostbyname", "create_connection", "socket"):
        monkeypatch.setattr(socket, name, never)
    policy = FetchPolicy(FakeAssets(**{"logo.png": PNG}))

    assert policy.fetch("data:,x").content == b"x"
    assert policy.fetch("asset:logo.png").content == PNG
    # A name that has a public address now and a private one later, or one of each, is never asked about.
    for url in ("http://rebinding.example/", "https://example.org/", "ftp://example.org/", "asset:nothing.png"):
        with pytest.raises(FetchRefusedError):
            policy.fetch(url)


def test_what_is_remembered_is_short_however_much_a_document_asks_for():
    policy = FetchPolicy()
    for n in range(200):
        for _ in range(2):
            with pytest.raises(FetchRefusedError):
                policy.fetch(f"http://example.org/{n}/" + "x" * 10_000)
    assert len(policy.refused) == MOST_REFUSALS_KEPT
    assert len(set(policy.refused)) == MOST_REFUSALS_KEPT
    assert max(len(one.partition(" was not fetched")[0]) for one in policy.refused) == SHOWN_CHARACTERS + 1


def test_each_document_has_its_own_memory():
    first = FetchPolicy()
    with pytest.raises(FetchRefusedError):
        first.fetch("file:///x")
    assert FetchPolicy().refused == []


PNG = asset_files.picture()


@pytest.mark.parametrize(
    "url", ["asset:my logo.png", "ASSET:my%20logo.png", "asset:my%20logo.png?v=2", "asset:my%20logo.png#part"]
)
def test_an_asset_url_leads_to_the_asset_of_that_name(url):
    policy = FetchPolicy(FakeAssets(**{"my logo.png": PNG}))

    assert policy.fetch(url) == Fetched(PNG, "image/png")
    assert list(policy.used) == ["my logo.png"]
    assert policy.refused == []


def test_an_asset_that_is_not_there_is_refused_once_with_the_reason():
    policy = FetchPolicy(FakeAssets(**{"logo.png": PNG}))
    for _ in range(2):
        with pytest.raises(FetchRefusedError):
            policy.fetch("asset:lgo.png")

    assert policy.refused == ["asset:lgo.png was not fetched: there is no asset named 'lgo.png'"]
    assert policy.used == {}


def test_a_document_sees_one_content_of_an_asset():
    assets = FakeAssets(**{"logo.png": PNG})
    policy = FetchPolicy(assets)
    policy.fetch("asset:logo.png")
    policy.fetch("asset:logo.png")

    assert assets.asked == ["logo.png"]


def test_without_assets_there_is_none():
    policy = FetchPolicy()
    with pytest.raises(FetchRefusedError, match="there is no asset named"):
        policy.fetch("asset:logo.png")


def test_what_a_style_sheet_names_is_relative_to_it():
    policy = FetchPolicy(FakeAssets(**{"css/a.css": b"@import 'b.css';"}))
    assert policy.fetch("asset:css/a.css").content == b'@import "asset:css/b.css";'
    # A template that takes it in as text has no such place.
    assert policy.read_asset("css/a.css").content == b"@import 'b.css';"


def test_an_asset_is_read_by_its_name():
    policy = FetchPolicy(FakeAssets(**{"a.json": b"{}"}))
    assert policy.read_asset("a.json") == Fetched(b"{}", "application/json")
    with pytest.raises(NotFoundError):
        policy.read_asset("b.json")


@pytest.mark.parametrize("error", [AssetUnavailableError("away"), MemoryError(), SoftTimeLimitExceeded()])
def test_what_must_end_the_render_does_so_though_an_engine_swallows_it(error):
    class Failing(FakeAssets):
        def read(self, asset):
            raise error

    assets = Failing(**{"a.png": PNG, "b.png": PNG})
    policy = FetchPolicy(assets)

    def engine():
        for url in ("asset:a.png", "asset:b.png", "data:,x"):
            with pytest.raises(type(error)):
                policy.fetch(url)

    with pytest.raises(type(error)) as caught, policy.enforced():
        engine()
    assert caught.value is error
    # After the first, nothing is asked for any more.
    assert assets.asked == ["a.png"]


def test_what_must_end_the_render_wins_over_what_an_engine_makes_of_it():
    class Failing(FakeAssets):
        def read(self, asset):
            raise AssetUnavailableError("away")

    policy = FetchPolicy(Failing(**{"a.png": PNG}))

    def engine():
        try:
            policy.fetch("asset:a.png")
        except AssetUnavailableError as error:
            raise RuntimeError("broke") from error

    with pytest.raises(AssetUnavailableError), policy.enforced():
        engine()


def test_an_error_of_its_own_passes():
    with pytest.raises(RuntimeError), FetchPolicy().enforced():
        raise RuntimeError


def test_an_asset_that_is_asked_for_again_and_again_ends_the_render():
    policy = FetchPolicy(FakeAssets(**{"a.css": b"@import 'a.css'"}))
    for _ in range(MOST_FETCHES_OF_ONE):
        policy.fetch("asset:a.css")

    with pytest.raises(TemplateError, match="does it name itself"):
        policy.fetch("asset:a.css#again")
