"""The printers: queues of a CUPS server of the run's own, with devices that keep what they printed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cups import Cups, Device
from services import ServiceMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

QUEUES = 2


@dataclass(frozen=True, slots=True)
class Paper:
    """What can be printed on.

    Attributes:
        devices: The devices by their printers' names.
        uris: The printers' addresses by their names.
        missing: Why there are none, if there are none.
    """

    devices: Mapping[str, Device] = field(default_factory=dict)
    uris: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""

    @classmethod
    @contextlib.contextmanager
    def where_possible(cls) -> Iterator[Paper]:
        """Run printers until the block ends; none where this machine cannot."""
        server = Cups()
        try:
            server.check()
        except ServiceMissingError as error:
            yield cls(missing=str(error))
            return
        with server, contextlib.ExitStack() as devices:
            names = [f"Printer {number}" for number in range(1, QUEUES + 1)]
            queues = {name: server.add_queue(devices.enter_context(Device())) for name in names}
            yield cls(
                {name: queue.device for name, queue in queues.items()},
                {name: queue.uri for name, queue in queues.items()},
            )

    def printed(self) -> list[bytes]:
        """Return every document that came out, in full."""
        return [document for device in self.devices.values() for document in device.documents]
