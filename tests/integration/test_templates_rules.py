"""Templates: versions that never change and are never lost, look-up, lists, and what may be removed when."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import orders
import pytest
from sqlalchemy import func, select

from shared import renders, template_saves, templates
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError
from shared.identifiers import new_id, new_shortid
from shared.models import Schedule, Template, TemplateVersion
from shared.templates import TemplateFields

TRACE = "t" * 32
EVERYTHING = TemplateFields(
    name="everything",
    content="<p>{{ x }}",
    engine="jinja",
    recipe="html",
    sample_data='{"x":1}',
    options={"reportName": "Ü", "download": True, "timeout": 5000},
    parameters=[{"name": "x", "type": "number", "required": True, "default": 1}],
    fields=[{"name": "x", "type": "number"}],
    context="Sales",
    context_colour="#00ff00",
)


def fields(**changes):
    said = {"name": "t", "content": "1", "engine": "jinja", "recipe": "html", "sample_data": None}
    return TemplateFields(**(said | changes))


def create(database, **changes):
    return template_saves.save_new(database, fields(**changes), trace_id=TRACE).template


def by_id(template):
    return lambda session: templates.find(session, template_id=template.id)


def save(database, template, **changes):
    return template_saves.save_change(
        database,
        by_id(template),
        lambda before: dataclasses.replace(templates.fields_of(before.version), **changes),
        trace_id=TRACE,
    )


def numbers(database, template):
    with database.reading() as session:
        statement = select(TemplateVersion.number).where(TemplateVersion.template_id == template.id)
        return sorted(session.scalars(statement))


def test_a_version_holds_everything_that_was_said_and_never_changes(database):
    template = template_saves.save_new(database, EVERYTHING, trace_id=TRACE).template
    save(database, template, content="2", context=None, options=None, name="other")

    with database.reading() as session:
        found = templates.find(session, template_id=template.id)
        first, second = (templates.find_version(session, found, number) for number in (1, 2))
    assert templates.fields_of(first) == EVERYTHING
    assert templates.fields_of(second) == dataclasses.replace(
        EVERYTHING, content="2", context=None, options=None, name="other"
    )
    assert (found.name, found.version_id) == ("other", second.id)


def test_an_unknown_version_is_not_found_and_the_newest_is_named(database):
    template = create(database)
    save(database, template, content="2")

    with database.reading() as session, pytest.raises(NotFoundError, match="no version 3: its newest is 2"):
        templates.find_version(session, templates.find(session, template_id=template.id), 3)


def test_saves_at_the_same_moment_lose_nothing(database):
    template = create(database, parameters=[])
    savers, rounds = 4, 5
    start = threading.Barrier(savers)

    def save_some(saver):
        start.wait()
        made = []
        for n in range(rounds):
            entry = {"name": f"p{saver}_{n}", "type": "string"}

            def merge(before, entry=entry):
                now = templates.fields_of(before.version)
                return dataclasses.replace(now, parameters=[*(now.parameters or []), entry])

            saved = template_saves.save_change(database, by_id(template), merge, trace_id=TRACE)
            made.append((saved.template.version.number, entry))
        return made

    with ThreadPoolExecutor(savers) as pool:
        made = sorted(
            (one for some in pool.map(save_some, range(savers)) for one in some), key=lambda numbered: numbered[0]
        )

    assert [number for number, _ in made] == list(range(2, savers * rounds + 2))
    assert numbers(database, template) == list(range(1, savers * rounds + 2))
    with database.reading() as session:
        found = templates.find(session, template_id=template.id)
    assert found.version.number == len(made) + 1
    # Each was merged into what the one before it made.
    assert found.version.parameters == [entry for _, entry in made]


def test_a_text_that_another_save_made_meanwhile_is_looked_at_again(database):
    template = create(database, name="a", content="1")
    create(database, name="c", content="{% include 'd' %}")
    seen = []

    def rename(before):
        seen.append(before.version.content)
        if len(seen) == 1:
            # Somebody else saves between the look and the save; with the new name it would go in a circle.
            save(database, template, content="{% include 'c' %}")
        return dataclasses.replace(templates.fields_of(before.version), name="d")

    with pytest.raises(InvalidRequestError, match='"d" -> "c" -> "d"'):
        template_saves.save_change(database, by_id(template), rename, trace_id=TRACE)

    assert seen[0] == "1"
    assert numbers(database, template) == [1, 2]


def test_a_template_that_is_saved_while_it_is_removed_is_saved_or_not_found(database):
    for _ in range(10):
        template = create(database)
        start = threading.Barrier(2)

        def saving(template=template, start=start):
            start.wait()
            try:
                return save(database, template, content="2")
            except NotFoundError:
                return None

        def removing(template=template, start=start):
            start.wait()
            with database.writing() as session:
                templates.remove(session, template.id)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(saving), pool.submit(removing)]:
                done.result()
        with database.reading() as session:
            assert session.get(Template, template.id) is None


def test_one_of_two_templates_of_one_name_at_the_same_moment_is_refused(database):
    start = threading.Barrier(2)

    def creating(_):
        start.wait()
        try:
            return create(database, name="same").id
        except ConflictError:
            return None

    with ThreadPoolExecutor(2) as pool:
        assert sorted(made is None for made in pool.map(creating, range(2))) == [False, True]


def test_a_refused_save_leaves_no_version(database):
    template = create(database, name="a")
    create(database, name="b")

    with pytest.raises(ConflictError, match="'b'"):
        save(database, template, name="b")
    with pytest.raises(InvalidRequestError, match="include itself"):
        save(database, template, content="{% include 'a' %}")

    assert numbers(database, template) == [1]


def test_a_name_is_free_when_its_template_is_renamed_or_removed(database):
    first = create(database, name="a")
    save(database, first, name="b")
    second = create(database, name="a")
    with database.writing() as session:
        templates.remove(session, second.id)

    assert create(database, name="a").version.number == 1


def test_a_circle_is_refused_whichever_save_closes_it(database):
    a = create(database, name="a", content="{% include 'b' %}")
    create(database, name="b", content="{% include 'c' %}")

    with pytest.raises(InvalidRequestError, match='"c" -> "a" -> "b" -> "c"'):
        create(database, name="c", content="{% include 'a' %}")
    c = create(database, name="c", content="{% include 'd' %}")
    # A new name closes it as well as a new text.
    with pytest.raises(InvalidRequestError, match='"d" -> "b" -> "c" -> "d"'):
        save(database, a, name="d")
    # What the old name led to does not count when it is given up.
    save(database, c, name="x", content="{% include 'a' %}")


@pytest.mark.parametrize("name", ["\0", "\ud800", "é / ß"])
def test_a_template_of_a_strange_name_is_just_not_found(database, name):
    with database.reading() as session:
        assert templates.newest(session, name) is None
        for key in ("template_id", "shortid", "name"):
            with pytest.raises(NotFoundError):
                templates.find(session, **{key: name})
        with pytest.raises(NotFoundError):
            templates.find_by_any(session, name)
    with database.writing() as session, pytest.raises(NotFoundError):
        templates.remove(session, name)


def test_a_missing_include_is_a_warning_whatever_its_name(database):
    saved = template_saves.save_new(
        database, fields(content=r"{% include '\0' %}{% include '\ud800' %}{% include 'ü' %}"), trace_id=TRACE
    )

    assert [warning.rpartition("named ")[2] for warning in saved.warnings] == ['"\\u0000" yet', '"?" yet', '"ü" yet']


def test_an_id_wins_over_a_shortid_and_that_over_a_name(database):
    first = create(database, name="one")
    with database.writing() as session:
        second = templates.create(session, fields(name=first.id), shortid="first")
        third = templates.create(session, fields(name="first"))

    with database.reading() as session:
        found = [templates.find_by_any(session, key).id for key in (first.id, "first", third.id, "one")]
    assert found == [first.id, second.id, third.id, first.id]


def test_the_versions_of_a_template_are_listed_newest_first(database):
    template = create(database, name="old")
    save(database, template, name="new")
    create(database, name="other")

    with database.reading() as session:
        count, found = templates.versions(session, template, search="", limit=1, offset=0)
        searched = templates.versions(session, template, search="OL", limit=5, offset=0)
    assert (count, [(one.number, one.name) for one in found]) == (2, [(2, "new")])
    assert (searched[0], [one.number for one in searched[1]]) == (1, [1])


def add_schedule(database, template, name):
    with database.writing() as session:
        session.add(
            Schedule(
                id=new_id(),
                shortid=new_shortid(),
                name=name,
                cron="0 0 * * *",
                timezone="UTC",
                template_shortid=template.shortid,
                retry_delay=1,
            )
        )


def test_a_template_that_schedules_render_cannot_be_removed(database):
    template = create(database)
    for name in ("weekly", "daily"):
        add_schedule(database, template, name)

    with pytest.raises(ConflictError, match="'daily', 'weekly'"), database.writing() as session:
        templates.remove(session, template.id)

    with database.reading() as session:
        assert templates.find(session, template_id=template.id).name == "t"


def test_versions_of_a_removed_template_go_when_no_render_names_them(database):
    removed, living = create(database, name="removed"), create(database, name="living")
    used = save(database, removed, content="2").template.version_id
    save(database, removed, content="3")
    save(database, living, content="2")
    render_id = orders.submitted(database, template_version_id=used, content=None)
    with database.writing() as session:
        templates.remove(session, removed.id)

    def forget(limit=100):
        with database.writing() as session:
            return templates.forget_unused_versions(session, limit=limit)

    assert [forget(1), forget(), forget()] == [1, 1, 0]
    assert numbers(database, removed) == [2]
    assert numbers(database, living) == [1, 2]
    with database.writing() as session:
        session.delete(session.get(renders.Render, render_id))
    assert forget() == 1
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(TemplateVersion)) == 2
