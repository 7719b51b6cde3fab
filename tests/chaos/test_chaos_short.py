"""The chaos suite itself, for a minute: what it strikes is decided by its seed, and nothing may come of it."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mayhem.schedule import Kind, plan

TESTS = Path(__file__).parent.parent
# Both with a farm that notices deaths soon, so that there is time to see what follows.
COMMAND = [sys.executable, "-m", "mayhem", "--quick", "--seed", "5", "--minutes"]


def run(*arguments):
    path = os.pathsep.join(map(str, (TESTS, TESTS.parent / "scripts")))
    done = subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def verdict(said):
    """Return how many jobs were accepted, and how many faults of how many kinds struck."""
    found = re.search(r"^HELD: (\d+) accepted, (\d+) faults, 0 lost, 0 doubled, 0 stuck, 0 wrong$", said, re.MULTILINE)
    kinds = re.search(r"^faults +\d+ of (\d+) kinds", said, re.MULTILINE)
    assert found, said
    assert kinds, said
    return int(found[1]), int(found[2]), int(kinds[1])


@pytest.mark.timeout(600)
def test_a_farm_of_many_parts_keeps_its_promises_while_they_are_struck():
    accepted, faults, kinds = verdict(run("0.9"))

    assert accepted > 50
    assert faults >= 5
    assert kinds >= 5


@pytest.mark.timeout(600)
def test_an_embedded_farm_keeps_its_promises_while_its_processes_are_killed():
    accepted, faults, kinds = verdict(run("0.7", "--embedded"))

    assert accepted > 30
    assert faults >= 4
    assert kinds >= 4


def test_the_same_seed_plans_the_same_faults_and_another_one_others():
    kinds = [Kind("kill", ("a", "b")), Kind("freeze", ("a", "b"), (5, 20)), Kind("cut", ("a",), (1, 2))]

    planned = plan(kinds, seed=1, seconds=600)

    assert planned == plan(kinds, seed=1, seconds=600)
    assert planned != plan(kinds, seed=2, seconds=600)
    assert len(planned) >= 60


def test_one_target_is_struck_by_one_fault_at_a_time():
    kinds = [Kind("kill", ("a", "b")), Kind("freeze", ("a", "b"), (5, 20))]

    planned = plan(kinds, seed=3, seconds=3600)

    for first, second in itertools.pairwise(planned):
        assert first.at < second.at
    for place, one in enumerate(planned):
        assert all(one.at + one.seconds < later.at for later in planned[place + 1 :] if later.target == one.target)
