from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from farms import Farm

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def farm(tmp_path_factory, valkey) -> Iterator[Farm]:
    """One farm for all tests that only ask: SQLite, a folder, two rendering children."""
    farm = Farm(
        tmp_path_factory.mktemp("farm"),
        PRESSROOM_BROKER_URL=valkey.url,
        PRESSROOM_MAX_BODY_BYTES=str(2 * 1024 * 1024),
        REPORTS_CLEAN_INTERVAL="1s",
    )
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()
