"""Stored objects that are not what was stored: noticed on their way in, on their way out, and where they lie."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from behind import put_behind_its_back
from faults import Fault, Front

from shared.storage import CorruptObjectError, StorageError
from shared.storage.filesystem import METADATA, FilesystemStorage
from shared.storage.s3 import S3Storage

CONTENT = b"%PDF-1.7 " + b"what a customer got " * 10_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ALTERED = b"%PDF-1.7 " + b"What a customer got " + CONTENT[29:]
KEY = "reports/a.pdf"


def put(storage, content=CONTENT, *, key=KEY, **options):
    storage.put(key, content, media_type="application/pdf", metadata={"trace-id": "t"}, **options)


def alter(storage, key=KEY, content=ALTERED):
    """Put other bytes in the place of an object's, beside the same metadata."""
    stored = storage.stat(key)
    put_behind_its_back(storage, key, content, {**stored.metadata, "sha256": stored.sha256})


def reads(storage, key=KEY, **known):
    """Each way to read a whole object."""
    return (lambda: storage.get(key, **known)), (lambda: storage.fetch(key, io.BytesIO(), **known))


def s3_at(endpoint, server, bucket, **options):
    return S3Storage(
        endpoint=endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
        bucket=bucket,
        region="us-east-1",
        secure=False,
        **options,
    )


def test_a_copy_of_a_damaged_object_is_never_taken_for_a_whole_one(storage):
    put(storage)
    alter(storage)

    def read_a_copy():
        storage.copy(KEY, "prints/a.pdf")
        storage.get("prints/a.pdf")

    with pytest.raises(CorruptObjectError):
        read_a_copy()


@pytest.fixture
def front(seaweedfs):
    with Front(seaweedfs.endpoint) as front:
        yield front


@pytest.fixture
def behind(front, seaweedfs, s3_storage):
    """The store behind the faulty line; `s3_storage` is the same one without it."""
    return s3_at(front.endpoint, seaweedfs, s3_storage._bucket)


def test_each_object_has_its_hash_whoever_puts_it(storage):
    put(storage)
    put(storage, key="told", sha256=SHA256)

    assert (storage.stat(KEY).sha256, storage.stat("told").sha256) == (SHA256, SHA256)
    # It is the store's own, and none of the metadata that it was put with.
    assert storage.stat(KEY).metadata == {"trace-id": "t"}


def test_an_object_comes_back_whole_into_memory_and_into_a_file(storage):
    put(storage)
    file = io.BytesIO()

    storage.fetch(KEY, file, sha256=SHA256, size=len(CONTENT))

    assert file.getvalue() == CONTENT
    assert file.tell() == len(CONTENT)
    assert storage.get(KEY) == CONTENT


def test_a_byte_that_changed_is_noticed_however_the_object_is_read(storage):
    put(storage)
    alter(storage)

    for read in reads(storage):
        with pytest.raises(
            CorruptObjectError, match=r"reports/a\.pdf is not what was stored.*pressroom verify"
        ) as caught:
            read()
        assert SHA256 in caught.value.expected
        assert hashlib.sha256(ALTERED).hexdigest() in caught.value.found


def test_an_object_that_was_replaced_together_with_its_hash_is_not_what_the_row_says(storage):
    put(storage)
    put(storage, ALTERED)

    for read in reads(storage, sha256=SHA256):
        with pytest.raises(CorruptObjectError):
            read()
    # Who does not know better can only believe it.
    assert storage.get(KEY) == ALTERED


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x" * 1_000_000, b""])
def test_another_size_is_noticed_and_not_a_byte_more_is_written(storage, content):
    put(storage, content)
    file = io.BytesIO()

    with pytest.raises(CorruptObjectError, match=f"expected {len(CONTENT)} bytes"):
        storage.fetch(KEY, file, size=len(CONTENT))
    assert len(file.getvalue()) <= len(CONTENT)


def test_an_object_of_an_earlier_release_has_no_hash_and_is_read(storage):
    put(storage)
    if isinstance(storage, FilesystemStorage):
        (storage._root / METADATA / KEY).write_text(json.dumps({"mediaType": "application/pdf", "metadata": {}}))
    else:
        put_behind_its_back(storage, KEY, CONTENT, {})

    assert storage.stat(KEY).sha256 is None
    assert storage.get(KEY) == storage.get(KEY, sha256=SHA256) == CONTENT
    with pytest.raises(CorruptObjectError):
        storage.get(KEY, sha256="0" * 64)


@pytest.mark.parametrize("wrong", ["", "0" * 63, "A" * 64, "0" * 64 + "\n"])
def test_what_is_no_hash_is_refused(storage, wrong):
    with pytest.raises(ValueError, match="expected 64 hexadecimal digits"):
        put(storage, sha256=wrong)
    assert list(storage.keys()) == []


def test_what_changed_on_its_way_here_is_read_again(storage, monkeypatch):
    put(storage)
    original, asked = type(storage)._chunks, []

    def changed(self, *arguments):
        asked.append(arguments)
        chunks = original(self, *arguments)
        yield next(chunks)
        for chunk in chunks:
            yield chunk[:-1] + bytes([chunk[-1] ^ 1]) if len(asked) == 1 else chunk

    monkeypatch.setattr(type(storage), "_chunks", changed)

    assert storage.get(KEY) == CONTENT
    assert len(asked) == 2


def test_a_stream_is_not_checked_and_says_so_in_nothing(storage):
    # Parts of an object have no hash; who needs to be sure reads it whole.
    put(storage)
    alter(storage)

    assert b"".join(storage.stream(KEY, length=30)) == ALTERED[:30]


def test_who_is_killed_while_an_object_is_replaced_leaves_the_old_one_readable(tmp_path, monkeypatch):
    storage = FilesystemStorage(tmp_path)
    put(storage)
    original, moved = FilesystemStorage._move, []

    class KilledError(BaseException):
        pass

    def move(source, target):
        moved.append(target)
        if len(moved) == 2:
            raise KilledError
        original(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(FilesystemStorage, "_move", staticmethod(move))
        with pytest.raises(KilledError):
            put(storage, ALTERED)

    assert storage.get(KEY) == CONTENT
    put(storage, ALTERED)
    assert storage.get(KEY) == ALTERED
    alter(storage, content=CONTENT[:-1] + b"x")
    with pytest.raises(CorruptObjectError):
        storage.get(KEY)


def test_a_body_that_changes_on_its_way_to_the_server_is_not_stored(front, behind, s3_storage):
    put(s3_storage, key="before")
    trouble = front.begin(Fault.FLIPPED, methods={"PUT"})

    for key in ("new", "before"):
        with pytest.raises(StorageError, match="BadDigest"):
            put(behind, ALTERED, key=key)

    assert trouble.struck == 2
    assert list(s3_storage.keys()) == ["before"]
    assert s3_storage.get("before") == CONTENT
    front.heal()
    put(behind, ALTERED, key="new")
    assert s3_storage.get("new") == ALTERED


def test_an_answer_that_ends_half_way_is_an_error_of_the_store_and_no_short_document(front, behind):
    put(behind)
    trouble = front.begin(Fault.HALF_ANSWERED, methods={"GET"})

    for read in (*reads(behind), lambda: list(behind.stream(KEY))):
        with pytest.raises(StorageError) as caught:
            read()
        # The object is as it was: trying again helps.
        assert not isinstance(caught.value, CorruptObjectError)

    assert trouble.struck == 3
    front.heal()
    assert behind.get(KEY) == CONTENT


def test_a_hanging_server_is_asked_twice_by_whoever_is_in_haste(front, seaweedfs, s3_storage, monkeypatch):
    put(s3_storage)
    monkeypatch.setattr("shared.storage.connections.HASTY_READ_SECONDS", 0.3)
    hasty = s3_at(front.endpoint, seaweedfs, s3_storage._bucket, hasty=True)
    for ask in (lambda: hasty.stat(KEY), lambda: hasty.get(KEY), lambda: put(hasty, b"x"), lambda: hasty.delete(KEY)):
        trouble = front.begin(Fault.HELD_BEFORE)
        with pytest.raises(StorageError):
            ask()
        assert trouble.struck == 2
