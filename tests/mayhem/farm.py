"""The farms that are struck: one of many parts on real servers, and the embedded one that scripts/up runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import requests
from farms import PRESSROOM, QUICK, eventually
from minio import Minio
from services import LOOPBACK, Postgres, SeaweedFS, Server, Valkey, free_ports

from mayhem.network import SERVERS, Network
from mayhem.paper import Paper
from mayhem.parts import Part, Supervisor, together

if TYPE_CHECKING:
    from collections.abc import Iterable

RENDERING = "render.high,render,render.bulk"
SMALL = "thumbnail,print,webhook,maintenance"
NODES = ("render1", "render2")
BUCKET = "pressroom"
OURS = ("PRESSROOM_", "REPORTS_CLEAN_", "PURGE_HISTORY_")
# The product's own, but for the sweeps: in a run of minutes they are to come by.
SETTINGS = {"PRESSROOM_SWEEP_INTERVAL": "10"}
DEAD_AFTER = 15.0
# Eight processes begin at once.
READY_SECONDS = 120


class StartError(Exception):
    """Raised when a farm does not start; the text says why, and where its logs are."""


class Farm:
    """A running farm, from the block's beginning to its end.

    Attributes:
        parts: Its processes by name.
        gateways: The addresses of its gateways.
        network: What its nodes hang on, if there is one.
        paper: The printers, if there are any.
        dead_after: Seconds of silence after which it takes a worker for dead.
        folder: Where all of it is; removed at the end unless `keep` was called.
    """

    def __init__(self, *, quick: bool, network: Network | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pressroom-chaos-"))
        self.network = network
        self.paper: Paper | None = None
        self.dead_after = float(QUICK["PRESSROOM_WORKER_DEAD_AFTER"]) if quick else DEAD_AFTER
        self.parts: dict[str, Part] = {}
        self.gateways: list[str] = []
        self.servers: dict[str, Server] = {}
        self.settings = {**SETTINGS, **(QUICK if quick else {})}
        self._kept = False
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except AssertionError as error:
            self.keep()
            self.__exit__()
            raise StartError(f"The farm did not start: {error}\nIts logs: {self.folder}") from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept:
            for name, server in self.servers.items():
                with contextlib.suppress(OSError):
                    shutil.copy(server.log_path, self.folder / f"{name}.log")
        self._running.close()
        if not self._kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self) -> Path:
        """Leave the logs where they are, and return where that is."""
        self._kept = True
        return self.folder

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product on the farm, as its operator would."""
        return subprocess.run(
            [PRESSROOM, *arguments],
            env=self.environment(self.folder / "operator"),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment of a process whose home is there."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        # What killed workers leave in there goes with the farm.
        return {**kept, **self.settings, "TMPDIR": str(self.folder / "tmp"), "PRESSROOM_HOME": str(home)}

    def keys(self, folder: str) -> Iterable[str]:
        """Return the keys of all objects in a folder of the store."""
        raise NotImplementedError

    def content(self, key: str) -> bytes:
        """Return an object of the store."""
        raise NotImplementedError

    @property
    def database_url(self) -> str:
        """Where the rows are."""
        raise NotImplementedError

    def _start_servers(self) -> None:
        """Start what the processes need."""

    def _add_parts(self) -> None:
        raise NotImplementedError

    def _start(self) -> None:
        self.paper = self._running.enter_context(Paper.where_possible())
        self._start_servers()
        for name in ("operator", "tmp"):
            (self.folder / name).mkdir()
        migrated = self.command("migrate")
        if migrated.returncode:
            raise AssertionError(f"The database could not be migrated:\n{migrated.stderr}")
        self._add_parts()
        self._running.enter_context(Supervisor(list(self.parts.values())))
        eventually(self._is_ready, seconds=READY_SECONDS, every=0.2, what="the farm's readiness")

    def _add(self, name: str, *arguments: str, home: Path | None = None, **settings: str) -> None:
        home = home or self.folder / name
        home.mkdir(exist_ok=True)
        inside = self.network.inside(name) if self.network and name in self.network.nodes else []
        environment = self.environment(home) | settings
        self.parts[name] = Part(name, [*inside, PRESSROOM, "run", *arguments], environment, home)

    def _add_gateway(self, name: str, home: Path | None = None) -> None:
        [port] = free_ports(1)
        self._add(name, "gateway", home=home, PRESSROOM_PORT=str(port))
        self.gateways.append(f"http://{LOOPBACK}:{port}")

    def _is_ready(self) -> bool:
        rendering = sum(name.startswith("render") for name in self.parts)
        with contextlib.suppress(requests.RequestException):
            answers = [requests.get(f"{one}/readyz", timeout=10) for one in self.gateways]
            return all(
                answer.status_code == requests.codes.ok and answer.json()["parts"]["workers"]["rendering"] == rendering
                for answer in answers
            )
        return False


class ScaledFarm(Farm):
    """PostgreSQL, Valkey, an S3 server, and two of everything else; the render workers on nodes of their own."""

    def _start_servers(self) -> None:
        # Its own protection lets only the loopback in; the rack's network has no way in from outside.
        database, broker, storage = Postgres(), Valkey("--protected-mode", "no"), SeaweedFS()
        self.servers = {"database": database, "broker": broker, "storage": storage}
        for server in self.servers.values():
            if self.network is not None:
                server.host = SERVERS
        together([partial(self._running.enter_context, server) for server in self.servers.values()])
        self._database_url: str = database.url()
        self.settings |= {
            "PRESSROOM_DATABASE_URL": self._database_url,
            "PRESSROOM_BROKER_URL": broker.url,
            **storage.settings(BUCKET),
        }
        self._store = Minio(storage.endpoint, storage.access_key, storage.secret_key, secure=False, region="us-east-1")

    def _add_parts(self) -> None:
        for node in NODES:
            self._add(node, "worker", "--queues", RENDERING, "--children", "2", "--name", node)
        for number in (1, 2):
            small = f"small{number}"
            self._add(small, "worker", "--queues", SMALL, "--threads", "4", "--name", small)
            self._add(f"beat{number}", "beat")
            self._add_gateway(f"gateway{number}")

    @property
    def database_url(self) -> str:
        return self._database_url.replace("postgresql:", "postgresql+psycopg:")

    def keys(self, folder: str) -> Iterable[str]:
        return [str(one.object_name) for one in self._store.list_objects(BUCKET, prefix=folder, recursive=True)]

    def content(self, key: str) -> bytes:
        answer = self._store.get_object(BUCKET, key)
        try:
            return bytes(answer.read())
        finally:
            answer.close()
            answer.release_conn()


class EmbeddedFarm(Farm):
    """SQLite, the embedded Valkey and a folder: what scripts/up runs, one process of each kind, one home."""

    def _add_parts(self) -> None:
        home = self.folder / "home"
        self._add("broker", "broker", home=home)
        self._add("render1", "worker", "--queues", RENDERING, "--children", "2", "--name", "render", home=home)
        self._add("small1", "worker", "--queues", SMALL, "--threads", "4", "--name", "small", home=home)
        self._add("beat1", "beat", home=home)
        self._add_gateway("gateway1", home)

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment of a process: all share one home."""
        (self.folder / "home").mkdir(exist_ok=True)
        return super().environment(self.folder / "home")

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder / 'home' / 'pressroom.db'}"

    def keys(self, folder: str) -> Iterable[str]:
        return [
            path.relative_to(self._blobs).as_posix() for path in (self._blobs / folder).rglob("*") if path.is_file()
        ]

    def content(self, key: str) -> bytes:
        return (self._blobs / key).read_bytes()

    @property
    def _blobs(self) -> Path:
        return self.folder / "home" / "blobs"
