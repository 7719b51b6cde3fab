"""What the test of a fault asks at its end: every accepted render has ended once, well, and with one object."""

from __future__ import annotations

import contextlib
import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import requests
from farms import eventually
from sqlalchemy import select

from shared import verification
from shared.database import Database
from shared.models import Render, Report, RetiredObject
from shared.renders import State
from shared.storage.filesystem import FilesystemStorage

if TYPE_CHECKING:
    from farms import Farm

    from shared.storage import Storage

WORK = "{%% for a in range(%d) %%}{%% for b in range(99999) %%}{%% endfor %%}{%% endfor %%}"
# About as many turns of the outer loop take a second.
TURNS = 60

numbers = itertools.count(1)


@dataclass(frozen=True)
class Accepted:
    """One render that the farm promised to do."""

    id: str
    text: str
    blob_name: str
    status_url: str


class Ledger:
    """The renders that a farm accepted from one test.

    Args:
        farm: Whom to ask.
        database: The farm's own, not through what is broken.
        storage: The same.
    """

    def __init__(self, farm: Farm, database: Database, storage: Storage) -> None:
        self.farm = farm
        self.database = database
        self.storage = storage
        self.accepted: list[Accepted] = []

    def submit(self, count: int = 1, *, work: float = 0, padding: int = 0, **options: object) -> list[Accepted]:
        """Submit renders, each of which has to be accepted.

        Args:
            count: How many.
            work: About how many seconds each of them takes.
            padding: Bytes of data that it has besides its number.
            options: More of the request's ``options``.
        """
        new = [self._submit(f"number {next(numbers):04}", work, padding, options) for _ in range(count)]
        self.accepted.extend(new)
        return new

    def _submit(self, text: str, work: float, padding: int, options: dict[str, object]) -> Accepted:
        template = {"content": WORK % int(work * TURNS) + "{{ text }}", "recipe": "text"}
        blob_name = text.replace(" ", "-")
        wish = {"async": True, "blobName": blob_name}
        answer = self.farm.report(template, {"text": text, "padding": "x" * padding}, reports=wish, **options)
        assert answer.status_code == 200, answer.text
        return self.find(text, blob_name)

    def find(self, text: str, blob_name: str) -> Accepted:
        """Return a render whose acceptance need not have been heard."""
        with self.database.reading() as session:
            report = session.scalars(select(Report).where(Report.blob_name == blob_name)).one()
        return Accepted(report.render_id, text, blob_name, f"{self.farm.base}/reports/{report.id}/status")

    def row(self, one: Accepted) -> Render:
        with self.database.reading() as session:
            return session.get_one(Render, one.id)

    def until(self, state: State, ones: list[Accepted], *, seconds: float = 60, least: int | None = None) -> None:
        """Wait until all of some renders, or at least so many, are in a state."""
        wanted = len(ones) if least is None else least

        def look() -> bool:
            with self.database.reading() as session:
                states = session.scalars(select(Render.state).where(Render.id.in_([one.id for one in ones]))).all()
            return states.count(state) >= wanted

        eventually(look, seconds=seconds, every=0.02, what=f"{state} of {wanted} renders")

    def until_begun(self, ones: list[Accepted]) -> None:
        """Wait until all of some renders were taken; some may have ended since."""
        eventually(
            lambda: all(self.row(one).attempt for one in ones),
            seconds=60,
            every=0.02,
            what=f"the beginning of {len(ones)}",
        )

    def until_running(self, ones: list[Accepted]) -> None:
        """Wait until one of some renders is worked on."""
        self.until(State.RUNNING, ones, least=1)

    def settle(self, *, seconds: float = 90) -> None:
        """Wait for the end of all, and look at everything that is promised of it."""
        for one in self.accepted:
            self._ended_well(one, seconds)
        for one in self.accepted:
            what = f"{one.text} to have one object, of {self._objects(one)}"
            eventually(lambda one=one: self._objects(one) == [self.row(one).blob_key], what=what)
        names = [name for one in self.accepted for name in (one.id, one.blob_name)]
        wrong = amiss(self.database, self.storage, names)
        assert not wrong, wrong

    def _objects(self, one: Accepted) -> list[str]:
        """Return what there is of a render, without what the farm knows that it has to remove."""
        with self.database.reading() as session:
            noted = set(session.scalars(select(RetiredObject.key)))
        return [key for key in self.storage.keys(f"reports/{one.blob_name}") if key not in noted]

    def _ended_well(self, one: Accepted, seconds: float) -> None:
        def look() -> requests.Response | None:
            # A gateway that is away, or says that something else is, is asked again, as clients do.
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                answer = self.farm.get(one.status_url, timeout=20)
                return None if answer.status_code in {200, 503} else answer
            return None

        done = eventually(look, seconds=seconds, every=0.1, what=f"the end of {one.text}")
        assert (done.status_code, done.headers["Report-State"]) == (201, "success"), (done.text, self.row(one).losses)
        document = self.farm.get(done.headers["Location"])
        assert (document.status_code, document.text) == (200, one.text)


def amiss(database: Database, storage: Storage, names: list[str]) -> list[str]:
    """Return what is wrong between rows, objects and their contents, in lines that have one of some names."""
    lines: list[str] = []
    # None is too new to be judged.
    verification.verify(database, storage, grace=-5, say=lines.append)
    return [line for line in lines if any(name in line for name in names)]


class Supervisor:
    """Starts each of a farm's processes again when it has ended, as the product's own does."""

    def __init__(self, farm: Farm) -> None:
        self.restarted: list[str] = []
        self._farm = farm
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            for name in [name for name, process in self._farm.processes.items() if process.poll() is not None]:
                self.restarted.append(name)
                arguments, environment = self._farm.started[name]
                self._farm.run(name, *arguments, **environment)


def folder_ledger(farm: Farm) -> Ledger:
    """Return a ledger of a farm that stores in a folder."""
    url = farm.environment.get("PRESSROOM_DATABASE_URL", f"sqlite:///{farm.home / 'pressroom.db'}")
    return Ledger(farm, Database(url), FilesystemStorage(farm.home / "blobs"))
