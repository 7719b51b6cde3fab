"""No document makes the worker touch the network or a file, by whatever element or property it tries."""

from __future__ import annotations

import http.server
import io
import threading
import urllib.parse
import urllib.request

import pytest
from pypdf import PdfReader

from shared.exceptions import EngineError
from workers.fetching import FetchPolicy
from workers.recipes import RecipeUnavailableError
from workers.recipes.plutoprint_pdf import PlutoPrintRecipe
from workers.recipes.weasyprint_pdf import WeasyPrintRecipe

SVG = "xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='90' height='50'"
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SECRET = "canary"


def inline(svg):
    return f"<img src='data:image/svg+xml,{urllib.parse.quote(svg)}'>"


# Every way to name a URL; URL stands for an HTTP address or a file, BASE for what comes before its last part.
ATTEMPTS = {
    "image": "<img src='URL'>",
    "image with spaces": "<img src=' URL '>",
    "image set": "<img srcset='URL 2x'><picture><source srcset='URL'><img></picture>",
    "base and relative image": "<base href='BASE/'><img src='LAST'>",
    "base and relative stylesheet": "<base href='BASE/'><link rel=stylesheet href='LAST'>x",
    "stylesheet": "<link rel=stylesheet href='URL'>x",
    "import": "<style>@import 'URL'; @import url(URL);</style>x",
    "import in a data stylesheet": "<link rel=stylesheet href='data:text/css,@import \"URL\";'>x",
    "background": "<p style='background: url(URL)'>x",
    "border image": "<p style='border: 3px solid; border-image: url(URL) 3'>x",
    "content": "<style>p::before { content: url(URL) }</style><p>x",
    "list style": "<ul style='list-style-image: url(URL)'><li>x</ul>",
    "mask": "<p style='mask-image: url(URL); clip-path: url(URL); filter: url(URL)'>x",
    "page background": "<style>@page { background: url(URL); @top-left { content: url(URL) } }</style>x",
    "font": "<style>@font-face { font-family: q; src: url(URL) } p { font-family: q }</style><p>x",
    "colour profile": "<style>@color-profile --x { src: url(URL) }</style>x",
    "object": "<object data='URL' type='image/svg+xml'>x</object><embed src='URL'>",
    "frame": "<iframe src='URL'></iframe><frameset><frame src='URL'></frameset>",
    "input": "<input type=image src='URL'>",
    "media": "<video src='URL' poster='URL'></video><audio src='URL'></audio>",
    "body": "<body background='URL'>x",
    "script": "<script src='URL'></script>x",
    "refresh": "<meta http-equiv=refresh content='0;url=URL'>x",
    "icon": "<link rel=icon href='URL'><link rel=preload as=image href='URL'>x",
    "attachment": "<link rel=attachment href='URL'>x",
    "attachment link": "<a rel=attachment href='URL'>x</a>",
    "inline svg image": f"<svg {SVG}><image href='URL' width='9' height='9'/></svg>",
    "inline svg image by xlink": f"<svg {SVG}><image xlink:href='URL' width='9' height='9'/></svg>",
    "inline svg use": f"<svg {SVG}><use href='URL#a'/><use xlink:href='URL#a'/></svg>",
    "inline svg paint": f"<svg {SVG}><rect fill='url(URL#a)' mask='url(URL#a)' width='9' height='9'/></svg>",
    "svg image": inline(f"<svg {SVG}><image href='URL' width='9' height='9'/><use href='URL#a'/></svg>"),
    "svg style": inline(
        f"<svg {SVG}><style>@import 'URL'; rect {{ fill: url(URL) }}</style><rect width='9' height='9'/></svg>"
    ),
    "svg stylesheet": inline(f"<?xml-stylesheet href='URL'?><svg {SVG}/>"),
    "svg entity": inline(f"<!DOCTYPE svg [<!ENTITY x SYSTEM 'URL'>]><svg {SVG}><text y='20'>&x;</text></svg>"),
    "svg document type": inline(f"<!DOCTYPE svg SYSTEM 'URL'><svg {SVG}/>"),
    "document type": "<!DOCTYPE html SYSTEM 'URL'>x",
}


@pytest.fixture(scope="module", params=[WeasyPrintRecipe, PlutoPrintRecipe])
def recipe(request):
    try:
        return request.param()
    except RecipeUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def server():
    class Counting(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def everything_in(pdf):
    """Return all texts, attachments and streams of a PDF, decompressed."""
    reader = PdfReader(io.BytesIO(pdf))
    found = [page.extract_text().encode() for page in reader.pages]
    found += [content for contents in reader.attachments.values() for content in contents]
    for number in range(1, len(reader.xref[0]) + 1 if reader.xref.get(0) else 1):
        thing = reader.get_object(number)
        if hasattr(thing, "get_data"):
            found.append(thing.get_data())
    return b"\n".join(found)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_element_or_property_reaches_the_network(recipe, server, attempt):
    base = f"http://127.0.0.1:{server.server_port}"
    render(recipe, ATTEMPTS[attempt], base)
    assert server.asked == []


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_element_or_property_reaches_a_file(recipe, tmp_path, attempt):
    secret = tmp_path / "secret.svg"
    secret.write_text(f"<svg {SVG}><text y='20' id='a'>{SECRET}</text></svg>")
    for base in (tmp_path.as_uri(), str(tmp_path), f"FILE:{tmp_path}"):
        content = render(recipe, ATTEMPTS[attempt], base)
        assert SECRET.encode() not in (everything_in(content) if content else b"")


def render(recipe, attempt, base):
    markup = attempt.replace("URL", f"{base}/secret.svg").replace("BASE", base).replace("LAST", "secret.svg")
    try:
        return recipe.render(markup, policy=FetchPolicy()).content
    except EngineError as error:
        # WeasyPrint gives up when a colour profile is refused.
        assert "was not fetched" in error.message or "Relative URI" in error.message  # noqa: PT017
        return None


def test_the_canary_would_be_found(recipe):
    shown = recipe.render(inline(f"<svg {SVG}><text y='20'>{SECRET}</text></svg>"), policy=FetchPolicy())
    assert SECRET.encode() in everything_in(shown.content)


def test_the_server_would_be_heard(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/heard") as answer:
        assert answer.read().decode() == SECRET
    assert server.asked == ["/heard"]
    server.asked.clear()


def test_what_was_refused_is_remembered(recipe):
    policy = FetchPolicy()
    recipe.render("<img src='http://127.0.0.1:1/a.png'><img src='file:///etc/passwd'>", policy=policy)
    assert sorted(policy.refused) == [
        f"{url} was not fetched: a document may only use data: and asset: URLs"
        for url in ("file:///etc/passwd", "http://127.0.0.1:1/a.png")
    ]


def test_a_refused_image_leaves_its_alternative_text_and_nothing_on_stderr_but_a_line(recipe, capfd):
    document = recipe.render("<img src='http://127.0.0.1:1/a.png' alt='A picture'>", policy=FetchPolicy())
    assert "A picture" in PdfReader(io.BytesIO(document.content)).pages[0].extract_text()
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 1


def test_an_image_in_a_data_url_is_shown(recipe):
    document = recipe.render(f"<img src='{PIXEL}' style='width: 50px'>", policy=FetchPolicy())
    assert len(PdfReader(io.BytesIO(document.content)).pages[0].images) == 1


def test_weasyprint_attaches_what_a_data_url_carries():
    try:
        recipe = WeasyPrintRecipe()
    except RecipeUnavailableError as error:
        pytest.skip(str(error))
    document = recipe.render("<link rel=attachment href='data:text/csv,a;b'>x", policy=FetchPolicy())
    assert list(PdfReader(io.BytesIO(document.content)).attachments.values()) == [[b"a;b"]]
