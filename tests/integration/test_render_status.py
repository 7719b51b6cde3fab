"""What whoever asks after a recorded render is told while its record has yet to hear of the end."""

from __future__ import annotations

import pytest
import records
from sqlalchemy import update

from api.app import create_app
from shared import tending
from shared.database import now
from shared.models import Render
from shared.settings import load_settings

ENDS = {
    "a document": {"state": "succeeded", "blob_key": "history/x.pdf", "media_type": "application/pdf", "pages": 2},
    "a failure": {"state": "failed", "cause": "data", "error": "no 'total'", "error_line": 7},
}


@pytest.fixture
def database_url(tmp_path):
    # The answers are what matters here.
    return f"sqlite:///{tmp_path / 'pressroom.db'}"


@pytest.fixture
def client(database, tmp_path):
    return create_app(load_settings({"PRESSROOM_HOME": str(tmp_path)})).test_client()


@pytest.mark.parametrize("end", ENDS)
def test_an_end_that_a_worker_of_an_earlier_release_wrote_is_answered_as_it_is_recorded_then(
    client, database, template, settings, end
):
    record = records.waiting(database, template, output_type="none")
    task = records.print_task(database, record, held=True, due_at=None)
    with database.writing() as session:
        session.execute(
            update(Render).where(Render.id == record.render_id).values(finished_at=now(), timings={}, **ENDS[end])
        )

    before = client.get(f"/api/v1/render/{record.render_id}")
    assert tending.tend(database, settings, waiting=lambda _: 0, ring=lambda _: True).settled == 1
    after = client.get(f"/api/v1/render/{record.render_id}")

    assert (before.status_code, before.json) == (after.status_code, after.json)
    assert before.json == records.row(database, record.id).response
    assert after.json.get("data", {}).get("printTaskId", task.id) == task.id
