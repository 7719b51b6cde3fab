"""PostgreSQL and an S3 server for a farm that is measured: those of the tests, outside of its tree of processes."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.farms import MeasureError

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parent.parent.parent / "tests"


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Run both, and give the settings of a farm that uses them.

    Raises:
        MeasureError: This machine cannot run them.
    """
    sys.path.insert(0, str(TESTS))
    try:
        from services import Postgres, SeaweedFS, ServiceMissingError  # noqa: PLC0415  # A part of the tests.
    except ImportError as error:
        raise MeasureError(f"{error.name} is not installed: run scripts/test once") from error
    with ExitStack() as stack:
        try:
            postgres, store = stack.enter_context(Postgres()), stack.enter_context(SeaweedFS())
        except ServiceMissingError as error:
            raise MeasureError(f"PostgreSQL and an S3 server cannot be run here: {error}") from error
        yield {"PRESSROOM_DATABASE_URL": postgres.new_database(), **store.settings()}
