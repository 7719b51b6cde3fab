"""Which engine makes a render of recipe ``pdf``: the fast one, where a certificate says so, else the reference."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import catalogue, certificates
from shared.certificates import Verdict
from shared.database import DATABASE_AWAY
from shared.exceptions import EngineError, TemplateError
from shared.tracing import logger
from workers.certification import demands, subjects
from workers.certification.certifier import FAST, REFERENCE
from workers.certification.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from shared.certificates import Known
    from shared.database import Database
    from shared.errands import Errand
    from workers.attempts import Attempt
    from workers.bounds import Bounds
    from workers.certification.certifier import Certifier
    from workers.certification.subjects import Subject
    from workers.fetching import FetchPolicy
    from workers.recipes import Document, Recipe
    from workers.registry import Registry

# A withdrawn certificate is heard of so soon.
KNOWN_SECONDS = 2.0
MOST_KNOWN = 500
REASONS = {
    Verdict.PENDING: "it is being certified",
    Verdict.REFUSED: "the fast engine makes it otherwise",
    Verdict.FAILED: "there is no sample yet to certify it with",
    Verdict.WITHDRAWN: "its certificate was withdrawn",
}
_NOBODY_ASKED = "nobody has asked for its certificate yet"

log = logger(__name__)


@dataclass(slots=True)
class Choice:
    """Which engine was chosen for a render of recipe ``pdf``, and what is to be done behind it.

    Attributes:
        subject: What the certificate is about.
        known: The certificate, as it was looked up; None: there was none.
        recipe: The recipe that makes the document.
        reason: Why it is not the fast one; None: it is.
        markup: What was rendered, kept if it is to be compared.
        document: What the fast engine made of it, kept if it is to be compared.
        broken: Why the fast engine made nothing of it.
    """

    subject: Subject
    known: Known | None
    recipe: str
    reason: str | None
    markup: str | None = None
    document: bytes | None = None
    broken: str | None = None

    @property
    def made_with(self) -> dict[str, str]:
        """How support sees it."""
        return {"recipe": self.recipe, **({} if self.reason is None else {"reason": self.reason})}


@dataclass(slots=True)
class _Fast:
    """The fast engine with the reference behind it: what it cannot make at all is no reason to fail."""

    fast: Recipe
    reference: Recipe
    choice: Choice
    media_type: str
    extension: str
    markup: bool

    def render(self, content: str, *, policy: FetchPolicy, bounds: Bounds | None = None) -> Document:
        choice = self.choice
        try:
            document = self.fast.render(content, policy=policy, bounds=bounds)
        except (EngineError, TemplateError) as error:
            choice.recipe, choice.reason = REFERENCE, "the fast engine makes no document of this one"
            choice.broken = error.message
            return self.reference.render(content, policy=policy, bounds=bounds)
        if choice.markup is not None:
            choice.document = document.content
        return document


class Certification:
    """Chooses the engine of one child's renders, and sees to it that there are certificates, and that they hold."""

    def __init__(
        self,
        *,
        database: Database,
        registry: Registry,
        certifier: Certifier,
        environment: str,
        interval: int,
        came_before: Callable[[str], bool],
        ring: Callable[[Errand], bool],
    ) -> None:
        """Take what choosing needs.

        Args:
            database: Where the certificates are.
            registry: The recipes that work here.
            certifier: Compares real renders.
            environment: The engines and fonts of this machine.
            interval: One of so many renders of a proven certificate is compared; 0: none.
            came_before: Says whether an inline template came a short time ago, and remembers that it did.
            ring: Announces that there is a certificate to be made.
        """
        self._database = database
        self._registry = registry
        self._certifier = certifier
        self._environment = environment
        self._came_before = came_before
        self._ring = ring
        self._sampling = Sampling(interval=interval)
        self._known: OrderedDict[str, tuple[float, Known | None]] = OrderedDict()

    def engine_for(
        self, attempt: Attempt, recipe: Recipe, markup: str, *, untorn: Callable[[], AbstractContextManager[None]]
    ) -> Recipe:
        """Return what makes an attempt's document: the recipe itself, unless that is the one which is chosen here.

        Args:
            attempt: The attempt; which engine was chosen, and why, is noted in it.
            recipe: The recipe that its render names.
            markup: The expanded template.
            untorn: Makes a block in which no time limit strikes.
        """
        if attempt.render.recipe != catalogue.CERTIFIED_PDF:
            return recipe
        subject = subjects.of(attempt.render)
        fast, reference = self._registry.recipes.get(FAST), self._registry.recipes.get(REFERENCE, recipe)
        try:
            with untorn():
                known = self._look_up(subject.name)
        except DATABASE_AWAY:
            attempt.choice = Choice(subject, None, REFERENCE, "its certificate could not be looked up")
            return reference
        reason = self._objection(known, markup, _used(attempt))
        if fast is None:
            reason = f"{FAST} does not work on this worker"
        if reason is not None or fast is None or known is None:
            attempt.choice = Choice(subject, known, REFERENCE, reason)
            return reference
        choice = attempt.choice = Choice(subject, known, FAST, None)
        if self._sampling.is_due(subject.name, samples=known.samples):
            choice.markup = markup
        return _Fast(fast, reference, choice, recipe.media_type, recipe.extension, recipe.markup)

    def compares(self, attempt: Attempt) -> bool:
        """Say whether `after` will make a document a second time, which takes long."""
        return attempt.choice is not None and attempt.choice.document is not None

    def after(self, attempt: Attempt) -> None:
        """Do what is to be done behind a render that succeeded, and whose sender has heard of it."""
        choice = attempt.choice
        if choice is None or FAST not in self._registry.recipes:
            return
        try:
            for errand in self._followed_up(attempt, choice):
                self._ring(errand)
        except Exception:
            # The document is made, and the next one's engine is chosen as if nothing had been.
            log.exception("certification failed")

    def _followed_up(self, attempt: Attempt, choice: Choice) -> Iterator[Errand]:
        render, name, known = attempt.render, choice.subject.name, choice.known
        errand = None
        if choice.broken is not None:
            self._certifier.withdraw(name, f"it makes no document of a real render's data: {choice.broken}")
        elif choice.document is not None and choice.markup is not None:
            errands = self._certifier.compare_render(name, choice.markup, choice.document, render_id=render.id)
            if errands is not None:
                self._sampling.done(name)
                yield from errands
        elif known is None:
            if choice.subject.is_inline and not self._came_before(name):
                return
            version_id = choice.subject.template_version_id
            with self._database.writing() as session:
                errand = certificates.ask(
                    session, name, trace_id=render.trace_id, template_version_id=version_id, render_id=render.id
                )
        elif self._is_to_be_made_anew(known, _used(attempt)):
            with self._database.writing() as session:
                errand = certificates.retry(
                    session, name, before=known.verdict, trace_id=render.trace_id, render_id=render.id
                )
        else:
            return
        # What was known is no longer so.
        self._known.pop(name, None)
        if errand is not None:
            yield errand

    def _is_to_be_made_anew(self, known: Known, used: Mapping[str, Mapping[str, Any]]) -> bool:
        if known.verdict is Verdict.FAILED:
            return True
        if known.verdict is Verdict.PENDING:
            return False
        return (known.environment != self._environment and known.renewable) or subjects.has_changed(known.used, used)

    def _objection(self, known: Known | None, markup: str, used: Mapping[str, Mapping[str, Any]]) -> str | None:
        """Say why the fast engine must not make a document; None: it may."""
        if known is None:
            return _NOBODY_ASKED
        if known.verdict is not Verdict.CERTIFIED:
            return REASONS[known.verdict]
        if known.environment != self._environment:
            return "it was certified for other engines or fonts than this worker has"
        if subjects.has_changed(known.used, used):
            return "something that it includes has changed since it was certified"
        if demands.possible(markup) and (demanded := demands.found(markup)):
            return f"only the reference can do {demanded[0]}"
        return None

    def _look_up(self, name: str) -> Known | None:
        asked_at, known = self._known.get(name, (float("-inf"), None))
        if time.monotonic() - asked_at > KNOWN_SECONDS:
            with self._database.reading() as session:
                known = certificates.known(session, name)
            self._known[name] = (time.monotonic(), known)
            self._known.move_to_end(name)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return known


def _used(attempt: Attempt) -> dict[str, Mapping[str, Any]]:
    return {"templates": attempt.templates_used, "assets": attempt.policy.used}
