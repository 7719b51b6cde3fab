"""A worker's assets: each content is fetched once, by whichever child needs it first, until it changes."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import time

import asset_files
import pytest
from farms import eventually

from shared import assets
from shared.exceptions import NotFoundError, PartAwayError
from shared.storage import StorageError
from workers.assets import PREFIX, AssetCache, AssetUnavailableError, StoredAssets

FORK = multiprocessing.get_context("fork")
RED, BLUE = asset_files.picture(colour="red"), asset_files.picture(colour="blue")


class Counting:
    """A storage that counts what is read from it, across processes."""

    def __init__(self, storage) -> None:
        self.storage = storage
        self.reads = FORK.Value("i", 0)

    def get(self, key, **options):
        with self.reads.get_lock():
            self.reads.value += 1
        return self.storage.get(key, **options)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def cache(temporary):
    cache = AssetCache(1_000_000)
    yield cache
    cache.close()


@pytest.fixture
def storage(filesystem_storage):
    return Counting(filesystem_storage)


@pytest.fixture
def stored(database, storage, cache):
    return StoredAssets(database, storage, cache, contextlib.nullcontext)


@pytest.fixture
def upload(database, storage):
    def upload(name="logo.png", content=RED):
        return assets.store(database, storage.storage, name=name, content=content, limit=1_000_000).asset

    return upload


def read(stored, name="logo.png"):
    return stored.read(stored.find(name))


def contents_of(cache):
    return sorted(one.name for one in cache._folder.iterdir() if one.suffix != ".lock")


def test_a_content_is_fetched_once(stored, storage, upload):
    upload()
    assert [read(stored) for _ in range(3)] == [RED] * 3
    assert storage.reads.value == 1


def test_a_change_is_seen_at_once_and_fetched_once(stored, storage, upload):
    upload()
    read(stored)
    upload(content=BLUE)
    assert [read(stored) for _ in range(2)] == [BLUE] * 2
    assert storage.reads.value == 2
    # Back to what it was: that content is still here.
    upload(content=RED)
    assert read(stored) == RED
    assert storage.reads.value == 2


def test_one_content_under_two_names_is_fetched_once(stored, storage, upload):
    upload("a.png")
    upload("b.png")
    assert read(stored, "a.png") == read(stored, "b.png") == RED
    assert storage.reads.value == 1


def test_a_removed_asset_is_not_found_though_its_content_is_here(stored, database, upload):
    upload()
    read(stored)
    with database.writing() as session:
        assets.remove(session, assets.find(session, "logo.png"))
    with pytest.raises(NotFoundError, match="there is no asset named"):
        stored.find("logo.png")


def test_children_that_want_a_content_at_once_fetch_it_once(stored, storage, database, upload):
    names = [f"{n}.png" for n in range(3)]
    for n, name in enumerate(names):
        upload(name, asset_files.picture(colour=(n, 0, 0)))
    # A parent uses no connection before it forks.
    database.close()
    begin = FORK.Barrier(6)

    def child():
        database.forget_after_fork()
        begin.wait()
        for name in names:
            assert read(stored, name)

    children = [FORK.Process(target=child) for _ in range(6)]
    for one in children:
        one.start()
    for one in children:
        one.join()

    assert [one.exitcode for one in children] == [0] * 6
    assert storage.reads.value == 3


def test_a_child_that_is_killed_while_it_fetches_holds_nobody_up(cache):
    fetching = FORK.Event()

    def fetch_for_ever():
        fetching.set()
        time.sleep(600)

    child = FORK.Process(target=cache.read, args=("0" * 64, fetch_for_ever))
    child.start()
    fetching.wait()
    os.kill(child.pid, signal.SIGKILL)
    child.join()

    assert cache.read("0" * 64, lambda: RED) == RED


def test_a_child_that_is_killed_while_it_writes_leaves_no_half_content(cache, monkeypatch):
    sha256 = hashlib.sha256(RED).hexdigest()

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def child():
        # At the last moment before it would become visible.
        monkeypatch.setattr(type(cache._folder), "replace", die)
        cache.read(sha256, lambda: RED)

    process = FORK.Process(target=child)
    process.start()
    process.join()

    assert process.exitcode == -signal.SIGKILL
    assert cache.read(sha256, lambda: RED) == RED
    assert contents_of(cache) == [sha256]


def test_the_longest_unused_goes_when_there_is_no_room(temporary):
    cache = AssetCache(250)
    contents = {hashlib.sha256(content).hexdigest(): content for content in (b"a" * 100, b"b" * 100)}
    fetched = []

    def get(sha256, content):
        return cache.read(sha256, lambda: fetched.append(sha256) or content)

    (a, first), (b, second) = contents.items()
    get(a, first)
    get(b, second)
    # As though the others had been used an hour ago, and a just now.
    for one in (a, b):
        os.utime(cache._folder / one, (time.time() - 3600, time.time() - 3600))
    get(a, first)
    third = b"c" * 100
    get(hashlib.sha256(third).hexdigest(), third)

    assert contents_of(cache) == sorted([a, hashlib.sha256(third).hexdigest()])
    get(b, second)
    assert fetched.count(a) == 1
    assert fetched.count(b) == 2
    cache.close()


def test_a_content_larger_than_the_cache_is_handed_through(temporary):
    cache = AssetCache(10)
    sha256 = hashlib.sha256(RED).hexdigest()
    assert cache.read(sha256, lambda: RED) == RED
    assert contents_of(cache) == []
    cache.close()


def test_a_content_that_was_altered_on_the_disk_is_fetched_again(stored, storage, cache, upload):
    asset = upload()
    read(stored)
    (cache._folder / asset.sha256).write_bytes(b"something else")
    assert read(stored) == RED
    assert storage.reads.value == 2


def test_a_folder_that_vanished_is_made_again(stored, storage, cache, upload):
    upload()
    read(stored)
    shutil.rmtree(cache._folder)
    assert [read(stored) for _ in range(2)] == [RED] * 2
    assert storage.reads.value == 2


def test_a_folder_that_cannot_be_used_is_done_without(stored, storage, cache, upload):
    upload()
    shutil.rmtree(cache._folder)
    cache._folder.write_text("not a folder")
    assert [read(stored) for _ in range(2)] == [RED] * 2
    assert storage.reads.value == 2
    cache._folder.unlink()


def test_the_folder_goes_with_the_worker(temporary):
    cache = AssetCache(1000)
    assert list(temporary.glob(f"{PREFIX}*"))
    cache.close()
    assert not list(temporary.glob(f"*{PREFIX}*"))


def test_what_a_killed_worker_left_goes_with_the_next_and_what_a_living_one_has_stays(temporary):
    living = AssetCache(1000)

    def worker():
        AssetCache(1000)
        time.sleep(600)

    killed = FORK.Process(target=worker)
    killed.start()
    eventually(lambda: len(list(temporary.glob(f"{PREFIX}*"))) == 2, what="its folder")
    killed.kill()
    killed.join()

    fresh = AssetCache(1000)

    assert set(temporary.glob(f"{PREFIX}*")) == {living._folder, fresh._folder}
    living.close()
    fresh.close()


def test_a_content_that_is_not_what_its_row_says_is_refused(stored, storage, upload):
    asset = upload()
    storage.storage.put(asset.blob_key, BLUE, media_type="image/png", metadata={})
    with pytest.raises(AssetUnavailableError, match="is not what was uploaded") as caught:
        read(stored)
    assert caught.value.cause == "storage"


def test_an_object_that_is_gone_is_an_error_with_its_asset(stored, storage, upload):
    storage.storage.delete(upload().blob_key)
    with pytest.raises(AssetUnavailableError, match=r"'logo\.png' is no longer in storage"):
        read(stored)


def test_a_storage_that_is_away_is_told_apart_from_an_asset_that_is_gone(database, cache, upload):
    upload()

    class Away:
        def get(self, *_, **__):
            raise StorageError("away")

    with pytest.raises(PartAwayError, match=r"did not hand out asset 'logo\.png'") as caught:
        read(StoredAssets(database, Away(), cache, contextlib.nullcontext))
    # So that its render is tried again, and does not fail.
    assert caught.value.part == "storage"
