"""Reports go when their time has come or somebody removes them, with their objects; nothing else goes with them."""

from __future__ import annotations

import threading

import orders
import pytest
from locks import until_held_up
from sqlalchemy import select, update

from shared import leases, render_keys, renders, reports, sweeps, thumbnails, verification
from shared.database import now
from shared.exceptions import ConflictError, NotFoundError
from shared.identifiers import new_id
from shared.models import Render, Report, RetiredObject, Thumbnail
from shared.storage import StorageError

DAY = 86400


@pytest.fixture
def storage(filesystem_storage):
    return filesystem_storage


def promised(database, *, blob_name=None, **changes):
    """Return the id of a report (and of its render) that waits."""
    report_id = new_id()
    with database.writing() as session:
        stem = reports.blob_stem(blob_name or report_id)
        render = renders.submit(session, orders.submission(render_id=report_id, blob_stem=stem, kept=True))
        reports.create(session, render, report_id=report_id, name="r", blob_name=blob_name or report_id, **changes)
    return report_id


def stored(database, storage, *, age=0, **changes):
    """Return the id of a report whose document is there."""
    report_id = promised(database, **changes)
    row = orders.claimed(database, report_id)
    key = render_keys.blob_key(row.blob_stem, attempt=1, extension="html")
    storage.put(key, b"x", media_type="text/html", metadata={"render-id": report_id})
    with database.writing() as session:
        renders.succeed(session, report_id, attempt=1, result=orders.result(blob_key=key))
        session.execute(update(Report).where(Report.id == report_id).values(created_at=now(-age)))
    return report_id


def exists(database, report_id):
    with database.reading() as session:
        try:
            reports.find(session, report_id)
        except NotFoundError:
            return False
    return True


def rows(database, report_id):
    with database.reading() as session:
        return [table for table in (Report, Render) if session.get(table, report_id)]


def clean(database, storage, *, older_than=DAY):
    return sweeps.sweep_reports(database, storage, older_than=older_than)


class Broken:
    """A store that refuses to delete what has a given word in its key."""

    def __init__(self, storage, word=""):
        self.keys = storage.keys
        self._storage = storage
        self._word = word

    def delete(self, key):
        if self._word in key:
            raise StorageError("locked")
        self._storage.delete(key)


def test_an_old_report_goes_with_its_rows_and_its_object_and_a_young_one_stays(database, storage):
    old, young = stored(database, storage, age=2 * DAY), stored(database, storage)

    assert clean(database, storage) == 1

    assert rows(database, old) == []
    assert exists(database, young)
    assert list(storage.keys()) == [f"reports/{young}.html"]


def test_without_a_threshold_reports_stay_for_ever(database, storage):
    report_id = stored(database, storage, age=9000 * DAY)

    assert clean(database, storage, older_than=None) == 0
    assert exists(database, report_id)


def test_an_expiry_of_its_own_wins_over_the_threshold_both_ways(database, storage):
    sooner = stored(database, storage, expires_in=-1)
    later = stored(database, storage, age=2 * DAY, expires_in=DAY)

    assert clean(database, storage) == 1

    assert (exists(database, sooner), exists(database, later)) == (False, True)


def test_a_pinned_report_stays_until_it_is_unpinned(database, storage):
    report_id = stored(database, storage, age=2 * DAY, keep=True)
    assert clean(database, storage) == 0

    with database.writing() as session:
        reports.change(session, report_id, keep=False)

    assert clean(database, storage) == 1


def test_a_report_that_waits_or_runs_is_never_swept(database, storage):
    waiting, running = promised(database, expires_in=-DAY), promised(database, expires_in=-DAY)
    orders.claimed(database, running)

    assert clean(database, storage, older_than=0.001) == 0

    assert exists(database, waiting)
    assert exists(database, running)


def test_a_failed_report_is_swept_like_any_other(database, storage):
    report_id = promised(database, expires_in=-1)
    orders.claimed(database, report_id)
    with database.writing() as session:
        renders.fail(session, report_id, attempt=1, cause=renders.Cause.TEMPLATE, error="x")

    assert clean(database, storage) == 1
    assert rows(database, report_id) == []


def test_one_object_that_cannot_be_removed_does_not_keep_the_others(database, storage, monkeypatch):
    monkeypatch.setattr(sweeps, "BATCH", 2)
    some = [stored(database, storage, expires_in=-1) for _ in range(5)]

    assert clean(database, Broken(storage, some[1])) == 4

    assert not exists(database, some[1]), "it is marked, so nobody sees it any more"
    assert rows(database, some[1]) == [Report, Render], "its row stays as long as its object does"
    assert clean(database, storage) == 1
    assert list(storage.keys()) == []


def test_a_sweep_that_dies_between_object_and_row_is_finished_by_the_next(database, storage, monkeypatch):
    some = [stored(database, storage, expires_in=-1) for _ in range(3)]

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reports, "erase", die)
        with pytest.raises(KeyboardInterrupt):
            clean(database, storage)
    assert list(storage.keys()) == []

    assert clean(database, storage) == 3
    assert [rows(database, one) for one in some] == [[], [], []]


def test_a_removed_report_is_gone_with_its_object(database, storage):
    report_id = stored(database, storage)

    sweeps.remove_report(database, storage, report_id)

    assert rows(database, report_id) == []
    assert list(storage.keys()) == []
    with pytest.raises(NotFoundError):
        sweeps.remove_report(database, storage, report_id)


def pictured(database, storage):
    """Return the id of a stored report whose thumbnail is made."""
    report_id = stored(database, storage)
    with database.writing() as session:
        session.execute(update(Render).where(Render.id == report_id).values(media_type="application/pdf"))
        assert thumbnails.order(session, report_id) is not None
        claimed = leases.claim(session, Thumbnail, report_id, worker_id="worker-1", seconds=60)
        key = thumbnails.blob_key(report_id, attempt=claimed.attempt)
        leases.succeed(session, Thumbnail, report_id, attempt=claimed.attempt, blob_key=key, size=1, sha256="0" * 64)
    storage.put(key, b"x", media_type="image/png", metadata={})
    return report_id


def test_a_thumbnail_goes_with_its_report_whoever_removes_it(database, storage):
    removed, expired, kept = (pictured(database, storage) for _ in range(3))
    with database.writing() as session:
        session.execute(update(Report).where(Report.id == expired).values(expires_at=now(-1)))

    sweeps.remove_report(database, storage, removed)
    assert clean(database, storage) == 1

    assert [rows(database, one) for one in (removed, expired)] == [[], []]
    with database.reading() as session:
        assert session.scalars(select(Thumbnail.render_id)).all() == [kept]
        assert session.scalars(select(RetiredObject.key)).all() == []
    assert sorted(storage.keys()) == [f"reports/{kept}.html", f"thumbnails/{kept}~1.png"]


def test_whoever_asks_for_a_thumbnail_while_the_report_goes_gets_none_and_keeps_nothing(database, storage):
    report_id = stored(database, storage)
    with database.writing() as session:
        session.execute(update(Render).where(Render.id == report_id).values(media_type="application/pdf"))
    ordered = []

    def ask():
        with database.writing() as session:
            ordered.append(thumbnails.order(session, report_id))

    late = threading.Thread(target=ask)
    with database.writing() as session:
        reports.erase(session, [session.get_one(Report, report_id)])
        late.start()
        until_held_up(database)
    late.join()

    assert ordered == [None]
    assert rows(database, report_id) == []


def test_a_thumbnail_that_is_ordered_while_the_report_goes_goes_too(database, storage):
    report_id = stored(database, storage)
    with database.writing() as session:
        session.execute(update(Render).where(Render.id == report_id).values(media_type="application/pdf"))
    remover = threading.Thread(target=lambda: sweeps.remove_report(database, storage, report_id))
    with database.writing() as session:
        assert thumbnails.order(session, report_id) is not None
        remover.start()
        until_held_up(database)
    remover.join()

    assert rows(database, report_id) == []


def test_removing_a_waiting_report_cancels_it(database, storage):
    report_id = promised(database)

    sweeps.remove_report(database, storage, report_id)

    assert orders.claimed(database, report_id) is None
    assert rows(database, report_id) == []


def test_a_running_report_holds_its_blob_name_until_its_attempt_has_ended(database, storage):
    report_id = promised(database, blob_name="monthly")
    orders.claimed(database, report_id)

    sweeps.remove_report(database, storage, report_id)

    assert not exists(database, report_id)
    with pytest.raises(ConflictError, match=f"belongs to report {report_id}"):
        promised(database, blob_name="monthly")
    assert clean(database, storage) == 0, "the attempt may still store its document"
    with database.writing() as session:
        assert not renders.succeed(session, report_id, attempt=1, result=orders.result())
        renders.let_go(session, report_id, attempt=1)
    assert clean(database, storage) == 1
    promised(database, blob_name="monthly")


def test_a_cancelled_attempt_that_never_lets_go_holds_the_name_until_its_deadline(database, storage):
    report_id = promised(database)
    orders.claimed(database, report_id)
    sweeps.remove_report(database, storage, report_id)
    storage.put(f"reports/{report_id}.html", b"x", media_type="text/html", metadata={})

    with database.writing() as session:
        session.execute(update(Render).where(Render.id == report_id).values(deadline_at=now(-1)))

    assert clean(database, storage) == 1
    assert list(storage.keys()) == [], "what the attempt had stored before it died goes too"


def test_while_the_store_is_away_a_removed_report_is_marked_and_goes_later(database, storage):
    report_id = stored(database, storage, blob_name="monthly")

    sweeps.remove_report(database, Broken(storage), report_id)

    assert not exists(database, report_id)
    with pytest.raises(ConflictError, match="wait until"):
        promised(database, blob_name="monthly")
    assert clean(database, storage) == 1
    assert rows(database, report_id) == []


def test_a_withdrawn_report_frees_its_name_and_its_render_can_still_be_looked_up(database, storage):
    report_id = promised(database, blob_name="monthly")
    first = orders.claimed(database, report_id)
    # An attempt that was lost after it had stored its document.
    storage.put("reports/monthly.html", b"lost", media_type="text/html", metadata={})
    with database.writing() as session:
        renders.lose(session, first, reason="killed", max_losses=1)

    sweeps.withdraw_report(database, storage, report_id)

    assert rows(database, report_id) == [Render]
    again = stored(database, storage, blob_name="monthly")
    with database.writing() as session:
        session.execute(update(Render).where(Render.id == report_id).values(finished_at=now(-1000)))
    assert sweeps.sweep_unkept(database, storage, older_than=600) == 1
    assert list(storage.keys()) == [f"reports/monthly~{again}.html"], "the next report's, not the lost attempt's"
    assert exists(database, again)


def test_retired_objects_go_after_a_while(database, storage):
    for key in ("assets/a/1.png", "assets/a/2.png"):
        storage.put(key, b"x", media_type="image/png", metadata={})
    with database.writing() as session:
        session.add_all([
            RetiredObject(key="assets/a/1.png", retired_at=now(-700)),
            RetiredObject(key="assets/a/2.png", retired_at=now(-10)),
        ])  # fmt: skip

    assert sweeps.sweep_retired(database, Broken(storage), older_than=600) == 0
    assert sweeps.sweep_retired(database, storage, older_than=600) == 1
    assert list(storage.keys()) == ["assets/a/2.png"]
    assert sweeps.sweep_retired(database, storage, older_than=5) == 1
    assert list(storage.keys()) == []


def test_a_change_touches_the_report_that_it_names_and_no_other(database, storage):
    one, other = stored(database, storage), stored(database, storage)

    with database.writing() as session:
        reports.change(session, one, name="new", public=True, keep=True)

    with database.reading() as session:
        changed, untouched = reports.find(session, one), reports.find(session, other)
    assert (changed.name, changed.public, changed.keep) == ("new", True, True)
    assert (untouched.name, untouched.public, untouched.keep) == ("r", False, False)
    assert changed.created_at <= changed.modified_at


def test_a_report_that_goes_while_it_is_changed_or_removed_is_not_there(database, storage, monkeypatch):
    find = reports.find

    def find_and_lose(session, report_id):
        report = find(session, report_id)
        session.execute(update(Report).where(Report.id == report_id).values(removed_at=now()))
        return report

    report_id = stored(database, storage)
    monkeypatch.setattr(reports, "find", find_and_lose)

    with pytest.raises(NotFoundError), database.writing() as session:
        reports.change(session, report_id, keep=True)
    with pytest.raises(NotFoundError), database.writing() as session:
        reports.mark_removed(session, report_id)


def test_a_report_that_is_pinned_while_a_sweep_looks_at_it_stays(database, storage):
    report_id = stored(database, storage, age=2 * DAY)
    sweep = threading.Thread(target=clean, args=(database, storage))

    with database.writing() as session:
        reports.change(session, report_id, keep=True)
        session.flush()
        sweep.start()
        until_held_up(database)
    sweep.join()

    assert exists(database, report_id)


def test_a_sweep_that_comes_late_leaves_the_next_report_of_a_blob_name_alone(database, storage):
    first = stored(database, storage)
    monthly = stored(database, storage, blob_name="monthly")
    with database.writing() as session:
        for report_id in (first, monthly):
            reports.mark_removed(session, report_id)

    class Slow(Broken):
        """While the first object goes, another sweep takes all of the batch, and the name is given away again."""

        def delete(self, key):
            super().delete(key)
            if first in key:
                assert clean(database, storage) == 2
                self.again = stored(database, storage, blob_name="monthly")

    slow = Slow(storage, "no such key")
    clean(database, slow)

    assert exists(database, slow.again)
    assert list(storage.keys()) == ["reports/monthly.html"]


@pytest.mark.parametrize(
    ("lost", "taken"), [("to another worker", (1, 0, 0)), ("by a cancel that nobody heard", (0, 1, 1))]
)
def test_a_name_under_which_a_lost_attempt_may_still_write_leads_to_a_key_of_its_own(database, storage, lost, taken):
    first = promised(database, blob_name="monthly")
    sleeper = orders.claimed(database, first)
    if lost == "to another worker":
        with database.writing() as session:
            renders.lose(session, sleeper, reason="silent", max_losses=3)
        orders.claimed(database, first)
        storage.put("reports/monthly~2.html", b"2", media_type="text/html", metadata={})
        with database.writing() as session:
            result = orders.result(blob_key="reports/monthly~2.html")
            assert renders.succeed(session, first, attempt=2, result=result)
        sweeps.remove_report(database, storage, first)
    else:
        sweeps.remove_report(database, storage, first)
        with database.writing() as session:
            session.execute(update(Render).where(Render.id == first).values(deadline_at=now(-1)))
        assert clean(database, storage) == 1

    again = stored(database, storage, blob_name="monthly")
    # The sleeper wakes up.
    storage.put("reports/monthly.html", b"late", media_type="text/html", metadata={"render-id": first})

    with database.reading() as session:
        key = reports.find(session, again).render.blob_key
    assert key == f"reports/monthly~{again}.html"
    assert storage.get(key) == b"x"
    # Where another attempt did it, the sleeper's object was noted before it came.
    swept = sweeps.sweep_retired(database, storage, older_than=-1)
    found = verification.verify(database, storage, grace=-5, repair=True, contents=False, say=lambda _: None)
    assert (swept, found.orphans, found.removed, found.missing) == (*taken, 0)
    assert list(storage.keys()) == [key]


def test_a_name_that_nobody_can_write_under_any_more_is_used_as_it_is(database, storage):
    sweeps.remove_report(database, storage, stored(database, storage, blob_name="monthly"))

    stored(database, storage, blob_name="monthly")

    assert list(storage.keys()) == ["reports/monthly.html"]
