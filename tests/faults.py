"""Faults of a network and of an S3 server, in front of real ones, and hooks in a farm's own processes.

A proxy listens on a free port of the loopback. Nothing of it is random: a test says what goes wrong, and when it ends.
"""

from __future__ import annotations

import contextlib
import enum
import http.client
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self

from farms import eventually
from services import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Collection

# `sitecustomize` in this folder is run by every Python process that has it in its PYTHONPATH.
HOOKS = Path(__file__).parent / "chaos" / "hooks"
CHUNK_BYTES = 64 * 1024
SERVER_SECONDS = 60
# Closing with it sends a reset instead of a farewell.
RESET = struct.pack("ii", 1, 0)


class Wire:
    """A proxy of TCP connections.

    Args:
        port: Where the real server listens, on the loopback.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._delay = 0.0
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._severed: set[socket.socket] = set()
        self._refusing = False
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._refusing = True
        with contextlib.suppress(OSError):
            # Wakes the thread that accepts.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._reset_all()
        self._flowing.set()

    def cut(self) -> None:
        """Reset every connection, and each new one."""
        self._refusing = True
        self._reset_all()

    def blackhole(self) -> None:
        """Let nothing through until it is healed. Connections stay open, and new ones are taken."""
        self._flowing.clear()

    def forget(self) -> None:
        """Let nothing through on the connections that there are, for ever, as a router does that lost its memory."""
        with self._lock:
            self._severed |= self._open

    def delay(self, seconds: float) -> None:
        """Let every piece of what is sent, in both directions, arrive so much later."""
        self._delay = seconds

    def fail_over(self, port: int) -> None:
        """Reset every connection; new ones go to another server."""
        self._target = port
        self._reset_all()

    def heal(self) -> None:
        self._refusing, self._delay = False, 0.0
        self._flowing.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                _reset(client)
                continue
            with self._lock:
                self._open.add(client)
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self._flowing.wait()
        try:
            server = socket.create_connection((LOOPBACK, self._target))
        except OSError:
            _reset(client)
            return
        with self._lock:
            self._open.add(server)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        # Either end may be reset at any time, also before this begins.
        with contextlib.suppress(OSError):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while chunk := source.recv(CHUNK_BYTES):
                self._flowing.wait()
                if self._delay:
                    time.sleep(self._delay)
                if source not in self._severed:
                    sink.sendall(chunk)
        # Whoever ended it, a severed connection's other end does not hear of it.
        if source not in self._severed:
            self._close(source, sink)

    def _close(self, *ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._open.discard(end)
            end.close()

    def _reset_all(self) -> None:
        with self._lock:
            ends, self._open, self._severed = self._open, set(), set()
        for end in ends:
            _reset(end)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        # Wakes the thread that reads from it, which a bare close does not.
        end.shutdown(socket.SHUT_RD)
    end.close()


class Fault(enum.Enum):
    """What goes wrong with an HTTP request."""

    DOWN = "its connection is closed without a word"
    UNAVAILABLE = "503"
    SLOW = "it takes long"
    HELD_BEFORE = "it reaches the server when the fault is over"
    HELD_AFTER = "the server does it, and its answer goes out when the fault is over"
    HALF_SENT = "the connection ends in the middle of its body"
    HALF_ANSWERED = "the connection ends in the middle of the answer's body"
    FLIPPED = "one bit of its body changes on the way"
    WRONG_ETAG = "the answer names another content's hash"


@dataclass
class Trouble:
    """One fault, and the requests that it strikes."""

    fault: Fault
    methods: Collection[str]
    containing: str
    times: float
    seconds: float
    over: threading.Event = field(default_factory=threading.Event)
    struck: int = 0


class Front:
    """A proxy of HTTP requests.

    Args:
        endpoint: The real server, as ``host:port``.
    """

    def __init__(self, endpoint: str) -> None:
        self._target = endpoint
        self._lock = threading.Lock()
        self._trouble: Trouble | None = None
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __getattr__(self, name: str) -> object:
                if name.startswith("do_"):
                    return lambda: front._serve(self)
                raise AttributeError(name)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """Say nothing: that connections break is what this is for."""

        self._server = Server((LOOPBACK, 0), Handler)
        self.endpoint = f"{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        self._server.shutdown()
        self._server.server_close()

    def begin(
        self,
        fault: Fault,
        *,
        methods: Collection[str] = (),
        containing: str = "",
        times: float = float("inf"),
        seconds: float = 1.0,
    ) -> Trouble:
        """Let something go wrong from now on, in place of what went wrong before.

        Args:
            fault: What.
            methods: With which methods' requests; with all, if none is named.
            containing: With requests whose path contains this.
            times: How often, at most.
            seconds: How long a slow request takes longer.
        """
        self.heal()
        with self._lock:
            self._trouble = Trouble(fault, methods, containing, times, seconds)
            return self._trouble

    def heal(self) -> None:
        with self._lock:
            if self._trouble is not None:
                self._trouble.over.set()
            self._trouble = None

    def until_struck(self, trouble: Trouble, times: int = 1, *, seconds: float = 60) -> None:
        what = f"{trouble.fault} to strike {times} times (it did {trouble.struck})"
        eventually(lambda: trouble.struck >= times, seconds=seconds, what=what)

    def _strikes(self, handler: BaseHTTPRequestHandler) -> Trouble | None:
        with self._lock:
            trouble = self._trouble
            if trouble is None or trouble.struck >= trouble.times or trouble.containing not in handler.path:
                return None
            if trouble.methods and handler.command not in trouble.methods:
                return None
            trouble.struck += 1
            return trouble

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        trouble = self._strikes(handler)
        fault = trouble.fault if trouble else None
        if fault is Fault.DOWN:
            _hang_up(handler)
            return
        if fault is Fault.UNAVAILABLE:
            _answer(handler, 503, [("Retry-After", "1")], b"")
            return
        if fault is Fault.HALF_SENT:
            self._ask(handler, body, most=len(body) // 2)
            _hang_up(handler)
            return
        if fault is Fault.FLIPPED and body:
            body = bytes([*body[:-1], body[-1] ^ 1])
        if trouble and fault is Fault.SLOW:
            trouble.over.wait(trouble.seconds)
        if trouble and fault is Fault.HELD_BEFORE:
            trouble.over.wait()
        status, headers, content = self._ask(handler, body)
        if trouble and fault is Fault.HELD_AFTER:
            trouble.over.wait()
        if fault is Fault.WRONG_ETAG:
            headers = [
                (name, '"00000000000000000000000000000000"' if name == "ETag" else value) for name, value in headers
            ]
        _answer(handler, status, headers, content, most=len(content) // 2 if fault is Fault.HALF_ANSWERED else None)

    def _ask(
        self, handler: BaseHTTPRequestHandler, body: bytes, *, most: int | None = None
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Hand a request on, whole or only the beginning of its body, and return the answer."""
        connection = http.client.HTTPConnection(self._target, timeout=SERVER_SECONDS)
        with contextlib.closing(connection):
            connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body[:most])
            if most is not None:
                return 0, [], b""
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()


def _answer(
    handler: BaseHTTPRequestHandler,
    status: int,
    headers: list[tuple[str, str]],
    content: bytes,
    *,
    most: int | None = None,
) -> None:
    handler.send_response_only(status)
    described = {name.lower() for name, _ in headers}
    for name, value in headers:
        if name.lower() not in {"transfer-encoding", "connection"}:
            handler.send_header(name, value)
    if "content-length" not in described:
        handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content[:most])
    if most is not None:
        handler.wfile.flush()
        _hang_up(handler)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)
