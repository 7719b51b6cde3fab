"""A store that is an S3 server, through the `minio` SDK.

Tested against SeaweedFS; MinIO, Ceph and the clouds speak the same protocol. TLS trusts what the machine trusts, so a
private authority's certificate belongs into the system's store.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import io
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.error import MinioException, S3Error
from minio.helpers import MIN_PART_SIZE, check_bucket_name

from shared.exceptions import SettingsError
from shared.storage import (
    CHUNK_BYTES,
    SHA256,
    Listed,
    StorageError,
    Stored,
    check_key,
    check_prefix,
    check_range,
    checked,
    connections,
    labelled,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from typing import IO

    from urllib3 import BaseHTTPResponse

SHOWN_CHARACTERS = 300

_METADATA_PREFIX = "x-amz-meta-"
# A body that was changed on its way is refused. Without it SeaweedFS takes whatever comes, signed or not.
_CHECKSUM = "x-amz-checksum-sha256"
_MISSING = {"NoSuchKey", "NoSuchBucket"}
_ALREADY_MADE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
_WRONG_KEYS = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
# urllib3 begins its texts with the connection's or the pool's class and address.
_CONNECTION = re.compile(r"^_?\w+\(host=[^)]*\): ")
# The SDK hands on what urllib3, the sockets and the parser of answers raise.
_FAILURES = (MinioException, urllib3.exceptions.HTTPError, OSError, ParseError, UnicodeDecodeError)


class _Clients(NamedTuple):
    """The SDK's clients of one process."""

    process: int
    usual: Minio
    probing: Minio


class S3Storage:
    """Objects in one bucket of an S3 server. Safe to use from threads, and after a fork.

    No server is asked before the first use; the bucket is made when it turns out to be missing.

    Args:
        endpoint: The server, as ``host:port``.
        access_key: Who the farm is.
        secret_key: What proves it.
        bucket: The bucket's name.
        region: The bucket's region; servers that have none take any.
        secure: Speak HTTPS.
        hasty: Give a server that hangs up sooner, since somebody waits for each answer.

    Raises:
        SettingsError: The endpoint or the bucket's name cannot be right.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        region: str,
        secure: bool,
        hasty: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._access_key = access_key
        self._secret_key = secret_key
        self._bucket = bucket
        self._region = region
        self._secure = secure
        self._hasty = hasty
        if not endpoint:
            raise SettingsError("PRESSROOM_S3_ENDPOINT is empty: expected host:port")
        try:
            check_bucket_name(bucket, strict=True)
        except ValueError as error:
            raise SettingsError(
                f"PRESSROOM_S3_BUCKET is {bucket!r}: expected 3 to 63 lower-case letters, digits, '-' and '.'"
            ) from error
        try:
            self._made = self._make_clients()
        except ValueError as error:
            raise SettingsError(
                f"PRESSROOM_S3_ENDPOINT is {endpoint!r}: expected host:port, without a scheme or a path"
            ) from error

    def put(
        self, key: str, content: bytes, *, media_type: str, metadata: Mapping[str, str], sha256: str | None = None
    ) -> None:
        """Write an object, as `shared.storage.Storage.put` says."""
        check_key(key)
        labels = labelled(content, media_type=media_type, metadata=metadata, sha256=sha256)
        with self._asking(f"store {key}"):
            try:
                self._put(key, content, media_type, labels)
            except S3Error as error:
                if error.code != "NoSuchBucket":
                    raise
                self._make_bucket(self._clients.usual)
                self._put(key, content, media_type, labels)

    def copy(self, source: str, target: str) -> None:
        """Let the server copy an object, as `shared.storage.Storage.copy` says."""
        check_key(source)
        check_key(target)
        with self._asking(f"copy {source}", source):
            self._clients.usual.copy_object(self._bucket, target, CopySource(self._bucket, source))

    def stat(self, key: str) -> Stored:
        """Describe an object, as `shared.storage.Storage.stat` says."""
        check_key(key)
        with self._asking(f"describe {key}", key):
            found = self._clients.usual.stat_object(self._bucket, key)
        metadata = _metadata(found.metadata or {})
        sha256 = metadata.pop(SHA256, None)
        media_type = found.content_type or "application/octet-stream"
        return Stored(size=found.size or 0, media_type=media_type, metadata=metadata, sha256=sha256)

    def stream(self, key: str, *, offset: int = 0, length: int | None = None) -> Generator[bytes, None, None]:
        """Return an object's bytes in chunks, as `shared.storage.Storage.stream` says."""
        check_key(key)
        check_range(offset, length)
        if length == 0:
            # A range has at least one byte.
            self.stat(key)
            return _begun(self._chunks(key, None))
        return _begun(self._chunks(key, self._answer(key, offset, length or 0)))

    def get(self, key: str, *, sha256: str | None = None, size: int | None = None) -> bytes:
        """Read a whole object, as `shared.storage.Storage.get` says."""
        content = io.BytesIO()
        self.fetch(key, content, sha256=sha256, size=size)
        return content.getvalue()

    def fetch(self, key: str, file: IO[bytes], *, sha256: str | None = None, size: int | None = None) -> None:
        """Write a whole object into a file, as `shared.storage.Storage.fetch` says."""
        check_key(key)
        checked.fetch(lambda: self._opened(key), key, file, sha256=sha256, size=size)

    def delete(self, key: str) -> None:
        """Remove an object, as `shared.storage.Storage.delete` says."""
        check_key(key)
        with contextlib.suppress(FileNotFoundError), self._asking(f"delete {key}", key):
            self._clients.usual.remove_object(self._bucket, key)

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """List objects, as `shared.storage.Storage.listed` says."""
        check_prefix(prefix)
        return self._listed(prefix)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List keys, as `shared.storage.Storage.keys` says."""
        return (one.key for one in self.listed(prefix))

    def remove_unfinished(self, *, older_than: float) -> int:  # noqa: ARG002  # As `Storage` has it.
        """Remove nothing: an object is sent in one request, and a server keeps none that is not whole."""
        return 0

    def ping(self) -> None:
        """Ask for the bucket, and make it when it is missing, as `shared.storage.Storage.ping` says.

        Nothing is written: in a bucket that keeps versions, every probe would stay for ever.
        """
        client = self._clients.probing
        with self._asking("show its bucket"):
            if not client.bucket_exists(self._bucket):
                self._make_bucket(client)

    @property
    def _clients(self) -> _Clients:
        # Two processes on one connection would read each other's answers. No lock: one that a thread holds during a
        # fork stays locked in the child for ever, and two threads that both make clients lose nothing.
        if self._made.process != os.getpid():
            self._made = self._make_clients()
        return self._made

    def _make_clients(self) -> _Clients:
        return _Clients(
            process=os.getpid(),
            usual=self._client(connections.hasty() if self._hasty else connections.patient()),
            probing=self._client(connections.probing()),
        )

    def _client(self, pool: urllib3.PoolManager) -> Minio:
        return Minio(
            self._endpoint,
            access_key=self._access_key,
            secret_key=self._secret_key,
            region=self._region,
            secure=self._secure,
            http_client=pool,
        )

    def _put(self, key: str, content: bytes, media_type: str, metadata: Mapping[str, str]) -> None:
        headers: Any = {f"{_METADATA_PREFIX}{name}": value for name, value in metadata.items()}
        headers[_CHECKSUM] = base64.b64encode(bytes.fromhex(metadata[SHA256])).decode()
        self._clients.usual.put_object(
            self._bucket,
            key,
            io.BytesIO(content),
            len(content),
            content_type=media_type,
            metadata=headers,
            # One request whatever the size: parts that a crash leaves unfinished would be stored, unseen, for ever.
            part_size=max(len(content), MIN_PART_SIZE),
        )

    def _make_bucket(self, client: Minio) -> None:
        try:
            client.make_bucket(self._bucket)
        except S3Error as error:
            # Another process was quicker.
            if error.code not in _ALREADY_MADE:
                raise

    def _opened(self, key: str) -> checked.Opened:
        answer = self._answer(key, 0, 0)
        sha256 = None if answer is None else _metadata(answer.headers).get(SHA256)
        return checked.Opened(_begun(self._chunks(key, answer)), [sha256] if sha256 else [])

    def _answer(self, key: str, offset: int, length: int) -> BaseHTTPResponse | None:
        """Return the server's answer with the bytes from an offset on; None: the object ends before it."""
        with self._asking(f"read {key}", key):
            try:
                return self._clients.usual.get_object(self._bucket, key, offset=offset, length=length)
            except S3Error as error:
                if error.code != "InvalidRange":
                    raise
                return None

    def _chunks(self, key: str, answer: BaseHTTPResponse | None) -> Generator[bytes, None, None]:
        yield b""
        if answer is None:
            return
        try:
            with self._asking(f"read {key}"):
                # An answer that is shorter than it said is an error of the library's.
                yield from answer.stream(CHUNK_BYTES, decode_content=False)
        finally:
            # Read to its end, the connection is back in the pool already; else it is of no more use.
            answer.close()

    def _listed(self, prefix: str) -> Iterator[Listed]:
        with contextlib.suppress(FileNotFoundError), self._asking("list its objects", prefix):
            for one in self._clients.usual.list_objects(self._bucket, prefix=prefix, recursive=True):
                if one.object_name and one.last_modified and not one.is_dir:
                    yield Listed(one.object_name, one.last_modified)

    @contextlib.contextmanager
    def _asking(self, doing: str, key: str | None = None) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            if key is not None and error.code in _MISSING:
                raise FileNotFoundError(errno.ENOENT, "There is no object", key) from None
            hint = ": check PRESSROOM_S3_ACCESS_KEY and PRESSROOM_S3_SECRET_KEY" if error.code in _WRONG_KEYS else ""
            raise StorageError(f"{self._named} refused to {doing} ({error.code}){hint}") from error
        except _FAILURES as error:
            # Of a request that was tried again and again, the last failure is what tells something.
            cause = _CONNECTION.sub("", str(getattr(error, "reason", None) or error))
            raise StorageError(f"{self._named} could not {doing}: {cause[:SHOWN_CHARACTERS]}") from error

    @property
    def _named(self) -> str:
        return f"The S3 server {self._endpoint}, bucket {self._bucket},"


def _begun(chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """Run to the first, empty chunk: then a close() finds something to release."""
    next(chunks)
    return chunks


def _metadata(headers: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    return {
        name.removeprefix(_METADATA_PREFIX): value for name, value in lower.items() if name.startswith(_METADATA_PREFIX)
    }
