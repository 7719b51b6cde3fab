"""The stored templates, as a render sees them."""

from __future__ import annotations

import contextlib

import pytest
from sqlalchemy import event

from shared import templates
from shared.database import Database
from shared.exceptions import PartAwayError
from shared.templates import TemplateFields
from workers import library
from workers.engines import Source
from workers.library import StoredTemplates


def save(database, content, *, name="t", engine="jinja", template_id=None):
    fields = TemplateFields(name=name, content=content, engine=engine, recipe="html", sample_data=None)
    with database.writing() as session:
        if template_id is None:
            return templates.create(session, fields).id
        return templates.change(session, template_id, fields).id


@pytest.fixture
def stored(database):
    return StoredTemplates(database, contextlib.nullcontext)


def test_the_newest_version_is_found_and_noted(database, stored):
    template_id = save(database, "1")
    assert stored.opened().find("t") == Source("1", "jinja")
    save(database, "2", engine="none", template_id=template_id)

    reader = stored.opened()

    assert reader.find("t") == Source("2", "none")
    assert reader.find("T") is None
    assert reader.used == {"t": 2}


@pytest.mark.parametrize("name", ["nope", "\0", "\ud800", ""])
def test_what_there_is_not_is_not_found(database, stored, name):
    assert stored.opened().find(name) is None


def test_the_text_of_a_version_is_read_once(database, stored):
    save(database, "1")
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    for _ in range(3):
        assert stored.opened().find("t") == Source("1", "jinja")

    assert sum("template_versions.content" in statement for statement in asked) == 1


def test_the_texts_that_are_kept_are_bounded(database, stored, monkeypatch):
    monkeypatch.setattr(library, "CHARACTERS_KEPT", 10)
    for name in "abc":
        save(database, name * 4, name=name)

    for name in "abc" * 2:
        assert stored.opened().find(name) == Source(name * 4, "jinja")
        assert sum(len(one.content) for one in stored._sources.values()) <= 10


def test_a_database_that_is_away_is_told_apart_from_a_template_that_is_not_there(monkeypatch):
    monkeypatch.setattr(library, "AWAY_SECONDS", 0.01)
    away = StoredTemplates(Database("sqlite:////nowhere/at/all.db"), contextlib.nullcontext)

    with pytest.raises(PartAwayError, match="cannot be read"):
        away.opened().find("t")
