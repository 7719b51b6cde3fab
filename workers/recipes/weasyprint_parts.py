"""What the recipe ``weasyprint-pdf`` derives from WeasyPrint's classes.

Importing this module loads Pango; the recipe does so when it is made, and says what is missing when that fails.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from shared.exceptions import RenderError

if TYPE_CHECKING:
    from workers.fetching import FetchPolicy

# A shared configuration remembers every size and style it has measured; this bounds what strangers make it remember.
MOST_RENDERS_SHARED = 200


class PolicyFetcher(URLFetcher):  # type: ignore[misc]  # WeasyPrint is untyped.
    """Fetches what the policy allows, and nothing in any other way."""

    def __init__(self, policy: FetchPolicy) -> None:
        # Everything is overridden by fetch; the arguments are a second lock should a new WeasyPrint go around it.
        super().__init__(allowed_protocols=("data",), allow_redirects=False)
        self._policy = policy

    def fetch(self, url: str, headers: object = None) -> Any:
        """Return the resource behind a URL.

        Raises:
            FetchRefusedError: The policy refused; WeasyPrint goes on without the resource.
            FatalURLFetchingError: The render must end; it passes through WeasyPrint.
        """
        del headers
        try:
            found = self._policy.fetch(url)
        except (RenderError, MemoryError, SoftTimeLimitExceeded) as error:
            # Any other exception is only a resource that is not there. The policy remembers the reason.
            raise FatalURLFetchingError from error
        return URLFetcherResponse(url, found.content, {"Content-Type": found.media_type})


class _WatchedFonts(FontConfiguration):  # type: ignore[misc]  # As above.
    """The machine's fonts, and whether a document has added its own."""

    def __init__(self) -> None:
        super().__init__()
        self.touched = False

    def add_font_face(self, rule_descriptors: Any, url_fetcher: Any) -> None:
        self.touched = True
        super().add_font_face(rule_descriptors, url_fetcher)


class SharedFonts:
    """Hands one font configuration to one document after the other: making one takes half as long as a small document.

    A document's own fonts must not reach the next one, so a configuration that got any is not used again. Neither is
    one from before a fork: Pango asks a thread for fonts, and a fork leaves threads behind.
    """

    def __init__(self) -> None:
        self._fonts: _WatchedFonts | None = None
        self._process = 0
        self._renders = 0

    def take(self) -> FontConfiguration:
        """Return a configuration that holds the machine's fonts only."""
        fonts = self._fonts
        if fonts is None or fonts.touched or self._process != os.getpid() or self._renders >= MOST_RENDERS_SHARED:
            fonts = self._fonts = _WatchedFonts()
            self._process, self._renders = os.getpid(), 0
        self._renders += 1
        return fonts

    def give_back(self) -> None:
        """Let go of a document's own fonts, which lie in a temporary folder as long as somebody holds them."""
        if self._fonts is not None and self._fonts.touched:
            self._fonts = None
