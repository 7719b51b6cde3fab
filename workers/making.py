"""The making of one document: expand the template, lay out, store. How it ended is returned, never raised."""

from __future__ import annotations

import gc
import hashlib
import json
from typing import TYPE_CHECKING, Any

import stamina
from billiard.exceptions import SoftTimeLimitExceeded
from pydantic_core import from_json

from shared import render_keys, renders
from shared.database import DATABASE_AWAY
from shared.exceptions import DataError, EngineError, PartAwayError, RenderError, TemplateError
from shared.memory import release_unused
from shared.renders import Cause, Loss
from shared.storage import CorruptObjectError, StorageError
from shared.tracing import logger
from workers import patience
from workers.attempts import Attempt, Failure, PutOff
from workers.bounds import Bounds

if TYPE_CHECKING:
    from shared.renders import Claimed
    from shared.settings import Settings
    from shared.storage import Storage
    from workers.certification.choosing import Certification
    from workers.library import StoredTemplates
    from workers.limits import TimeLimits
    from workers.recipes import Document, Recipe
    from workers.registry import Registry

# From here on, what tidying up takes is little beside what the render took: half a millisecond to give memory back, a
# dozen of them to collect garbage.
NOTABLE_SECONDS = 0.05
LARGE_SECONDS = 0.25
# How long a finished document waits in place for a storage that is away; then its render waits in the queue instead.
STORE_SECONDS = 20
# A time limit that struck while a render waited this long for servers says nothing about the render...
NOTABLE_WAIT_SECONDS = 1
# ... unless it happens again and again.
MOST_TIMEOUTS = 3

log = logger(__name__)


class Maker:
    """Makes and stores documents in one child."""

    def __init__(
        self,
        *,
        settings: Settings,
        storage: Storage,
        registry: Registry,
        templates: StoredTemplates,
        limits: TimeLimits,
        certification: Certification,
    ) -> None:
        """Take what documents are made with.

        Args:
            settings: The farm's settings.
            storage: Where data is read and results are written.
            registry: The engines and recipes that work here.
            templates: The templates that a template may include.
            limits: The child's time limits.
            certification: Chooses the engine where the recipe leaves that open.
        """
        self._settings = settings
        self._bounds = Bounds.of(settings)
        self._storage = storage
        self._registry = registry
        self._templates = templates
        self._limits = limits
        self._certification = certification

    def make(self, attempt: Attempt) -> Document | Failure | PutOff:
        """Make the document, or say why there is none."""
        self._limits.begin()
        try:
            recipe = self._recipe(attempt.render.recipe)
            # Only what the document's own code may draw out: the template and the layout.
            with self._limits.armed(attempt.render.timeout), attempt.policy.enforced():
                with attempt.stopwatch.stage("template"):
                    markup = self._expand(attempt, recipe)
                with attempt.stopwatch.stage("engine"):
                    recipe = self._certification.engine_for(attempt, recipe, markup, untorn=self._limits.put_off)
                    document = recipe.render(markup, policy=attempt.policy, bounds=self._bounds)
                    self._bounds.check(document)
        except Exception as error:  # noqa: BLE001  # Whatever it is: it is this render's end, and not the child's.
            return self._ended(attempt, error)
        return document

    def store(self, attempt: Attempt, document: Document) -> renders.Result | Failure | PutOff:
        """Store what was made; threads may do so while the next document is made."""
        try:
            with attempt.stopwatch.stage("store"):
                return self._store(attempt, self._recipe(attempt.render.recipe), document)
        except Exception as error:  # noqa: BLE001  # The same.
            return self._ended(attempt, error)

    def tidy_up(self, seconds: float) -> None:
        """Give back what a layout left behind and the next may never need: some 60 MB after a long document.

        Args:
            seconds: How long the layout took.
        """
        if seconds > LARGE_SECONDS:
            gc.collect()
        if seconds > NOTABLE_SECONDS:
            release_unused()

    def remove_lost_attempts(self, attempt: Attempt, result: renders.Result) -> None:
        """Remove what earlier attempts may have stored before they were lost."""
        render = attempt.render
        for earlier in range(1, render.attempt):
            key = render_keys.blob_key(render.blob_stem, attempt=earlier, extension=result.extension)
            try:
                self._storage.delete(key)
            except StorageError as error:
                log.warning("object of a lost attempt not removed", key=key, error=str(error))

    def discard(self, attempt: Attempt) -> None:
        """Remove the object of an attempt that does not count; its key is this attempt's alone.

        Unless it slept so long that its report was removed and another was given the same blobName.
        """
        key = attempt.stored_key
        if key is None:
            return
        try:
            if self._storage.stat(key).metadata.get("render-id") == attempt.render.id:
                self._storage.delete(key)
        except FileNotFoundError:
            pass
        except StorageError as error:
            log.warning("object of a superseded attempt not removed", key=key, error=str(error))

    def _ended(self, attempt: Attempt, error: Exception) -> Failure | PutOff:
        if isinstance(error, (StorageError, PartAwayError, *DATABASE_AWAY)):
            return self._waiting(attempt, error)
        return self._failed(attempt, error)

    def _failed(self, attempt: Attempt, error: Exception) -> Failure | PutOff:
        """Say why there is no document."""
        if isinstance(error, SoftTimeLimitExceeded):
            return self._timed_out(attempt)
        if isinstance(error, MemoryError):
            limit = self._settings.render_memory_bytes
            return Failure(Cause.MEMORY, f"The render needed more memory than the {limit} bytes it may use")
        if isinstance(error, RenderError):
            return Failure(Cause(error.cause), error.message, error.line)
        # The person who sent the document sees no internals; the operator finds them here by the trace id.
        log.error("render broke", exc_info=error)
        return Failure(Cause.ENGINE, "The engine broke on this document; the log says more by the trace id")

    def _timed_out(self, attempt: Attempt) -> Failure | PutOff:
        struck = sum(one.get("cause") == Loss.TIMEOUT for one in attempt.render.losses)
        if self._limits.waited < NOTABLE_WAIT_SECONDS or struck + 1 >= MOST_TIMEOUTS:
            return Failure(Cause.TIMEOUT, renders.too_long(attempt.render))
        reason = f"the time limit struck, but {self._limits.waited:.0f} s of it were spent waiting for a server"
        return PutOff(Loss.TIMEOUT, reason, 0)

    def _waiting(self, attempt: Attempt, error: Exception) -> Failure | PutOff:
        """Let a render wait for a part of the farm; or say that it waits in vain, if that part does answer."""
        if isinstance(error, PartAwayError):
            cause, reason = Loss(error.part), error.message
        elif isinstance(error, StorageError):
            cause, reason = Loss.STORAGE, str(error)
        else:
            cause, reason = Loss.DATABASE, f"the database was away ({type(error).__name__})"
        before = sum(one.get("cause") == cause for one in attempt.render.losses)
        if cause is Loss.STORAGE and patience.is_in_vain(self._storage, before):
            log.warning("storage refuses a document", reason=reason)
            return Failure(Cause.STORAGE, f"The storage answers, but did not take this render's objects: {reason}")
        return PutOff(cause, reason, patience.delay(before))

    def _recipe(self, name: str) -> Recipe:
        recipe = self._registry.recipes.get(name)
        if recipe is None:
            reason = self._registry.states.get(name, "it is not installed there")
            raise EngineError(f"Recipe {name!r} does not work on the worker that took this render: {reason}")
        return recipe

    def _expand(self, attempt: Attempt, recipe: Recipe) -> str:
        render = attempt.render
        engine = self._registry.engines.get(render.engine)
        if engine is None:
            raise TemplateError(
                f"Templating engine {render.engine!r} is not installed on the worker that took this render"
            )
        library = self._templates.opened()
        attempt.templates_used = library.used
        return engine.expand(
            attempt.content,
            self._data(render),
            markup=recipe.markup,
            locale=self._settings.locale,
            library=library,
            read_asset=attempt.policy.read_asset,
            most_bytes=self._bounds.markup_bytes,
        )

    def _data(self, render: Claimed) -> dict[str, Any]:
        text: str | bytes | None = render.data
        if render.data_key:
            try:
                with self._limits.put_off():
                    text = self._storage.get(render.data_key)
            except FileNotFoundError as error:
                raise DataError("The data of this render is no longer in storage; submit it again") from error
            except CorruptObjectError as error:
                raise DataError("The stored data of this render was damaged; submit it again") from error
        data = _read(text) if text else {}
        if not isinstance(data, dict):
            raise DataError(f"The data is a JSON {type(data).__name__}: expected an object")
        return data

    def _store(self, attempt: Attempt, recipe: Recipe, document: Document) -> renders.Result:
        render = attempt.render
        key = render_keys.blob_key(render.blob_stem, attempt=render.attempt, extension=recipe.extension)
        # Known before it is written: an attempt that dies in between must still be able to clean up after itself.
        attempt.stored_key = key
        sha256 = hashlib.sha256(document.content).hexdigest()
        for again in stamina.retry_context(on=StorageError, attempts=None, timeout=STORE_SECONDS, wait_max=4):
            with again:
                self._storage.put(
                    key,
                    document.content,
                    media_type=recipe.media_type,
                    metadata={"trace-id": render.trace_id, "render-id": render.id, "attempt": str(render.attempt)},
                    sha256=sha256,
                )
        return renders.Result(
            blob_key=key,
            media_type=recipe.media_type,
            extension=recipe.extension,
            size=len(document.content),
            sha256=sha256,
            pages=document.pages,
            timings=attempt.stopwatch.spent,
            warnings=list(attempt.policy.refused),
            used=_used(attempt),
        )


def _read(text: str | bytes) -> Any:
    try:
        return from_json(text)
    except ValueError:
        # Half of a surrogate pair, which it refuses, and which the template's text may leave out.
        return json.loads(text)


def _used(attempt: Attempt) -> dict[str, dict[str, Any]] | None:
    used: dict[str, dict[str, Any]] = {"templates": attempt.templates_used, "assets": attempt.policy.used}
    if attempt.choice is not None:
        used["madeWith"] = attempt.choice.made_with
    return {kind: found for kind, found in used.items() if found} or None
