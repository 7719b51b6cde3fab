"""The state machine of a render: the document has the code's table, and the code does what the table says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import orders
import pytest
from sqlalchemy import update

from shared import renders
from shared.models import Render
from shared.renders import TRANSITIONS, Cause, Loss, State

PROJECT = Path(__file__).parent.parent.parent
ROW = re.compile(r"^\| `(?P<name>[a-z ]+)` \| (?P<before>[^|]+) \| `(?P<after>[a-z]+)` \|", re.MULTILINE)
ENDS = [State.SUCCEEDED, State.FAILED, State.CANCELLED]

# What each transition is done with, on a render in its first attempt. Once lost is too often where none may be.
DO = {
    "claim": lambda session, row: orders.claim(session, row.id),
    "succeed": lambda session, row: renders.succeed(session, row.id, attempt=1, result=orders.result()),
    "fail": lambda session, row: renders.fail(session, row.id, attempt=1, cause=Cause.ENGINE, error="broke"),
    "cancel": lambda session, row: renders.cancel(session, row.id),
    "withdraw": lambda session, row: renders.cancel(session, row.id, only_queued=True),
    "lose": lambda session, row: renders.lose(session, row, reason="killed", max_losses=3),
    "give back": lambda session, row: renders.give_back(session, row, reason="stopped", cause=Loss.SHUTDOWN),
    "poison": lambda session, row: renders.lose(session, row, reason="killed", max_losses=1),
}


def test_the_documents_table_is_the_codes():
    text = (PROJECT / "ARCHITECTURE.md").read_text()
    written = [
        (found["name"], tuple(re.findall(r"`([a-z]+)`", found["before"])), found["after"])
        for found in ROW.finditer(text)
    ]

    assert written == [(one.name, tuple(map(str, one.before)), str(one.after)) for one in TRANSITIONS]


def test_no_way_leads_out_of_an_end():
    assert not [one for one in TRANSITIONS if set(one.before) & set(ENDS)]


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda one: one.name)
def test_each_transition_wins_from_its_states_and_changes_nothing_elsewhere(database, transition, state):
    render_id = orders.submitted(database)
    with database.writing() as session:
        # Put there by force, whatever led to it.
        attempt = 0 if state == State.QUEUED else 1
        session.execute(update(Render).where(Render.id == render_id).values(state=state, attempt=attempt))
    before = orders.row(database, render_id)

    with database.writing() as session:
        won = DO[transition.name](session, before)

    after = orders.row(database, render_id)
    if state in transition.before:
        assert won
        assert after.state == transition.after
    else:
        # Who did not hear that he had ended it well, or badly, is told so when he asks again.
        assert bool(won) == (transition.name in {"succeed", "fail"} and state == transition.after)
        assert (after.state, after.attempt, after.finished_at) == (state, before.attempt, before.finished_at)


def test_every_transition_is_tried_here():
    assert set(DO) == {one.name for one in TRANSITIONS}


def test_nobody_else_writes_the_state_of_a_render():
    """Read in the code: only the one module changes renders with a state."""
    culprits = []
    for room in ("api", "shared", "workers", "scripts"):
        for path in (PROJECT / room).rglob("*.py"):
            if path == PROJECT / "shared" / "renders.py" or "migrations" in path.parts:
                continue
            culprits += [f"{path.name}:{node.lineno}" for node in ast.walk(ast.parse(path.read_text())) if writes(node)]

    assert culprits == []


def writes(node: ast.AST) -> bool:
    """Say whether this is ``update(Render)....values(state=...)`` or the making of a render."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name) and node.func.id == "Render":
        return True
    names_state = any(one.arg == "state" for one in node.keywords)
    changes = isinstance(node.func, ast.Attribute) and node.func.attr == "values" and names_state
    return changes and "update(Render)" in ast.unparse(node.func)


def test_an_attempt_that_was_given_back_is_no_loss_that_counts(database):
    render_id = orders.submitted(database)
    for _ in range(15):
        claimed = orders.claimed(database, render_id)
        with database.writing() as session:
            assert renders.give_back(session, claimed, reason="stopped", cause=Loss.SHUTDOWN)
    claimed = orders.claimed(database, render_id)
    with database.writing() as session:
        assert renders.lose(session, claimed, reason="killed", max_losses=2) == State.QUEUED

    losses = orders.row(database, render_id).losses
    assert [one["cause"] for one in losses] == ["shutdown"] * 10 + ["worker"]
    assert losses[-1]["attempt"] == 16


def test_a_render_that_is_put_off_is_not_taken_before_its_time(database):
    render_id = orders.submitted(database)
    claimed = orders.claimed(database, render_id)
    with database.writing() as session:
        renders.give_back(session, claimed, reason="the storage is away", cause=Loss.STORAGE, seconds=60)

    assert orders.claimed(database, render_id) is None

    with database.writing() as session:
        session.execute(update(Render).where(Render.id == render_id).values(queued_at=renders.now(-1)))
    assert orders.claimed(database, render_id).attempt == 2


def test_what_was_given_back_can_no_longer_be_ended_by_who_had_it(database):
    render_id = orders.submitted(database)
    claimed = orders.claimed(database, render_id)
    with database.writing() as session:
        renders.give_back(session, claimed, reason="stopped", cause=Loss.SHUTDOWN)
    orders.claimed(database, render_id, worker_id="worker-2")

    with database.writing() as session:
        assert not renders.succeed(session, render_id, attempt=1, result=orders.result())
        assert not renders.give_back(session, claimed, reason="again", cause=Loss.SHUTDOWN)
    assert orders.row(database, render_id).attempt == 2
