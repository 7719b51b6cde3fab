"""Previews of templates: one for the newest version, however many ask, and none that nobody owns."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import locks
import orders
import pytest
import records
from sqlalchemy import select

from shared import previewing, previews, render_keys, renders, sweeps, templates
from shared.exceptions import NotFoundError, UnprocessableError
from shared.models import Preview, Render, RetiredObject, Thumbnail
from shared.templates import TemplateFields
from workers.thumbnails import ThumbnailMaker

FIELDS = TemplateFields(
    name="delivery-note", content="{{ number }}", engine="jinja", recipe="weasyprint-pdf", sample_data='{"number": 7}'
)


@pytest.fixture
def template(database):
    with database.writing() as session:
        return templates.create(session, FIELDS)


@pytest.fixture
def submit(database, filesystem_storage, settings):
    def submit(template, **options):
        return previewing.submit(
            database,
            filesystem_storage,
            settings,
            template,
            trace_id="t",
            created_by="token:shop",
            recipe_states={},
            **options,
        )

    return submit


@pytest.fixture
def finish(database, filesystem_storage):
    """Let a preview's render succeed, and its thumbnail be made if it was ordered."""

    def finish(render_id, *, pictured=True):
        claimed = orders.claimed(database, render_id)
        key = render_keys.blob_key(claimed.blob_stem, attempt=claimed.attempt, extension="pdf")
        filesystem_storage.put(key, records.PDF, media_type="application/pdf", metadata={})
        succeed(database, claimed, key)
        if pictured:
            maker = ThumbnailMaker(settings=None, database=database, storage=filesystem_storage, worker_id="worker-1")
            maker.make(render_id)

    return finish


def succeed(database, claimed, key="previews/x.pdf"):
    made = orders.result(blob_key=key, media_type="application/pdf", extension="pdf")
    with database.writing() as session:
        return renders.succeed(session, claimed.id, attempt=claimed.attempt, result=made)


def save(database, template, **changes):
    with database.writing() as session:
        return templates.change(session, template.id, replace(FIELDS, **changes))


def shown(database, template) -> Render | None:
    with database.reading() as session:
        return previews.of_template(session, template)


def everything(database, model):
    with database.reading() as session:
        return session.scalars(select(model)).all()


def test_a_preview_is_a_followed_render_of_the_newest_version_that_waits_behind_all_others(database, submit, template):
    template = save(database, template, content="second")

    render = submit(template)

    row = orders.row(database, render.id)
    assert row.template_version_id == template.version_id
    assert (row.queue, row.source, row.created_by, row.followed, row.kept) == (
        "render.bulk",
        "preview",
        "token:shop",
        True,
        True,
    )
    assert row.blob_stem == f"previews/{render.id}"
    assert json.loads(row.data)["number"] == 7
    assert shown(database, template).id == render.id


def test_parameters_are_shown_by_their_examples(database, template):
    declared = [
        {"name": "number", "type": "integer", "required": True, "example": 1},
        {"name": "language", "type": "string", "default": "en", "example": "de"},
        {"name": "copies", "type": "integer", "default": 2},
        {"name": "note", "type": "string"},
    ]
    template = save(database, template, parameters=declared)

    assert previewing.sample_of(template.version) == {
        "parameters": {"number": 1, "language": "de", "copies": 2},
        "rows": [],
        "number": 7,
        "language": "de",
        "copies": 2,
    }


def test_however_many_ask_at_once_there_is_one_render(database, submit, template):
    start = threading.Barrier(4)
    made = []

    def ask():
        start.wait()
        made.append(submit(template))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [render] = [one for one in made if one is not None]
    assert len(made) == 4
    assert [one.id for one in everything(database, Render)] == [render.id]


def test_whoever_asks_while_another_has_a_preview_made_waits_and_makes_none(database, submit, template):
    made = []
    asking = threading.Thread(target=lambda: made.append(submit(template)))

    with database.writing() as session:
        templates.held(session, template.id)
        asking.start()
        locks.until_held_up(database)
        render = renders.submit(session, orders.submission(template_version_id=template.version_id, kept=True))
        session.flush()
        previews.put(session, template_id=template.id, version_id=template.version_id, render_id=render.id)
    asking.join()

    assert made == [None]
    assert shown(database, template).id == render.id


def test_a_new_version_has_a_new_preview_and_the_old_one_goes_with_its_picture(
    database, filesystem_storage, submit, finish, template
):
    old = submit(template)
    finish(old.id)
    changed = save(database, template, content="second")
    assert shown(database, changed) is None

    new = submit(changed)

    assert shown(database, changed).id == new.id
    assert [one.key for one in everything(database, RetiredObject)] == [f"thumbnails/{old.id}~1.png"]
    assert sweeps.sweep_unkept(database, filesystem_storage, older_than=-1) == 1
    assert sweeps.sweep_retired(database, filesystem_storage, older_than=-1) == 1
    assert list(filesystem_storage.keys()) == []
    assert [one.id for one in everything(database, Render)] == [new.id]


def test_whoever_asks_with_an_older_version_in_hand_does_not_replace_the_newest_ones(database, submit, template):
    changed = save(database, template, content="second")
    newest = submit(changed)

    assert submit(template) is None

    assert shown(database, changed).id == newest.id


@pytest.mark.parametrize("running", [False, True])
def test_a_preview_that_is_replaced_before_it_is_done_is_cancelled_and_gets_no_picture(
    database, filesystem_storage, submit, template, running
):
    old = submit(template)
    claimed = orders.claimed(database, old.id) if running else None

    new = submit(template, anew=True)

    assert orders.row(database, old.id).state == "cancelled"
    assert not (running and succeed(database, claimed))
    assert everything(database, Thumbnail) == []
    assert sweeps.sweep_unkept(database, filesystem_storage, older_than=-1) == 1
    assert [one.id for one in everything(database, Render)] == [new.id]


def test_a_preview_that_is_replaced_while_it_ends_leaves_no_picture_behind(
    database, filesystem_storage, submit, template
):
    old = submit(template)
    claimed = orders.claimed(database, old.id)
    replacing = threading.Thread(target=submit, args=[template], kwargs={"anew": True})

    with database.writing() as session:
        made = orders.result(blob_key="previews/x.pdf", media_type="application/pdf", extension="pdf")
        assert renders.succeed(session, old.id, attempt=claimed.attempt, result=made)
        replacing.start()
        locks.until_held_up(database)
    replacing.join()

    assert everything(database, Thumbnail) == []
    assert sweeps.sweep_unkept(database, filesystem_storage, older_than=-1) == 1


def test_what_became_of_a_preview_is_told(database, submit, finish, template):
    render = submit(template)
    with pytest.raises(NotFoundError, match="being made") as refused:
        previews.check_finished(shown(database, template))
    assert refused.value.retry_after == previews.RETRY_SECONDS

    finish(render.id, pictured=False)
    previews.check_finished(shown(database, template))

    broken = submit(template, anew=True)
    claimed = orders.claimed(database, broken.id)
    with database.writing() as session:
        renders.fail(session, broken.id, attempt=claimed.attempt, cause=renders.Cause.DATA, error="no total")
    with pytest.raises(NotFoundError, match=r"no total.*POST") as refused:
        previews.check_finished(shown(database, template))
    assert refused.value.retry_after is None


def test_a_recipe_that_makes_no_pdf_has_no_preview(database, submit, template):
    template = save(database, template, recipe="html")

    with pytest.raises(UnprocessableError, match="makes no PDF"):
        submit(template)

    assert everything(database, Render) == []


def test_a_template_that_goes_takes_its_preview_along(database, filesystem_storage, submit, finish, template):
    render = submit(template)
    finish(render.id)

    with database.writing() as session:
        templates.held(session, template.id)
        previews.forget(session, template.id)
        templates.remove(session, template.id)

    assert everything(database, Preview) == []
    assert sweeps.sweep_unkept(database, filesystem_storage, older_than=-1) == 1
    assert sweeps.sweep_retired(database, filesystem_storage, older_than=-1) == 1
    assert list(filesystem_storage.keys()) == []


def test_a_template_that_was_removed_at_this_moment_has_no_preview(database, submit, template):
    with database.writing() as session:
        templates.remove(session, template.id)

    with pytest.raises(NotFoundError):
        submit(template)

    assert everything(database, Render) == []
