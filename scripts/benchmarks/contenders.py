"""Who is measured: this farm, one of another checkout, jsreport. Each gets the same document in its own language."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import jsreport
from benchmarks.farms import UP, MeasureError, called, running_farm
from benchmarks.trees import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psutil

    from benchmarks.documents import Document

THIS, JSREPORT = "this", "jsreport"
ASK_SECONDS = 600
# A farm's recipe whose engine it finds out when a template is stored.
CERTIFIED = "pdf"
CERTIFICATE_SECONDS = 0.5
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Contender:
    """A farm that runs, and has the document's template."""

    name: str
    url: str
    tree: Tree
    body: dict[str, Any]  # of POST /api/report, without options
    pages: int | None  # of the document that it made; None: that was no PDF
    size: int  # in bytes
    certified: bool = False  # The farm makes it with its fast engine, and compares some with the reference.


@contextmanager
def contender(
    name: str, document: Document, *, recipe: str, inline: bool, settings: Mapping[str, str], up: Path = UP
) -> Iterator[Contender]:
    """Run one until the block ends, and let it make the document once.

    Args:
        name: `JSREPORT`, or what a farm is called in the result.
        document: What it will be loaded with.
        recipe: How a farm makes it.
        inline: True: each request brings the template; False: it is stored first.
        settings: A farm's settings.
        up: Its scripts/up.

    Raises:
        MeasureError: It did not start, or cannot make this document.
    """
    with tempfile.TemporaryDirectory(prefix="pressroom-") as folder:
        home = Path(folder)
        if name == JSREPORT:
            with jsreport.running_jsreport(home) as farm:
                tree = Tree(farm.launcher, jsreport.called)
                yield _prepared(name, farm.url, tree, _in_handlebars(document, recipe), document, inline=inline)
        else:
            with running_farm(home, "--no-apt", up=up, settings=settings) as farm:
                _check_recipe(farm.url, recipe)
                template: dict[str, Any] = {"content": document.jinja, "engine": "jinja", "recipe": recipe}
                if not inline:
                    # What a farm finds out about a stored template, it finds out with its sample.
                    template["sampleData"] = document.data
                yield _prepared(name, farm.url, Tree(farm.launcher, _of_farm), template, document, inline=inline)


def _of_farm(process: psutil.Process) -> tuple[str, str]:
    # What a program's dead children took is the program's: a worker replaces its children.
    name = called(process)
    return name, name


def _in_handlebars(document: Document, recipe: str) -> dict[str, Any]:
    template: dict[str, Any] = {"content": document.handlebars, "engine": "handlebars"}
    if recipe in ("html", "text"):
        return template | {"recipe": recipe}
    # The page is the document's own, by CSS @page, and its colours are printed: what the farm's recipes do.
    return template | {"recipe": "chrome-pdf", "chrome": {"printBackground": True, "mediaType": "print"}}


def _prepared(
    name: str, url: str, tree: Tree, template: dict[str, Any], document: Document, *, inline: bool
) -> Contender:
    certified = False
    if not inline:
        stored = {"name": f"bench-{document.name}", **template}
        asked(url, "/odata/templates", stored)
        template = {"name": stored["name"]}
        if stored.get("recipe") == CERTIFIED:
            certified = _is_certified(url, stored["name"])
    body = {"template": template, "data": document.data}
    content = asked(url, "/api/report", body)
    return Contender(name, url, tree, body, _pages(content), len(content), certified)


def _is_certified(url: str, name: str) -> bool:
    """Wait until a farm knows which engine makes a template, and say whether it is the fast one.

    Raises:
        MeasureError: It does not find out.
    """
    deadline = time.monotonic() + ASK_SECONDS
    while time.monotonic() < deadline:
        found = json.loads(asked(url, f"/api/v1/report-config/{name}/certificate"))["data"]
        if found["verdict"] != "pending":
            print(f"{name}: {found['verdict']}", file=sys.stderr)
            return bool(found["verdict"] == "certified")
        time.sleep(CERTIFICATE_SECONDS)
    raise MeasureError(f"{url} does not say whether {name} is certified")


def _check_recipe(url: str, recipe: str) -> None:
    known = json.loads(asked(url, "/api/recipe"))
    if recipe not in known:
        raise MeasureError(f"The farm has no recipe {recipe!r}: expected one of {', '.join(known)}")


def _pages(content: bytes) -> int | None:
    if not content.startswith(b"%PDF"):
        return None
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(content)
        file.flush()
        done = subprocess.run(["pdfinfo", file.name], capture_output=True, text=True, check=False)  # noqa: S607
    pages = [line.partition(":")[2] for line in done.stdout.splitlines() if line.startswith("Pages:")]
    return int(pages[0]) if pages else None


def asked(url: str, path: str, body: object = None, *, media_type: str = JSON) -> bytes:
    """Ask a farm, and return its answer.

    Args:
        url: The farm.
        path: What is asked for.
        body: Sent as JSON, or as it is where ``media_type`` says otherwise: bytes, or a file; None: nothing is sent.
        media_type: What the body is.

    Raises:
        MeasureError: It answers with an error, or not at all.
    """
    data: Any = json.dumps(body).encode() if media_type == JSON and body is not None else body
    request = urllib.request.Request(url + path, data, {"Content-Type": media_type})  # noqa: S310  # Ours.
    # A proxy of the environment is for the world outside, not for this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ASK_SECONDS) as answer:
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            said = error.read()[:500].decode(errors="replace")
        raise MeasureError(f"{url}{path} answered {error.code}, so that it cannot be measured: {said}") from error
    except OSError as error:
        raise MeasureError(f"{url}{path} does not answer: {error}") from error
    return content
