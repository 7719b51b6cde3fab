"""Storing, replacing, renaming and removing assets: rows and objects stay together."""

from __future__ import annotations

import threading

import asset_files
import pytest
from locks import until_held_up
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from shared import assets
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError, TooLargeError, UnsupportedTypeError
from shared.models import Asset, RetiredObject
from shared.storage import StorageError

RED, BLUE = asset_files.picture(colour="red"), asset_files.picture(colour="blue")
LIMIT = 1_000_000


@pytest.fixture
def storage(filesystem_storage):
    return filesystem_storage


@pytest.fixture
def store(database, storage):
    def store(name="logo.png", content=RED, *, into=storage, **options):
        return assets.store(database, into, name=name, content=content, limit=LIMIT, **options)

    return store


def rows(database):
    with database.reading() as session:
        return list(session.scalars(select(Asset).order_by(Asset.name)))


def retired(database):
    with database.reading() as session:
        return list(session.scalars(select(RetiredObject.key)))


def test_a_new_asset_has_a_row_and_an_object(store, database, storage):
    stored = store("img/logo.png")

    assert stored.created
    [row] = rows(database)
    assert (row.name, row.media_type, row.size) == ("img/logo.png", "image/png", len(RED))
    assert storage.get(row.blob_key) == RED
    assert row.blob_key.startswith(f"assets/{row.id}/")
    assert row.blob_key.endswith(".png")
    assert row.created_at == row.modified_at


def test_the_same_content_again_changes_nothing(store, database, storage):
    first = store().asset
    again = store()

    assert not again.created
    assert (again.asset.blob_key, again.asset.modified_at) == (first.blob_key, first.modified_at)
    assert list(storage.keys()) == [first.blob_key]
    assert retired(database) == []


def test_another_content_replaces_and_the_old_object_stays_for_renders_that_began(store, database, storage):
    first = store().asset
    second = store(content=BLUE)

    assert not second.created
    [row] = rows(database)
    assert (row.id, row.shortid) == (first.id, first.shortid)
    assert row.modified_at > first.modified_at
    assert storage.get(row.blob_key) == BLUE
    assert storage.get(first.blob_key) == RED
    assert retired(database) == [first.blob_key]


def test_the_same_content_again_mends_an_object_that_was_lost(store, database, storage):
    first = store().asset
    storage.delete(first.blob_key)

    store()

    [row] = rows(database)
    assert storage.get(row.blob_key) == RED


def test_a_removed_asset_retires_its_object(store, database, storage):
    asset = store().asset
    with database.writing() as session:
        assets.remove(session, assets.find(session, "logo.png"))

    assert rows(database) == []
    assert retired(database) == [asset.blob_key]
    assert storage.get(asset.blob_key) == RED


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("../logo.png", RED, InvalidRequestError),
        ("logo.exe", RED, UnsupportedTypeError),
        ("logo.png", b"text", InvalidRequestError),
        ("logo.css", b"x" * (LIMIT + 1), TooLargeError),
    ],
    ids=["path", "kind", "content", "size"],
)
def test_what_is_refused_leaves_nothing(store, database, storage, name, content, error):
    with pytest.raises(error):
        store(name, content)

    assert rows(database) == []
    assert list(storage.keys()) == []


def test_a_row_that_cannot_be_written_takes_its_object_with_it(store, database, storage, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no row")

    monkeypatch.setattr(assets, "_recorded", fail)
    with pytest.raises(RuntimeError):
        store()

    assert list(storage.keys()) == []


def test_an_object_stays_when_its_row_was_written_though_nobody_heard_of_it(store, database, storage, monkeypatch):
    recorded = assets._recorded

    def unheard(*arguments, **options):
        recorded(*arguments, **options)
        raise OperationalError("COMMIT", {}, OSError("the connection broke"))

    monkeypatch.setattr(assets, "_recorded", unheard)
    with pytest.raises(OperationalError):
        store()

    [row] = rows(database)
    assert storage.get(row.blob_key) == RED


def test_of_two_who_remove_an_asset_at_once_one_is_told_that_there_is_none(store, database):
    asset = store().asset
    told = []

    def removing():
        try:
            with database.writing() as session:
                assets.remove(session, assets.held_by_id(session, asset.id))
        except NotFoundError as error:
            told.append(error)

    thread = threading.Thread(target=removing)
    with database.writing() as session:
        assets.remove(session, assets.held_by_id(session, asset.id))
        session.flush()
        thread.start()
        until_held_up(database)
    thread.join()

    assert len(told) == 1
    assert rows(database) == []


def test_an_object_that_cannot_be_written_leaves_no_row(store, database, storage):
    class Full:
        def put(self, *_, **__):
            raise StorageError("full")

    with pytest.raises(StorageError):
        store(into=Full())

    assert rows(database) == []


def test_many_that_store_one_name_at_once_leave_one_row_and_every_object_accounted_for(store, database, storage):
    contents = [asset_files.picture(colour=(n, 0, 0)) for n in range(8)]
    begin = threading.Barrier(len(contents))
    failures = []

    def run(content):
        begin.wait()
        try:
            store(content=content)
        except ConflictError as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [row] = rows(database)
    assert failures == []
    assert storage.get(row.blob_key) in contents
    assert sorted([row.blob_key, *retired(database)]) == sorted(storage.keys())


def test_a_name_that_must_be_free_is_not_taken_over(store, database, storage):
    store()
    with pytest.raises(ConflictError, match=r"logo\.png"):
        store(content=BLUE, replace=False)

    assert len(list(storage.keys())) == 1
    assert store("other.png", replace=False).created


def test_an_asset_is_found_by_id_shortid_and_name_in_any_spelling(store, database):
    asset = store("L\u00f6we.png").asset
    with database.reading() as session:
        for key in (asset.id, asset.shortid, "L\u00f6we.png", "Lo\u0308we.png"):
            assert assets.find(session, key).id == asset.id
        assert assets.held_by_id(session, asset.id).id == asset.id
        for key in (asset.shortid, asset.name, "\0"):
            with pytest.raises(NotFoundError):
                assets.held_by_id(session, key)


@pytest.mark.parametrize("name", ["Logo.png", "img/lgo.png", "logo.jpg"])
def test_a_name_that_is_not_there_is_answered_with_the_nearest(store, database, name):
    store("img/logo.png")
    with database.reading() as session, pytest.raises(NotFoundError, match=r"did you mean 'img/logo\.png'"):
        assets.find(session, name)


def test_a_name_like_no_other_is_answered_without_a_guess(store, database):
    store()
    for name in ("something-else.css", "\0"):
        with database.reading() as session, pytest.raises(NotFoundError) as caught:
            assets.find(session, name)
        assert "did you mean" not in caught.value.message


def test_renaming_keeps_the_object_and_the_kind(store, database):
    asset = store().asset
    store("taken.png", BLUE)
    with database.writing() as session:
        assets.rename(session, session.get_one(Asset, asset.id), "brand/logo.PNG")
    for name, error in (
        ("logo.jpg", InvalidRequestError),
        ("logo", UnsupportedTypeError),
        ("a//b", InvalidRequestError),
    ):
        with database.writing() as session, pytest.raises(error):
            assets.rename(session, session.get_one(Asset, asset.id), name)

    with database.reading() as session:
        row = session.get_one(Asset, asset.id)
    assert (row.name, row.blob_key) == ("brand/logo.PNG", asset.blob_key)
    assert row.modified_at > asset.modified_at


def test_a_name_belongs_to_one_asset(store, database):
    asset = store().asset
    store("taken.png")
    with pytest.raises(ConflictError, match=r"taken\.png"), database.writing() as session:
        assets.rename(session, session.get_one(Asset, asset.id), "taken.png")


def test_lists_are_searched_sorted_and_paged(store, database):
    for name, content in (("b.css", b"p{}"), ("css/A_1.css", b"p{ }"), ("css/x/c.css", b"p{  }"), ("cssx.css", b"p")):
        store(name, content)

    def names(**options):
        with database.reading() as session:
            found, total = assets.listed(session, **{"offset": 0, "limit": 10, **options})
        return [one.name for one in found], total

    assert names() == (["b.css", "css/A_1.css", "css/x/c.css", "cssx.css"], 4)
    assert names(folder="css/") == (["css/A_1.css", "css/x/c.css"], 2)
    assert names(folder="") == (["b.css", "cssx.css"], 2)
    assert names(search="a_1") == (["css/A_1.css"], 1)
    assert names(search="%") == ([], 0)
    assert names(sort="-size", limit=2) == (["css/x/c.css", "css/A_1.css"], 4)
    assert names(sort="-size", limit=2, offset=2) == (["b.css", "cssx.css"], 4)
