"""The studio in a real browser: Debian's Chromium, without a screen.

Every page that a test opens is watched: what it says on its console, what it asks of other hosts, and what its
Content-Security-Policy had to refuse, as an inline script, fails the test.
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from node import MODULES, install
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farms import Farm
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

# As root it needs the first; the others keep it from asking its maker's hosts for news.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SERIOUS = {"serious", "critical"}
# A loaded machine takes its time.
WAIT_MS = 30_000
expect.set_options(timeout=WAIT_MS)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser; skip the test where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Studio:
    """A browser of somebody who uses a farm's studio.

    Args:
        browser: The browser.
        farm: The farm.
        options: What Playwright's ``new_context`` takes: ``viewport``, ``color_scheme``, ``locale``.
    """

    def __init__(self, browser: Browser, farm: Farm, **options) -> None:
        self.farm = farm
        self.context: BrowserContext = browser.new_context(
            base_url=farm.base, **({"locale": "en-GB", "viewport": {"width": 1280, "height": 900}} | options)
        )
        self.context.set_default_timeout(WAIT_MS)
        # What went wrong that no test asked for; one that provokes something takes it out of here.
        self.troubles: list[str] = []
        self.context.on("request", self._asked)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.troubles.append(f"script: {error.error}"))
        self.page: Page = self.context.new_page()

    def open(self, path: str) -> Page:
        """Open a page of the studio."""
        self.page.goto(path)
        return self.page

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong with the page as it is, if that is serious."""
        install()
        # As an isolated script, which the page's Content-Security-Policy is not about.
        self.page.evaluate(f"() => {{ {(MODULES / 'axe-core' / 'axe.min.js').read_text()} }}")
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:200] for node in one["nodes"][:5])
            for one in found["violations"]
            if one["impact"] in SERIOUS
        ]

    def close(self) -> None:
        """Close it, and fail if anything went wrong."""
        self.context.close()
        assert not self.troubles, "\n".join(self.troubles)

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https") and address.netloc != urlsplit(self.farm.base).netloc:
            self.troubles.append(f"asked another host: {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        # A refusal is said by the page itself, and a picture that is still being made is asked for again.
        if message.type in ("error", "warning") and "responded with a status of 4" not in message.text:
            self.troubles.append(f"console: {message.text}")
