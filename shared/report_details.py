"""What is known of one stored report beyond what lists show: what it was made of, and when it goes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from shared import reports
from shared.models import Render, Report, TemplateVersion

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Details:
    """A report, and what was rendered.

    Attributes:
        report: The report, with its render.
        template_name: What the template was called in the version that was rendered; None: it was no stored one.
        template_version: The number of that version.
    """

    report: Report
    template_name: str | None
    template_version: int | None

    def goes_at(self, threshold: float | None) -> dt.datetime | None:
        """Return when the clean-up may remove it, once it has ended; None: never.

        Args:
            threshold: Seconds after which a report goes that has no expiry of its own; None: it stays for ever.
        """
        if self.report.keep:
            return None
        if self.report.expires_at is not None or threshold is None:
            return self.report.expires_at
        return self.report.created_at + dt.timedelta(seconds=threshold)


@dataclass(frozen=True, slots=True)
class Data:
    """What a report was made from, as JSON.

    Attributes:
        render_id: Its render.
        text: The JSON; None: it is in storage.
        key: Where it is in storage.
    """

    render_id: str
    text: str | None
    key: str | None


def find(session: Session, report_id: str) -> Details:
    """Return a report with what is known of it.

    Raises:
        NotFoundError: There is no such report.
    """
    report = reports.find(session, report_id)
    version = select(TemplateVersion.name, TemplateVersion.number).where(
        TemplateVersion.id == report.render.template_version_id
    )
    name, number = session.execute(version).one_or_none() or (None, None)
    return Details(report, name, number)


def data_of(session: Session, report_id: str) -> Data:
    """Return what a report was made from.

    Raises:
        NotFoundError: There is no such report.
    """
    render_id = reports.find(session, report_id).render_id
    text, key = session.execute(select(Render.data, Render.data_key).where(Render.id == render_id)).one()
    return Data(render_id, text, key)
