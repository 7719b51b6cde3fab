"""The policy that decides which URLs a document may use."""

from __future__ import annotations

import pytest

from workers.fetching import MOST_REFUSALS_KEPT, SHOWN_CHARACTERS, Fetched, FetchPolicy, FetchRefusedError


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
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        r"\\host\share",
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
    assert "was not fetched" in caught.value.message
    assert policy.refused == [url]


def test_what_is_remembered_is_short_however_much_a_document_asks_for():
    policy = FetchPolicy()
    for n in range(200):
        for _ in range(2):
            with pytest.raises(FetchRefusedError):
                policy.fetch(f"http://example.org/{n}/" + "x" * 10_000)
    assert len(policy.refused) == MOST_REFUSALS_KEPT
    assert len(set(policy.refused)) == MOST_REFUSALS_KEPT
    assert max(map(len, policy.refused)) == SHOWN_CHARACTERS + 1


def test_each_document_has_its_own_memory():
    first = FetchPolicy()
    with pytest.raises(FetchRefusedError):
        first.fetch("file:///x")
    assert FetchPolicy().refused == []
