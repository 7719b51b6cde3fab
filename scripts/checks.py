"""What the launcher checks before it starts anything; each failure is one line that says what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SOCKET_PATH_BYTES = 107  # unix(7): sun_path has 108 bytes, the last is zero.


class RefusalError(Exception):
    """The farm cannot start or go on; the message is one line that says why and what to do."""


def claim_home(home: Path) -> int:
    """Make the home and its folders, and lock it for this farm; supervisord holds the lock as well.

    Returns:
        The lock's descriptor.

    Raises:
        RefusalError: It cannot be used, or another farm uses it.
    """
    longest = len(os.fsencode(home / "run" / "supervisor.sock")) + len(".4194304")  # supervisord adds a process' id.
    if longest > SOCKET_PATH_BYTES:
        spare = SOCKET_PATH_BYTES - longest + len(os.fsencode(home))
        raise RefusalError(
            f"The home {home} is too long a path for the sockets in it: choose one of at most {spare} bytes with --home"
        )
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in ("run", "logs"):
            (home / folder).mkdir(mode=0o700, exist_ok=True)
        lock = os.open(home / "run" / "farm.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        reason = error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
        raise RefusalError(
            f"The home {home} cannot be written ({reason}): free it, or choose another with --home"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RefusalError(f"Another farm runs in {home}: stop it, or choose another home with --home") from error
    return lock


def check_port(host: str, port: int, owner: str, option: str) -> None:
    """See whether a port can be listened on.

    Raises:
        RefusalError: It cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise RefusalError(
                f"Port {port} for {owner} is in use: stop what listens there, or choose another with {option}"
            ) from error
        raise RefusalError(
            f"Nothing can listen on {host} port {port} for {owner} ({error.strerror}): choose another with {option}"
        ) from error


def find_setpriv() -> str:
    """Return the path of the program that ends a process when its parent dies.

    Raises:
        RefusalError: There is none.
    """
    found = shutil.which("setpriv")
    if not found:
        raise RefusalError(
            "The program setpriv is missing, which ties the farm's programs together: install util-linux"
        )
    return found
