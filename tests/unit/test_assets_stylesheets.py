"""Relative URLs in style sheets that are assets."""

from __future__ import annotations

import pytest

from workers.stylesheets import with_absolute_urls


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("@import 'base.css';", '@import "asset:css/base.css";'),
        ('@import "../x.css?v=2" print;', '@import "asset:x.css?v=2" print;'),
        ("@import url(base.css);", '@import url("asset:css/base.css");'),
        ("p { background: url(../img/a%20b.png) }", 'p { background: url("asset:img/a%20b.png") }'),
        ("p { background: URL( 'a b.png' ) }", 'p { background: url("asset:css/a%20b.png") }'),
        ("p { background: url(/logo.png) }", 'p { background: url("asset:logo.png") }'),
        ("p { background: url(../../../logo.png) }", 'p { background: url("asset:logo.png") }'),
        ("p { src: url(x.ttf?#iefix) format('ttf') }", "p { src: url(\"asset:css/x.ttf?#iefix\") format('ttf') }"),
        ("p { background: url(ü.png) }", 'p { background: url("asset:css/%C3%BC.png") }'),
    ],
)
def test_what_is_relative_is_an_asset_beside_the_sheet(written, meant):
    assert with_absolute_urls(written.encode(), "css/site.css").decode() == meant


@pytest.mark.parametrize(
    "written",
    [
        "p { background: url(asset:a.png) url(data:image/png;base64,AA==) url(http://x/a.png) url(//x/a.png) }",
        "p { mask: url(#a) url() url('') }",
        "/* url(a.png) @import 'b.css' */",
        "p { content: 'url(a.png)' \"@import 'b.css'\" }",
        "p { content: 'an unclosed one: url(a.png)",
        "p { background: my-url(a.png) }",
        r"p { background: url(a\.png) }",
        "/* an unclosed one url(a.png)",
    ],
)
def test_everything_else_stays_as_it_is(written):
    assert with_absolute_urls(written.encode(), "css/site.css").decode() == written


def test_an_unclosed_text_ends_with_its_line():
    written = b"p { content: 'x\n} q { background: url(a.png) }"
    assert b'url("asset:a.png")' in with_absolute_urls(written, "site.css")


def test_what_is_not_utf_8_stays_as_it_is():
    written = b"/* \xff */ p { background: url(asset:a.png) }"
    assert with_absolute_urls(written, "site.css") == written


@pytest.mark.parametrize("piece", ["url(", "url('", '"\\', "'\n", "/* x ", "@import '\n", "url(a ", "'\"", "url( \\"])
def test_no_sheet_takes_longer_than_its_length(piece):
    # Quadratic time would take hours of this: the test's own limit fails it.
    with_absolute_urls((piece * 200_000).encode(), "site.css")
