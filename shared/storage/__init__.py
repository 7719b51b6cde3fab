"""Where documents and large data live: one protocol, a folder or an S3 server behind it.

A key is one or more segments of ASCII letters, digits and ``-_.~`` joined by ``/``, for example
``reports/0192f0c1-….pdf``. An object is written whole or not at all, and a missing one is ``FileNotFoundError``,
whichever store it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.settings import Settings

CHUNK_BYTES = 64 * 1024


class StorageError(Exception):
    """Raised when the store cannot be reached or refuses; trying again may help."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of an object without reading it.

    Attributes:
        size: Bytes.
        media_type: The ``Content-Type`` that it was put with.
        metadata: The names and values that it was put with; names are lower case.
    """

    size: int
    media_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class Storage(Protocol):
    """What Pressroom asks of a store."""

    def put(self, key: str, content: bytes, *, media_type: str, metadata: Mapping[str, str]) -> None:
        """Write an object; one of the same key is replaced at once, never half.

        Args:
            key: Where.
            content: The whole object.
            media_type: Its ``Content-Type``.
            metadata: Lower-case ASCII names (``trace-id``) and ASCII values kept with the object.

        Raises:
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

    def stream(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Open an object and return its bytes from ``offset`` on, at most ``length``, in chunks.

        The object is opened before this returns, so that a missing one is known before an answer is begun. Closing
        the iterator (``.close()``) releases the connection or file.

        Raises:
            FileNotFoundError: There is none.
            StorageError: The store did not answer.
        """
        ...

    def get(self, key: str) -> bytes:
        """Read a whole object, with the errors of `stream`."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is no error.

        Raises:
            StorageError: It could not be removed.
        """
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List the keys that begin with ``prefix``.

        Raises:
            StorageError: The store did not answer.
        """
        ...

    def ping(self) -> None:
        """Return when the store can be written to.

        Raises:
            StorageError: It cannot; the text says why.
        """
        ...


def create_storage(settings: Settings) -> Storage:
    """Make the store that the settings name."""
    if settings.storage == "s3":
        from shared.storage.s3 import S3Storage  # noqa: PLC0415  # The SDK is heavy; a folder does not need it.

        return S3Storage(
            endpoint=settings.s3_endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key,
            bucket=settings.s3_bucket,
            region=settings.s3_region,
            secure=settings.s3_secure,
        )
    from shared.storage.filesystem import FilesystemStorage  # noqa: PLC0415

    return FilesystemStorage(settings.blobs)
