from __future__ import annotations

import pytest
from farms import Farm
from services import Valkey


@pytest.fixture
def broker():
    """A broker of the test's own, which it may kill."""
    with Valkey() as broker:
        yield broker


@pytest.fixture
def farm(tmp_path, broker):
    farm = Farm(tmp_path / "farm", PRESSROOM_BROKER_URL=broker.url)
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()
