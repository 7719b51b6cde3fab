"""Real servers and stores for tests; the servers are started once, by the first test that asks.

A server that this machine cannot run skips the tests that need it, with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cups import Cups, Device
from services import Postgres, SeaweedFS, ServiceMissingError, Valkey

from shared.storage.filesystem import FilesystemStorage
from shared.storage.s3 import S3Storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cups import Queue
    from services import Server

    from shared.storage import Storage


def _running(server: Server) -> Iterator[Server]:
    try:
        server.check()
    except ServiceMissingError as error:
        pytest.skip(f"{server.name}: {error}")
    with server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[Server]:
    yield from _running(Valkey())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    yield from _running(Postgres())


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[Server]:
    yield from _running(SeaweedFS())


@pytest.fixture(scope="session")
def cups() -> Iterator[Server]:
    """A print server; `print_queue` has a queue of it."""
    yield from _running(Cups())


@pytest.fixture
def print_queue(cups: Cups) -> Iterator[Queue]:
    """A queue of its own with a device behind it, ``print_queue.device``, which keeps what it printed."""
    with Device() as device:
        queue = cups.add_queue(device)
        yield queue
        queue.remove()


@pytest.fixture
def filesystem_storage(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path / "blobs")


@pytest.fixture
def s3_storage(seaweedfs: SeaweedFS) -> S3Storage:
    """A store whose bucket is not made yet."""
    return S3Storage(
        endpoint=seaweedfs.endpoint,
        access_key=seaweedfs.access_key,
        secret_key=seaweedfs.secret_key,
        bucket=seaweedfs.new_bucket(),
        region="us-east-1",
        secure=False,
    )


@pytest.fixture(params=["filesystem", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each store in turn, empty."""
    storage: Storage = request.getfixturevalue(f"{request.param}_storage")
    return storage


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Each database in turn, empty and without a schema."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'pressroom.db'}"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)
