"""A child's shift: what it takes at once, what it writes at once, and who is not held up."""

from __future__ import annotations

import itertools

import orders
import pytest
from services import Valkey
from sqlalchemy import event

from shared import renders, templates
from shared.renders import Claimant, State
from shared.settings import load_settings
from shared.signals import connect
from shared.templates import TemplateFields
from workers import paces, registry, shift
from workers.assets import AssetCache
from workers.certification.certifier import Certifier
from workers.certification.choosing import Certification
from workers.rendering import RenderRoom

SLOW = "{% for a in range(n) %}{% for b in range(99999) %}{% endfor %}{% endfor %}done"
ME = Claimant("w", 1, 5)


@pytest.fixture(scope="module")
def broker():
    with Valkey() as broker:
        yield broker


@pytest.fixture
def client(broker):
    client = connect(broker.url)
    client.flushall()
    yield client
    client.close()


def settings_of(home, **changes):
    # This process is as large as all the tests before it made it: its memory is no reason to leave.
    ours = {"PRESSROOM_HOME": str(home), "PRESSROOM_STANDBY": "0", "PRESSROOM_CHILD_MEMORY_BYTES": "0"}
    return load_settings({**ours, **changes})


@pytest.fixture
def room(database, filesystem_storage, tmp_path):
    """The room of a worker whose only child is this process, and for which nobody rings."""
    settings = settings_of(tmp_path)
    cache = AssetCache(1_000_000)
    room = Room(settings, database, filesystem_storage, cache)
    yield room
    cache.close()


class Room:
    def __init__(self, settings, database, storage, cache):
        recipes = registry.load()
        certifier = Certifier(
            settings=settings,
            database=database,
            storage=storage,
            registry=recipes,
            asset_cache=cache,
            worker_id="w",
            environment="here",
        )
        certification = Certification(
            database=database,
            registry=recipes,
            certifier=certifier,
            environment="here",
            interval=0,
            came_before=lambda subject: False,
            ring=lambda errand: True,
        )
        self.announced = []
        self.published = []
        self.database = database
        self.room = RenderRoom(
            settings=settings,
            database=database,
            storage=storage,
            registry=recipes,
            asset_cache=cache,
            worker_id="w",
            certification=certification,
            queues=["render", "render.high", "render.bulk"],
            children=1,
            announce=self.announced.append,
            ring=lambda errand: True,
            publish=lambda wake: bool(self.published.append(wake.render_id)) or True,
        )

    def row(self, render_id):
        return orders.row(self.database, render_id)


@pytest.fixture
def version(database):
    def make(content="<p>{{ n }}", name="t2"):
        fields = TemplateFields(name=name, content=content, engine="jinja", recipe="html", sample_data=None)
        with database.writing() as session:
            return templates.create(session, fields).version_id

    return make


def of(version_id, n=0, **changes):
    return {"template_version_id": version_id, "content": None, "data": f'{{"n": {n}}}', "timeout": 60.0} | changes


def claim_next(database, queues=("render.high", "render", "render.bulk")):
    with database.writing() as session:
        return renders.claim_next(session, queues, ME)


def claim_alike(database, first, *, most=7, sharers=1):
    with database.writing() as session:
        return [one.id for one in renders.claim_alike(session, first, ME, most=most, sharers=sharers)]


def test_the_most_urgent_queue_is_served_first_and_in_it_whoever_waits_longest(database):
    late, bulk, high, soon = (
        orders.submitted(database, queue=queue) for queue in ("render", "render.bulk", "render.high", "render.high")
    )

    claimed = [claim_next(database).id for _ in range(4)]

    assert claimed == [high, soon, late, bulk]
    assert claim_next(database) is None


def test_queues_that_are_not_served_are_left_alone(database):
    orders.submitted(database, queue="render.bulk")

    assert claim_next(database, queues=("render",)) is None


def test_what_is_claimed_comes_with_all_that_is_needed_to_make_it(database):
    render_id = orders.submitted(database, content="<p>x", data='{"a": 1}', timeout=7.0)

    claimed = claim_next(database)

    assert (claimed.id, claimed.content, claimed.data, claimed.timeout) == (render_id, "<p>x", '{"a": 1}', 7.0)
    assert (claimed.attempt, claimed.worker_id, claimed.child_pid) == (1, ME.worker_id, ME.child_pid)


def test_one_that_was_put_off_is_not_taken_before_its_time(database):
    render_id = orders.submitted(database)
    row = orders.claimed(database, render_id)
    with database.writing() as session:
        renders.give_back(session, row, reason="r", cause=renders.Loss.STORAGE, seconds=60)

    assert claim_next(database) is None


def test_one_that_is_given_back_for_its_neighbour_keeps_its_place(database):
    first = claim_next_of_two(database)
    with database.writing() as session:
        renders.give_back(session, first, reason="r", cause=renders.Loss.NEIGHBOUR, seconds=None)

    assert claim_next(database).id == first.id


def claim_next_of_two(database):
    for _ in range(2):
        orders.submitted(database)
    return claim_next(database)


def test_only_what_is_alike_is_taken_with_it(database, version):
    one, other = version(), version(name="t3")
    first, alike = (orders.submitted(database, **of(one)) for _ in range(2))
    orders.submitted(database, **of(other))
    orders.submitted(database, **of(one, recipe="text"))
    orders.submitted(database, **of(one, queue="render.bulk"))
    orders.submitted(database, **of(one, content="of its own"))
    head = claim_next(database)

    assert head.id == first
    assert claim_alike(database, head) == [alike]


def test_what_was_lost_once_is_taken_alone(database, version):
    one = version()
    lost = orders.claimed(database, orders.submitted(database, **of(one)))
    with database.writing() as session:
        renders.lose(session, lost, reason="r", max_losses=3)
    orders.submitted(database, queue="render.high", **of(one))
    head = claim_next(database)

    assert claim_alike(database, head) == []


@pytest.mark.parametrize(
    ("waiting", "sharers", "most", "taken"), [(6, 1, 3, 3), (6, 2, 7, 3), (1, 4, 7, 1), (0, 1, 7, 0)]
)
def test_no_more_is_taken_than_ones_share(database, version, waiting, sharers, most, taken):
    one = version()
    orders.submitted(database, **of(one))
    head = claim_next(database)
    for _ in range(waiting):
        orders.submitted(database, **of(one))

    assert len(claim_alike(database, head, most=most, sharers=sharers)) == taken


def test_two_claims_at_once_take_different_renders(database):
    ids = {orders.submitted(database) for _ in range(2)}
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    with database.writing() as one:
        first = renders.claim_next(one, ["render"], ME)
        with database.writing() as other:
            second = renders.claim_next(other, ["render"], Claimant("v", 2, 5))

    assert {first.id, second.id} == ids


def test_a_shift_goes_on_until_nothing_waits(room, database, version, client):
    one = version()
    ids = [orders.submitted(database, **of(one, n=number)) for number in range(12)]
    ids.append(orders.submitted(database))

    room.room.work(client)

    assert {room.row(one).state for one in ids} == {State.SUCCEEDED}
    assert sorted(one.render_id for one in itertools.chain(*room.announced)) == sorted(ids)
    assert {room.row(one).attempt for one in ids} == {1}


def test_ends_and_the_next_claim_are_one_commit(room, database, version, client):
    one = version()
    for number in range(17):
        orders.submitted(database, **of(one, n=number))
    commits = []
    event.listen(database.engine, "commit", lambda _: commits.append(1))

    room.room.work(client)

    # One by one until it is known how long such a one takes; then eight at a time: 1 + 8 + 8, the claim before the
    # first, and the looks before and after standing by.
    assert len(commits) <= 6


def test_one_that_takes_long_holds_nobody_up(room, database, version, client, monkeypatch):
    monkeypatch.setattr(shift, "HELD_UP_SECONDS", 0.2)
    one = version(SLOW)
    teacher, before, slow, behind = (orders.submitted(database, **of(one, n=n)) for n in (0, 0, 300, 0))
    finished = {}

    def note(endings):
        finished.update({one.render_id: room.row(slow).state for one in endings})

    room.room._shift._announce = note  # What others see at that moment.
    room.room.work(client)

    assert {room.row(one).state for one in (teacher, before, slow, behind)} == {State.SUCCEEDED}
    # Its end was written while the slow one was still being made.
    assert finished[before] == State.RUNNING
    assert [one["cause"] for one in room.row(behind).losses] == ["neighbour"]
    assert room.published == [behind]


def test_what_a_broken_end_leaves_is_not_lost(database):
    """A child that claimed and did not hear of its commit finds what it has."""
    render_id = orders.submitted(database)
    claimed = claim_next(database)

    with database.reading() as session:
        held = renders.held_by_child(session, ME)

    assert [one.id for one in held] == [render_id]
    assert held == [claimed]


def test_a_worker_that_stops_begins_with_nothing_more(room, database, client):
    render_id = orders.submitted(database)
    room.room.close()

    room.room.work(client)

    assert room.row(render_id).state == State.QUEUED


def test_who_rang_for_a_child_that_must_go_is_heard_by_another(room, database, client, version, tmp_path):
    class LastMoment:
        """The worker is told to stop, and somebody rings, while the child stands by."""

        def sign(self):
            pass

        def wait(self):
            room.room.close()
            self.rung_for = orders.submitted(database)
            return True

        def leave(self):
            pass

    place = LastMoment()
    orders.submitted(database)
    room.room._shift._settings = settings_of(tmp_path, PRESSROOM_STANDBY="60")  # It would be the same room.

    room.room._shift.work(place)  # The place at the bell is the test's.

    assert room.row(place.rung_for).state == State.QUEUED
    assert room.published == [place.rung_for]


def test_a_child_of_age_leaves_after_what_it_has_taken(database, filesystem_storage, client, tmp_path):
    settings = settings_of(tmp_path, PRESSROOM_CHILD_RENDERS="2")
    cache = AssetCache(1_000_000)
    aged = Room(settings, database, filesystem_storage, cache)
    ids = [orders.submitted(database) for _ in range(3)]

    with pytest.raises(SystemExit):
        aged.room.work(client)

    assert [aged.row(one).state for one in ids] == [State.SUCCEEDED, State.SUCCEEDED, State.QUEUED]
    cache.close()


def test_nobody_is_told_of_a_batchs_documents(room, database, version, client):
    one = version()
    ours, batchs = (orders.submitted(database, **of(one), **of_batch) for of_batch in ({}, {"batch_id": "b"}))

    room.room.work(client)

    assert [room.row(made).state for made in (ours, batchs)] == [State.SUCCEEDED, State.SUCCEEDED]
    assert [ending.render_id for endings in room.announced for ending in endings] == [ours]


def test_a_company_is_as_large_as_its_time_allows(database, version):
    one = version()
    orders.submitted(database, **of(one))
    render = claim_next(database)
    known = paces.Paces()
    assert known.company_of(render) == 1
    known.note(render, 0.05)
    assert known.company_of(render) == 3
    for _ in range(50):
        known.note(render, 0.0001)
    assert known.company_of(render) == paces.LARGEST_COMPANY
    for _ in range(50):
        known.note(render, 10)
    assert known.company_of(render) == 1
