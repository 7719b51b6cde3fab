"""The life of certificates: what renders rest on, and how one that does not hold is found out."""

from __future__ import annotations

import dataclasses
import json
import os
import signal

import certifying
import orders
import pytest
from certifiable import styled
from certifying import ENVIRONMENT, REGISTRY, Child, made_with
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from shared import certificates, leases, sweeps, templates, tending
from shared.database import now
from shared.errands import Errand, Kind
from shared.exceptions import EngineError, NotFoundError
from shared.models import Certificate, RetiredObject, Template
from shared.templates import TemplateFields
from workers.certification import certifier

FAST, REFERENCE = "plutoprint-pdf", "weasyprint-pdf"
GOOD = styled("p { margin: 0 }", "<p>Order {{ number }}<p>{{ note }}")
DATA = {"number": 4711, "note": "as agreed"}
# Whose lines break elsewhere beside the float, if the data is long.
FLOATING = (
    "{% if long %}<div style='width:10cm'><div style='float:left;width:4cm;height:2cm;background:#ccc'>box</div>"
    + "Text that flows around the box and on. " * 8
    + "</div>{% else %}a{% endif %}"
)


@pytest.fixture
def child(database, filesystem_storage, settings):
    return Child(database, filesystem_storage, settings)


def certified(child, content=GOOD, data=None, **changes):
    subject = child.save(content, data or DATA, **changes)
    child.answer()
    assert child.row(subject).verdict == "certified", child.row(subject).result
    return subject


def lose(database):
    """Let the leases end, and return what a look of the tending worker does about it."""
    with database.writing() as session:
        session.execute(update(Certificate).values(lease_until=now(-1)))
        return certificates.give_back(session, dead_after=None)


def test_a_render_is_made_by_the_fast_engine_when_its_version_is_certified(child):
    subject = child.save(GOOD, DATA)
    before = child.render(subject, data=DATA)
    child.answer()

    after = Child(child.database, child.storage, child.settings).render(subject, data=DATA)

    assert before.used["madeWith"] == {"recipe": REFERENCE, "reason": "it is being certified"}
    assert after.used["madeWith"] == {"recipe": FAST}
    assert (after.media_type, after.extension, after.pages) == ("application/pdf", "pdf", 1)


@pytest.mark.parametrize("recipe", [FAST, REFERENCE])
def test_a_recipe_that_names_its_engine_is_made_by_that_one(child, recipe):
    made = child.render(certified(child), data=DATA, recipe=recipe)
    assert (made.state, made.used) == ("succeeded", None)


def test_a_render_asks_once_in_two_seconds_what_it_may_rest_on(child):
    subject = certified(child)
    child.render(subject, data=DATA)
    asked = []
    event.listen(child.database.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    for _ in range(5):
        # The second and the fourth are compared, which looks again.
        assert made_with(child.render(subject, data=DATA)) == FAST

    looked_up = [one for one in asked if one.startswith("SELECT certificates.verdict")]
    assert len(looked_up) <= 3


def test_a_planted_certificate_is_withdrawn_within_200_renders(child):
    subject = child.save(FLOATING, {"long": True})
    child.answer()
    assert child.row(subject).verdict == "refused"
    child.put(subject, verdict="certified", result=None, samples=10_000)

    made = [made_with(child.render(subject, data={"long": True})) for _ in range(3)]

    assert made == [FAST, REFERENCE, REFERENCE]
    found = child.row(subject)
    assert (found.verdict, found.state) == ("withdrawn", "succeeded")
    assert any("stands" in reason for reason in child.reasons(subject))
    assert sorted(child.storage.keys("certificates/")) == sorted(found.overlays.values())


def test_a_certificate_that_does_not_hold_for_other_data_is_withdrawn_within_200_renders_of_those(child):
    subject = certified(child, FLOATING, {"long": False})
    for _ in range(70):
        assert made_with(child.render(subject, data={"long": False})) == FAST
    assert child.row(subject).samples == 7

    made = [made_with(child.render(subject, data={"long": True})) for _ in range(40)]

    assert made == [FAST] * 30 + [REFERENCE] * 10
    assert child.row(subject).verdict == "withdrawn"


def test_another_child_hears_of_a_withdrawal(child, database, filesystem_storage, settings, monkeypatch):
    subject = certified(child)
    other = Child(database, filesystem_storage, settings)
    assert made_with(other.render(subject, data=DATA)) == FAST
    child.put(subject, verdict="withdrawn")
    monkeypatch.setattr("workers.certification.choosing.KNOWN_SECONDS", 0)

    assert other.render(subject, data=DATA).used["madeWith"] == {
        "recipe": REFERENCE,
        "reason": "its certificate was withdrawn",
    }


def test_a_document_is_signalled_before_it_is_compared(child, monkeypatch):
    subject = certified(child)
    ended = []
    monkeypatch.setattr(child.room._shift, "_announce", ended.extend)
    compare = child.certifier.compare_render

    def watched(*arguments, render_id, **options):
        assert [one.render_id for one in ended] == [render_id]
        assert orders.row(child.database, render_id).state == "succeeded"
        return compare(*arguments, render_id=render_id, **options)

    monkeypatch.setattr(child.certifier, "compare_render", watched)
    assert made_with(child.render(subject, data=DATA)) == FAST
    assert child.row(subject).samples == 1


def test_a_sample_that_takes_too_long_here_is_left_to_the_queue(child, monkeypatch):
    subject = certified(child)
    hurried = dataclasses.replace(certifier.OF_A_RENDER, engines=0.001)
    monkeypatch.setattr("workers.certification.certifier.OF_A_RENDER", hurried)

    made = child.render(subject, data=DATA)

    assert made_with(made) == FAST
    assert child.rung == [Errand(Kind.CERTIFICATE, subject, certifying.TRACE)]
    waiting = child.row(subject)
    assert (waiting.verdict, waiting.state, waiting.render_id) == ("certified", "queued", made.id)
    child.answer()
    assert (child.row(subject).verdict, child.row(subject).state) == ("certified", "succeeded")


def test_a_sample_that_another_child_is_at_stays_due(child):
    subject = certified(child)
    with child.database.writing() as session:
        other = certificates.take_sample(session, subject, worker_id="worker-2", seconds=60)
    for _ in range(2):
        assert made_with(child.render(subject, data=DATA)) == FAST
    assert child.row(subject).attempt == other.attempt
    with child.database.writing() as session:
        assert certificates.agree(session, other)

    child.render(subject, data=DATA)

    assert child.row(subject).samples == 2


def test_other_engines_or_fonts_end_a_certificate_and_it_is_made_anew(child, database, filesystem_storage, settings):
    subject = certified(child)
    upgraded = Child(database, filesystem_storage, settings, environment="WeasyPrint 71.0")

    made = upgraded.render(subject, data=DATA)
    assert "other engines or fonts" in made.used["madeWith"]["reason"]
    # As long as the certificate is young, the other kind of worker may still be there.
    assert (upgraded.rung, upgraded.row(subject).verdict) == ([], "certified")

    child.grow_old(subject)
    upgraded = Child(database, filesystem_storage, settings, environment="WeasyPrint 71.0")
    upgraded.render(subject, data=DATA)
    assert upgraded.row(subject).verdict == "pending"
    upgraded.answer()

    assert (upgraded.row(subject).verdict, upgraded.row(subject).environment) == ("certified", "WeasyPrint 71.0")
    assert made_with(upgraded.render(subject, data=DATA)) == FAST


def test_what_a_template_includes_ends_its_certificate_when_it_changes(child):
    part = child.save("<p>one", None, name="part", recipe="html")
    subject = certified(child, styled("p { margin: 0 }", "{% include 'part' %}"), {})
    assert made_with(child.render(subject)) == FAST
    with child.database.writing() as session:
        template = templates.find(session, name="part")
        fields = dataclasses.replace(templates.fields_of(template.version), content="<p style='display: grid'>two")
        templates.change(session, template.id, fields)

    made = child.render(subject)

    assert made.used["madeWith"]["reason"] == "something that it includes has changed since it was certified"
    assert child.row(subject).verdict == "pending"
    child.answer()
    assert child.row(subject).verdict == "refused"
    assert child.row(part) is None


def test_an_inline_template_is_certified_the_second_time_it_comes(child):
    subject = certificates.of_inline(GOOD, "jinja")
    assert made_with(child.render(content=GOOD, data=DATA)) == REFERENCE
    assert (child.row(subject), child.rung) == (None, [])

    second = child.render(content=GOOD, data=DATA)
    assert child.rung == [Errand(Kind.CERTIFICATE, subject, certifying.TRACE)]
    assert child.row(subject).render_id == second.id
    child.answer()

    assert child.row(subject).verdict == "certified"
    assert made_with(child.render(content=GOOD, data=DATA)) == FAST
    assert made_with(child.render(content=f"{GOOD} ", data=DATA)) == REFERENCE


def test_a_text_of_its_own_is_not_certified_by_the_stored_template_that_it_replaces(child):
    subject = certified(child)
    render_id = orders.submitted(
        child.database, template_version_id=subject.rpartition("-")[0], content="<p>mine", recipe="pdf"
    )
    child.work()
    assert made_with(orders.row(child.database, render_id)) == REFERENCE


def test_without_sample_data_the_next_render_is_the_sample(child):
    subject = child.save(GOOD, None)
    assert (child.row(subject).verdict, child.rung) == ("failed", [])
    assert "no sample data" in child.reasons(subject)[0]

    first = child.render(subject, data=DATA)

    assert first.used["madeWith"]["reason"] == "there is no sample yet to certify it with"
    child.answer()
    assert (child.row(subject).verdict, child.row(subject).render_id) == ("certified", first.id)


def test_sample_data_that_makes_no_document_is_told_and_the_next_render_is_the_sample(child):
    subject = child.save("\n{{ 1 / number }}", {"number": 0})
    child.answer()
    assert child.row(subject).verdict == "failed"
    assert "division by zero (line 2)" in child.reasons(subject)[0]

    child.render(subject, data={"number": 2})
    child.answer()
    assert child.row(subject).verdict == "certified"


def test_a_real_render_may_demand_what_the_sample_did_not(child):
    subject = certified(child, styled("{% if g %}div { display: grid }{% endif %}", "<div>a</div>"), {"g": False})
    assert made_with(child.render(subject, data={"g": False})) == FAST
    assert child.render(subject, data={"g": True}).used["madeWith"] == {
        "recipe": REFERENCE,
        "reason": "only the reference can do a grid (display: grid)",
    }
    assert child.row(subject).verdict == "certified"


class Broken:
    """A fast engine that does not make every document."""

    media_type, extension, markup = "application/pdf", "pdf", True

    def render(self, content, *, policy, bounds=None):
        if "break" in content:
            raise EngineError("out of order")
        return REGISTRY.recipes[FAST].render(content, policy=policy, bounds=bounds)


def test_what_the_fast_engine_cannot_make_is_made_by_the_reference_and_withdraws(
    database, filesystem_storage, settings
):
    recipes = dataclasses.replace(REGISTRY, recipes={**REGISTRY.recipes, FAST: Broken()})
    child = Child(database, filesystem_storage, settings, recipes=recipes)
    subject = certified(child)

    made = child.render(subject, data=DATA | {"note": "break"})

    assert (made.state, made_with(made)) == ("succeeded", REFERENCE)
    assert child.row(subject).verdict == "withdrawn"
    assert child.reasons(subject) == ["it makes no document of a real render's data: out of order"]


def test_a_worker_without_the_fast_engine_makes_everything_by_the_reference(
    child, database, filesystem_storage, settings
):
    subject = certified(child)
    others = {name: one for name, one in REGISTRY.recipes.items() if name != FAST}
    without = Child(database, filesystem_storage, settings, recipes=dataclasses.replace(REGISTRY, recipes=others))

    made = without.render(subject, data=DATA)
    assert made.used["madeWith"] == {"recipe": REFERENCE, "reason": f"{FAST} does not work on this worker"}
    fresh = without.save(GOOD, DATA, name="fresh")
    without.answer()
    assert (without.row(fresh).verdict, without.row(fresh).state) == ("pending", "queued")


def test_a_template_that_was_removed_meanwhile_is_no_trouble(child):
    subject = child.save(GOOD, DATA)
    with child.database.writing() as session:
        template = templates.find(session, name="t")
        templates.remove(session, template.id)
    sweeps.sweep_template_versions(child.database)

    child.answer()

    assert child.row(subject).verdict == "failed"
    assert sweeps.sweep_certificates(child.database, older_than=3600) == 1
    assert child.row(subject) is None


def test_two_workers_that_are_rung_for_one_certificate_make_it_once(child):
    subject = child.save(GOOD, DATA)
    child.rung *= 2
    child.answer()
    assert (child.row(subject).attempt, child.row(subject).verdict) == (1, "certified")


def test_an_attempt_that_was_given_up_changes_nothing(child):
    subject = child.save(FLOATING, {"long": True})
    with child.database.writing() as session:
        lost = leases.claim(session, Certificate, subject, worker_id="worker-2", seconds=60)
    lose(child.database)
    child.answer()
    assert child.row(subject).verdict == "refused"

    with child.database.writing() as session:
        assert not certificates.agree(session, lost)
        assert certificates.hand_over(session, lost, render_id="r") is None
    assert child.row(subject).render_id is None


def test_a_child_that_is_killed_twice_while_it_certifies_leaves_a_refusal(child):
    subject = child.save(GOOD, DATA)
    for verdict in ("pending", "refused"):
        pid = os.fork()
        if pid == 0:
            # As an engine that breaks down does; the parent's connections are not this child's.
            child.database.forget_after_fork()
            REGISTRY.recipes[FAST].render = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
            child.certifier.certify(subject)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        assert child.row(subject).state == "running"
        assert lose(child.database) == 1
        assert child.row(subject).verdict == verdict

    assert child.reasons(subject) == [certificates.LOST]
    assert child.row(subject).state == "failed"
    assert made_with(child.render(subject, data=DATA)) == REFERENCE
    assert child.rung[1:] == []


def test_a_crash_while_a_real_render_is_compared_withdraws_at_the_second(child):
    subject = certified(child)
    for verdict in ("certified", "withdrawn"):
        with child.database.writing() as session:
            assert certificates.take_sample(session, subject, worker_id="w", seconds=60) or leases.claim(
                session, Certificate, subject, worker_id="w", seconds=60
            )
        assert lose(child.database) == 1
        assert child.row(subject).verdict == verdict


def test_a_lost_message_is_found_again(child, settings):
    subject = child.save(GOOD, DATA)
    child.rung.clear()
    child.put(subject, queued_at=now(-60))

    tended = tending.tend(child.database, settings, waiting=lambda _: 0, ring=child.ring)

    assert (tended.rung, child.rung) == (1, [Errand(Kind.CERTIFICATE, subject, certifying.TRACE)])


def test_pictures_of_a_verdict_that_is_replaced_are_left_to_the_sweep(child):
    subject = child.save(FLOATING, {"long": True})
    child.answer()
    old = set(child.row(subject).overlays.values())
    assert old

    with child.database.writing() as session:
        version = session.get_one(Template, templates.find(session, name="t").id).version
        assert certificates.anew(session, version, trace_id="e" * 32)
    child.certifier.certify(subject)

    made = child.row(subject)
    assert (made.attempt, made.trace_id, made.verdict) == (2, "e" * 32, "refused")
    assert sorted(child.storage.keys("certificates/")) == sorted(made.overlays.values())
    with child.database.reading() as session:
        assert all(session.get(RetiredObject, key) for key in old)


def test_there_is_no_picture_of_what_agrees(child):
    subject = certified(child)
    with pytest.raises(NotFoundError, match="no picture"):
        certificates.picture(child.row(subject), page=1)
    with pytest.raises(NotFoundError, match="no certificate"):
        certificates.picture(None, page=1)


def test_the_database_may_be_away_when_a_certificate_is_looked_up(child, monkeypatch):
    subject = certified(child)

    def away(*_):
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(certificates, "known", away)
    assert child.render(subject, data=DATA).used["madeWith"] == {
        "recipe": REFERENCE,
        "reason": "its certificate could not be looked up",
    }


def test_a_version_that_is_rendered_otherwise_has_no_certificate_of_its_own(child):
    fields = {"name": "other", "content": GOOD, "engine": "jinja", "recipe": "weasyprint-pdf"}
    with child.database.writing() as session:
        made = templates.create(session, TemplateFields(**fields, sample_data=json.dumps(DATA)))
        subject = certificates.of_stored(made.version_id, "jinja")
        assert certificates.order(session, made.version, trace_id="e" * 32) is None
    assert child.row(subject) is None

    child.render(subject, data=DATA)
    child.answer()
    assert (child.row(subject).verdict, child.row(subject).environment) == ("certified", ENVIRONMENT)
