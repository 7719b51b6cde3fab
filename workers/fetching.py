"""The one policy by which a document fetches URLs, whichever engine asks.

A template's author and the data's sender decide which URLs a document names, and the worker stands inside the network:
so nothing is fetched but ``data:`` URLs, which carry their content with them.
"""

from __future__ import annotations

import binascii
import urllib.request
from dataclasses import dataclass, field

from shared.exceptions import PressroomError

# More would only repeat what the first ones say, and a hostile document can name millions.
MOST_REFUSALS_KEPT = 20
SHOWN_CHARACTERS = 200


class FetchRefusedError(PressroomError):
    """Raised when a document names a URL that it may not fetch."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A resource that a document may use: its bytes and its media type."""

    content: bytes
    media_type: str


@dataclass(slots=True)
class FetchPolicy:
    """Decides about every URL that one document names, and remembers what it refused.

    Attributes:
        refused: The refused URLs, shortened, in the order they were asked for.
    """

    refused: list[str] = field(default_factory=list)

    def fetch(self, url: str) -> Fetched:
        """Return the resource behind a URL.

        Raises:
            FetchRefusedError: The scheme is not ``data:``, or the URL is malformed.
        """
        if url[:5].lower() != "data:":
            raise self._refuse(url, "a document may only use data: URLs")
        try:
            # The handler itself, not urlopen: no opener, no proxy, no other scheme can come into play.
            with urllib.request.DataHandler().data_open(urllib.request.Request(url)) as answer:  # noqa: S310
                return Fetched(content=answer.read(), media_type=answer.headers.get_content_type())
        except (ValueError, binascii.Error, UnicodeError) as error:
            raise self._refuse(url, "it is not a well-formed data: URL") from error

    def _refuse(self, url: str, reason: str) -> FetchRefusedError:
        shown = url if len(url) <= SHOWN_CHARACTERS else f"{url[:SHOWN_CHARACTERS]}…"
        if len(self.refused) < MOST_REFUSALS_KEPT and shown not in self.refused:
            self.refused.append(shown)
        return FetchRefusedError(f"{shown} was not fetched: {reason}")
