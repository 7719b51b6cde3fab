"""Waiting for a render's end on behalf of a request, when the end does not come."""

from __future__ import annotations

import contextlib
import math
import time
from types import SimpleNamespace

import orders
import pytest
from sqlalchemy.exc import OperationalError

from api import waiting
from shared import outcomes, renders
from shared.exceptions import NotReadyError
from shared.render_values import RenderStatus
from shared.settings import load_settings
from shared.signals import Awaited
from shared.storage import CorruptObjectError, StorageError


@pytest.fixture
def gateway(database, tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.01)
    settings = load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_SYNC_WAIT": "0.1"})

    @contextlib.contextmanager
    def watch(_render_id):
        yield Awaited()

    return SimpleNamespace(
        database=database,
        settings=settings,
        ended=SimpleNamespace(watch=watch),
        publish=lambda _render: None,
        waits_until=math.inf,
    )


def test_a_render_that_nobody_starts_is_given_up_and_says_so(gateway, database):
    render = orders.row(database, orders.submitted(database))

    done = waiting.for_end(gateway, render)

    assert done.state == "cancelled"
    assert "could not start" in done.error


def test_a_render_that_is_long_overdue_is_ended_so_that_its_caller_and_its_record_are_told_the_same(
    gateway, database, monkeypatch
):
    monkeypatch.setattr(waiting, "MOST_SECONDS_OVER", 0)
    render_id = orders.submitted(database, timeout=0.01)
    orders.claimed(database, render_id)

    done = waiting.for_end(gateway, orders.row(database, render_id))

    assert done.state == "cancelled"
    assert "long overdue" in done.error


@pytest.mark.parametrize("claimed", [False, True])
def test_who_waits_at_a_gateway_that_ends_is_told_to_come_again_and_nothing_of_it_goes_on(gateway, database, claimed):
    render_id = orders.submitted(database)
    if claimed:
        orders.claimed(database, render_id)
    gateway.waits_until = time.monotonic()

    done = waiting.for_end(gateway, orders.row(database, render_id))

    assert (done.state, outcomes.http_status(done)) == ("cancelled", 503)
    assert "send this request again" in done.error


def test_a_render_that_ended_in_time_is_answered_by_a_gateway_that_ends(gateway, database):
    render_id = orders.submitted(database)
    orders.claimed(database, render_id)
    with database.writing() as session:
        assert renders.succeed(session, render_id, attempt=1, result=orders.result())
    gateway.waits_until = time.monotonic()

    assert waiting.for_end(gateway, orders.row(database, render_id)).state == "succeeded"


def test_who_hears_how_a_render_ended_asks_the_database_no_more(gateway, database):
    render_id = orders.submitted(database)
    status = RenderStatus(id=render_id, trace_id="t", state="succeeded", timeout=1, attempt=1)

    @contextlib.contextmanager
    def watch(_render_id):
        ended = Awaited()
        ended.status = status
        ended.set()
        yield ended

    gateway.ended = SimpleNamespace(watch=watch)
    gateway.database = Flickering(database, times=math.inf)

    assert waiting.for_end(gateway, orders.row(database, render_id)) is status


class Flickering:
    """A database that is away for some questions."""

    def __init__(self, database, times):
        self.database, self.times = database, times

    def looking(self):
        if self.times:
            self.times -= 1
            raise OperationalError("SELECT", None, OSError("the database went away"))
        return self.database.looking()


def test_who_waits_does_not_hear_of_a_database_that_is_away_for_a_moment(gateway, database):
    render_id = orders.submitted(database)
    orders.claimed(database, render_id)
    with database.writing() as session:
        assert renders.succeed(session, render_id, attempt=1, result=orders.result())
    gateway.database = Flickering(database, times=3)

    assert waiting.for_end(gateway, orders.row(database, render_id)).state == "succeeded"


@pytest.mark.parametrize(
    ("address", "advice", "retry_after"),
    [
        ("http://farm/reports/1/status", "Do not send it again, or it is done twice: ask for it at http://farm", None),
        (None, "Nothing of it is kept, so it may be sent again", waiting.RETRY_SECONDS),
    ],
)
def test_who_waited_in_vain_is_told_what_was_accepted(gateway, database, address, advice, retry_after):
    render = orders.row(database, orders.submitted(database))
    gateway.database = Flickering(database, times=math.inf)

    with pytest.raises(NotReadyError, match=advice) as refused, waiting.accepted(render, address=address):
        waiting.for_end(gateway, render)

    assert f"accepted as render {render.id}, but the database does not answer" in refused.value.message
    assert refused.value.retry_after == retry_after


def test_a_document_that_the_storage_does_not_hand_out_is_said_to_be_accepted_and_a_damaged_one_is_not(database):
    render = orders.row(database, orders.submitted(database))

    with pytest.raises(NotReadyError, match="the storage does not answer"), waiting.accepted(render, address="there"):
        raise StorageError("refused")
    with pytest.raises(CorruptObjectError), waiting.accepted(render, address="there"):
        raise CorruptObjectError("key", expected="1 bytes", found="2 bytes")
