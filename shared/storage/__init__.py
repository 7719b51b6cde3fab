"""Where documents and large data live: one protocol, a folder or an S3 server behind it.

A key is one or more segments of ASCII letters, digits and ``-_.~`` joined by ``/``, for example
``reports/0192f0c1-….pdf``; a segment is at most 255 characters and neither ``.`` nor ``..``, the key at most 1000. No
key may be another one's folder (``a`` beside ``a/b``): S3 would hold both, a folder cannot. An object is written whole
or not at all, and a missing one is ``FileNotFoundError``, whichever store it was.

Each object's SHA-256 is kept with it, and who reads a whole one gets the bytes that were put, or `CorruptObjectError`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator, Iterator, Mapping
    from typing import IO

    from shared.settings import Settings

CHUNK_BYTES = 64 * 1024
# S3 allows 1024 bytes, file systems 255 a segment.
KEY_LENGTH = 1000
SEGMENT_LENGTH = 255
# The name in the metadata under which a store keeps the hash of the object; nobody else's.
SHA256 = "sha256"
# What S3 accepts of a user's metadata, names and values together, less the hash.
METADATA_BYTES = 2048 - len(SHA256) - 64

KEY_CHARACTERS = re.compile(r"[A-Za-z0-9\-_.~/]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_METADATA_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# Values travel as HTTP headers: servers drop empty ones, and proxies strip what surrounds them.
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class StorageError(Exception):
    """Raised when the store cannot be reached or refuses; trying again may help."""


class CorruptObjectError(StorageError):
    """Raised when an object's bytes are not those that were put; trying again does not help.

    Args:
        key: Where it is.
        expected: The hash or the size that it should have, in words.
        found: Those that it has.
    """

    def __init__(self, key: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"The object {key} is not what was stored there: expected {expected}, found {found}. "
            "Run `pressroom verify` to see what else is damaged, and put the object back from a backup"
        )
        self.key = key
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of an object without reading it.

    Attributes:
        size: Bytes.
        media_type: The ``Content-Type`` that it was put with.
        metadata: The names and values that it was put with; names are lower case.
        sha256: The hash of what was put, hexadecimal; None: it came by another way, or from an earlier release.
    """

    size: int
    media_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a list names it.

    Attributes:
        key: Where it is.
        modified_at: When it was last written, by the store's clock.
    """

    key: str
    modified_at: dt.datetime


class Storage(Protocol):
    """What Pressroom asks of a store."""

    def put(
        self, key: str, content: bytes, *, media_type: str, metadata: Mapping[str, str], sha256: str | None = None
    ) -> None:
        """Write an object with its hash; one of the same key is replaced at once with its metadata, never half.

        Args:
            key: Where.
            content: The whole object.
            media_type: Its ``Content-Type``.
            metadata: Lower-case ASCII names (``trace-id``) and printable ASCII values kept with the object, 1978
                bytes in all. ``sha256`` is the store's own.
            sha256: The content's hash, hexadecimal, where the caller knows it; else it is computed.

        Raises:
            ValueError: The key, the media type, the metadata or the hash cannot be stored.
            StorageError: It could not be written; nothing of it is visible.
        """
        ...

    def copy(self, source: str, target: str) -> None:
        """Write an object that is as another one, with its media type, metadata and hash, within the store.

        A copy of what is damaged is not noticed here for certain, but by whoever reads it: it has the same hash.

        Args:
            source: The key of the one that is there.
            target: The key of the new one, which is replaced as by `put`.

        Raises:
            FileNotFoundError: There is none.
            CorruptObjectError: Its bytes are not those that were put.
            StorageError: It could not be written; nothing of it is visible.
        """
        ...

    def stat(self, key: str) -> Stored:
        """Describe an object.

        Raises:
            FileNotFoundError: There is none.
            StorageError: The store did not answer.
        """
        ...

    def stream(self, key: str, *, offset: int = 0, length: int | None = None) -> Generator[bytes, None, None]:
        """Open an object and return its bytes from ``offset`` on, at most ``length``, in chunks.

        The object is opened before this returns, so that a missing one is known before an answer is begun. Beyond its
        end there is nothing. Closing the generator, or reading it to its end, releases the connection or file. Nothing
        is checked: what must be what was put is read with `get` or `fetch`.

        Raises:
            FileNotFoundError: There is none.
            StorageError: The store did not answer; also while chunks are read.
            ValueError: The offset or the length is negative.
        """
        ...

    def get(self, key: str, *, sha256: str | None = None, size: int | None = None) -> bytes:
        """Read a whole object and check it, with the arguments and the errors of `fetch`."""
        ...

    def fetch(self, key: str, file: IO[bytes], *, sha256: str | None = None, size: int | None = None) -> None:
        """Write a whole object into a file, and check it. A file that this raised over holds nothing of use.

        Args:
            key: Where it is.
            file: Empty, and open for writing and seeking; it stands at its end afterwards.
            sha256: The hash that it must have, hexadecimal; None: the one that was kept with it, if one was.
            size: Its bytes, where they are known. Not one more is written.

        Raises:
            FileNotFoundError: There is none.
            CorruptObjectError: Its bytes are not those that were put.
            StorageError: The store did not answer, or not to the end.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is no error.

        Raises:
            StorageError: It could not be removed.
        """
        ...

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """List the objects whose keys begin with ``prefix``, each once, in any order.

        Objects that are written or deleted meanwhile may be listed or not.

        Raises:
            ValueError: No key can begin so.
            StorageError: The store did not answer.
        """
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List only the keys, with the errors of `listed`."""
        ...

    def remove_unfinished(self, *, older_than: float) -> int:
        """Remove what processes left that were killed while they stored an object, and return how many there were.

        Args:
            older_than: Seconds since they began.

        Raises:
            StorageError: They could not be removed.
        """
        ...

    def ping(self) -> None:
        """Return when the store answers and can be written to, as far as is known without leaving something behind.

        Raises:
            StorageError: It cannot; the text says why.
        """
        ...


def check_key(key: str) -> None:
    """Refuse a key that is not of the alphabet and the shape that every store can hold.

    Raises:
        ValueError: The key is refused; the text says why.
    """
    if not key:
        raise ValueError("A storage key is empty: expected at least one segment")
    _check_segments(key, "key", whole=True)


def check_prefix(prefix: str) -> None:
    """Refuse what no key begins with.

    Raises:
        ValueError: The prefix is refused; the text says why.
    """
    _check_segments(prefix, "prefix", whole=False)


def _check_segments(text: str, kind: str, *, whole: bool) -> None:
    shown = repr(text[:SEGMENT_LENGTH])
    if len(text) > KEY_LENGTH:
        raise ValueError(f"Storage {kind} {shown}… has {len(text)} characters: expected at most {KEY_LENGTH}")
    if not KEY_CHARACTERS.fullmatch(text):
        raise ValueError(f"Storage {kind} {shown}: expected only ASCII letters, digits, '-', '_', '.', '~' and '/'")
    *folders, last = text.split("/")
    # The last segment of a prefix is the beginning of one, and may still become anything.
    for segment in [*folders, last] if whole else folders:
        if segment in {"", ".", ".."}:
            raise ValueError(f"Storage {kind} {shown}: expected no segment that is empty, '.' or '..'")
    if any(len(segment) > SEGMENT_LENGTH for segment in [*folders, last]):
        raise ValueError(f"Storage {kind} {shown}: expected at most {SEGMENT_LENGTH} characters in a segment")


def check_labels(media_type: str, metadata: Mapping[str, str]) -> None:
    """Refuse a media type or metadata that would not come back as they were put.

    Raises:
        ValueError: The text names the offender and what was expected.
    """
    if len(media_type) > SEGMENT_LENGTH or not _HEADER_VALUE.fullmatch(media_type):
        raise ValueError(f"Media type {media_type[:SEGMENT_LENGTH]!r}: expected printable ASCII such as 'text/html'")
    for name, value in metadata.items():
        if not _METADATA_NAME.fullmatch(name):
            raise ValueError(f"Metadata name {name!r}: expected lower-case ASCII letters, digits and '-'")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"Metadata {name}: expected printable ASCII, not empty, no space at either end")
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > METADATA_BYTES:
        raise ValueError(f"The metadata has {size} bytes: expected at most {METADATA_BYTES}")


def labelled(content: bytes, *, media_type: str, metadata: Mapping[str, str], sha256: str | None) -> dict[str, str]:
    """Return the metadata that an object is put with: the caller's and the content's hash.

    Raises:
        ValueError: The media type, the metadata or the hash cannot be stored; the text says why.
    """
    check_labels(media_type, metadata)
    if sha256 is not None and not is_digest(sha256):
        raise ValueError(f"SHA-256 {sha256[:SEGMENT_LENGTH]!r}: expected 64 hexadecimal digits, in lower case")
    return {**metadata, SHA256: sha256 or hashlib.sha256(content).hexdigest()}


def is_digest(text: str) -> bool:
    """Say whether a text is a SHA-256 as it is written here."""
    return _DIGEST.fullmatch(text) is not None


def check_range(offset: int, length: int | None) -> None:
    """Refuse a part of an object that begins or ends before its first byte.

    Raises:
        ValueError: The offset or the length is negative.
    """
    if offset < 0 or (length is not None and length < 0):
        raise ValueError(f"Offset {offset} and length {length}: expected neither to be negative")


def create_storage(settings: Settings, *, hasty: bool = False) -> Storage:
    """Make the store that the settings name. Nothing is written and no server is asked.

    Args:
        settings: The farm's settings.
        hasty: Whether somebody waits for each answer: a server that hangs is given up sooner.

    Raises:
        SettingsError: The S3 server or the bucket is named in a way that cannot be right.
    """
    if settings.storage == "s3":
        from shared.storage.s3 import S3Storage  # noqa: PLC0415  # The SDK is heavy; a folder does not need it.

        return S3Storage(
            endpoint=settings.s3_endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key,
            bucket=settings.s3_bucket,
            region=settings.s3_region,
            secure=settings.s3_secure,
            hasty=hasty,
        )
    from shared.storage.filesystem import FilesystemStorage  # noqa: PLC0415

    return FilesystemStorage(settings.blobs)
