"""Certificates: what is known of a template and the fast engine, and what a render of recipe ``pdf`` may rest on.

A certificate is about a *subject*: a stored template's version, or an inline template's text and templating engine. It
is a row that says what was found (``verdict``), and at the same time the work of finding it out (``state``, which only
`shared.leases` and `take_sample` write): a message only rings. The verdict stands while it is looked at again.

::

    pending ──▶ certified ──a sample differs──▶ withdrawn
       ├─────▶ refused
       └─────▶ failed (the sample made no document; the next real render's data is the sample then)

Each of them becomes ``pending`` when somebody asks for it anew, and when engines, fonts or what it includes changed.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError

from shared import catalogue, leases
from shared.database import changed, now, won
from shared.errands import Errand, Kind
from shared.exceptions import NotFoundError
from shared.models import Certificate, TemplateVersion
from shared.retirement import retire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement

FOLDER = "certificates/"
# When to ask again for one that is being made.
RETRY_SECONDS = 2
# A crash of an engine ends the child, or its worker. One may be somebody else's fault.
MOST_LOSSES = 2
LOST = "An engine broke down on it twice, and took its process with it"
# Workers of one farm that have other fonts would else take each other's certificates away all the time.
RENEWED_SECONDS = 600
NO_SAMPLE = "It has no sample data to be compared with: the data of its next render is the sample"
_INLINE = "inline-"


class Verdict(enum.StrEnum):
    """What is known of a subject."""

    PENDING = "pending"
    CERTIFIED = "certified"
    REFUSED = "refused"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Known:
    """What a render asks a certificate for.

    Attributes:
        verdict: What was found.
        environment: The engines and fonts that it holds for.
        samples: How many real renders agreed.
        used: What the sample included.
        renewable: Whether it is so old that another environment may have it made anew.
    """

    verdict: Verdict
    environment: str | None
    samples: int
    used: Mapping[str, Mapping[str, Any]]
    renewable: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Where the picture of one page's differences is, and what is known of it."""

    key: str
    size: int
    sha256: str


def of_stored(version_id: str, engine: str) -> str:
    """Name the subject of a stored template's version, with the templating engine that it is expanded by."""
    return f"{version_id}-{engine}"


def of_stored_ones() -> ColumnElement[str]:
    """Return the column expression of versions' subjects, for questions about many."""
    return TemplateVersion.id + "-" + TemplateVersion.engine


def of_inline(content: str, engine: str) -> str:
    """Name the subject of a template that came with its render."""
    return f"{_INLINE}{engine}-{hashlib.sha256(content.encode('utf-8', 'surrogatepass')).hexdigest()}"


def known(session: Session, subject: str) -> Known | None:
    """Return what a render may rest on; None when nobody has asked for a certificate yet."""
    row = session.execute(
        select(
            Certificate.verdict,
            Certificate.environment,
            Certificate.samples,
            Certificate.used,
            or_(Certificate.issued_at.is_(None), Certificate.issued_at < now(-RENEWED_SECONDS)),
        ).where(Certificate.subject == subject)
    ).one_or_none()
    if row is None:
        return None
    verdict, environment, samples, used, renewable = row
    return Known(Verdict(verdict), environment, samples, used or {}, bool(renewable))


def of_version(session: Session, version: TemplateVersion) -> Certificate | None:
    """Return the certificate of a stored template's version; None when nobody has asked for one yet."""
    return session.get(Certificate, of_stored(version.id, version.engine), populate_existing=True)


def order(session: Session, version: TemplateVersion, *, trace_id: str) -> Errand | None:
    """Ask for the certificate of a version that is being saved, if its recipe is one that rests on it.

    Args:
        session: The transaction that saves it.
        version: The new version.
        trace_id: The trace of whoever saves it.

    Returns:
        What is to be announced after the commit; None: nothing.
    """
    if version.recipe != catalogue.CERTIFIED_PDF:
        return None
    subject = of_stored(version.id, version.engine)
    certificate = Certificate(subject=subject, trace_id=trace_id, template_version_id=version.id)
    session.add(certificate)
    if not _has_sample(version):
        certificate.verdict, certificate.state = Verdict.FAILED, leases.State.SUCCEEDED
        certificate.result = without_comparison([NO_SAMPLE])
        return None
    return Errand(Kind.CERTIFICATE, subject, trace_id)


def ask(
    session: Session, subject: str, *, trace_id: str, template_version_id: str | None, render_id: str
) -> Errand | None:
    """Ask for the certificate of a subject that has none, with a render's data as the sample.

    Returns:
        What is to be announced after the commit; None: somebody else was quicker.
    """
    try:
        with session.begin_nested():
            session.add(
                Certificate(
                    subject=subject, trace_id=trace_id, template_version_id=template_version_id, render_id=render_id
                )
            )
    except IntegrityError:
        return None
    return Errand(Kind.CERTIFICATE, subject, trace_id)


def anew(session: Session, version: TemplateVersion, *, trace_id: str) -> Errand | None:
    """Ask for the certificate of a version once more, with its sample data; one that waits or is made stays so.

    Args:
        session: A writing transaction.
        version: The version.
        trace_id: The trace of whoever asks.

    Returns:
        What is to be announced after the commit; None: it has no sample data, and waits for its next render.
    """
    subject = of_stored(version.id, version.engine)
    certificate = session.get(Certificate, subject, with_for_update=True)
    if certificate is None:
        certificate = Certificate(subject=subject, trace_id=trace_id, template_version_id=version.id)
        session.add(certificate)
        session.flush()
    if not _has_sample(version):
        if certificate.state in _RESTING or certificate.attempt == 0:
            certificate.verdict, certificate.state = Verdict.FAILED, leases.State.SUCCEEDED
            certificate.result = without_comparison([NO_SAMPLE])
        return None
    if leases.again(session, Certificate, subject):
        _put(session, subject, verdict=Verdict.PENDING, render_id=None, trace_id=trace_id, samples=0)
    session.refresh(certificate)
    return Errand(Kind.CERTIFICATE, subject, certificate.trace_id)


def retry(session: Session, subject: str, *, before: Verdict, trace_id: str, render_id: str) -> Errand | None:
    """Ask for a certificate anew, with a render's data as the sample.

    Args:
        session: A writing transaction.
        subject: What it is about.
        before: The verdict that it is to replace.
        trace_id: The render's trace.
        render_id: The render.

    Returns:
        What is to be announced after the commit; None: it is looked at already, or the verdict is another by now.
    """
    held = select(Certificate.subject).where(Certificate.subject == subject, Certificate.verdict == before)
    if session.scalar(held.with_for_update()) is None or not leases.again(session, Certificate, subject):
        return None
    _put(session, subject, verdict=Verdict.PENDING, render_id=render_id, trace_id=trace_id, samples=0)
    return Errand(Kind.CERTIFICATE, subject, trace_id)


def take_sample(session: Session, subject: str, *, worker_id: str, seconds: float) -> Certificate | None:
    """Take a certificate to compare a real render with the reference; None when it is looked at already, or gone.

    Args:
        session: A writing transaction.
        subject: What it is about.
        worker_id: Who takes it.
        seconds: For how long nobody else will take it.
    """
    statement = (
        update(Certificate)
        .where(
            Certificate.subject == subject,
            Certificate.verdict == Verdict.CERTIFIED,
            Certificate.state == leases.State.SUCCEEDED,
        )
        .values(
            state=leases.State.RUNNING,
            attempt=Certificate.attempt + 1,
            worker_id=worker_id,
            lease_until=now(seconds),
        )
        .returning(Certificate)
        .execution_options(synchronize_session=False)
    )
    return session.execute(statement).scalar_one_or_none()


def agree(session: Session, certificate: Certificate) -> bool:
    """Note that a real render agreed with the reference; False when the attempt no longer counts."""
    return leases.succeed(
        session,
        Certificate,
        certificate.subject,
        attempt=certificate.attempt,
        losses=0,
        put_offs=0,
        samples=Certificate.samples + 1,
    )


def hand_over(session: Session, certificate: Certificate, *, render_id: str) -> Errand | None:
    """Leave the comparison of a real render to the queue; None when the attempt no longer counts."""
    held = leases.put_off(session, Certificate, certificate.subject, attempt=certificate.attempt, seconds=0)
    if not held:
        return None
    _put(session, certificate.subject, render_id=render_id)
    return Errand(Kind.CERTIFICATE, certificate.subject, certificate.trace_id)


def conclude(
    session: Session,
    certificate: Certificate,
    *,
    verdict: Verdict,
    environment: str,
    result: Mapping[str, Any],
    overlays: Mapping[str, str],
    used: Mapping[str, Mapping[str, Any]],
) -> bool:
    """Write what was found; False when the attempt no longer counts.

    Args:
        session: A writing transaction.
        certificate: It, as it was claimed.
        verdict: What was found.
        environment: The engines and fonts that it holds for.
        result: What differs, as the API shows it.
        overlays: The keys of its pictures, by page; those of the verdict before are left to the sweep.
        used: What the sample included.
    """
    done = leases.succeed(
        session,
        Certificate,
        certificate.subject,
        attempt=certificate.attempt,
        losses=0,
        put_offs=0,
        verdict=verdict,
        environment=environment,
        result=dict(result),
        overlays=dict(overlays),
        used=dict(used),
        issued_at=now(),
    )
    if done:
        retire(session, set((certificate.overlays or {}).values()) - set(overlays.values()))
    return done


def is_lost(session: Session, *, dead_after: float | None) -> bool:
    """Say whether there are certificates whose attempt was lost, as `leases.is_lost`."""
    return leases.is_lost(session, Certificate, dead_after=dead_after)


def give_back(session: Session, *, dead_after: float | None) -> int:
    """Queue certificates again whose attempt was lost; refuse or withdraw them when that happened twice."""
    lost = case((Certificate.verdict == Verdict.CERTIFIED, Verdict.WITHDRAWN), else_=Verdict.REFUSED)
    return leases.give_back(
        session,
        Certificate,
        dead_after=dead_after,
        error=LOST,
        most_losses=MOST_LOSSES,
        verdict=lost,
        issued_at=now(),
        result=without_comparison([LOST]),
    )


def picture(certificate: Certificate | None, *, page: int) -> Picture:
    """Return the picture of what differs on one page.

    Raises:
        NotFoundError: There is none; the text says why, and the error when to ask again, if there will be one.
    """
    if certificate is None:
        raise NotFoundError("The template has no certificate: its recipe is another, and nobody has asked for one")
    if certificate.verdict == Verdict.PENDING:
        raise NotFoundError("The template is being certified: ask again in a moment", retry_after=RETRY_SECONDS)
    key = (certificate.overlays or {}).get(str(page))
    shown = next((one for one in (certificate.result or {}).get("pictures", ()) if one["page"] == page), None)
    if key is None or shown is None:
        raise NotFoundError(f"There is no picture of differences on page {page}")
    return Picture(key, **shown["overlay"])


def without_comparison(reasons: Sequence[str]) -> dict[str, Any]:
    """Return the result of what needed, or knew, no comparison."""
    return {
        "reasons": [{"kind": "sample" if one == NO_SAMPLE else "engine", "page": None, "text": one} for one in reasons],
        "pictures": [],
        "notes": [],
    }


def overlay_key(subject: str, *, attempt: int, page: int) -> str:
    """Return the storage key of the picture of one page's differences."""
    return f"{attempt_keys(subject)}{attempt}-{page}.png"


def attempt_keys(subject: str) -> str:
    """Return what the keys of all attempts' pictures begin with."""
    return f"{FOLDER}{subject}~"


def forget_unused(session: Session, *, older_than: float, limit: int) -> int:
    """Remove the certificates of versions that are gone, and of inline templates that nobody sent for long.

    Args:
        session: A writing transaction.
        older_than: Seconds since an inline template was last looked at.
        limit: How many at most.

    Returns:
        How many there were.
    """
    of_gone = ~exists().where(TemplateVersion.id == Certificate.template_version_id)
    inline = Certificate.template_version_id.is_(None) & (Certificate.finished_at < now(-older_than))
    unused = select(Certificate).where(
        Certificate.state.in_(_RESTING), or_(Certificate.template_version_id.is_not(None) & of_gone, inline)
    )
    found = session.scalars(unused.limit(limit)).all()
    retire(session, (key for one in found for key in (one.overlays or {}).values()))
    forget = delete(Certificate).where(
        Certificate.subject.in_([one.subject for one in found]), Certificate.state.in_(_RESTING)
    )
    return changed(session, forget)


_RESTING = (leases.State.SUCCEEDED, leases.State.FAILED)


def _has_sample(version: TemplateVersion) -> bool:
    return version.sample_data is not None or any(
        one.get("example") is not None or one.get("default") is not None for one in version.parameters or ()
    )


def _put(session: Session, subject: str, **values: Any) -> None:
    won(session, update(Certificate).where(Certificate.subject == subject).values(**values))
