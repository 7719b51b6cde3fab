"""How a render is doing, read past the ORM as plain values: it is asked for more often than anything else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from shared.models import Render, Report
from shared.render_values import RenderProgress, RenderStatus
from shared.templates import storable

if TYPE_CHECKING:
    from sqlalchemy import Connection

_STATUS = tuple(field.name for field in fields(RenderStatus))
_PROGRESS = tuple(field.name for field in fields(RenderProgress))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStatus:
    """A report and how its render is doing; the fields are those of the row."""

    id: str
    name: str
    public: bool
    render: RenderProgress


# Made once, as in `shared.renders`.
_OF_RENDER = select(*(getattr(Render, name) for name in _STATUS)).where(Render.id == bindparam("id"))
_OF_REPORT = (
    select(
        Report.id, Report.name, Report.public, *(getattr(Render, name).label(f"render_{name}") for name in _PROGRESS)
    )
    .join(Render, Render.id == Report.render_id)
    .where(Report.id == bindparam("id"), Report.removed_at.is_(None))
)


def of_render(connection: Connection, render_id: str) -> RenderStatus | None:
    """Return how a render is doing; None when there is none."""
    row = connection.execute(_OF_RENDER, {"id": render_id}).first()
    return None if row is None else RenderStatus(**dict(zip(_STATUS, row, strict=True)))


def of_report(connection: Connection, report_id: str) -> ReportStatus | None:
    """Return how a report is doing; None when there is none, or it was removed."""
    row = connection.execute(_OF_REPORT, {"id": report_id}).first() if storable(report_id) else None
    if row is None:
        return None
    its_id, name, public, *progress = row
    render = RenderProgress(**dict(zip(_PROGRESS, progress, strict=True)))
    return ReportStatus(id=its_id, name=name, public=public, render=render)
