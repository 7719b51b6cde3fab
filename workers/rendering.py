"""What a rendering worker has beside Celery: built in the parent, inherited by its children, used by both."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

from billiard.pool import EX_RECYCLE
from billiard.process import current_process
from redis.exceptions import RedisError

from shared.database import DATABASE_AWAY
from shared.queues import RENDER_QUEUES
from shared.standby import Standby, dismiss, forget, name_of
from shared.tracing import logger
from workers.assets import StoredAssets
from workers.ledger import Ledger
from workers.library import StoredTemplates
from workers.limits import EX_SOFTWARE, EX_TEMPFAIL, TimeLimits, limit_memory
from workers.making import Maker
from workers.paces import Paces
from workers.shift import Shift
from workers.slate import Slate
from workers.timekeeping import Timekeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import redis

    from shared.database import Database
    from shared.errands import Errand
    from shared.renders import Wake
    from shared.settings import Settings
    from shared.signals import Ending
    from shared.storage import Storage
    from workers.assets import AssetCache
    from workers.certification.choosing import Certification
    from workers.registry import Registry

log = logger(__name__)


class RenderRoom:
    """One rendering worker."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        storage: Storage,
        registry: Registry,
        asset_cache: AssetCache,
        worker_id: str,
        queues: Iterable[str],
        children: int,
        announce: Callable[[Sequence[Ending]], None],
        ring: Callable[[Errand], bool],
        publish: Callable[[Wake], bool],
        certification: Certification,
    ) -> None:
        """Take what the worker renders with.

        Args:
            settings: The farm's settings.
            database: This process' database.
            storage: Where data is read and results are written.
            registry: The engines and recipes that work here.
            asset_cache: Where the worker keeps assets at hand.
            worker_id: The worker.
            queues: The queues that it serves.
            children: How many children it has.
            announce: Says that renders ended.
            ring: Announces what follows a render, and says whether the broker took it.
            publish: Announces a render that was given back.
            certification: Chooses the engine where the recipe leaves that open.
        """
        self._worker_id = worker_id
        self._queues = [queue for queue in RENDER_QUEUES if queue in set(queues)]
        self.slate = Slate(children)
        # A byte that parent and children share: the worker stops.
        self._stops = mmap.mmap(-1, 1)
        self._memory_bytes = settings.render_memory_bytes
        paces, timekeeper = Paces(), Timekeeper()
        limits = TimeLimits(grace=settings.render_timeout_grace, timekeeper=timekeeper)
        templates = StoredTemplates(database, limits.put_off)
        assets = StoredAssets(database, storage, asset_cache, limits.put_off)
        ledger = Ledger(
            settings=settings,
            database=database,
            templates=templates,
            assets=assets,
            paces=paces,
            worker_id=worker_id,
            queues=self._queues,
            children=children,
        )
        maker = Maker(
            settings=settings,
            storage=storage,
            registry=registry,
            templates=templates,
            limits=limits,
            certification=certification,
        )
        self._shift = Shift(
            settings=settings,
            maker=maker,
            ledger=ledger,
            paces=paces,
            slate=self.slate,
            timekeeper=timekeeper,
            certification=certification,
            announce=announce,
            ring=ring,
            publish=publish,
            is_told_to_go=lambda: self._stops[0] != 0,
        )

    def begin_child(self) -> None:
        """In a child, after the fork: accept limits, and take a line of the slate."""
        limit_memory(self._memory_bytes)
        self.slate.take_line(current_process().index)

    def work(self, client: redis.Redis) -> None:
        """In a child: work a shift. It ends the child if it is to be replaced, or if anything breaks.

        Args:
            client: The broker's Redis, connected by this child.
        """
        standby = Standby(client, queues=self._queues, name=name_of(self._worker_id, os.getpid()))
        try:
            self._shift.work(standby)
        except BaseException as error:
            # What it has taken is in the database and perhaps in no variable any more: the parent gives it back.
            log.exception("child broke")
            os._exit(EX_TEMPFAIL if isinstance(error, DATABASE_AWAY) else EX_SOFTWARE)
        if self._shift.is_over_age:
            raise SystemExit(EX_RECYCLE)

    def close(self) -> None:
        """In the parent: let no child begin with anything more."""
        self._stops[0] = 1

    def dismiss(self, client: redis.Redis, child_pids: Iterable[int]) -> None:
        """In the parent, after `close`: wake the children that stand by.

        Args:
            client: The broker's Redis, connected by the parent.
            child_pids: The children.
        """
        try:
            for pid in child_pids:
                dismiss(client, name=name_of(self._worker_id, pid))
        except RedisError as error:
            # They look up by themselves, only later.
            log.warning("children not woken", error=str(error))

    def forget(self, client: redis.Redis, child_pid: int) -> None:
        """In the parent: take a dead child off the list of those that stand by; whoever rings no longer means it."""
        try:
            forget(client, queues=self._queues, name=name_of(self._worker_id, child_pid))
        except RedisError as error:
            log.warning("dead child stands by", error=str(error))

    @property
    def queues(self) -> Sequence[str]:
        """The render queues that it serves, the most urgent one first."""
        return self._queues
