"""A real print server for tests, and printers behind it that are slow, refuse or hang, as real ones do.

Needs Debian's ``cups`` (cupsd, its socket backend) and ``cups-client`` (lpadmin, lp, cancel, cupsdisable).
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from farms import eventually
from services import LOOPBACK, Server, ServiceMissingError

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER_BIN = Path("/usr/lib/cups")
PROGRAMS = ("cupsd", "lpadmin", "lpstat", "lp", "cancel", "cupsdisable", "cupsenable", "cupsaccept", "cupsreject")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
CHUNK = 16 * 1024

FILES = """\
ServerRoot {folder}/etc
ServerBin {server_bin}
DataDir /usr/share/cups
StateDir {folder}/run
CacheDir {folder}/cache
RequestRoot {folder}/spool
TempDir {folder}/spool/tmp
ServerKeychain {folder}/ssl
Printcap {folder}/printcap
AccessLog {folder}/access
PageLog {folder}/page
ErrorLog stderr
SystemGroup root
Sandboxing Relaxed
SyncOnClose No
"""
# Everybody who reaches it may do everything, but sees of the jobs of others only what Debian lets him see.
CONFIGURATION = """\
Listen 127.0.0.1:{port}
SSLListen 127.0.0.1:{tls_port}
ServerName localhost
ServerAlias *
Browsing No
WebInterface No
DefaultAuthType None
LogLevel info
DirtyCleanInterval 0
JobRetryInterval 1
MaxJobs 0
<Location />
Order allow,deny
Allow all
</Location>
<Policy default>
JobPrivateAccess default
JobPrivateValues default
<Limit All>
Order deny,allow
</Limit>
</Policy>
"""


class Cups(Server):
    """A print server that speaks IPP, plain and over TLS with a certificate that nobody vouches for."""

    ports_needed = 2

    def check(self) -> None:
        missing = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
        backend = SERVER_BIN / "backend" / "socket"
        missing += [] if backend.exists() else [str(backend)]
        if missing:
            raise ServiceMissingError(f"there is no {', '.join(missing)} here: install Debian's cups and cups-client")

    def prepare(self) -> None:
        # What prints is not run as root, and reads the spooled files.
        self.folder.chmod(0o755)
        for name in ("etc", "run", "cache", "spool/tmp", "ssl"):
            (self.folder / name).mkdir(parents=True)

    def command(self) -> list[str]:
        files, configuration = self.folder / "etc" / "files.conf", self.folder / "etc" / "cupsd.conf"
        files.write_text(FILES.format(folder=self.folder, server_bin=SERVER_BIN))
        configuration.write_text(CONFIGURATION.format(port=self.ports[0], tls_port=self.ports[1]))
        return [str(shutil.which("cupsd", path=PATH)), "-f", "-c", str(configuration), "-s", str(files)]

    def is_ready(self) -> bool:
        return "is running" in self.run("lpstat", "-r")

    def run(self, program: str, *arguments: str) -> str:
        """Run one of the server's own commands against it, and return what it says."""
        done = subprocess.run(
            [str(shutil.which(program, path=PATH)), "-h", f"{LOOPBACK}:{self.ports[0]}", *arguments],
            env={"PATH": PATH, "LC_ALL": "C", "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def uri(self, queue: str, *, tls: bool = False) -> str:
        """What the farm takes for a printer's URI."""
        scheme, port = ("ipps", self.ports[1]) if tls else ("ipp", self.ports[0])
        return f"{scheme}://{LOOPBACK}:{port}/printers/{queue}"

    def add_queue(self, device: Device) -> Queue:
        """Make a queue of its own for a device. What is sent to it arrives at the device as it was sent."""
        name = f"queue{secrets.token_hex(4)}"
        self.run("lpadmin", "-p", name, "-E", "-v", device.uri, "-o", "printer-error-policy=retry-current-job")
        return Queue(self, name, device)


class Queue:
    """A queue of the print server and the device behind it."""

    def __init__(self, server: Cups, name: str, device: Device) -> None:
        self.server = server
        self.name = name
        self.device = device

    @property
    def uri(self) -> str:
        return self.server.uri(self.name)

    def stop(self) -> None:
        """Stop it, as the server does when the paper is out. It goes on taking jobs."""
        self.server.run("cupsdisable", "-r", "Out of paper", self.name)

    def resume(self) -> None:
        self.server.run("cupsenable", self.name)

    def jobs(self) -> list[int]:
        """Return the ids of all its jobs that the server remembers, ended or not, the oldest first."""
        listed = self.server.run("lpstat", "-W", "all", "-o", self.name).splitlines()
        return sorted(int(line.split()[0].rpartition("-")[2]) for line in listed)

    def forget(self) -> None:
        """End all its jobs, and let the server forget that it ever had any."""
        self.server.run("cancel", "-a", "-x", self.name)

    def remove(self) -> None:
        self.server.run("lpadmin", "-x", self.name)


class Device:
    """A printer that takes documents on a port: one connection, one document.

    Attributes:
        documents: What was printed, each in full, in the order in which they ended.
    """

    def __init__(self) -> None:
        self.documents: list[bytes] = []
        self._going = threading.Event()
        self._going.set()
        self._ended = False
        self._connections: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._port = 0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._going.set()
        self.refuse()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    @property
    def uri(self) -> str:
        # The server looks for a lost paper jam over SNMP otherwise, and waits for the answer.
        return f"socket://{LOOPBACK}:{self._port}/?snmp=false"

    def accept(self) -> None:
        """Take connections, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, self._port))
        listener.listen()
        self._port = listener.getsockname()[1]
        self._listener = listener
        self._in_thread(lambda: self._serve(listener))

    def refuse(self) -> None:
        """Take no connection any more, as one that is switched off."""
        if self._listener is not None:
            # Closing alone does not wake the thread that waits in it.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def hang(self) -> None:
        """Go on taking connections, and nothing from them."""
        self._going.clear()

    def go_on(self) -> None:
        """End what `hang` began."""
        self._going.set()

    def is_busy(self) -> bool:
        """Say whether a document is on its way in."""
        return bool(self._connections)

    def until_printed(self, count: int = 1) -> list[bytes]:
        """Return the documents when there are so many."""
        eventually(lambda: len(self.documents) >= count, what=f"document {count} on paper")
        return self.documents

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._connections.add(connection)
                self._in_thread(lambda connection=connection: self._print(connection))

    def _print(self, connection: socket.socket) -> None:
        received = bytearray()
        with connection, contextlib.suppress(OSError):
            while True:
                self._going.wait()
                chunk = connection.recv(CHUNK)
                if not chunk or self._ended:
                    break
                received += chunk
            if received and not self._ended:
                self.documents.append(bytes(received))
        self._connections.discard(connection)

    def _in_thread(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()
