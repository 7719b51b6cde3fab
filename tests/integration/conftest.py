from __future__ import annotations

import pytest

from shared.database import Database, migrate


@pytest.fixture
def database(database_url):
    migrate(database_url)
    database = Database(database_url)
    yield database
    database.close()
