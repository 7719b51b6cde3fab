"""The page for people: whole, safe, and readable without a network."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import subprocess
from html.parser import HTMLParser

import pytest

# What makes a browser fetch something, by itself.
FETCHING = {"script", "img", "link", "iframe", "object", "embed", "video", "audio", "source", "base", "form"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        self.tags.add(tag)
        self.attributes |= said.keys()
        if "id" in said:
            self.anchors.append(said["id"])
        if "href" in said:
            self.links.append(said["href"])


@pytest.fixture(scope="module")
def answer(farm):
    answer = farm.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer


def test_it_fetches_nothing_and_runs_nothing(answer):
    page = Page(answer.text)
    assert not page.tags & FETCHING
    assert not [name for name in page.attributes if name.startswith("on") or name in ("style", "src")]
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_its_policy_allows_its_own_style_and_nothing_else(answer):
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == f"'sha256-{digest}'"


def test_every_operation_is_on_it(farm, answer):
    text = html.unescape(answer.text)
    for path, methods in farm.get("/openapi.json").json()["paths"].items():
        assert f"<code>{path}</code>" in text
        for said in methods.values():
            assert said["summary"].removesuffix(", the headers alone") in text


def test_its_contents_lead_somewhere(answer):
    page = Page(answer.text)
    assert len(page.anchors) == len(set(page.anchors))
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert len(inner) > 50
    assert inner <= set(page.anchors)


def test_its_first_command_brings_a_document(farm, answer, tmp_path):
    command = html.unescape(re.search(r"<pre><code>(curl .*?)</code></pre>", answer.text, re.DOTALL)[1])
    assert farm.base in command
    subprocess.run(
        ["bash", "-euc", command], cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "TOKEN": "none"}, check=True, timeout=60
    )
    assert (tmp_path / "document.pdf").read_bytes().startswith(b"%PDF-")


def test_a_name_in_the_address_cannot_write_into_the_page(farm):
    answer = farm.get("/docs", headers={"Host": "<b>.example"})
    assert "<b>.example" not in answer.text
