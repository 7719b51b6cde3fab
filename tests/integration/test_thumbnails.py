"""The life of thumbnails: made, refused, made again, given up, forgotten."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orders
import pdfs
import pytest
import records
from PIL import Image
from sqlalchemy import select, update

from shared import leases, renders, thumbnails
from shared.database import DatabaseAwayError, now
from shared.errands import Errand, Kind
from shared.exceptions import ConflictError, NotFoundError
from shared.models import Render, RetiredObject, Thumbnail
from shared.storage import StorageError
from workers import thumbnails as making
from workers.patience import MOST_REFUSALS
from workers.thumbnails import ThumbnailMaker

PDF_SHA256 = hashlib.sha256(records.PDF).hexdigest()


class Slow:
    """A storage in which something happens before each picture is stored."""

    def __init__(self, storage, happens) -> None:
        self._storage = storage
        self._happens = happens

    def put(self, *arguments, **options):
        self._happens()
        self._storage.put(*arguments, **options)

    def __getattr__(self, name):
        return getattr(self._storage, name)


class Away:
    """A storage that does not answer."""

    def fetch(self, key, _file, **_):
        raise StorageError(f"{key} is out of reach")


@pytest.fixture
def storage(filesystem_storage):
    return filesystem_storage


@pytest.fixture
def maker(database, storage, settings):
    def maker(storage=storage):
        return ThumbnailMaker(settings=settings, database=database, storage=storage, worker_id="worker-1")

    return maker


@pytest.fixture
def recorded(database, storage, template):
    def recorded(document):
        return records.done(database, storage, template, document=document)

    return recorded


def row(database, record) -> Thumbnail:
    with database.reading() as session:
        return session.get_one(Thumbnail, record.render_id)


def pictures(storage):
    return sorted(storage.keys("thumbnails/"))


def remake(database, render_id):
    with database.writing() as session:
        return thumbnails.remake(session, render_id)


def give_back(database):
    with database.writing() as session:
        session.execute(update(Thumbnail).values(lease_until=now(-1)))
        leases.give_back(session, Thumbnail, dead_after=None, error="given up")


def test_a_document_gets_a_picture_that_its_row_describes(database, storage, maker, recorded):
    record = recorded(pdfs.drawn(595, 842))

    maker().make(record.render_id)

    made = row(database, record)
    content = storage.get(made.blob_key)
    assert (made.state, made.error, made.blob_key) == ("succeeded", None, f"thumbnails/{record.render_id}~1.png")
    assert (made.size, made.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (made.width, made.height) == Image.open(io.BytesIO(content)).size == (400, 566)
    assert storage.stat(made.blob_key).metadata["trace-id"] == record.trace_id


def test_a_document_that_cannot_be_read_says_so_and_its_record_stays_as_it_is(database, storage, maker, recorded):
    record = recorded(pdfs.drawn(595, 842, password="secret"))

    maker().make(record.render_id)

    made = row(database, record)
    assert (made.state, made.error) == ("failed", "the document is encrypted and needs a password")
    assert pictures(storage) == []
    after = records.row(database, record.id)
    assert (after.status, after.modified_at) == ("Ok", record.modified_at)


def test_a_document_that_is_gone_has_no_picture(database, storage, maker, recorded):
    lost, disowned = recorded(records.PDF), recorded(records.PDF)
    storage.delete(lost.blob_key)
    with database.writing() as session:
        session.execute(update(Render).where(Render.id == disowned.render_id).values(blob_key=None))

    for record in (lost, disowned):
        maker().make(record.render_id)

    assert row(database, lost).error == "the document is no longer in storage"
    assert row(database, disowned).error == "the document is gone"


def test_nothing_of_the_document_is_left_on_the_workers_disk(maker, recorded, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "disk"))
    (tmp_path / "disk").mkdir()
    record = recorded(records.PDF)
    seen = []

    def looking(document):
        seen.append((document.read_bytes(), list(Path(tempfile.gettempdir()).iterdir())))
        raise making.UnpicturableError("seen")

    monkeypatch.setattr(making, "picture_of", looking)

    maker().make(record.render_id)

    assert seen == [(records.PDF, [])]


def test_of_two_messages_for_one_thumbnail_one_makes_it(database, storage, maker, recorded):
    record = recorded(records.PDF)
    start = threading.Barrier(2)

    def work():
        start.wait()
        maker().make(record.render_id)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (row(database, record).state, row(database, record).attempt) == ("succeeded", 1)
    assert pictures(storage) == [f"thumbnails/{record.render_id}~1.png"]


def test_an_attempt_that_was_given_away_meanwhile_leaves_no_picture(database, storage, maker, recorded):
    record = recorded(records.PDF)

    def given_away():
        give_back(database)
        maker().make(record.render_id)

    maker(Slow(storage, given_away)).make(record.render_id)

    assert (row(database, record).attempt, row(database, record).state) == (2, "succeeded")
    assert pictures(storage) == [row(database, record).blob_key]


def test_what_a_lost_attempt_stored_goes_when_another_succeeds(database, storage, maker, recorded):
    record = recorded(records.PDF)
    with database.writing() as session:
        leases.claim(session, Thumbnail, record.render_id, worker_id="worker-1", seconds=60)
    storage.put(f"thumbnails/{record.render_id}~1.png", b"lost", media_type="image/png", metadata={})
    give_back(database)

    maker().make(record.render_id)

    assert pictures(storage) == [f"thumbnails/{record.render_id}~2.png"]


def test_a_storage_that_is_away_costs_an_attempt_and_no_thumbnail(database, maker, recorded):
    record = recorded(records.PDF)

    maker(Away()).make(record.render_id)
    assert (row(database, record).state, row(database, record).losses) == ("queued", 0)
    maker().make(record.render_id)

    assert (row(database, record).state, row(database, record).attempt) == ("succeeded", 2)


@pytest.mark.parametrize("committed", [False, True])
def test_a_database_that_is_away_at_the_end_is_waited_for(database, storage, settings, recorded, committed):
    record = recorded(records.PDF)

    class Breaking:
        """A database whose second transaction breaks: in its commit, or right after it."""

        count = 0

        @contextlib.contextmanager
        def writing(self):
            self.count += 1
            with database.writing() as session:
                yield session
                if self.count == 2 and not committed:
                    raise DatabaseAwayError("the connection broke")
            if self.count == 2:
                raise DatabaseAwayError("the connection broke")

    breaking = Breaking()
    ThumbnailMaker(settings=settings, database=breaking, storage=storage, worker_id="w").make(record.render_id)

    assert breaking.count == 3
    assert (row(database, record).state, row(database, record).attempt) == ("succeeded", 1)
    # Whoever does not hear of the commit does not take the picture for another attempt's.
    assert pictures(storage) == [row(database, record).blob_key]


def test_a_storage_that_answers_and_never_hands_the_document_out_ends_it(database, maker, recorded, storage):
    record = recorded(records.PDF)

    class Refusing(Away):
        def ping(self):
            if self.down:
                raise StorageError("down")

    refusing = Refusing()
    refusing.down = True
    for _ in range(MOST_REFUSALS + 2):
        maker(refusing).make(record.render_id)
    assert (row(database, record).state, row(database, record).put_offs) == ("queued", MOST_REFUSALS + 2)
    refusing.down = False
    maker(refusing).make(record.render_id)

    assert row(database, record).state == "failed"
    assert row(database, record).error == "the storage answers, but not for this one"
    assert remake(database, record.render_id)
    maker().make(record.render_id)
    assert (row(database, record).state, row(database, record).put_offs) == ("succeeded", 0)


def test_a_damaged_document_has_no_thumbnail(database, storage, maker, recorded):
    record = recorded(records.PDF)
    storage.put(record.blob_key, records.pdf(pages=2), media_type="application/pdf", metadata={})

    maker().make(record.render_id)

    assert (row(database, record).state, row(database, record).error) == ("failed", "the stored document was damaged")
    assert pictures(storage) == []


def test_a_thumbnail_is_made_again_on_request(database, storage, maker, recorded):
    record = recorded(records.PDF)
    maker().make(record.render_id)

    assert remake(database, record.render_id) == Errand(Kind.THUMBNAIL, record.render_id, record.trace_id)
    with database.reading() as session, pytest.raises(NotFoundError, match="is being made") as refused:
        thumbnails.finished(session, record.render_id)
    assert refused.value.retry_after == thumbnails.RETRY_SECONDS
    # Once more, before it is made: it stays queued.
    remake(database, record.render_id)
    maker().make(record.render_id)

    with database.reading() as session:
        assert thumbnails.finished(session, record.render_id).attempt == 2
    assert pictures(storage) == [f"thumbnails/{record.render_id}~2.png"]


def test_a_thumbnail_that_failed_says_why_and_can_be_made_after_all(database, storage, maker, recorded):
    record = recorded(b"broken")
    maker().make(record.render_id)
    with database.reading() as session, pytest.raises(NotFoundError, match=r"broken.*POST") as refused:
        thumbnails.finished(session, record.render_id)
    assert refused.value.retry_after is None

    # Once the document itself was made anew.
    storage.put(record.blob_key, records.PDF, media_type="application/pdf", metadata={})
    with database.writing() as session:
        session.execute(update(Render).values(sha256=PDF_SHA256, size=len(records.PDF)))
    remake(database, record.render_id)
    maker().make(record.render_id)

    assert (row(database, record).state, row(database, record).error) == ("succeeded", None)


@pytest.fixture
def unfollowed(database, storage):
    """A PDF whose render nobody followed, as that of a stored report is."""
    render_id = orders.submitted(database)
    attempt = orders.claimed(database, render_id).attempt
    storage.put("transient/x.pdf", records.PDF, media_type="application/pdf", metadata={})
    with database.writing() as session:
        facts = {"media_type": "application/pdf", "extension": "pdf", "size": len(records.PDF), "sha256": PDF_SHA256}
        made = orders.result(blob_key="transient/x.pdf", **facts)
        renders.succeed(session, render_id, attempt=attempt, result=made)
    return render_id


def order(database, render_id):
    with database.writing() as session:
        return thumbnails.order(session, render_id)


def is_wanting(database, render_id):
    with database.reading() as session:
        return thumbnails.is_wanting(session, render_id)


def test_the_thumbnail_of_what_nobody_followed_is_made_when_it_is_first_asked_for(database, maker, unfollowed):
    assert is_wanting(database, unfollowed)

    assert order(database, unfollowed) == Errand(Kind.THUMBNAIL, unfollowed, "t" * 32)

    assert not is_wanting(database, unfollowed)
    with database.reading() as session, pytest.raises(NotFoundError, match="being made") as refused:
        thumbnails.finished(session, unfollowed)
    assert refused.value.retry_after > 0
    assert order(database, unfollowed) is None
    maker().make(unfollowed)
    assert order(database, unfollowed) is None
    with database.reading() as session:
        assert thumbnails.finished(session, unfollowed).attempt == 1


def test_only_one_of_those_who_first_ask_for_a_thumbnail_orders_it(database, unfollowed):
    begin = threading.Barrier(4)

    def ask(_):
        begin.wait()
        return order(database, unfollowed)

    with ThreadPoolExecutor(4) as threads:
        ordered = list(threads.map(ask, range(4)))
    assert sorted(one is None for one in ordered) == [False, True, True, True]


def test_a_pdf_that_never_had_a_thumbnail_gets_one_on_request(database, maker, unfollowed):
    render_id = unfollowed

    remake(database, render_id)
    maker().make(render_id)

    with database.reading() as session:
        assert thumbnails.finished(session, render_id).state == "succeeded"


def test_without_a_pdf_there_is_nothing_to_make(database, storage, template):
    waiting, failed = records.waiting(database, template), records.waiting(database, template)
    records.fail(database, failed, error="the template raised")
    page = orders.submitted(database)
    with database.writing() as session:
        attempt = orders.claim(session, page).attempt
        renders.succeed(session, page, attempt=attempt, result=orders.result())

    for render_id, reason in (
        (waiting.render_id, "not made yet"),
        (failed.render_id, "the template raised"),
        (page, "text/html"),
    ):
        with pytest.raises(ConflictError, match=reason):
            remake(database, render_id)
        with database.reading() as session, pytest.raises(NotFoundError, match=reason) as refused:
            thumbnails.finished(session, render_id)
        assert (refused.value.retry_after is not None) == (render_id == waiting.render_id)
        assert not is_wanting(database, render_id)
        assert order(database, render_id) is None
    assert order(database, "nobody") is None
    with database.reading() as session, pytest.raises(NotFoundError, match="no render 'nobody'"):
        thumbnails.finished(session, "nobody")
    with pytest.raises(NotFoundError):
        remake(database, "nobody")


def test_what_is_forgotten_is_left_to_the_sweep_with_all_that_lost_attempts_may_store(database, maker, recorded):
    made, waiting, kept = (recorded(records.PDF) for _ in range(3))
    for _ in range(2):
        maker(Away()).make(made.render_id)
    maker().make(made.render_id)
    maker().make(kept.render_id)

    with database.writing() as session:
        keys = thumbnails.forget(session, [made.render_id, waiting.render_id])

    assert keys == [f"thumbnails/{made.render_id}~3.png"]
    with database.reading() as session:
        assert set(session.scalars(select(RetiredObject.key))) == {
            f"thumbnails/{made.render_id}~{attempt}.png" for attempt in (1, 2, 3)
        }
        assert session.scalars(select(Thumbnail.render_id)).all() == [kept.render_id]


def test_an_attempt_whose_thumbnail_is_forgotten_meanwhile_leaves_no_picture(database, storage, maker, recorded):
    record = recorded(records.PDF)

    def forgotten():
        with database.writing() as session:
            thumbnails.forget(session, [record.render_id])

    maker(Slow(storage, forgotten)).make(record.render_id)

    assert pictures(storage) == []
