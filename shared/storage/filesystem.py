"""A store that is a folder: each object is one file, at its key, with just the object's bytes.

So a document opens from the folder as it is, ``sha256sum`` says what the database says, and a copy of the folder to an
S3 server is a copy of the objects. Media type and metadata lie beside, under the same key in ``@metadata``. They are
written before the object appears and removed after it went, so that what is visible is whole. A lock in ``@locks``
keeps those who write one key at once apart. (One that is killed in between leaves an object with the metadata of what
should have replaced it: that tells its hash, too.)

A new object is written to ``@temporary`` and renamed from there; ``@`` is not in the alphabet of keys, so nothing in
these folders is an object. A temporary that is older than any write takes was left by a crash; the sweep removes it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import io
import json
import os
import time
import uuid
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, NoReturn

from shared import file_locks
from shared.storage import (
    CHUNK_BYTES,
    KEY_CHARACTERS,
    SHA256,
    Listed,
    StorageError,
    Stored,
    check_key,
    check_prefix,
    check_range,
    checked,
    labelled,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

TEMPORARY = "@temporary"
METADATA = "@metadata"
LOCKS = "@locks"
UNKNOWN_TYPE = "application/octet-stream"

# Between making a folder and renaming into it, a deletion may find the folder empty and remove it. Each turn takes
# another deletion at just that moment.
_MOST_TURNS = 50
# Keys share locks, so that there are not as many of them as keys; each is held for two renames.
_MOST_LOCKS = 64
LOCK_SECONDS = 5


class _Facts(NamedTuple):
    """What lies beside an object: its media type and metadata, and the hash of the object that it replaced."""

    media_type: str
    metadata: dict[str, str]
    replaces: list[str]

    @property
    def hashes(self) -> list[str]:
        """The hashes that the object may have, its own first; empty: nothing is known."""
        return [self.metadata[SHA256], *self.replaces] if SHA256 in self.metadata else []


class FilesystemStorage:
    """Objects in a folder of this machine, or one that all machines mount. Safe to use from threads and after a fork.

    Args:
        root: The folder; made when the first object is put.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / TEMPORARY
        self._metadata = root / METADATA
        self._locks = root / LOCKS

    def put(
        self, key: str, content: bytes, *, media_type: str, metadata: Mapping[str, str], sha256: str | None = None
    ) -> None:
        """Write an object, as `shared.storage.Storage.put` says."""
        check_key(key)
        labels = labelled(content, media_type=media_type, metadata=metadata, sha256=sha256)
        try:
            written = self._write(content)
        except OSError as error:
            self._fail(f"store {key}", error)
        self._place(key, written, media_type=media_type, labels=labels)

    def copy(self, source: str, target: str) -> None:
        """Copy an object's file, as `shared.storage.Storage.copy` says."""
        check_key(target)
        facts = self._facts(source)
        path = f"{self._temporary}/{uuid.uuid4().hex}"
        try:
            with open(_opened_new(path, os.O_RDWR | os.O_CREAT | os.O_EXCL), "r+b") as file:
                self.fetch(source, file)
                file.flush()
                os.fsync(file.fileno())
        except BaseException as error:
            _unlink([path])
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                self._fail(f"copy {source}", error)
            raise
        self._place(target, path, media_type=facts.media_type, labels=facts.metadata)

    def stat(self, key: str) -> Stored:
        """Describe an object, as `shared.storage.Storage.stat` says."""
        with self._open(key) as file:
            size = os.fstat(file.fileno()).st_size
        facts = self._facts(key)
        sha256 = facts.metadata.pop(SHA256, None)
        return Stored(size=size, media_type=facts.media_type, metadata=facts.metadata, sha256=sha256)

    def stream(self, key: str, *, offset: int = 0, length: int | None = None) -> Generator[bytes, None, None]:
        """Return an object's bytes in chunks, as `shared.storage.Storage.stream` says."""
        check_range(offset, length)
        chunks = self._chunks(key, offset, length)
        # Runs to the first, empty chunk: the file is open then, and a close() finds something to release.
        next(chunks)
        return chunks

    def get(self, key: str, *, sha256: str | None = None, size: int | None = None) -> bytes:
        """Read a whole object, as `shared.storage.Storage.get` says."""
        content = io.BytesIO()
        self.fetch(key, content, sha256=sha256, size=size)
        return content.getvalue()

    def fetch(self, key: str, file: IO[bytes], *, sha256: str | None = None, size: int | None = None) -> None:
        """Write a whole object into a file, as `shared.storage.Storage.fetch` says."""
        checked.fetch(lambda: self._opened(key), key, file, sha256=sha256, size=size)

    def delete(self, key: str) -> None:
        """Remove an object and the folders that it leaves empty, as `shared.storage.Storage.delete` says."""
        check_key(key)
        try:
            with self._locked(key):
                for root in (self._root, self._metadata):
                    _delete(root, key)
        except OSError as error:
            self._fail(f"delete {key}", error)

    def listed(self, prefix: str = "") -> Iterator[Listed]:
        """List objects, as `shared.storage.Storage.listed` says."""
        for key in self.keys(prefix):
            with contextlib.suppress(FileNotFoundError):
                # Deleted since its folder was read.
                written = (self._root / key).stat().st_mtime
                yield Listed(key, dt.datetime.fromtimestamp(written, dt.UTC))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List keys, as `shared.storage.Storage.keys` says."""
        check_prefix(prefix)
        return self._walk(prefix.rpartition("/")[0], prefix)

    def remove_unfinished(self, *, older_than: float) -> int:
        """Remove old temporaries, as `shared.storage.Storage.remove_unfinished` says."""
        removed = 0
        try:
            for entry in os.scandir(self._temporary):
                # One that is being written, or moved, may be gone by now.
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - entry.stat().st_mtime > older_than:
                        Path(entry).unlink()
                        removed += 1
        except FileNotFoundError:
            return 0
        except OSError as error:
            self._fail("remove what was not finished", error)
        return removed

    def ping(self) -> None:
        """Write a file and remove it, as `shared.storage.Storage.ping` says."""
        try:
            os.unlink(self._write(b"ping"))
        except OSError as error:
            self._fail("store anything", error)

    @contextlib.contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Keep others from writing the key, be they threads or processes."""
        path = f"{self._locks}/{zlib.crc32(key.encode()) % _MOST_LOCKS:02d}"
        descriptor = _opened_new(path, os.O_RDWR | os.O_CREAT)
        try:
            if not file_locks.lock(descriptor, seconds=LOCK_SECONDS):
                raise StorageError(f"{key} is being stored or removed by another, which does not come to an end")
            yield
        finally:
            os.close(descriptor)

    def _write(self, content: bytes, *, durable: bool = True) -> str:
        path = f"{self._temporary}/{uuid.uuid4().hex}"
        descriptor = _opened_new(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if durable:
                # Before the rename: a name must never outlive a power cut that its bytes did not.
                os.fsync(descriptor)
        except BaseException:
            _unlink([path])
            raise
        finally:
            os.close(descriptor)
        return path

    def _place(self, key: str, path: str, *, media_type: str, labels: Mapping[str, str]) -> None:
        """Let a file that is written be an object, at once with what is known of it."""
        said = {"mediaType": media_type, "metadata": labels}
        written = [path]
        try:
            with self._locked(key):
                facts = json.dumps(said | {"replaces": self._facts(key).hashes[:1]}).encode("ascii")
                written.append(self._write(facts, durable=False))
                for root in (self._metadata, self._root):
                    self._move(written[-1], f"{root}/{key}")
                    written.pop()
            with contextlib.suppress(FileNotFoundError):
                # A deletion at this moment may have taken the folder.
                _sync_folder(os.path.dirname(f"{self._root}/{key}"))
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise StorageError(
                f"{key} cannot be stored: no key may be another one's folder, and one here is"
            ) from error
        except OSError as error:
            self._fail(f"store {key}", error)
        finally:
            _unlink(written)

    @staticmethod
    def _move(source: str, target: str) -> None:
        for turn in range(1, _MOST_TURNS + 1):
            try:
                os.replace(source, target)
            except FileNotFoundError:
                if turn == _MOST_TURNS:
                    raise
                # mkdir says of a folder that came and went within it that it exists and is none.
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    Path(target).parent.mkdir(parents=True, exist_ok=True)
            else:
                return

    def _open(self, key: str) -> IO[bytes]:
        check_key(key)
        path = self._root / key
        try:
            return path.open("rb")
        except OSError as error:
            if _is_no_object(error, path):
                raise FileNotFoundError(errno.ENOENT, "There is no object", key) from None
            self._fail(f"read {key}", error)

    def _opened(self, key: str) -> checked.Opened:
        chunks = self.stream(key)
        with contextlib.ExitStack() as unless_known:
            unless_known.callback(chunks.close)
            facts = self._facts(key)
            unless_known.pop_all()
        return checked.Opened(chunks, facts.hashes)

    def _facts(self, key: str) -> _Facts:
        try:
            with open(f"{self._metadata}/{key}", "rb") as file:
                said = json.loads(file.read())
            return _Facts(said["mediaType"], said["metadata"], said.get("replaces", []))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            # An object that came by another way, from a backup of the bytes alone.
            return _Facts(UNKNOWN_TYPE, {}, [])
        except OSError as error:
            self._fail(f"read what is known of {key}", error)
        except (ValueError, KeyError, TypeError):
            # Cut short by a power cut: it is not written as durably as the object. The database knows the same.
            return _Facts(UNKNOWN_TYPE, {}, [])

    def _chunks(self, key: str, offset: int, length: int | None) -> Generator[bytes, None, None]:
        with self._open(key) as file:
            rest = max(os.fstat(file.fileno()).st_size - offset, 0)
            if length is not None:
                rest = min(rest, length)
            yield b""
            file.seek(offset)
            while rest:
                try:
                    chunk = file.read(min(rest, CHUNK_BYTES))
                except OSError as error:
                    self._fail(f"read {key}", error)
                if not chunk:
                    raise StorageError(f"{self._root / key} became shorter while it was read")
                rest -= len(chunk)
                yield chunk

    def _walk(self, folder: str, prefix: str) -> Iterator[str]:
        try:
            with os.scandir(self._root / folder) as entries:
                names = [f"{one.name}/" if one.is_dir() else one.name for one in entries]
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self._fail(f"list {folder or 'its objects'}", error)
        for name in names:
            key = f"{folder}/{name}" if folder else name
            if not KEY_CHARACTERS.fullmatch(name):
                # Temporaries, and what else lives in a folder that is a disk of its own, such as lost+found.
                continue
            if key.endswith("/"):
                # The prefix may end within this folder's name, or the folder may lie below it.
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._walk(key[:-1], prefix)
            elif key.startswith(prefix):
                yield key

    def _fail(self, doing: str, error: OSError) -> NoReturn:
        raise StorageError(f"The folder {self._root} could not {doing}: {error.strerror or error}") from error


def _opened_new(path: str, flags: int) -> int:
    """Open a file that is made if need be, and its folder, too. Documents are for the farm's own user alone."""
    try:
        return os.open(path, flags | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _sync_folder(folder: str) -> None:
    """Make a rename outlive a power cut: the database will say that the object is there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete(root: Path, key: str) -> None:
    """Remove a file, if it is there, and the folders that it leaves empty."""
    path = root / key
    try:
        path.unlink()
    except OSError as error:
        if _is_no_object(error, path):
            return
        raise
    with contextlib.suppress(OSError):
        for folder in path.relative_to(root).parents[:-1]:
            (root / folder).rmdir()


def _unlink(temporaries: list[str]) -> None:
    for path in temporaries:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _is_no_object(error: OSError, path: Path) -> bool:
    """Say whether an error means that nothing is stored at a key, be it that a folder is there or a file above it."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
        return True
    # Some systems answer "not permitted" to the removal of a folder.
    return isinstance(error, PermissionError) and path.is_dir()
