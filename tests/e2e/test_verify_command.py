"""`pressroom verify`, as an operator runs it."""

from __future__ import annotations

import os
import time

import pytest
from farms import Farm

from shared.identifiers import new_id


@pytest.fixture
def quiet_farm(tmp_path, valkey):
    """A farm of which nothing runs: the command needs database and storage only."""
    farm = Farm(tmp_path / "farm", PRESSROOM_BROKER_URL=valkey.url)
    assert farm.command("migrate").returncode == 0
    return farm


def test_a_clean_farm_is_said_to_be_clean(quiet_farm):
    done = quiet_farm.command("verify")

    assert (done.returncode, done.stdout) == (
        0,
        "0 objects read: 0 changed, 0 unreadable, 0 missing; 0 objects without a row, 0 removed; 0 rows wrong\n",
    )


def test_orphans_are_named_then_removed_and_young_ones_left_alone(quiet_farm):
    folder = quiet_farm.home / "blobs" / "transient"
    folder.mkdir(parents=True)
    old, young = folder / f"{new_id()}.pdf", folder / f"{new_id()}.pdf"
    for path in (old, young):
        path.write_bytes(b"x")
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))

    found = quiet_farm.command("verify")
    assert found.returncode == 1
    assert f"orphan   transient/{old.name}\n0 objects read" in found.stdout
    assert "1 objects without a row, 0 removed; --repair removes them" in found.stdout
    assert quiet_farm.command("verify", "--grace", "3h").returncode == 0

    repaired = quiet_farm.command("verify", "--repair")
    assert (repaired.returncode, old.exists(), young.exists()) == (0, False, True)
    assert "removed" in repaired.stdout


def test_a_grace_that_is_no_duration_and_a_store_that_is_away_are_said_in_a_line(quiet_farm):
    wrong = quiet_farm.command("verify", "--grace", "soon")
    assert wrong.returncode == 2
    assert "expected a duration" in wrong.stderr

    quiet_farm.environment |= {
        "PRESSROOM_STORAGE": "s3",
        "PRESSROOM_S3_ENDPOINT": "127.0.0.1:1",
        "PRESSROOM_S3_ACCESS_KEY": "a",
        "PRESSROOM_S3_SECRET_KEY": "b",
        "PRESSROOM_S3_SECURE": "0",
    }
    away = quiet_farm.command("verify")
    assert away.returncode == 1
    assert "Traceback" not in away.stderr
    assert "127.0.0.1:1" in away.stderr
