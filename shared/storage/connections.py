"""How long an S3 server is waited for, and how often it is asked again."""

from __future__ import annotations

from typing import Any

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

CONNECT_SECONDS = 3
READ_SECONDS = 30
# For a whole body, which is sent a second time when that did not do; 64 MiB then ask for 12 Mbit/s.
SEND_SECONDS = 45
# Where somebody waits for the answer, a server that hangs is given up within twice these.
HASTY_READ_SECONDS = 10
HASTY_SEND_SECONDS = 20
# A readiness probe gives up long before the transfer of a document does.
PING_SECONDS = 3
# Connections kept for reuse; more are opened when more threads ask, and closed afterwards.
KEPT_CONNECTIONS = 32

# Twice 3 seconds, so that a server nobody hears of is known to be dead after about 6.
_RETRIES = urllib3.Retry(
    connect=1, read=1, status=2, redirect=0, status_forcelist=(500, 502, 503, 504), backoff_factor=0.2
)


class _PatientConnection(HTTPConnection):
    """A connection whose time to connect does not also limit how long a body takes to send.

    urllib3 leaves the connect timeout on the socket while it sends, and Python counts that timeout against a whole
    ``sendall``: in 3 seconds, a slow line carries no document. TLS sends piece by piece and needs no such help.
    """

    send_seconds = SEND_SECONDS

    def endheaders(self, *arguments: Any, **options: Any) -> None:
        super().endheaders(*arguments, **options)
        if self.sock is not None:
            self.sock.settimeout(self.send_seconds)


class _HastyConnection(_PatientConnection):
    send_seconds = HASTY_SEND_SECONDS


class _PatientPool(HTTPConnectionPool):
    ConnectionCls = _PatientConnection


class _HastyPool(HTTPConnectionPool):
    ConnectionCls = _HastyConnection


def patient() -> urllib3.PoolManager:
    """Return the connections of work that nobody waits for."""
    return _pool(_PatientPool, urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS), _RETRIES)


def hasty() -> urllib3.PoolManager:
    """Return the connections of whoever answers somebody: a server that hangs is asked once more, and given up."""
    once = _RETRIES.new(total=1, status=1)
    return _pool(_HastyPool, urllib3.Timeout(connect=CONNECT_SECONDS, read=HASTY_READ_SECONDS), once)


def probing() -> urllib3.PoolManager:
    """Return the connections of a probe."""
    return _pool(_HastyPool, urllib3.Timeout(connect=PING_SECONDS, read=PING_SECONDS), urllib3.Retry(total=0))


def _pool(http: type[HTTPConnectionPool], timeout: urllib3.Timeout, retries: urllib3.Retry) -> urllib3.PoolManager:
    pool = urllib3.PoolManager(timeout=timeout, retries=retries, maxsize=KEPT_CONNECTIONS)
    pool.pool_classes_by_scheme = {"http": http, "https": HTTPSConnectionPool}
    return pool
