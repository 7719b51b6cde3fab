from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from accepted import Ledger, folder_ledger
from farms import Farm
from faults import Front
from services import Valkey

from shared.database import Database
from shared.storage.s3 import S3Storage

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@pytest.fixture(scope="module")
def module_broker() -> Iterator[Valkey]:
    """A broker that a module's tests share."""
    with Valkey() as broker:
        yield broker


@pytest.fixture(scope="module")
def front(seaweedfs) -> Iterator[Front]:
    """What stands between a module's farm and its S3 server."""
    with Front(seaweedfs.endpoint) as front:
        yield front


@pytest.fixture(scope="module")
def s3_farm(tmp_path_factory, module_broker, seaweedfs, front) -> Iterator[Farm]:
    """A farm on SQLite and an S3 server, which a module's tests share."""
    farm = Farm(
        tmp_path_factory.mktemp("farm"),
        PRESSROOM_BROKER_URL=module_broker.url,
        **seaweedfs.settings(endpoint=front.endpoint),
    )
    try:
        farm.run_all()
        yield farm
    finally:
        front.heal()
        farm.stop()


@pytest.fixture
def s3_ledger(s3_farm, seaweedfs, front) -> Iterator[Ledger]:
    """What one test submits to the farm on S3. It looks past what stands in front of the server."""
    storage = S3Storage(
        endpoint=seaweedfs.endpoint,
        access_key=seaweedfs.access_key,
        secret_key=seaweedfs.secret_key,
        bucket=s3_farm.environment["PRESSROOM_S3_BUCKET"],
        region="us-east-1",
        secure=False,
    )
    database = Database(f"sqlite:///{s3_farm.home / 'pressroom.db'}")
    yield Ledger(s3_farm, database, storage)
    front.heal()
    database.close()


@pytest.fixture
def ledger(farm) -> Iterator[Ledger]:
    """What one test submits to a farm that stores in a folder."""
    ledger = folder_ledger(farm)
    yield ledger
    ledger.database.close()
