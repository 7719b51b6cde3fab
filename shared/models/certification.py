"""What is known of a template and the fast engine."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import now
from shared.models.base import Base
from shared.models.history import Leased


class Certificate(Leased, Base):
    """Whether the fast engine makes a template's documents as the reference does; as work, to find that out.

    ``subject`` is what it is about: a version's id, or an inline template (`shared.certificates`). ``verdict`` is what
    was found last, and stands while ``state`` says that it is looked at again. ``environment`` names the engines and
    fonts that it holds for. ``render_id`` is the render whose data is the sample; None: the version's sample data.
    ``result`` is as the API shows it; its pictures are objects, whose keys ``overlays`` has by page. ``used`` is what
    the sample included, as that of a render. ``samples`` counts the real renders that agreed.
    """

    __tablename__ = "certificates"
    __table_args__ = (
        Index("certificates_by_state", "state", "queued_at"),
        Index("certificates_by_version", "template_version_id"),
    )

    subject: Mapped[str] = mapped_column(primary_key=True)
    trace_id: Mapped[str]
    template_version_id: Mapped[str | None]
    verdict: Mapped[str] = mapped_column(default="pending")
    environment: Mapped[str | None]
    render_id: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]
    overlays: Mapped[dict[str, Any] | None]
    used: Mapped[dict[str, Any] | None]
    samples: Mapped[int] = mapped_column(default=0)
    issued_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime] = mapped_column(default=now())
