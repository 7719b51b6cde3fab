"""One request and its answer, over HTTP or HTTPS.

Each has a connection of its own, and a bound: a printer that hangs, or says a byte now and then, costs seconds, not a
worker. Whether anything can have arrived is known exactly, because connecting is a step of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.ipp.encoding import Answer, decode
from shared.ipp.errors import FIRST_ERROR, PrinterUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEFAULT_PORT = 631
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
# A device without much memory takes a document only as fast as it prints it.
DOCUMENT_SECONDS = 45.0
LARGEST_ANSWER = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """A PDF on its way to a printer.

    Attributes:
        size: Its bytes.
        chunks: All of them.
    """

    size: int
    chunks: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Connector:
    """How a printer is reached.

    Attributes:
        uri: Its ``ipp`` or ``ipps`` URI.
        verify_tls: Whether its certificate must be of an authority that this machine trusts.
        connect_seconds: The bound of connecting.
        answer_seconds: That of an answer, from its request's last byte to its own.
    """

    uri: str
    verify_tls: bool
    connect_seconds: float = CONNECT_SECONDS
    answer_seconds: float = ANSWER_SECONDS

    def exchange(self, message: bytes, document: Document | None = None) -> Answer:
        """Send a request, with the document that follows it, and return the answer.

        Raises:
            PrinterUnreachableError: There was none, or none of IPP.
        """
        connection = self._connect()
        seconds = self.answer_seconds if document is None else DOCUMENT_SECONDS
        try:
            connection.sock.settimeout(seconds)
            broken = self._send(connection, message, document)
            with _bounded(connection.sock, seconds), connection.getresponse() as response:
                body = response.read(LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            raise PrinterUnreachableError(_words(error), sent=True) from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            # Whoever refuses a request has not passed it on; an error of a server in between may come later.
            sent = response.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
            raise PrinterUnreachableError(_http_words(response.status, response.reason), sent=sent)
        try:
            answer = decode(body)
        except ValueError as error:
            raise PrinterUnreachableError(f"The answer is not understood: {error}", sent=True) from error
        if broken is not None and answer.status < FIRST_ERROR:
            raise PrinterUnreachableError(_words(broken), sent=True) from broken
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.uri)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORT
        connection = (
            http.client.HTTPSConnection(host, port, timeout=self.connect_seconds, context=_tls(verify=self.verify_tls))
            if parts.scheme == "ipps"
            else http.client.HTTPConnection(host, port, timeout=self.connect_seconds)
        )
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            connection.close()
            raise PrinterUnreachableError(_words(error), sent=False) from error
        return connection

    def _send(
        self, connection: http.client.HTTPConnection, message: bytes, document: Document | None
    ) -> OSError | None:
        """Send a request; return what broke it off, where the answer may still say why."""
        parts = urlsplit(self.uri)
        connection.putrequest("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        connection.putheader("Content-Type", "application/ipp")
        connection.putheader("Content-Length", str(len(message) + (document.size if document else 0)))
        try:
            connection.endheaders(message)
            for chunk in document.chunks if document else ():
                connection.send(chunk)
        except (BrokenPipeError, ConnectionResetError) as error:
            return error
        return None


@contextlib.contextmanager
def _bounded(connected: socket.socket, seconds: float) -> Iterator[None]:
    """Bound the time of a whole answer: that of the socket itself begins anew with every byte.

    Raises:
        TimeoutError: It took longer.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            # Not TLS's own way, which is not for two threads.
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise TimeoutError("timed out") from error
        raise
    finally:
        timer.cancel()
        # Before the socket's number may be another's.
        timer.join()
    if late.is_set():
        raise TimeoutError("timed out")


def _tls(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"The certificate is not trusted: {error.verify_message}; if it is meant to be, set certificateCheck to "
            "false"
        )
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _http_words(status: int, reason: str) -> str:
    if status == http.HTTPStatus.UPGRADE_REQUIRED:
        return "It takes encrypted connections only: use an ipps URI"
    if status == http.HTTPStatus.UNAUTHORIZED:
        return "It asks for a user and a password, which the farm does not have: let the farm print without"
    return f"It answers HTTP {status} {reason}: is the path of its URI right?"
