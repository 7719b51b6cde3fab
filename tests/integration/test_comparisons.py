"""Two records are compared once, whoever asks and whatever dies meanwhile."""

from __future__ import annotations

import functools
import io
import threading

import compared
import pytest
import records
from compared import Comparing
from locks import until_held_up
from PIL import Image
from sqlalchemy import delete, update

from shared import comparisons, leases
from shared.database import now
from shared.exceptions import ConflictError, NotFoundError
from shared.models import Comparison, HistoryRecord


@pytest.fixture
def farm(database, filesystem_storage, settings, template):
    return Comparing(database, filesystem_storage, settings, template)


def change(database, comparison_id, **values):
    with database.writing() as session:
        session.execute(update(Comparison).where(Comparison.id == comparison_id).values(**values))


def test_a_comparison_is_queued_once_however_often_it_is_asked_for(farm):
    before, after = farm.record(), farm.record()
    first, second = farm.ask(before, after), farm.ask(before, after)
    assert (first.due, second.due) == (True, False)
    assert first.comparison.id == second.comparison.id
    assert (first.comparison.state, first.comparison.trace_id) == ("queued", compared.TRACE)
    assert farm.ask(after, before).comparison.id != first.comparison.id


def test_two_who_ask_at_the_same_moment_get_the_same_comparison(database, farm):
    before, after = farm.record(), farm.record()
    found = []
    with database.writing() as session:
        mine = comparisons.ask(session, before, after, trace_id=compared.TRACE)
        other = threading.Thread(target=lambda: found.append(farm.ask(before, after)))
        other.start()
        until_held_up(database)
    other.join()
    assert mine.due
    assert [(one.comparison.id, one.due) for one in found] == [(mine.comparison.id, False)]


def test_a_record_that_is_being_removed_cannot_be_compared(database, farm):
    before, after = farm.record(), farm.record()
    refused = []

    def late():
        try:
            farm.ask(before, after)
        except NotFoundError as error:
            refused.append(error)

    with database.writing() as session:
        session.execute(delete(HistoryRecord).where(HistoryRecord.id == after))
        other = threading.Thread(target=late)
        other.start()
        until_held_up(database)
    other.join()
    assert after in refused[0].message


@pytest.mark.parametrize("unknown", ["nobody", "a\0b"])
def test_a_record_that_does_not_exist_cannot_be_compared(database, farm, unknown):
    known = farm.record()
    for pair in ((known, unknown), (unknown, known)):
        with pytest.raises(NotFoundError, match="history record"):
            farm.ask(*pair)
        with database.reading() as session:
            assert comparisons.find(session, *pair) is None


def test_a_record_without_a_pdf_is_refused_and_told_why(database, farm, template):
    known = farm.record()
    waiting, failed = records.waiting(database, template), records.waiting(database, template)
    records.fail(database, failed)
    for other, why in ((waiting, "has not ended"), (failed, "its status is Error")):
        with pytest.raises(ConflictError, match=why):
            farm.ask(known, other.id)


def test_a_finished_comparison_is_kept(farm):
    before, after = farm.record(), farm.record()
    made = farm.compare(before, after)
    again = farm.ask(before, after)
    assert (again.due, again.comparison.state) == (False, "succeeded")
    assert again.comparison.result == made.result


def test_a_failed_comparison_says_why_for_a_while_and_is_then_tried_again(database, farm):
    before, after = farm.record(), farm.record(b"%PDF-1.7 and then nothing")
    failed = farm.compare(before, after)
    asked = farm.ask(before, after)
    assert (asked.due, asked.comparison.state) == (False, "failed")

    change(database, failed.id, finished_at=now(-3600))
    asked = farm.ask(before, after)
    assert (asked.due, asked.comparison.state, asked.comparison.error) == (True, "queued", None)


def test_one_changed_word_is_found_in_the_text_and_seen_in_the_picture(database, farm):
    before, after = farm.record(), farm.record(compared.document(total="1,304.50"))
    made = farm.compare(before, after)
    assert made.result["identical"] is False
    [page] = made.result["text"]["pages"]
    assert page["page"] == 1
    [words] = page["changes"]
    assert (words["before"], words["after"]) == ("1,204.50.", "1,304.50.")
    assert words["context"].endswith("The total is")
    [shown] = made.result["pictures"]
    assert 0 < shown["changed"] < 0.01
    with database.reading() as session:
        overlay = comparisons.overlay(session, before, after, page=1)
    picture = Image.open(io.BytesIO(farm.storage.get(overlay.key)))
    # A5 at 96 dpi.
    assert picture.size == (560, 794)
    assert overlay.key == f"comparisons/{made.id}~1-1.png"
    assert farm.pictures() == [f"comparisons/{made.id}~1-1{side}.png" for side in ("-after", "-before", "")]
    assert farm.storage.stat(overlay.key).size == overlay.size


def test_requests_are_compared_field_by_field(farm):
    before = b'{"outputType": "none", "data": {"customer": "North/wind", "rows": [1, 2], "gone": null, "x": 1e999}}'
    after = b'{"outputType": "none", "data": {"customer": "a\\u0000b", "rows": [1, 2, 3], "x": 1e999}}'
    made = farm.compare(farm.record(payload=before), farm.record(payload=after))
    assert made.result["request"] == {
        "changes": [
            {"path": "/data/customer", "before": "North/wind", "after": "a\0b"},
            {"path": "/data/rows/2", "after": 3},
            {"path": "/data/gone", "before": None},
        ],
        "more": 0,
    }
    assert made.result["identical"] is True


class Interrupted:
    """A storage that lets something happen when a picture is about to be stored."""

    def __init__(self, storage, happen):
        self.storage, self.happen = storage, happen

    def __getattr__(self, name):
        return getattr(self.storage, name)

    def put(self, key, content, **options):
        self.happen(key)
        self.storage.put(key, content, **options)


def test_an_attempt_that_was_given_up_changes_nothing_and_leaves_nothing(database, farm):
    def give_away(key):
        comparison_id = key.removeprefix("comparisons/").partition("~")[0]
        change(database, comparison_id, lease_until=now(-1))
        with database.writing() as session:
            assert leases.give_back(session, Comparison, dead_after=None, error="lost") == 1
            assert leases.claim(session, Comparison, comparison_id, worker_id="worker-2", seconds=60).attempt == 2

    made = farm.compare(
        farm.record(), farm.record(compared.document(total="9")), storage=Interrupted(farm.storage, give_away)
    )
    assert (made.state, made.attempt, made.result) == ("running", 2, None)
    assert farm.pictures() == []


def test_a_record_that_is_removed_meanwhile_leaves_no_picture(database, farm):
    def remove(_key):
        with database.writing() as session:
            session.execute(delete(Comparison))

    asked = farm.ask(farm.record(), farm.record(compared.document(total="9")))
    store = Interrupted(farm.storage, remove)
    farm.perform(asked.comparison.id, storage=store)
    assert farm.row(asked.comparison.id) is None
    assert farm.pictures() == []


def test_the_attempt_that_counts_removes_what_a_killed_one_left(database, farm):
    asked = farm.ask(farm.record(), farm.record(compared.document(total="9")))
    comparison_id = asked.comparison.id
    change(database, comparison_id, attempt=1)
    for page in (1, 2):
        key = comparisons.picture_key(comparison_id, attempt=1, page=page)
        farm.storage.put(key, b"x", media_type="image/png", metadata={})
    farm.perform(comparison_id, storage=farm.storage)
    kept = farm.row(comparison_id).overlays
    assert kept == {name: f"comparisons/{comparison_id}~2-{name}.png" for name in ("1", "1-before", "1-after")}
    assert farm.pictures() == sorted(kept.values())


def test_what_was_compared_before_pages_had_pictures_is_compared_once_more(database, farm):
    before, after = farm.record(), farm.record(compared.document(total="9"))
    made = farm.compare(before, after)
    [shown] = made.result["pictures"]
    change(
        database,
        made.id,
        result=made.result | {"pictures": [{name: shown[name] for name in ("page", "changed", "overlay")}]},
        overlays={"1": made.overlays["1"]},
    )
    with database.reading() as session:
        assert comparisons.overlay(session, before, after, page=1).key == made.overlays["1"]
        with pytest.raises(NotFoundError, match="ask for the comparison again"):
            comparisons.side(session, before, after, page=1, side="before")

    farm.compare(before, after)
    assert farm.ask(before, after).due is False
    with database.reading() as session:
        assert comparisons.side(session, before, after, page=1, side="before").key == made.overlays["1-before"].replace(
            "~1", "~2"
        )
    assert all("~2-" in key for key in farm.pictures())


def test_a_picture_that_is_not_there_yet_says_when_to_ask_again(database, farm):
    before, after = farm.record(), farm.record()
    with database.reading() as session, pytest.raises(NotFoundError, match="ask for the comparison") as refused:
        comparisons.overlay(session, before, after, page=1)
    assert refused.value.retry_after is None
    farm.ask(before, after)
    for ask in (comparisons.overlay, functools.partial(comparisons.side, side="after")):
        with database.reading() as session, pytest.raises(NotFoundError, match="being compared") as refused:
            ask(session, before, after, page=1)
        assert refused.value.retry_after > 0


def test_a_message_that_comes_twice_compares_once(farm):
    made = farm.compare(farm.record(), farm.record())
    assert farm.perform(made.id) == []
    assert farm.row(made.id).attempt == 1
