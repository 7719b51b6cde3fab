"""Lists by creation begin with either of two tables, which must agree."""

from __future__ import annotations

from sqlalchemy import select

from shared import submissions
from shared.models import Render, Report
from shared.settings import load_settings


def test_a_reports_creation_is_its_renders_submission(database, filesystem_storage):
    accepted = submissions.accept(
        database,
        filesystem_storage,
        load_settings({}),
        submissions.Order(
            trace_id="t" * 32,
            template=submissions.TemplateChoice(content="<p>x", recipe="html"),
            report=submissions.ReportWish(),
        ),
        recipe_states={},
    )

    with database.reading() as session:
        [times] = session.execute(select(Report.created_at, Render.submitted_at).join(Render)).all()
    assert times[0] == times[1]
    assert accepted.report is not None
