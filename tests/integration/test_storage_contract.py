"""What every store promises, asked of each of them."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import hashlib
import multiprocessing
import os
import random
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from services import SeaweedFS, free_ports

from shared.exceptions import SettingsError
from shared.storage import CHUNK_BYTES, StorageError, Stored
from shared.storage.filesystem import LOCKS, METADATA, TEMPORARY, FilesystemStorage
from shared.storage.s3 import S3Storage

PDF = "application/pdf"
TRACE = {"trace-id": "4bf92f3577b34da6a3ce929d0e0e4736", "render-id": "0192f0c1-8f5e-7000-8000-000000000000"}
LARGE = 20 * 1024 * 1024


def put(storage, key, content=b"content", media_type=PDF, metadata=TRACE):
    storage.put(key, content, media_type=media_type, metadata=metadata)


def s3(endpoint, **options):
    settings = {
        "endpoint": endpoint,
        "access_key": "pressroom",
        "secret_key": "made-up-secret",
        "bucket": "documents",
        "region": "us-east-1",
        "secure": False,
    }
    return S3Storage(**{**settings, **options})


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_list_says_when_each_object_was_written(storage):
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
    storage.put("reports/a.pdf", b"x", media_type="application/pdf", metadata={})

    [one] = storage.listed("reports/")

    assert one.key == "reports/a.pdf"
    assert before <= one.modified_at <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)


def test_an_object_comes_back_as_it_was_put(storage):
    put(storage, "reports/a.pdf", b"%PDF-1.7\n\0\xff")

    stored = storage.stat("reports/a.pdf")
    assert storage.get("reports/a.pdf") == b"%PDF-1.7\n\0\xff"
    assert (stored.size, stored.media_type, dict(stored.metadata)) == (11, PDF, TRACE)


def test_media_type_and_metadata_keep_every_printable_character(storage):
    metadata = {"note": 'a  "b" \\ c; d=é'.replace("é", "%C3%A9"), "tilde": "~!#$&'*+-.^_`|", "x": "1"}
    put(storage, "texts/a", b"x", media_type='text/html; charset="utf-8"', metadata=metadata)

    stored = storage.stat("texts/a")
    assert stored.media_type == 'text/html; charset="utf-8"'
    assert dict(stored.metadata) == metadata


def test_a_copy_is_as_the_original_and_outlives_it(storage):
    put(storage, "reports/a.pdf", b"%PDF-1.7")
    put(storage, "prints/b.pdf", b"what it replaces")

    storage.copy("reports/a.pdf", "prints/b.pdf")
    original = storage.stat("reports/a.pdf")
    storage.delete("reports/a.pdf")

    assert storage.get("prints/b.pdf", sha256=original.sha256) == b"%PDF-1.7"
    assert storage.stat("prints/b.pdf") == original


def test_what_is_not_there_cannot_be_copied_and_leaves_nothing(storage):
    put(storage, "reports/a.pdf")

    with pytest.raises(FileNotFoundError):
        storage.copy("reports/b.pdf", "prints/b.pdf")

    assert list(storage.keys()) == ["reports/a.pdf"]
    assert storage.remove_unfinished(older_than=-60) == 0


def test_an_empty_object_without_metadata_is_an_object(storage):
    put(storage, "empty", b"", metadata={})

    assert storage.get("empty") == b""
    assert (storage.stat("empty").size, dict(storage.stat("empty").metadata)) == (0, {})
    assert list(storage.stream("empty", offset=3)) == []
    assert list(storage.keys()) == ["empty"]


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (4, None, b"456789"),
        (0, 1, b"0"),
        (2, 3, b"234"),
        (8, 100, b"89"),
        (0, 0, b""),
        (10, None, b""),
        (10, 5, b""),
        (11, 1, b""),
    ],
)
def test_a_stream_begins_at_the_offset_and_ends_after_the_length(storage, offset, length, expected):
    put(storage, "digits", b"0123456789")

    assert b"".join(storage.stream("digits", offset=offset, length=length)) == expected


@pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1)])
def test_a_negative_range_is_refused(storage, offset, length):
    put(storage, "digits", b"0123456789")

    with pytest.raises(ValueError, match="negative"):
        storage.stream("digits", offset=offset, length=length)


def test_a_large_object_is_streamed_in_chunks_that_fit_in_memory(storage):
    content = random.Random(7).randbytes(LARGE)
    put(storage, "large", content)

    digest = hashlib.sha256()
    most = 0
    for chunk in storage.stream("large"):
        most = max(most, len(chunk))
        digest.update(chunk)
    assert digest.digest() == hashlib.sha256(content).digest()
    assert 0 < most <= CHUNK_BYTES
    assert b"".join(storage.stream("large", offset=LARGE - 70_000)) == content[-70_000:]


def test_a_missing_object_is_one_error_in_every_store(storage):
    put(storage, "folder/present")

    for key in ("folder/absent", "absent", "folder", "folder/present/below"):
        for ask in (storage.stat, storage.get, storage.stream, lambda key: storage.stream(key, length=0)):
            with pytest.raises(FileNotFoundError) as caught:
                ask(key)
            assert caught.value.filename == key
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__


def test_a_store_that_nothing_was_put_into_is_empty(storage):
    assert list(storage.keys()) == []
    storage.delete("absent")
    with pytest.raises(FileNotFoundError):
        storage.get("absent")
    with pytest.raises(FileNotFoundError):
        storage.stat("absent")


def test_a_deleted_object_is_gone_and_deleting_it_again_is_no_error(storage):
    put(storage, "a/b/c")
    put(storage, "a/d")

    storage.delete("a/b/c")
    storage.delete("a/b/c")
    storage.delete("a")
    storage.delete("a/d/e")

    assert list(storage.keys()) == ["a/d"]
    with pytest.raises(FileNotFoundError):
        storage.get("a/b/c")
    put(storage, "a/b", b"where a folder was")
    assert storage.get("a/b") == b"where a folder was"


def test_keys_are_listed_by_prefix_each_once(storage):
    keys = sorted(["b", "a-1", "a.1", "a/1", "a/2/x", "a/2-x", "a/20", "a~", "A/1"])
    for key in keys:
        put(storage, key)

    for prefix in ("", "a", "a/", "a/2", "a/2/", "a/2/x", "b", "c", "a/1/", "A"):
        assert sorted(storage.keys(prefix)) == [key for key in keys if key.startswith(prefix)], prefix


def test_more_keys_than_one_answer_of_a_server_holds_are_all_listed(storage):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: put(storage, f"many/{number:04}", b""), range(1100)))

    assert sorted(storage.keys("many/")) == [f"many/{number:04}" for number in range(1100)]


@pytest.mark.parametrize(
    "key",
    [
        *("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "@temporary/a"),
        *("a\\b", "a b", "ä", "a\n", "a\0b", "a%2fb", "x" * 256, "/".join(["x" * 200] * 6)),
    ],
)
def test_a_key_outside_the_alphabet_is_refused_before_anything_is_asked(storage, key):
    for ask in (lambda: put(storage, key), *(lambda ask=ask: ask(key) for ask in (storage.stat, storage.get))):
        with pytest.raises(ValueError, match="expected"):
            ask()
    for ask in (storage.stream, storage.delete):
        with pytest.raises(ValueError, match="expected"):
            ask(key)


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", "a b", "*", "x" * 256])
def test_a_prefix_that_no_key_can_have_is_refused(storage, prefix):
    with pytest.raises(ValueError, match="expected"):
        storage.keys(prefix)


@pytest.mark.parametrize("key", ["x" * 255, "/".join(["y" * 199] * 5), ".hidden/..two/...", "a-_.~Z9"])
def test_the_longest_and_the_oddest_keys_are_stored(storage, key):
    put(storage, key, b"odd")

    assert storage.get(key) == b"odd"
    assert list(storage.keys()) == [key]
    storage.delete(key)
    assert list(storage.keys()) == []


@pytest.mark.parametrize(
    ("media_type", "metadata"),
    [
        ("", {}),
        ("text/html\r\nx: y", {}),
        (PDF, {"Trace-Id": "a"}),
        (PDF, {"trace_id": "a"}),
        (PDF, {"": "a"}),
        (PDF, {"trace-id": ""}),
        (PDF, {"trace-id": " a"}),
        (PDF, {"trace-id": "a\r\nx: y"}),
        (PDF, {"trace-id": "ü"}),
        (PDF, {"trace-id": "a" * 2048}),
    ],
)
def test_metadata_that_would_not_come_back_is_refused(storage, media_type, metadata):
    with pytest.raises(ValueError, match="expected"):
        put(storage, "a", media_type=media_type, metadata=metadata)
    assert list(storage.keys()) == []


def test_a_reader_sees_one_whole_version_while_another_is_put(storage):
    # Two sizes, so that a mixture cannot pass for either.
    versions = {bytes([65 + number]) * (100_000 + number) for number in range(6)}
    put(storage, "same", next(iter(versions)))
    ended = threading.Event()
    seen = set()

    def read():
        while not ended.is_set():
            seen.add(storage.get("same"))

    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(read) for _ in range(3)]
        try:
            for _ in range(8):
                for version in versions:
                    put(storage, "same", version)
        finally:
            ended.set()
        for reader in readers:
            reader.result()
    assert len(seen) > 1
    assert seen <= versions


def test_eight_threads_share_a_store(storage):
    def work(number):
        for turn in range(10):
            key = f"thread-{number}/{turn}"
            put(storage, key, f"{number} {turn}".encode() * 1000, metadata={"number": str(number)})
            assert storage.get(key) == f"{number} {turn}".encode() * 1000
            assert storage.stat(key).metadata == {"number": str(number)}
            if turn % 2:
                storage.delete(key)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert sorted(storage.keys()) == [f"thread-{number}/{turn}" for number in range(8) for turn in range(0, 10, 2)]


def _put_and_delete(storage, content, failures):
    try:
        for turn in range(60):
            key = f"shared/deep/{turn % 2}"
            put(storage, key, content, media_type=f"text/{len(content)}", metadata={"size": str(len(content))})
            if turn % 3 == 0:
                storage.delete(key)
    except BaseException:
        failures.put(traceback.format_exc())
        raise


def test_processes_that_put_and_delete_one_key_leave_it_whole_or_gone(storage):
    # Used before the fork, so that the connections of the parent are there to be misused.
    put(storage, "before")
    fork = multiprocessing.get_context("fork")
    failures = fork.Queue()
    sizes = (1, 70_000, 200_000, 300_000)
    writers = [fork.Process(target=_put_and_delete, args=(storage, b"x" * size, failures)) for size in sizes]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0] * len(writers), failures.get(timeout=1)
    for key in storage.keys("shared/"):
        stored = storage.stat(key)
        assert stored.size in sizes
        assert len(storage.get(key)) == stored.size
        assert (stored.media_type, dict(stored.metadata)) == (f"text/{stored.size}", {"size": str(stored.size)})
    assert storage.get("before") == b"content"


def _read_own(storage, number, failures):
    try:
        for _ in range(100):
            assert storage.get(f"own/{number}") == bytes([65 + number]) * 1000
    except BaseException:
        failures.put(traceback.format_exc())
        raise


def test_processes_forked_from_one_that_used_the_store_do_not_read_each_others_answers(storage):
    for number in range(4):
        put(storage, f"own/{number}", bytes([65 + number]) * 1000)
    fork = multiprocessing.get_context("fork")
    failures = fork.Queue()
    readers = [fork.Process(target=_read_own, args=(storage, number, failures)) for number in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()

    assert [reader.exitcode for reader in readers] == [0] * 4, failures.get(timeout=1)


def test_a_stream_can_be_left_before_its_end_without_keeping_anything_open(storage):
    put(storage, "large", b"x" * LARGE)
    storage.get("large")
    before = open_files()

    streams = []
    for _ in range(20):
        stream = storage.stream("large")
        streams.append(stream)
        next(stream)
    never_begun = storage.stream("large")
    for stream in (*streams, never_begun):
        stream.close()

    assert open_files() <= before + 1
    put(storage, "after")
    assert storage.get("after") == b"content"


def test_a_store_that_answers_passes_its_ping_and_leaves_nothing(storage):
    storage.ping()
    storage.ping()

    assert list(storage.keys()) == []


def test_a_folder_that_cannot_be_made_is_a_storage_error_that_names_it(tmp_path):
    (tmp_path / "blobs").write_text("a file where the folder should be")
    storage = FilesystemStorage(tmp_path / "blobs")

    for ask in (storage.ping, lambda: put(storage, "a")):
        with pytest.raises(StorageError, match=r"blobs") as caught:
            ask()
        assert isinstance(caught.value.__cause__, OSError)


def test_a_full_disk_is_a_storage_error_and_leaves_the_old_version(tmp_path, monkeypatch):
    storage = FilesystemStorage(tmp_path)
    put(storage, "a", b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    # Only a disk of its own could be filled, and that takes root.
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        put(storage, "a", b"new")
    assert storage.get("a") == b"old"
    assert list((tmp_path / TEMPORARY).iterdir()) == []


def test_what_a_crash_left_in_the_folder_of_temporaries_is_no_object(tmp_path):
    storage = FilesystemStorage(tmp_path)
    put(storage, "a")
    (tmp_path / TEMPORARY / "0123").write_bytes(b"half an obj")

    assert list(storage.keys()) == ["a"]


def test_a_file_has_just_the_objects_bytes(tmp_path):
    put(FilesystemStorage(tmp_path), "a/b.pdf", b"%PDF")

    assert (tmp_path / "a" / "b.pdf").read_bytes() == b"%PDF"


@pytest.mark.parametrize("damage", [None, b"", b"{", b"[]", b'{"mediaType": "a/b"}'])
def test_an_object_whose_metadata_was_lost_is_still_an_object(tmp_path, damage):
    storage = FilesystemStorage(tmp_path)
    put(storage, "a", b"whole")
    if damage is None:
        (tmp_path / METADATA / "a").unlink()
    else:
        (tmp_path / METADATA / "a").write_bytes(damage)

    assert storage.get("a") == b"whole"
    assert storage.stat("a") == Stored(size=5, media_type="application/octet-stream", metadata={})


def test_a_key_that_is_anothers_folder_is_a_storage_error_in_a_folder(tmp_path):
    storage = FilesystemStorage(tmp_path)
    put(storage, "a/b")

    for key in ("a", "a/b/c", "a/b/c/d"):
        with pytest.raises(StorageError, match="another one's folder"):
            put(storage, key)
    assert list(storage.keys()) == ["a/b"]
    assert list((tmp_path / TEMPORARY).iterdir()) == []


def test_what_a_killed_process_left_is_removed_once_it_is_old(tmp_path):
    storage = FilesystemStorage(tmp_path)
    assert storage.remove_unfinished(older_than=3600) == 0
    put(storage, "a")
    for name, age in (("left", 4000), ("under way", 60)):
        (tmp_path / TEMPORARY / name).write_bytes(b"half an obj")
        os.utime(tmp_path / TEMPORARY / name, (time.time() - age,) * 2)

    assert storage.remove_unfinished(older_than=3600) == 1

    assert [path.name for path in (tmp_path / TEMPORARY).iterdir()] == ["under way"]
    assert list(storage.keys()) == ["a"]


def test_deleting_the_last_object_of_a_folder_leaves_no_empty_folder(tmp_path):
    storage = FilesystemStorage(tmp_path)
    put(storage, "a/b/c")
    storage.delete("a/b/c")

    assert {path.name for path in tmp_path.iterdir()} == {METADATA, TEMPORARY, LOCKS}
    assert list((tmp_path / METADATA).iterdir()) == []


def test_only_the_farms_own_user_can_read_a_file(tmp_path):
    storage = FilesystemStorage(tmp_path)
    put(storage, "a")

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_server_that_is_down_is_a_storage_error_for_every_question():
    storage = s3(f"127.0.0.1:{free_ports(1)[0]}")

    asks = [storage.ping, lambda: put(storage, "a"), lambda: list(storage.keys())]
    asks += [lambda ask=ask: ask("a") for ask in (storage.stat, storage.get, storage.stream, storage.delete)]
    for ask in asks:
        with pytest.raises(StorageError, match=r"127\.0\.0\.1.*refused"):
            ask()


@pytest.mark.parametrize(
    "keys", [{"secret_key": "wrong-secret"}, {"access_key": "nobody", "secret_key": "wrong-secret"}]
)
def test_wrong_keys_are_a_storage_error_that_tells_no_secret(seaweedfs, s3_storage, keys):
    put(s3_storage, "a")
    storage = s3(seaweedfs.endpoint, bucket=s3_storage._bucket, **keys)

    asks = [storage.ping, lambda: put(storage, "a"), lambda: list(storage.keys())]
    asks += [lambda ask=ask: ask("a") for ask in (storage.stat, storage.get, storage.delete)]
    for ask in asks:
        with pytest.raises(StorageError, match="PRESSROOM_S3_SECRET_KEY") as caught:
            ask()
        assert "wrong-secret" not in "".join(traceback.format_exception(caught.value))
    assert s3_storage.get("a") == b"content"


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "127.0.0.1:9000/path", "", "host:port"])
def test_an_endpoint_that_cannot_be_one_is_a_settings_error(endpoint):
    with pytest.raises(SettingsError, match="PRESSROOM_S3_ENDPOINT"):
        s3(endpoint)


@pytest.mark.parametrize("bucket", ["", "ab", "Upper", "with space", "127.0.0.1", "a..b"])
def test_a_bucket_name_that_cannot_be_one_is_a_settings_error(bucket):
    with pytest.raises(SettingsError, match="PRESSROOM_S3_BUCKET"):
        s3("127.0.0.1:9000", bucket=bucket)


def test_a_bucket_made_by_several_at_once_is_made_once(seaweedfs):
    bucket = seaweedfs.new_bucket()
    stores = [s3(seaweedfs.endpoint, secret_key=seaweedfs.secret_key, bucket=bucket) for _ in range(6)]

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda store: store.ping(), stores))
    put(stores[0], "a")
    assert list(stores[1].keys()) == ["a"]


def test_a_server_that_hangs_stops_and_comes_back_is_seen_so(seaweedfs, monkeypatch):
    # The shared server is asked for only because it skips where none can run; this one is stopped.
    monkeypatch.setattr("shared.storage.connections.CONNECT_SECONDS", 0.5)
    with SeaweedFS() as server:
        storage = s3(server.endpoint, secret_key=server.secret_key)
        put(storage, "a", b"kept")

        server.pause()
        with pytest.raises(StorageError):
            storage.ping()
        # Longer than both tries to connect may take: an upload that stalls for a moment is still an upload.
        threading.Timer(3, server.resume).start()
        put(storage, "stalled", b"x" * LARGE)
        assert storage.stat("stalled").size == LARGE

        stream = storage.stream("stalled")
        next(stream)
        server.kill()
        with pytest.raises(StorageError):
            list(stream)
        with pytest.raises(StorageError):
            storage.ping()

        server.start()
        storage.ping()
        assert storage.get("a") == b"kept"


def test_who_holds_a_keys_lock_without_end_holds_nobody_else_up_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.storage.filesystem.LOCK_SECONDS", 0.1)
    storage = FilesystemStorage(tmp_path)
    put(storage, "a")
    with contextlib.ExitStack() as held:
        for path in (tmp_path / LOCKS).iterdir():
            fcntl.flock(held.enter_context(path.open()), fcntl.LOCK_EX)

        for ask in (lambda: put(storage, "a"), lambda: storage.delete("a")):
            with pytest.raises(StorageError, match="by another"):
                ask()
        assert storage.get("a") == b"content"
    storage.delete("a")
    assert list((tmp_path / TEMPORARY).iterdir()) == []
