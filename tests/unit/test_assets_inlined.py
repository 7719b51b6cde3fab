"""Assets that a template takes in as text or as data."""

from __future__ import annotations

import asset_files
import pytest
from asset_files import FakeAssets

from shared.exceptions import TemplateError
from workers.assets import AssetUnavailableError
from workers.engines.jinja import JinjaEngine
from workers.fetching import FetchPolicy

CONTENTS = {
    "site.css": b"\xef\xbb\xbfp > b { color: red }",
    "labels.json": '{"total": "Überweisung", "lines": [1, 2]}'.encode(),
    "logo.svg": asset_files.SVG,
    "wide.svg": "<?xml version='1.0' encoding='utf-16'?><svg/>".encode("utf-16"),
    "logo.png": asset_files.picture(),
}


def expanded(content, *, policy=None, **data):
    policy = policy or FetchPolicy(FakeAssets(**CONTENTS))
    with policy.enforced():
        return JinjaEngine().expand(content, data, markup=True, locale="en", read_asset=policy.read_asset)


def test_a_text_is_taken_in_and_escaped_like_every_value():
    assert expanded("{{ asset_text('site.css') }}") == "p &gt; b { color: red }"
    assert expanded("{{ asset_text('site.css') | safe }}") == "p > b { color: red }"
    assert expanded("{{ asset_text('logo.svg') | safe }}") == asset_files.SVG.decode()


def test_json_is_data():
    assert expanded("{% set t = asset_json('labels.json') %}{{ t.total }} {{ t.lines[1] }}") == "Überweisung 2"


def test_what_is_taken_in_is_noted_as_used():
    policy = FetchPolicy(FakeAssets(**CONTENTS))
    expanded("{{ asset_text('site.css') }}{{ asset_json('labels.json') }}", policy=policy)
    assert list(policy.used) == ["site.css", "labels.json"]


def test_the_datas_own_names_win():
    assert expanded("{{ asset_text }}", asset_text="mine") == "mine"


def test_a_macro_can_take_in_an_asset():
    assert (
        expanded("{% macro m(name) %}{{ asset_json(name).total }}{% endmacro %}{{ m('labels.json') }}") == "Überweisung"
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("asset_text('none.css')", "there is no asset named 'none.css'"),
        ("asset_json('none.json')", "there is no asset named 'none.json'"),
        ("asset_text('logo.png')", "is image/png: expected text/css or image/svg+xml or application/json"),
        ("asset_json('site.css')", "is text/css: expected application/json"),
        ("asset_text('wide.svg')", "is not UTF-8"),
        ("asset_text(5)", "is not the name of an asset: expected a text"),
        ("asset_text(nothing)", "'nothing' is undefined"),
    ],
)
def test_what_cannot_be_taken_in_is_the_templates_error_with_its_line(call, said):
    with pytest.raises(TemplateError) as caught:
        expanded(f"first\n{{{{ {call} }}}}")
    assert caught.value.line == 2
    assert said in caught.value.message


def test_without_assets_there_is_none():
    with pytest.raises(TemplateError, match="there is no asset named"):
        JinjaEngine().expand("{{ asset_text('site.css') }}", {}, markup=True, locale="en")


def test_an_asset_that_cannot_be_had_is_not_the_templates_error():
    class Failing(FakeAssets):
        def read(self, asset):
            raise AssetUnavailableError("away")

    with pytest.raises(AssetUnavailableError):
        expanded("{{ asset_text('site.css') }}", policy=FetchPolicy(Failing(**CONTENTS)))


def test_the_functions_are_no_way_out_of_the_sandbox():
    for attempt in ("asset_text.__globals__", "asset_text.__closure__", "asset_json.__code__"):
        with pytest.raises(TemplateError, match="may not use"):
            expanded(f"{{{{ {attempt} }}}}")
