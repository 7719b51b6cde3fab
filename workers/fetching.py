"""The one policy by which a document fetches URLs, whichever engine asks.

A template's author and the data's sender decide which URLs a document names, and the worker stands inside the network:
so nothing is fetched but ``data:`` URLs, which carry their content with them, and ``asset:`` URLs, which name what was
uploaded to the farm. ``asset:my%20logo.png`` and ``asset:my logo.png`` are the same, and what follows ``?`` or ``#`` is
not part of the name. In a style sheet that is an asset, relative URLs are relative to it.
"""

from __future__ import annotations

import binascii
import contextlib
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from shared.exceptions import NotFoundError, PressroomError, TemplateError
from workers.stylesheets import with_absolute_urls

if TYPE_CHECKING:
    from collections.abc import Iterator

# More would only repeat what the first ones say, and a hostile document can name millions.
MOST_REFUSALS_KEPT = 20
# Engines fetch a picture once and a style sheet once for each place that names it. What names itself is fetched until
# the engine's stack is full, which ends the whole process.
MOST_FETCHES_OF_ONE = 2000
SHOWN_CHARACTERS = 200
STYLE_SHEET = "text/css"


class FetchRefusedError(PressroomError):
    """Raised when a document names a URL that it may not fetch, or that leads nowhere."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A resource that a document may use: its bytes and its media type."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset as it is at the moment it is looked up.

    Attributes:
        name: The name that it is stored under.
        media_type: Its ``Content-Type``.
        size: Bytes.
        sha256: Its content's hash, hexadecimal.
        key: Where its content is in storage.
    """

    name: str
    media_type: str
    size: int
    sha256: str
    key: str


class Assets(Protocol):
    """Where a document's assets come from."""

    def find(self, name: str) -> Asset:
        """Look an asset up.

        Raises:
            NotFoundError: There is none; the text has the nearest name.
            RenderError: It cannot be known whether there is one.
        """
        ...

    def read(self, asset: Asset) -> bytes:
        """Return an asset's content.

        Raises:
            RenderError: It cannot be had.
        """
        ...


class NoAssets:
    """Where nothing was uploaded."""

    def find(self, name: str) -> Asset:
        """Find nothing, as `Assets.find` says."""
        raise NotFoundError(f"there is no asset named {name[:SHOWN_CHARACTERS]!r}")

    def read(self, asset: Asset) -> bytes:
        """Never be asked: nothing was found."""
        raise NotFoundError(f"there is no asset named {asset.name!r}")


@dataclass(slots=True)
class FetchPolicy:
    """Decides about every URL that one document names, and remembers what came of it.

    One document sees one content of each asset, also when another is uploaded meanwhile.

    Attributes:
        assets: Where ``asset:`` URLs lead.
        refused: Why URLs were not fetched, in the order they were asked for, each once and at most twenty.
        used: The names of the fetched assets, with their contents' hashes.
        failure: What must end the render, though the engine that asked went on.
    """

    assets: Assets = field(default_factory=NoAssets)
    refused: list[str] = field(default_factory=list)
    used: dict[str, str] = field(default_factory=dict)
    failure: BaseException | None = None
    _found: dict[str, Asset | str] = field(default_factory=dict)
    _fetches: Counter[str] = field(default_factory=Counter)

    def fetch(self, url: str) -> Fetched:
        """Return the resource behind a URL.

        Raises:
            FetchRefusedError: It is neither a ``data:`` nor an ``asset:`` URL, is malformed, or there is no such asset.
            RenderError: An asset cannot be had, or is asked for again and again; the render must not go on.
        """
        with self._remembering():
            if url[:6].lower() == "asset:":
                return self._asset(url)
            if url[:5].lower() == "data:":
                return self._data(url)
            raise self._refuse(url, "a document may only use data: and asset: URLs")

    def read_asset(self, name: str) -> Fetched:
        """Return the asset of a name.

        Raises:
            NotFoundError: There is none; the text has the nearest name.
            RenderError: It cannot be had; the render must not go on without it.
        """
        with self._remembering():
            asset = self._find(name)
            content = self.assets.read(asset)
        self.used[asset.name] = asset.sha256
        return Fetched(content, asset.media_type)

    @contextlib.contextmanager
    def enforced(self) -> Iterator[None]:
        """Raise in the end what had to end the render, if an engine or a template swallowed it."""
        try:
            yield
        except BaseException as error:
            if self.failure is None or self.failure is error:
                raise
            raise self.failure from error
        if self.failure is not None:
            raise self.failure

    @contextlib.contextmanager
    def _remembering(self) -> Iterator[None]:
        if self.failure is not None:
            raise self.failure
        try:
            yield
        except (FetchRefusedError, NotFoundError):
            raise
        except Exception as error:
            # Also what nobody thought of: an engine would go on, and its document lack what it asked for.
            self.failure = error
            raise

    def _data(self, url: str) -> Fetched:
        try:
            # The handler itself, not urlopen: no opener, no proxy, no other scheme can come into play.
            with urllib.request.DataHandler().data_open(urllib.request.Request(url)) as answer:  # noqa: S310
                return Fetched(content=answer.read(), media_type=answer.headers.get_content_type())
        except (ValueError, binascii.Error, UnicodeError) as error:
            raise self._refuse(url, "it is not a well-formed data: URL") from error

    def _asset(self, url: str) -> Fetched:
        name = unquote(url[6:].partition("#")[0].partition("?")[0])
        self._fetches[name] += 1
        if self._fetches[name] > MOST_FETCHES_OF_ONE:
            raise TemplateError(
                f"asset {name[:SHOWN_CHARACTERS]!r} is asked for more than {MOST_FETCHES_OF_ONE} times: "
                "does it name itself?"
            )
        try:
            fetched = self.read_asset(name)
        except NotFoundError as error:
            raise self._refuse(url, error.message) from error
        if fetched.media_type != STYLE_SHEET:
            return fetched
        return Fetched(with_absolute_urls(fetched.content, name), fetched.media_type)

    def _find(self, name: str) -> Asset:
        if name not in self._found:
            try:
                self._found[name] = self.assets.find(name)
            except NotFoundError as error:
                self._found[name] = error.message
        found = self._found[name]
        if isinstance(found, str):
            raise NotFoundError(found)
        return found

    def _refuse(self, url: str, reason: str) -> FetchRefusedError:
        shown = url if len(url) <= SHOWN_CHARACTERS else f"{url[:SHOWN_CHARACTERS]}…"
        error = FetchRefusedError(f"{shown} was not fetched: {reason}")
        if len(self.refused) < MOST_REFUSALS_KEPT and error.message not in self.refused:
            self.refused.append(error.message)
        return error
