"""Doing the work of one certificate: both engines, one sample, and what they make of it compared.

Runs in a rendering child, with its limit of memory. An engine that breaks down ends the child; the certificate is then
lost like any other work that is leased, and refused when it happens twice (`shared.certificates`).
"""

from __future__ import annotations

import contextlib
import gc
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import stamina
from billiard.exceptions import SoftTimeLimitExceeded

from shared import catalogue, certificates, leases, previewing
from shared.certificates import Verdict
from shared.database import DATABASE_AWAY
from shared.exceptions import EngineError, PartAwayError, RenderError
from shared.memory import release_unused
from shared.models import Certificate, Render, TemplateVersion
from shared.storage import CorruptObjectError, StorageError
from shared.tracing import bind_trace, clear_trace, logger
from workers import patience
from workers.assets import StoredAssets
from workers.bounds import Bounds
from workers.certification import UnreadableError, clock, demands
from workers.certification.comparison import Findings, compare, store, unreadable
from workers.certification.drift import Drift
from workers.fetching import FetchPolicy
from workers.library import StoredTemplates
from workers.limits import TimeLimits
from workers.poppler import UnreadablePdfError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.errands import Errand
    from shared.settings import Settings
    from shared.storage import Storage
    from workers.assets import AssetCache
    from workers.registry import Registry

REFERENCE = catalogue.REFERENCE_PDF
FAST = "plutoprint-pdf"
END_SECONDS = 30

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one comparison may take, seconds.

    Attributes:
        engines: Processor time of each engine, and of reading what it made.
        wall: From the beginning until the child is killed, but for a grace.
        lease: From the beginning until it counts as lost.
    """

    engines: float
    wall: float
    lease: float


OF_A_SAMPLE = Patience(engines=60.0, wall=120.0, lease=180.0)
# Right behind a render: whoever waits for it has it, but the next one may wait for this child.
OF_A_RENDER = Patience(engines=8.0, wall=60.0, lease=90.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """What is expanded: a template's text, and data."""

    content: str
    engine: str
    data: dict[str, Any]


@dataclass(slots=True)
class Finding:
    """What became of an attempt: a verdict, with what it rests on."""

    verdict: Verdict
    findings: Findings = field(default_factory=Findings)
    used: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class _RefusedError(Exception):
    """Raised when no comparison is needed to know that the fast engine must not be used."""

    def __init__(self, differences: list[Drift]) -> None:
        super().__init__(differences)
        self.differences = differences


class _NoSampleError(Exception):
    """Raised when there is nothing to compare; the text says why."""


class Certifier:
    """Does the certificates of one child."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        storage: Storage,
        registry: Registry,
        asset_cache: AssetCache,
        worker_id: str,
        environment: str,
    ) -> None:
        """Take what certifying needs.

        Args:
            settings: The farm's settings.
            database: This process' database.
            storage: Where data is read and pictures are written.
            registry: The engines and recipes that work here.
            asset_cache: Where the worker keeps assets at hand.
            worker_id: Who certifies.
            environment: The engines and fonts of this machine (`workers.certification.environment`).
        """
        self._settings = settings
        self._bounds = Bounds.of(settings)
        self._database = database
        self._storage = storage
        self._registry = registry
        self._worker_id = worker_id
        self._environment = environment
        self._limits = TimeLimits(grace=settings.render_timeout_grace)
        self._templates = StoredTemplates(database, self._limits.put_off)
        self._assets = StoredAssets(database, storage, asset_cache, self._limits.put_off)

    def certify(self, subject: str) -> None:
        """Make one certificate, if it can be claimed; its end is in the row, never in an exception."""
        if FAST not in self._registry.recipes or REFERENCE not in self._registry.recipes:
            # Another worker takes it, or nobody: then everything is made by the reference.
            log.warning("certificate not made", subject=subject, reason=f"{FAST} or {REFERENCE} does not work here")
            return
        try:
            with self._database.writing() as session:
                certificate = leases.claim(
                    session, Certificate, subject, worker_id=self._worker_id, seconds=OF_A_SAMPLE.lease
                )
        except DATABASE_AWAY as error:
            log.warning("certificate not claimed", subject=subject, error=str(error))
            return
        if certificate is None:
            log.debug("nothing to certify", subject=subject)
            return
        bind_trace(certificate.trace_id, subject=subject)
        try:
            self._attempt(certificate)
        finally:
            clear_trace()
            _tidy_up()

    def compare_render(self, subject: str, markup: str, document: bytes, *, render_id: str) -> Sequence[Errand] | None:
        """Compare a document that the fast engine just made with the reference's.

        Args:
            subject: What the certificate is about.
            markup: The expanded template.
            document: The PDF.
            render_id: The render, whose data is the sample from now on.

        Returns:
            What is to be announced, as the comparison takes longer than it may here; mostly nothing. None: it was not
            compared, since the certificate is looked at already.
        """
        with self._database.writing() as session:
            certificate = certificates.take_sample(
                session, subject, worker_id=self._worker_id, seconds=OF_A_RENDER.lease
            )
        if certificate is None:
            return None
        try:
            with self._engines(OF_A_RENDER):
                reference = self._render(REFERENCE, markup)
                findings = _compared(reference, document, OF_A_RENDER)
            store(findings, certificate=certificate, storage=self._storage)
        except (SoftTimeLimitExceeded, RenderError, MemoryError, StorageError, *DATABASE_AWAY) as error:
            # With more time, and the memory of a child that does nothing else; or when the part is back.
            log.info("sample left to the queue", subject=subject, reason=type(error).__name__)
            with self._database.writing() as session:
                errand = certificates.hand_over(session, certificate, render_id=render_id)
            return () if errand is None else (errand,)
        finally:
            _tidy_up()
        self._end_sample(certificate, findings, render_id=render_id)
        return ()

    def withdraw(self, subject: str, reason: str) -> None:
        """Withdraw a certificate whose fast engine made no document of a real render."""
        with self._database.writing() as session:
            certificate = certificates.take_sample(
                session, subject, worker_id=self._worker_id, seconds=OF_A_RENDER.lease
            )
        if certificate is not None:
            self._write(certificate, Finding(Verdict.WITHDRAWN, Findings([Drift("engine", None, reason)])))

    def _attempt(self, certificate: Certificate) -> None:
        began = time.monotonic()
        try:
            made = self._made(certificate)
            won = self._write(certificate, made)
        except (StorageError, PartAwayError) as error:
            seconds = patience.delay(certificate.put_offs)
            with contextlib.suppress(*DATABASE_AWAY), self._database.writing() as session:
                leases.put_off(session, Certificate, certificate.subject, attempt=certificate.attempt, seconds=seconds)
            log.warning("certificate put off", error=str(error), seconds=seconds)
            return
        except DATABASE_AWAY as error:
            # The lease ends by itself.
            log.warning("end of a certificate not written", error=str(error))
            return
        log.info(
            "certificate",
            outcome=str(made.verdict) if won else "superseded",
            reasons=[one.text for one in made.findings.differences[:3]],
            attempt=certificate.attempt,
            milliseconds=round((time.monotonic() - began) * 1000),
        )

    def _made(self, certificate: Certificate) -> Finding:
        """Return what there is to say of a certificate."""
        was_certified = certificate.verdict == Verdict.CERTIFIED
        against = Verdict.WITHDRAWN if was_certified else Verdict.REFUSED
        used: dict[str, dict[str, Any]] = {}
        try:
            sample = self._sample(certificate)
            with _judged("the reference"):
                markup, reference = self._by_reference(sample, used)
            with _judged("the fast engine"):
                findings = self._by_fast_engine(markup, reference)
        except _NoSampleError as error:
            # A real render that was to be compared, and is gone, says nothing against the certificate.
            verdict = Verdict.CERTIFIED if was_certified else Verdict.FAILED
            return Finding(verdict, Findings([Drift("sample", None, str(error))]), certificate.used or {})
        except _RefusedError as error:
            return Finding(against, Findings(error.differences), used)
        store(findings, certificate=certificate, storage=self._storage)
        return Finding(against if findings.differences else Verdict.CERTIFIED, findings, used)

    def _by_reference(self, sample: Sample, used: dict[str, dict[str, Any]]) -> tuple[str, bytes]:
        """Return the sample's markup, and what the reference makes of it."""
        policy = FetchPolicy(self._assets)
        with self._engines(OF_A_SAMPLE):
            try:
                with policy.enforced():
                    markup = self._expanded(sample, policy, used)
                    demanded = demands.found(markup, policy)
                if not demanded:
                    return markup, self._render(REFERENCE, markup, used["assets"])
            except PartAwayError:
                raise
            except RenderError as error:
                where = "" if error.line is None else f" (line {error.line})"
                raise _NoSampleError(f"the sample data makes no document: {error.message}{where}") from error
        raise _RefusedError([Drift("demand", None, f"only the reference can do {one}") for one in demanded])

    def _by_fast_engine(self, markup: str, reference: bytes) -> Findings:
        with self._engines(OF_A_SAMPLE):
            try:
                document = self._render(FAST, markup)
            except PartAwayError:
                raise
            except RenderError as error:
                text = f"the fast engine makes no document of it: {error.message}"
                raise _RefusedError([Drift("engine", None, text)]) from error
            return _compared(reference, document, OF_A_SAMPLE)

    def _sample(self, certificate: Certificate) -> Sample:
        with self._database.reading() as session:
            if certificate.render_id is None:
                return _stored_sample(session, certificate)
            render = session.get(Render, certificate.render_id)
            if render is None:
                raise _NoSampleError("the render whose data was to be the sample is gone: the next one's is")
            content = render.content
            if content is None:
                content = session.get_one(TemplateVersion, render.template_version_id).content
        text: str | bytes | None = render.data
        if render.data_key:
            try:
                text = self._storage.get(render.data_key)
            except (FileNotFoundError, CorruptObjectError) as error:
                raise _NoSampleError("the data of the render that was to be the sample is gone") from error
        return Sample(content, render.engine, json.loads(text) if text else {})

    def _expanded(self, sample: Sample, policy: FetchPolicy, used: dict[str, dict[str, Any]]) -> str:
        engine = self._registry.engines.get(sample.engine)
        if engine is None:
            raise EngineError(f"Templating engine {sample.engine!r} is not installed on this worker")
        library = self._templates.opened()
        used["templates"], used["assets"] = library.used, policy.used
        return engine.expand(
            sample.content,
            sample.data,
            markup=True,
            locale=self._settings.locale,
            library=library,
            read_asset=policy.read_asset,
            most_bytes=self._bounds.markup_bytes,
        )

    def _render(self, recipe: str, markup: str, used: dict[str, Any] | None = None) -> bytes:
        policy = FetchPolicy(self._assets)
        with policy.enforced():
            document = self._registry.recipes[recipe].render(markup, policy=policy, bounds=self._bounds)
        if used is not None:
            used.update(policy.used)
        return document.content

    @contextlib.contextmanager
    def _engines(self, given: Patience) -> Iterator[None]:
        self._limits.begin()
        with self._limits.armed(given.wall), clock.bounded(given.engines):
            yield

    def _end_sample(self, certificate: Certificate, findings: Findings, *, render_id: str) -> None:
        if not findings.differences:
            with self._database.writing() as session:
                certificates.agree(session, certificate)
            log.info("sample agrees", subject=certificate.subject, render_id=render_id)
            return
        self._write(certificate, Finding(Verdict.WITHDRAWN, findings, certificate.used or {}))

    def _write(self, certificate: Certificate, made: Finding) -> bool:
        """Write what was found, and remove the pictures of attempts that do not count."""
        won = False
        for again in stamina.retry_context(on=DATABASE_AWAY, attempts=None, timeout=END_SECONDS):
            with again, self._database.writing() as session:
                won = certificates.conclude(
                    session,
                    certificate,
                    verdict=made.verdict,
                    environment=self._environment,
                    result=made.findings.result(),
                    overlays=made.findings.overlays,
                    used={kind: found for kind, found in made.used.items() if found},
                )
        if won and made.verdict is Verdict.WITHDRAWN:
            reasons = [one.text for one in made.findings.differences[:3]]
            log.warning("certificate withdrawn", subject=certificate.subject, reasons=reasons)
        self._remove_others(certificate, made.findings if won else Findings(), own=made.findings)
        return won

    def _remove_others(self, certificate: Certificate, kept: Findings, *, own: Findings) -> None:
        doomed = set(own.overlays.values()) - set(kept.overlays.values())
        try:
            if certificate.attempt > 1 and kept is own:
                keys = set(self._storage.keys(certificates.attempt_keys(certificate.subject)))
                doomed |= keys - set(kept.overlays.values())
            for key in doomed:
                self._storage.delete(key)
        except StorageError as error:
            log.warning("pictures not removed", error=str(error))


def _stored_sample(session: Session, certificate: Certificate) -> Sample:
    version = session.get(TemplateVersion, certificate.template_version_id)
    if version is None:
        raise _NoSampleError("the template was removed")
    return Sample(version.content, version.engine, previewing.sample_of(version))


def _compared(reference: bytes, document: bytes, given: Patience) -> Findings:
    try:
        return compare(reference, document, seconds=given.wall / 2)
    except (UnreadableError, UnreadablePdfError) as error:
        return unreadable(error)


@contextlib.contextmanager
def _judged(what: str) -> Iterator[None]:
    """Take it for a refusal when something needs too much."""
    try:
        yield
    except SoftTimeLimitExceeded as error:
        text = f"{what} takes longer than {OF_A_SAMPLE.engines:g} s of processor time"
        raise _RefusedError([Drift("engine", None, text)]) from error
    except MemoryError as error:
        text = f"{what} needs more memory than a rendering child may use"
        raise _RefusedError([Drift("engine", None, text)]) from error


def _tidy_up() -> None:
    """Give back what a comparison took: some 60 MB that the next render does not need."""
    gc.collect()
    release_unused()
