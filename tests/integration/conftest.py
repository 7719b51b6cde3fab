from __future__ import annotations

import pytest
from rota import Rota

from shared import templates
from shared.database import Database, migrate
from shared.settings import load_settings
from shared.templates import TemplateFields


@pytest.fixture
def database(database_url):
    migrate(database_url)
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path):
    return load_settings(
        {
            "PRESSROOM_HOME": str(tmp_path),
            "PRESSROOM_INLINE_DATA_BYTES": "100",
            # The process that works as a child here is as large as all the tests before it made it.
            "PRESSROOM_CHILD_MEMORY_BYTES": "0",
        }
    )


@pytest.fixture
def template(database):
    fields = TemplateFields(name="t", content="hello", engine="none", recipe="html", sample_data=None)
    with database.writing() as session:
        return templates.create(session, fields, shortid="greeting")


@pytest.fixture
def farm(database, filesystem_storage, settings, template):
    """Schedules, and what became of them."""
    return Rota(database, filesystem_storage, settings)
