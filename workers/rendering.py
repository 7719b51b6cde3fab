"""The pipeline: claim, expand, render, store, finish. Runs in a worker's child, one render at a time."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

import stamina
from billiard.exceptions import SoftTimeLimitExceeded

from shared import aftermath, render_keys, renders
from shared.database import DATABASE_AWAY
from shared.exceptions import DataError, EngineError, PartAwayError, RenderError, TemplateError
from shared.memory import release_unused
from shared.models import TemplateVersion
from shared.renders import Cause, Loss
from shared.storage import CorruptObjectError, StorageError
from shared.tracing import bind_trace, clear_trace, logger
from workers import patience
from workers.assets import StoredAssets
from workers.attempts import Attempt, Failure, PutOff, Superseded
from workers.bounds import Bounds
from workers.fetching import FetchPolicy
from workers.library import StoredTemplates
from workers.limits import EX_TEMPFAIL, TimeLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.errands import Errand
    from shared.models import Render
    from shared.settings import Settings
    from shared.storage import Storage
    from workers.assets import AssetCache
    from workers.certification.choosing import Certification
    from workers.recipes import Document, Recipe
    from workers.registry import Registry

# From here on, what tidying up takes is little beside what the render took: half a millisecond to give memory back, a
# dozen of them to collect garbage.
NOTABLE_MILLISECONDS = 50
LARGE_MILLISECONDS = 250
# How long a claim and a finished document wait for a database that is away before they are given up.
END_SECONDS = 120
# How long a finished document waits in place for a storage that is away; then its render waits in the queue instead.
STORE_SECONDS = 20
# A time limit that struck while a render waited this long for servers says nothing about the render...
NOTABLE_WAIT_SECONDS = 1
# ... unless it happens again and again.
MOST_TIMEOUTS = 3

log = logger(__name__)


class Renderer:
    """Does the work of one child."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        storage: Storage,
        registry: Registry,
        asset_cache: AssetCache,
        worker_id: str,
        announce: Callable[[str], None],
        ring: Callable[[Errand], bool],
        certification: Certification,
    ) -> None:
        """Take what one child works with.

        Args:
            settings: The farm's settings.
            database: This process' database.
            storage: Where data is read and results are written.
            registry: The engines and recipes that work here.
            asset_cache: Where the worker keeps assets at hand.
            worker_id: The worker that this child belongs to.
            announce: Says that a render ended.
            ring: Announces what follows a render, and says whether the broker took it.
            certification: Chooses the engine where the recipe leaves that open.
        """
        self._settings = settings
        self._bounds = Bounds.of(settings)
        self._database = database
        self._storage = storage
        self._registry = registry
        self._worker_id = worker_id
        self._announce = announce
        self._ring = ring
        self._certification = certification
        self._limits = TimeLimits(grace=settings.render_timeout_grace)
        self._templates = StoredTemplates(database, self._limits.put_off)
        self._assets = StoredAssets(database, storage, asset_cache, self._limits.put_off)

    def render(self, render_id: str) -> None:
        """Do one render, if it can be claimed; its end is in the row, never in an exception."""
        self._limits.begin()
        attempt = self._claim(render_id)
        if attempt is None:
            log.debug("nothing to claim", render_id=render_id)
            return
        bind_trace(attempt.render.trace_id, render_id=render_id)
        try:
            made = self._make(attempt)
            end = made if not isinstance(made, Superseded) and self._write_end(attempt, made) else Superseded()
            if not isinstance(end, PutOff):
                self._announce(render_id)
            if isinstance(end, renders.Result):
                self._remove_lost_attempts(attempt, end)
            else:
                self._discard(attempt)
                if isinstance(end, Superseded):
                    self._let_go(attempt)
            # After whoever waits for the document; what is not rung for now is found by the caretaker.
            all(map(self._ring, attempt.errands))
            self._write_line(attempt, end)
            if isinstance(end, renders.Result):
                self._certification.after(attempt)
            _tidy_up(attempt.stopwatch.spent.get("engine", 0))
        finally:
            clear_trace()

    def _claim(self, render_id: str) -> Attempt | None:
        """Claim a render, waiting for a database that is away: a message that is dropped is announced late."""
        began = time.monotonic()
        for again in stamina.retry_context(on=DATABASE_AWAY, attempts=None, timeout=END_SECONDS, wait_max=4):
            with again, self._limits.put_off():
                return self._claim_once(render_id, began=began, is_again=again.num > 1)
        raise AssertionError("unreachable")

    def _claim_once(self, render_id: str, *, began: float, is_again: bool) -> Attempt | None:
        grace, worker_id, pid = self._settings.render_timeout_grace, self._worker_id, os.getpid()
        with self._database.writing() as session:
            render = renders.claim(session, render_id, worker_id=worker_id, child_pid=pid, grace=grace)
            if render is None and is_again:
                # The connection may have broken after the commit: then this child has it, and does not know.
                render = renders.held_by_child(session, render_id, worker_id=worker_id, child_pid=pid)
            if render is None:
                return None
            content = render.content
            if content is None:
                version = session.get_one(TemplateVersion, render.template_version_id)
                content = version.content
        attempt = Attempt(render, content, FetchPolicy(self._assets), began)
        if render.started_at is not None:
            attempt.stopwatch.spent["queue"] = round((render.started_at - render.queued_at).total_seconds() * 1000)
        return attempt

    def _make(self, attempt: Attempt) -> renders.Result | Failure | PutOff | Superseded:
        """Make and store the document, or say why there is none."""
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
            with attempt.stopwatch.stage("store"):
                return self._store(attempt, recipe, document) if self._still_counts(attempt) else Superseded()
        except (StorageError, PartAwayError, *DATABASE_AWAY) as error:
            return self._waiting(attempt, error)
        except Exception as error:  # noqa: BLE001  # Whatever it is: it is this render's end, and not the child's.
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

    def _write_end(self, attempt: Attempt, end: renders.Result | Failure | PutOff) -> bool:
        """Write how an attempt ended, waiting for a database that is away; False when it no longer counts."""
        try:
            for again in stamina.retry_context(on=DATABASE_AWAY, attempts=None, timeout=END_SECONDS, wait_max=8):
                with again:
                    with self._database.writing() as session:
                        won = self._end(session, attempt, end)
                    attempt.errands = aftermath.errands(session)
                    return won
        except DATABASE_AWAY:
            # The parent sees this child die, and gives back what it held when the database is there again.
            log.exception("end of a render not written")
            os._exit(EX_TEMPFAIL)
        raise AssertionError("unreachable")

    def _end(self, session: Session, attempt: Attempt, end: renders.Result | Failure | PutOff) -> bool:
        render = attempt.render
        if isinstance(end, renders.Result):
            return renders.succeed(session, render.id, attempt=render.attempt, result=end)
        if isinstance(end, PutOff):
            return renders.give_back(session, render, cause=end.cause, reason=end.reason, seconds=end.seconds)
        return renders.fail(
            session,
            render.id,
            attempt=render.attempt,
            cause=end.cause,
            error=end.error,
            line=end.line,
            timings=attempt.stopwatch.spent,
        )

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

    def _data(self, render: Render) -> dict[str, Any]:
        text: str | bytes | None = render.data
        if render.data_key:
            try:
                with self._limits.put_off():
                    text = self._storage.get(render.data_key)
            except FileNotFoundError as error:
                raise DataError("The data of this render is no longer in storage; submit it again") from error
            except CorruptObjectError as error:
                raise DataError("The stored data of this render was damaged; submit it again") from error
        data = json.loads(text) if text else {}
        if not isinstance(data, dict):
            raise DataError(f"The data is a JSON {type(data).__name__}: expected an object")
        return data

    def _still_counts(self, attempt: Attempt) -> bool:
        """Look before storing: an attempt given up long ago could write where another report's document lies now.

        One that began so short a time ago that no worker counted as dead meanwhile was given to nobody, save by a
        worker that stops, and kills this child in the same moment.
        """
        if attempt.age < self._settings.worker_dead_after:
            return True
        try:
            with self._database.reading() as session:
                return renders.holds(session, attempt.render.id, attempt=attempt.render.attempt)
        except DATABASE_AWAY:
            # Its end is waited for, and written only if it counts.
            return True

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

    def _remove_lost_attempts(self, attempt: Attempt, result: renders.Result) -> None:
        """Remove what earlier attempts may have stored before they were lost."""
        render = attempt.render
        for earlier in range(1, render.attempt):
            key = render_keys.blob_key(render.blob_stem, attempt=earlier, extension=result.extension)
            self._remove(key)

    def _discard(self, attempt: Attempt) -> None:
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

    def _let_go(self, attempt: Attempt) -> None:
        try:
            with self._database.writing() as session:
                renders.let_go(session, attempt.render.id, attempt=attempt.render.attempt)
        except DATABASE_AWAY as error:
            # The attempt's deadline says the same, only later.
            log.warning("cancelled render not let go", error=str(error))

    def _remove(self, key: str) -> None:
        try:
            self._storage.delete(key)
        except StorageError as error:
            log.warning("object of a lost attempt not removed", key=key, error=str(error))

    def _write_line(self, attempt: Attempt, end: renders.Result | Failure | PutOff | Superseded) -> None:
        render = attempt.render
        facts: dict[str, Any]
        if isinstance(end, renders.Result):
            facts = {"outcome": "succeeded", "pages": end.pages, "bytes": end.size, "object": end.blob_key}
        elif isinstance(end, Failure):
            facts = {"outcome": "failed", "cause": str(end.cause), "error": end.error, "line": end.line}
        elif isinstance(end, PutOff):
            facts = {"outcome": "put off", "cause": str(end.cause), "error": end.reason, "seconds": end.seconds}
        else:
            facts = {"outcome": "superseded"}
        log.info(
            "render",
            **facts,
            recipe=render.recipe,
            **({} if attempt.choice is None else {"made_with": attempt.choice.made_with}),
            engine=render.engine,
            queue=render.queue,
            attempt=render.attempt,
            refused_urls=len(attempt.policy.refused),
            **{f"{stage}_ms": spent for stage, spent in attempt.stopwatch.spent.items()},
        )


def _tidy_up(milliseconds: int) -> None:
    """Give back what a layout left behind and the next document may never need: some 60 MB after a long one."""
    if milliseconds > LARGE_MILLISECONDS:
        gc.collect()
    if milliseconds > NOTABLE_MILLISECONDS:
        release_unused()


def _used(attempt: Attempt) -> dict[str, dict[str, Any]] | None:
    used: dict[str, dict[str, Any]] = {"templates": attempt.templates_used, "assets": attempt.policy.used}
    if attempt.choice is not None:
        used["madeWith"] = attempt.choice.made_with
    return {kind: found for kind, found in used.items() if found} or None
