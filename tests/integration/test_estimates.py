"""The outlook of a render: its place in the queue, and how long its like took."""

from __future__ import annotations

import itertools

import orders
import pytest
from sqlalchemy import update

from shared import estimates, renders, templates
from shared.database import now
from shared.models import Render
from shared.templates import TemplateFields

numbers = itertools.count(1)


@pytest.fixture
def template(database):
    def store(name="t"):
        fields = TemplateFields(name=name, content="x", engine="jinja", recipe="html", sample_data=None)
        with database.writing() as session:
            return templates.create(session, fields).version_id

    return store


def waiting(database, version, **changes):
    """Submit a render, each a second after the one before."""
    render_id = orders.submitted(database, template_version_id=version, **({"content": None} | changes))
    with database.writing() as session:
        values = {"queued_at": now(next(numbers) - 10_000)}
        session.execute(update(Render).where(Render.id == render_id).values(**values))
    return render_id


def running(database, version, *, since=0, **changes):
    render_id = waiting(database, version, **changes)
    orders.claimed(database, render_id)
    with database.writing() as session:
        session.execute(update(Render).where(Render.id == render_id).values(started_at=now(-since)))
    return render_id


def measured(database, version, *seconds, **changes):
    for took in seconds:
        render_id = running(database, version, since=took, **changes)
        with database.writing() as session:
            renders.succeed(session, render_id, attempt=1, result=orders.result())


def outlook(database, render_id):
    with database.reading() as session:
        render = session.get_one(Render, render_id)
        found = estimates.outlook(session, render, estimates.state_of(session, render.queue, dead_after=15))
    return found.place, found.seconds


def test_the_place_counts_those_before_in_the_same_queue(database, template):
    version = template()
    first, second, other = waiting(database, version), waiting(database, version), None
    other = waiting(database, version, queue="render.bulk")
    third = waiting(database, version)

    assert [outlook(database, one)[0] for one in (first, second, other, third)] == [1, 2, 1, 3]


def test_what_was_never_measured_has_no_estimate(database, template):
    orders.sign(database)
    render_id = waiting(database, template())

    assert outlook(database, render_id) == (1, None)


def test_a_template_s_average_is_that_of_its_recipe_and_of_all_its_versions(database, template):
    orders.sign(database)
    version = template()
    measured(database, version, 2, 4)
    measured(database, version, 100, recipe="text")
    measured(database, version, 100, content="something else")
    with database.writing() as session:
        template_id = session.get_one(templates.TemplateVersion, version).template_id
        fields = TemplateFields(name="t", content="y", engine="jinja", recipe="html", sample_data=None)
        newest = templates.change(session, template_id, fields).version_id

    assert outlook(database, waiting(database, newest)) == (1, pytest.approx(3, abs=0.5))


def test_the_renders_of_many_versions_make_one_average_and_a_bounded_search(database, template, monkeypatch):
    monkeypatch.setattr(estimates, "MOST_VERSIONS", 2)
    monkeypatch.setattr(estimates, "MOST_LOOKED_AT", 3)
    orders.sign(database)
    oldest = template()
    measured(database, oldest, 100)
    with database.writing() as session:
        template_id = session.get_one(templates.TemplateVersion, oldest).template_id
        fields = TemplateFields(name="t", content="y", engine="jinja", recipe="html", sample_data=None)
        versions = [templates.change(session, template_id, fields).version_id for _ in range(2)]
    measured(database, versions[0], 2)
    measured(database, versions[1], 4)
    assert outlook(database, waiting(database, versions[1])) == (1, pytest.approx(3, abs=0.5))

    measured(database, versions[1], 9, 9, 9, recipe="text")
    assert outlook(database, waiting(database, versions[1]))[1] == pytest.approx(2 + 2, abs=0.5)


def test_the_wait_is_shared_by_all_children_that_serve_the_queue(database, template):
    version = template()
    measured(database, version, 4)
    orders.sign(database, "worker-1", children=2)
    orders.sign(database, "worker-2", children=2)
    orders.sign(database, "worker-3", children=9, queues=["render.bulk"])
    for _ in range(6):
        waiting(database, version)
    running(database, version, since=2)
    running(database, version, since=100)

    # Six of 4 s and 2 s of a running one, by four children; then its own 4 s.
    assert outlook(database, waiting(database, version)) == (7, pytest.approx(26 / 4 + 4, abs=0.5))


def test_one_unknown_before_it_makes_the_wait_unknown(database, template):
    version = template()
    measured(database, version, 4)
    orders.sign(database)
    waiting(database, None, content="<p>who knows")

    assert outlook(database, waiting(database, version)) == (2, None)


def test_a_long_queue_is_judged_by_a_sample(database, template, monkeypatch):
    monkeypatch.setattr(estimates, "SAMPLED", 3)
    version = template()
    measured(database, version, 4)
    orders.sign(database, children=1)
    for _ in range(9):
        waiting(database, version)

    assert outlook(database, waiting(database, version)) == (10, pytest.approx(40, abs=2))


def test_nobody_knows_when_nobody_lives(database, template):
    version = template()
    measured(database, version, 4)

    assert outlook(database, waiting(database, version)) == (1, None)


def test_a_running_render_has_what_is_left_of_the_average_and_no_estimate_beyond(database, template):
    version = template()
    measured(database, version, 10)

    assert outlook(database, running(database, version, since=4)) == (None, pytest.approx(6, abs=1))
    assert outlook(database, running(database, version, since=30)) == (None, None)
