"""Assets in documents, by every element and property that can name one, through both engines."""

from __future__ import annotations

import contextlib
import gc
import io
import signal
import tempfile
from pathlib import Path

import asset_files
import pytest
from asset_files import FakeAssets
from billiard.exceptions import SoftTimeLimitExceeded
from pypdf import PdfReader

from shared.exceptions import TemplateError
from workers.assets import AssetUnavailableError
from workers.fetching import FetchPolicy
from workers.limits import SOFT_LIMIT_SIGNAL, TimeLimits
from workers.recipes import RecipeUnavailableError
from workers.recipes.plutoprint_pdf import PlutoPrintRecipe
from workers.recipes.weasyprint_pdf import WeasyPrintRecipe

PNG = asset_files.picture()
FONT = "LiberationMono"
FACE = b"@font-face { font-family: Mine; src: url(%s) } p { font-family: Mine }"


@pytest.fixture(scope="module", params=[WeasyPrintRecipe, PlutoPrintRecipe])
def recipe(request):
    try:
        return request.param()
    except RecipeUnavailableError as error:
        pytest.skip(str(error))


def rendered(recipe, markup, **contents):
    """Return the document's first page, and the policy that watched over it."""
    policy = FetchPolicy(FakeAssets(**contents))
    with policy.enforced():
        document = recipe.render(markup, policy=policy)
    return PdfReader(io.BytesIO(document.content)).pages[0], policy


def pictures_of(page):
    """Count the pictures of a document; a background's are in a pattern, not on the page itself."""
    reader = page.pdf
    things = [reader.get_object(number) for number in range(1, reader.trailer["/Size"])]
    return sum(hasattr(thing, "get") and thing.get("/Subtype") == "/Image" for thing in things)


def fonts_of(page):
    """Return the names of the embedded fonts, without what makes a subset's name its own."""
    fonts = page["/Resources"].get("/Font", {}).values()
    return {str(font.get_object()["/BaseFont"]).lstrip("/").rpartition("+")[2].replace("-", "") for font in fonts}


@pytest.mark.parametrize(
    "markup",
    [
        "<img src='asset:img/my%20logo.png'>",
        "<img src='asset:img/my logo.png'>",
        "<p style='background: url(asset:img/my%20logo.png)'>x",
        "<style>p { background: url('asset:img/my logo.png') }</style><p>x",
        "<link rel=stylesheet href='asset:css/site.css'><p>x",
        "<style>@import 'asset:css/site.css';</style><p>x",
        "<style>@import url(asset:css/site.css);</style><p>x",
        "<link rel=stylesheet href='asset:css/deeper.css'><p>x",
    ],
)
def test_a_picture_is_shown(recipe, markup):
    sheets = {
        "css/site.css": b"p { background: url(../img/my%20logo.png) }",
        "css/deeper.css": b"@import 'site.css';",
    }
    page, policy = rendered(recipe, markup, **{"img/my logo.png": PNG}, **sheets)

    assert pictures_of(page) == 1
    assert "img/my logo.png" in policy.used
    assert policy.refused == []


@pytest.mark.parametrize("kind", ["jpg", "gif", "webp", "svg"])
def test_every_kind_of_picture_is_shown(recipe, kind):
    content = asset_files.SVG if kind == "svg" else asset_files.picture({"jpg": "JPEG"}.get(kind, kind.upper()))
    page, policy = rendered(recipe, f"<img src='asset:a.{kind}' alt='not shown'>", **{f"a.{kind}": content})

    assert policy.refused == []
    assert "not shown" not in page.extract_text()


@pytest.mark.parametrize(
    "place", ["<style>{face}</style>", "<link rel=stylesheet href='asset:css/site.css'>"], ids=["inline", "asset"]
)
@pytest.mark.parametrize("flavour", [None, "woff", "woff2"])
def test_a_font_is_embedded(recipe, flavour, place):
    name = f"fonts/Brand.{flavour or 'ttf'}"
    contents = {name: asset_files.font(flavour=flavour), "css/site.css": FACE % f"../{name}".encode()}
    markup = place.replace("{face}", (FACE % f"asset:{name}".encode()).decode())
    page, policy = rendered(recipe, f"{markup}<p>x", **contents)

    assert name in policy.used
    # One engine names it as the style sheet does, the other as the file does.
    assert fonts_of(page) & {"Mine", FONT}


def test_without_the_font_another_is_taken(recipe):
    page, policy = rendered(recipe, f"<style>{(FACE % b'asset:none.ttf').decode()}</style><p>x")

    assert not fonts_of(page) & {"Mine", FONT}
    assert policy.refused == ["asset:none.ttf was not fetched: there is no asset named 'none.ttf'"]


def test_a_documents_own_font_does_not_reach_the_next(recipe):
    style = f"<style>{(FACE % b'asset:a.ttf').decode()}</style>"
    rendered(recipe, f"{style}<p>x", **{"a.ttf": asset_files.font()})
    page, _ = rendered(recipe, "<style>p { font-family: Mine }</style><p>x")

    assert not fonts_of(page) & {"Mine", FONT}


def test_two_documents_own_fonts_of_one_name_are_not_confused(recipe):
    style = f"<style>{(FACE % b'asset:a.ttf').decode()}</style><p>mmm iii"
    wide, _ = rendered(recipe, style, **{"a.ttf": asset_files.font("LiberationMono-Regular")})
    narrow, _ = rendered(recipe, style, **{"a.ttf": asset_files.font("LiberationSerif-Regular")})

    assert embedded(wide) != embedded(narrow)


def embedded(page):
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    descriptors = [font.get("/DescendantFonts", [font])[0].get_object()["/FontDescriptor"] for font in fonts]
    return {bytes(one["/FontFile2"].get_object().get_data()) for one in descriptors}


def test_a_documents_own_fonts_leave_no_file_behind(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rendered(recipe, f"<style>{(FACE % b'asset:a.ttf').decode()}</style><p>x", **{"a.ttf": asset_files.font()})
    gc.collect()

    assert list(Path(tmp_path).iterdir()) == []


def test_a_missing_asset_leaves_its_alternative_text_and_a_reason(recipe):
    page, policy = rendered(recipe, "<img src='asset:logo.png' alt='A picture'>")

    assert "A picture" in page.extract_text()
    assert policy.refused == ["asset:logo.png was not fetched: there is no asset named 'logo.png'"]


@pytest.mark.parametrize(
    "markup",
    [
        "<img src='asset:a.png'>",
        "<link rel=stylesheet href='asset:a.css'>x",
        "<style>@import 'asset:a.css';</style>x",
        "<style>@font-face { font-family: q; src: url(asset:a.ttf) } p { font-family: q }</style><p>x",
        "<p style='background: url(asset:a.png)'>x",
    ],
)
def test_an_asset_that_cannot_be_had_ends_the_render(recipe, markup):
    class Failing(FakeAssets):
        def read(self, asset):
            raise AssetUnavailableError("away")

    policy = FetchPolicy(Failing(**{"a.png": PNG, "a.css": b"p {}", "a.ttf": asset_files.font()}))
    with pytest.raises(AssetUnavailableError), policy.enforced():
        recipe.render(markup, policy=policy)


def test_style_sheets_that_import_each_other_come_to_an_end(recipe):
    sheets = {"a.css": b"@import 'b.css'; p { color: red }", "b.css": b"@import 'a.css'; p { color: red }"}
    try:
        rendered(recipe, "<link rel=stylesheet href='asset:a.css'><p>x", **sheets)
    except Exception as error:  # noqa: BLE001  # How it ends is the engine's to say.
        assert "broke on this document" in str(error) or "nested" in str(error)  # noqa: PT017


def test_a_time_limit_that_strikes_while_an_asset_is_read_ends_the_render(recipe):
    class Striking(FakeAssets):
        def read(self, asset):
            signal.raise_signal(SOFT_LIMIT_SIGNAL)
            return super().read(asset)

    limit = TimeLimits(grace=60)
    limit.begin()
    policy = FetchPolicy(Striking(**{"a.png": PNG}))
    with pytest.raises(SoftTimeLimitExceeded), limit.armed(60), policy.enforced():
        recipe.render("<img src='asset:a.png'>", policy=policy)


def test_a_time_limit_that_an_engine_swallows_is_heard_in_the_end():
    limit = TimeLimits(grace=60)
    limit.begin()
    with pytest.raises(SoftTimeLimitExceeded), limit.armed(60), contextlib.suppress(SoftTimeLimitExceeded):
        signal.raise_signal(SOFT_LIMIT_SIGNAL)


def test_a_picture_that_shows_itself_does_not_end_the_process(recipe):
    itself = b'<svg xmlns="http://www.w3.org/2000/svg"><image width="9" height="9" href="asset:a.svg"/></svg>'

    with contextlib.suppress(TemplateError):
        rendered(recipe, '<img src="asset:a.svg">', **{"a.svg": itself})
